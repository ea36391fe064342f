"""The chunks of a WebP, and the frames of an animated one, read without decoding a pixel."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from keyweave.media.pictures.cels import Cel, Strip, seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keyweave.media.pictures.picture_file import PictureFile

_ANIMATED, _ALPHA = 0x02, 0x10  # flags of VP8X
_NOT_BLENDED, _CLEARED = 0x02, 0x01  # flags of ANMF
_MOST_PROFILE_BYTES = 16 << 20


class _Chunk(NamedTuple):
    """Where a chunk lies: its name, the position of its data and how many bytes they are."""

    name: bytes
    at: int
    length: int


class WebP:
    """A WebP whose first chunk has been read.

    Args:
        file: a file that is a RIFF of form WEBP.
    """

    def __init__(self, file: PictureFile) -> None:
        self._file = file
        self._end = 8 + struct.unpack("<I", file.read(4, 4))[0]
        first = next(self._chunks(12, self._end), None)
        if first is None:
            raise file.damaged()
        self.is_animated = first.name == b"VP8X" and bool(file.read(first.at, 1)[0] & _ANIMATED)
        self._first = first

    def require_whole(self) -> None:
        """Refuse the file if it is shorter than it says."""
        self._file.need(self._end)

    def strip(self) -> Strip:
        """Return the frames of an animation."""
        plays, profile = 1, None
        sizes = self._file.read(self._first.at + 4, 6)
        size = 1 + _three(sizes, 0), 1 + _three(sizes, 3)
        self._file.check_size(*size)
        for chunk in self._chunks(12, self._end):
            if chunk.name == b"ICCP" and chunk.length <= _MOST_PROFILE_BYTES:
                profile = self._file.read(chunk.at, chunk.length)
            elif chunk.name == b"ANIM" and chunk.length >= 6:
                plays = struct.unpack("<H", self._file.read(chunk.at + 4, 2))[0]
            elif chunk.name == b"ANMF":
                break
        return Strip(size, plays, self._cels, profile)

    def _cels(self) -> Iterator[Cel]:
        for chunk in self._chunks(12, self._end):
            if chunk.name == b"ANMF":
                yield self._cel(chunk)

    def _cel(self, chunk: _Chunk) -> Cel:
        if chunk.length < 16:
            raise self._file.damaged(f" past byte {chunk.at:,}")
        head = self._file.read(chunk.at, 16)
        left, top = 2 * _three(head, 0), 2 * _three(head, 3)
        width, height = 1 + _three(head, 6), 1 + _three(head, 9)
        self._file.check_size(width, height)
        if chunk.length > 8 * width * height + (1 << 16):  # more than any picture of this size needs
            raise self._file.damaged(f" past byte {chunk.at:,}")
        data = list(self._chunks(chunk.at + 16, chunk.at + chunk.length))
        alpha = next((part for part in data if part.name == b"ALPH"), None)
        picture = next((part for part in data if part.name in (b"VP8 ", b"VP8L")), None)
        if picture is None:
            raise self._file.damaged(f" past byte {chunk.at:,}")

        def still() -> bytes:
            parts = [self._whole(part) for part in (alpha, picture) if part]
            if alpha:
                size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
                parts.insert(0, struct.pack("<4sII", b"VP8X", 10, _ALPHA) + size)
            body = b"WEBP" + b"".join(parts)
            return struct.pack("<4sI", b"RIFF", len(body)) + body

        flags = head[15]
        return Cel(
            (left, top, left + width, top + height),
            seconds(_three(head, 12) or 100, 1000),  # as browsers do, a delay of none is a tenth of a second
            over=not flags & _NOT_BLENDED,
            after="clear" if flags & _CLEARED else "keep",
            opaque=alpha is None and not self._lossless_alpha(picture),
            still=still,
        )

    def _lossless_alpha(self, picture: _Chunk) -> bool:
        # A signature byte, two sizes of 14 bits, and the bit that tells of alpha.
        return picture.name == b"VP8L" and bool(self._file.read(picture.at + 4, 1)[0] & 0x10)

    def _chunks(self, at: int, end: int) -> Iterator[_Chunk]:
        while at + 8 <= end:
            name, length = struct.unpack("<4sI", self._file.read(at, 8))
            self._file.need(at + 8 + length)
            yield _Chunk(name, at + 8, length)
            at += 8 + length + length % 2

    def _whole(self, chunk: _Chunk) -> bytes:
        return self._file.read(chunk.at - 8, chunk.length + 8) + b"\0" * (chunk.length % 2)


def _three(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 3], "little")
