"""APNG and animated WebP, written frame by frame; of every frame after the first only the part that changed."""

from __future__ import annotations

import io
import struct
import zlib
from itertools import count, repeat
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import PIL.Image

from keyweave.base.errors import MediaError
from keyweave.media.comments import PNG_KEYWORD, exif_with_comment
from keyweave.media.pictures.images import encode_png
from keyweave.media.pictures.png import SIGNATURE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from fractions import Fraction
    from pathlib import Path

    from keyweave.media.types import Frame

_MOST_16_BITS, _MOST_32_BITS = (1 << 16) - 1, (1 << 32) - 1
_PNG_TICKS, _WEBP_TICKS = 10_000, 1000  # a second
_AFTER_IHDR = len(SIGNATURE) + 25
_AFTER_RIFF = 12
_WEBP_QUALITY = 97  # flat colours come back within one level; at 95 within three
_IS_ANIMATED, _HAS_EXIF, _HAS_ALPHA = 0x02, 0x08, 0x10  # flags of VP8X
_NOT_BLENDED = 0x02  # flag of ANMF


def write_apng(path: Path, frames: Iterable[Frame], rate: Fraction, comment: str | None) -> None:
    """Write a lossless APNG that loops."""
    numbers = count()  # of the chunks that make the animation
    shown = 0
    with path.open("wb") as file:
        for shown, (part, delay) in enumerate(zip(_parts(frames), _png_delays(rate), strict=False), 1):
            header, data = _taken_apart(encode_png(part.pixels))
            if shown == 1:
                file.write(SIGNATURE + _png_chunk(b"IHDR", header) + _animation_control(1))
                if comment is not None:
                    file.write(_png_chunk(b"iTXt", PNG_KEYWORD.encode() + bytes(5) + comment.encode()))
            place = struct.pack(">5I2H2x", next(numbers), *part.size, part.left, part.top, *delay)
            file.write(_png_chunk(b"fcTL", place))
            first = shown == 1
            file.write(_png_chunk(b"IDAT", data) if first else _png_chunk(b"fdAT", next(numbers).to_bytes(4) + data))
        file.write(_png_chunk(b"IEND", b""))
        file.seek(_AFTER_IHDR)
        file.write(_animation_control(shown))


def write_webp(path: Path, frames: Iterable[Frame], rate: Fraction, comment: str | None) -> None:
    """Write an animated WebP that loops, of high quality though not lossless."""
    with path.open("wb") as file:
        for number, (part, delay) in enumerate(zip(_parts(frames, step=2), _delays(rate, _WEBP_TICKS), strict=False)):
            if number == 0:
                flags = _IS_ANIMATED | _HAS_ALPHA * (part.pixels.shape[2] == 4) | _HAS_EXIF * (comment is not None)
                file.write(struct.pack("<4sI4s", b"RIFF", 0, b"WEBP"))
                file.write(_riff_chunk(b"VP8X", struct.pack("<I", flags) + _threes(*_less_one(part.size))))
                file.write(_riff_chunk(b"ANIM", bytes(6)))  # no background, played for ever
            place = _threes(part.left // 2, part.top // 2, *_less_one(part.size), delay)
            file.write(_riff_chunk(b"ANMF", place + bytes([_NOT_BLENDED]) + _webp_data(part.pixels)))
            if file.tell() > _MOST_32_BITS - 2 * _MOST_16_BITS:
                raise MediaError("A WebP holds at most 4 GB; this clip needs more.", "Write a .webm or .mp4 instead.")
        if comment is not None:
            file.write(_riff_chunk(b"EXIF", exif_with_comment(comment)))
        length = file.tell() - 8
        file.seek(4)
        file.write(struct.pack("<I", length))


class _Part(NamedTuple):
    """The part of a frame that is not as it was in the frame before."""

    left: int
    top: int
    pixels: Frame  # (H, W, 3 or 4)

    @property
    def size(self) -> tuple[int, int]:
        return self.pixels.shape[1], self.pixels.shape[0]


def _parts(frames: Iterable[Frame], step: int = 1) -> Iterator[_Part]:
    """Cut out what changes; `left` and `top` are multiples of `step`."""
    before: Frame | None = None
    for frame in frames:
        left, top, right, bottom = _changed(before, frame)
        left, top = left - left % step, top - top % step
        yield _Part(left, top, frame[top:bottom, left:right])
        before = frame.copy()  # whoever makes the frames may draw the next one into the same array


def _changed(before: Frame | None, frame: Frame) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of what is not the same: one pixel if all is, for nothing cannot be stored."""
    if before is None:
        return 0, 0, frame.shape[1], frame.shape[0]
    differs = (before != frame).any(axis=2)
    columns, rows = np.flatnonzero(differs.any(axis=0)), np.flatnonzero(differs.any(axis=1))
    if not len(rows):
        return 0, 0, 1, 1
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _delays(rate: Fraction, ticks: int) -> Iterator[int]:
    """Yield how many ticks each frame is shown; what is rounded off one is added to a later one."""
    for number in count():
        yield round((number + 1) * ticks / rate) - round(number * ticks / rate)


def _png_delays(rate: Fraction) -> Iterator[tuple[int, int]]:
    if max(rate.as_integer_ratio()) <= _MOST_16_BITS:
        return repeat((rate.denominator, rate.numerator))
    return ((delay, _PNG_TICKS) for delay in _delays(rate, _PNG_TICKS))


def _taken_apart(png: bytes) -> tuple[bytes, bytes]:
    """Return the header and the picture data of a PNG that we made."""
    at, header, data = len(SIGNATURE), b"", b""
    while at < len(png):
        length, name = struct.unpack_from(">I4s", png, at)
        content = png[at + 8 : at + 8 + length]
        if name == b"IHDR":
            header = content
        elif name == b"IDAT":
            data += content
        at += 12 + length
    return header, data


def _animation_control(frames: int) -> bytes:
    return _png_chunk(b"acTL", struct.pack(">II", frames, 0))


def _png_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _webp_data(pixels: Frame) -> bytes:
    """Pack a picture; return its chunks of alpha and of pixels."""
    out = io.BytesIO()
    PIL.Image.fromarray(np.ascontiguousarray(pixels)).save(out, "webp", quality=_WEBP_QUALITY)
    data = out.getvalue()
    # With alpha, an extended header of 18 bytes comes first; a frame must not have it.
    return data[_AFTER_RIFF + 18 * (data[_AFTER_RIFF:].startswith(b"VP8X")) :]


def _riff_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack("<4sI", name, len(data)) + data + bytes(len(data) % 2)


def _less_one(size: tuple[int, int]) -> tuple[int, int]:
    return size[0] - 1, size[1] - 1


def _threes(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(3, "little") for number in numbers)
