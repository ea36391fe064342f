"""The chunks of a PNG, and the frames of an animated one, read without decoding a pixel.

Pillow is handed only the chunks that make pixels: pictures made by generators carry whole workflows in text chunks,
beyond what Pillow accepts, and compressed text is a way to smuggle a bomb. Neither is ever unpacked here.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, NamedTuple

from keyweave.media.pictures.cels import After, Cel, Strip, seconds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from fractions import Fraction

    from keyweave.media.pictures.picture_file import PictureFile

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CONTROL = ">4x4I2H2B"  # of fcTL: number, size, place, delay, disposal, blending
_AFTER: tuple[After, ...] = ("keep", "clear", "restore")
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type
_GREY, _RGB, _PALETTE = 0, 2, 3
_MOST_CHUNKS = 1_000_000  # a list of more would need more memory than the file is long
_MOST_SIDE_BYTES = 16 << 20  # of a colour profile; Photoshop's largest are about 3 MB
_MOST_PALETTE_BYTES = 768


class Chunk(NamedTuple):
    """Where a chunk lies: its name, the position of its data and how many bytes they are."""

    name: bytes
    at: int
    length: int


class Header(NamedTuple):
    """What IHDR says."""

    width: int
    height: int
    depth: int
    color: int
    rest: bytes  # compression, filter and interlace


class Png:
    """A PNG whose chunks have been listed up to the first picture data.

    Args:
        file: a file that starts with a PNG's signature.
    """

    def __init__(self, file: PictureFile) -> None:
        self._file = file
        self.header = self._header()
        self.profile: bytes | None = None
        self.frames = 0  # as promised by acTL; 0 for a still
        self.plays = 1
        self._colors = b""  # the chunks PLTE and tRNS
        self.has_alpha = self.header.color in (4, 6)
        for chunk in self.chunks():
            if chunk.name == b"IDAT":
                break
            self._take(chunk)

    def chunks(self) -> Iterator[Chunk]:
        """Walk through the chunks up to and with IEND."""
        at = len(SIGNATURE)
        for _ in range(_MOST_CHUNKS):
            length, name = struct.unpack(">I4s", self._file.read(at, 8))
            if length >= 1 << 31 or not (name.isascii() and name.isalpha()):
                raise self._file.damaged(f" past byte {at:,}")
            self._file.need(at + 12 + length)
            yield Chunk(name, at + 8, length)
            if name == b"IEND":
                return
            at += 12 + length
        raise self._file.damaged(f" past its first {_MOST_CHUNKS:,} chunks")

    def still(self) -> bytes:
        """Return a plain PNG: the default picture without anything beside it."""
        room = self._room(self.header.width, self.header.height)
        data = [part for part in self.chunks() if part.name == b"IDAT"]
        if not data:
            raise self._file.damaged()
        return self._picture(self.header, b"".join(self._whole(part) for part in self._within(data, room)))

    def exif(self) -> bytes | None:
        """Return the EXIF block, which may also follow the picture data."""
        found = None
        for chunk in self.chunks():  # to the end, for a file that is cut off must not pass as whole
            if chunk.name == b"eXIf" and chunk.length <= _MOST_SIDE_BYTES:
                found = self._data(chunk)
        return found

    def strip(self) -> Strip:
        """Return the frames of an APNG."""
        return Strip(self.header[:2], self.plays, self._cels, self.profile)

    def _cels(self) -> Iterator[Cel]:
        control: bytes | None = None
        data: list[Chunk] = []
        found = 0
        for chunk in self.chunks():
            if chunk.name in (b"fcTL", b"IEND") and control and data:
                yield self._cel(control, data)
                found += 1
                control = None
            if found == self.frames:
                return
            if chunk.name == b"fcTL":
                if chunk.length != struct.calcsize(_CONTROL):
                    raise self._file.damaged(f" at frame {found}")
                control, data = self._data(chunk), []
            elif chunk.name in (b"IDAT", b"fdAT") and control:
                data.append(chunk)
        raise self._file.cut_off()

    def _cel(self, control: bytes, data: list[Chunk]) -> Cel:
        width, height, left, top, num, den, dispose, blend = struct.unpack(_CONTROL, control)
        box = (left, top, left + width, top + height)
        if not (width and height) or box[2] > self.header.width or box[3] > self.header.height or dispose > 2:
            raise self._file.damaged()
        header = self.header._replace(width=width, height=height)

        def still() -> bytes:
            parts = self._within(data, self._room(width, height))
            return self._picture(header, b"".join(_chunk(b"IDAT", self._pixels(part)) for part in parts))

        return Cel(box, _delay(num, den), blend == 1, _AFTER[dispose], not self.has_alpha, still)

    def _header(self) -> Header:
        chunk = next(self.chunks())
        data = self._data(chunk) if chunk.length == 13 else b""
        if chunk.name != b"IHDR" or not data:
            raise self._file.damaged()
        header = Header(*struct.unpack(">IIBB3s", data))
        if header.color not in _CHANNELS or not (header.width and header.height):
            raise self._file.damaged()
        self._file.check_size(header.width, header.height)
        return header

    def _take(self, chunk: Chunk) -> None:
        if chunk.name == b"PLTE" and chunk.length <= _MOST_PALETTE_BYTES:
            self._colors += self._whole(chunk)
        elif chunk.name == b"tRNS" and chunk.length <= _MOST_PALETTE_BYTES and self.header.color <= _PALETTE:
            self._colors += _chunk(b"tRNS", self._transparent(self._data(chunk)))
            self.has_alpha = True
        elif chunk.name == b"iCCP" and chunk.length <= _MOST_SIDE_BYTES:
            self.profile = _profile(self._data(chunk))
        elif chunk.name == b"acTL" and chunk.length == 8:
            self.frames, self.plays = struct.unpack(">II", self._data(chunk))

    def _transparent(self, data: bytes) -> bytes:
        """Put the transparent colour onto the scale of the samples that Pillow makes of this depth."""
        header = self.header
        if header.color == _PALETTE or len(data) % 2:
            return data
        samples = struct.unpack(f">{len(data) // 2}H", data)
        if header.color == _GREY and 1 < header.depth < 8:
            samples = tuple(sample * 255 // (2**header.depth - 1) for sample in samples)
        elif header.color == _RGB and header.depth == 16:
            samples = tuple(sample >> 8 for sample in samples)
        return struct.pack(f">{len(samples)}H", *samples)

    def _room(self, width: int, height: int) -> int:
        # Deflate never needs more than a little above the raw size; twice that is generous and still bounded.
        raw = (width * _CHANNELS[self.header.color] * self.header.depth // 8 + 2) * height
        return 2 * raw + (1 << 16)

    def _within(self, data: list[Chunk], room: int) -> list[Chunk]:
        if sum(chunk.length for chunk in data) > room:
            raise self._file.damaged()
        return data

    def _picture(self, header: Header, data: bytes) -> bytes:
        head = _chunk(b"IHDR", struct.pack(">IIBB3s", *header))
        return SIGNATURE + head + self._colors + data + _chunk(b"IEND", b"")

    def _pixels(self, chunk: Chunk) -> bytes:
        # The data of fdAT begin with a sequence number.
        skip = 4 if chunk.name == b"fdAT" else 0
        return self._file.read(chunk.at + skip, max(0, chunk.length - skip))

    def _data(self, chunk: Chunk) -> bytes:
        return self._file.read(chunk.at, chunk.length)

    def _whole(self, chunk: Chunk) -> bytes:
        return self._file.read(chunk.at - 8, chunk.length + 12)


def _delay(numerator: int, denominator: int) -> Fraction:
    # A delay of none means "as fast as can be"; browsers wait a tenth of a second, and so do we.
    return seconds(numerator, denominator or 100) if numerator else seconds(1, 10)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _profile(data: bytes) -> bytes:
    """Unpack an ICC profile, or as much of it as its limit allows; a broken one is found out where it is used."""
    packed = data.partition(b"\0")[2][1:]
    try:
        return zlib.decompressobj().decompress(packed, _MOST_SIDE_BYTES)
    except zlib.error:
        return packed
