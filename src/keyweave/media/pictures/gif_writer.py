"""GIF: one palette for the whole clip, hundredths of a second without drift, and only what changes in each frame."""

from __future__ import annotations

import struct
import zlib
from fractions import Fraction
from itertools import pairwise
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, cast

import av
import numpy as np
from av.codec.context import CodecContext

from keyweave.media.encoders import encoder_faults
from keyweave.media.pictures.palette import MOST, Census

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from av.video.codeccontext import VideoCodecContext

    from keyweave.media.pictures.palette import Palette
    from keyweave.media.types import Frame

ENCODER = "gif"
_TICKS = 100  # a second
_LEAST_DELAY = 2  # ticks; browsers take anything shorter for a tenth of a second
_HALF_OPAQUE = 128  # alpha from which on a pixel is shown
_LOOP = b"!\xff\x0bNETSCAPE2.0\x03\x01\0\0\0"
_TRAILER = b";"
_CLEARED = 0b01001  # flags of a graphic control extension: has a transparent colour, is cleared when its time is over


def write_gif(path: Path, frames: Iterable[Frame], rate: Fraction, comment: str | None) -> tuple[int, list[str]]:
    """Write a GIF that loops; return how many frames it has, and in sentences what could not be kept.

    All colours must be known before the first pixel is written: until then the frames wait in a file on the disk.
    """
    with TemporaryFile(dir=path.parent) as disk:
        clip = _Clip(disk, rate)
        for frame in frames:
            clip.add(frame)
        with path.open("wb") as file:
            _write(file, clip, comment)
    return len(clip.starts), list(clip.notes())


class _Clip:
    """Frames on their way into a GIF: timed, with hard edges, their colours counted, kept on the disk."""

    def __init__(self, disk: IO[bytes], rate: Fraction) -> None:
        self._disk = disk
        self._rate = rate
        self._given = 0
        self._softened = False
        self._shape = (0, 0, 0)
        self._census = Census()
        self.starts: list[int] = []  # in ticks

    def add(self, frame: Frame) -> None:
        """Keep a frame, unless it follows the one before too closely."""
        start = round(self._given * _TICKS / self._rate)
        self._given += 1
        self._shape = frame.shape
        if self.starts and start < self.starts[-1] + _LEAST_DELAY:
            return
        self.starts.append(start)
        if frame.shape[2] == 4:
            shown = frame[..., 3] >= _HALF_OPAQUE
            self._softened |= bool(((frame[..., 3] != 255) & (frame[..., 3] != 0)).any())
            frame = np.where(shown[..., None], frame, 0)
            frame[..., 3] = 255 * shown
            self._census.see(frame[shown][:, :3])
        else:
            self._census.see(frame.reshape(-1, 3))
        packed = zlib.compress(frame.tobytes(), 1)
        self._disk.write(struct.pack("<Q", len(packed)) + packed)

    @property
    def delays(self) -> list[int]:
        """How many ticks each frame is shown."""
        end = max(round(self._given * _TICKS / self._rate), self.starts[-1] + _LEAST_DELAY)
        return [stop - start for start, stop in pairwise([*self.starts, end])]

    def frames(self) -> Iterator[Frame]:
        """Yield the frames that were kept."""
        self._disk.seek(0)
        for _ in self.starts:
            (length,) = struct.unpack("<Q", self._disk.read(8))
            yield np.frombuffer(zlib.decompress(self._disk.read(length)), np.uint8).reshape(self._shape)

    def palette(self) -> Palette:
        """Choose the colours."""
        return self._census.palette(clear=self._shape[2] == 4)

    def notes(self) -> Iterator[str]:
        """Tell what could not be kept."""
        if len(self.starts) < self._given:
            most = _TICKS // _LEAST_DELAY
            yield f"GIF shows at most {most} frames a second: of {self._given} frames {len(self.starts)} were kept."
        if not self._census.fits(clear=self._shape[2] == 4):
            yield f"GIF holds {MOST} colours, transparency being one; this clip has more, which were mixed of those."
        if self._softened:
            yield "GIF knows no half transparency: pixels became wholly opaque or wholly transparent."


def _write(file: IO[bytes], clip: _Clip, comment: str | None) -> None:
    palette = clip.palette()
    clear = len(palette.colors)
    colors = np.zeros((MOST, 4), np.uint8)  # alpha, red, green, blue; the numbers left over are transparent
    colors[:clear] = np.insert(palette.colors, 0, 255, axis=1)
    encoder: VideoCodecContext | None = None
    for number, (frame, delay) in enumerate(zip(clip.frames(), clip.delays, strict=True)):
        index = palette.index(frame)
        if frame.shape[2] == 4:
            index[frame[..., 3] == 0] = clear
        encoder = encoder or _encoder(*index.shape, clear=frame.shape[2] == 4)
        picture = av.VideoFrame.from_ndarray((index, colors), "pal8")  # pyright: ignore[reportArgumentType]
        picture.pts = number
        with encoder_faults(ENCODER):
            data = b"".join(bytes(packet) for packet in encoder.encode(picture))
        if number == 0:
            # The encoder begins with the head of the file and the colours; then comes what holds for the whole clip.
            head = 13 + 3 * MOST
            file.write(data[:head] + _LOOP + (b"" if comment is None else _comment(comment)))
            data = data[head:]
        # Now a graphic control extension: mark, flags, the delay, which a muxer would fill in, and what is transparent.
        flags, transparent = (_CLEARED, clear) if frame.shape[2] == 4 else (data[3], data[6])
        file.write(data[:3] + struct.pack("<BHB", flags, delay, transparent) + data[7:])
    file.write(_TRAILER)


def _encoder(height: int, width: int, *, clear: bool) -> VideoCodecContext:
    encoder = cast("VideoCodecContext", CodecContext.create(ENCODER, "w"))
    if clear:
        # What a frame with alpha shows must not depend on the one before: store it whole, and clear it afterwards.
        # FFmpeg's own way leaves the colours of an opaque frame in the holes of the next.
        encoder.options = {"gifflags": "0"}
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "pal8"
    encoder.time_base = Fraction(1, _TICKS)
    return encoder


def _comment(text: str) -> bytes:
    data = text.encode()
    blocks = [data[at : at + 255] for at in range(0, len(data), 255)]
    return b"!\xfe" + b"".join(bytes([len(block)]) + block for block in blocks) + b"\0"
