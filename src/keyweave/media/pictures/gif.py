"""The frames of a GIF, read without decoding a pixel."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from keyweave.media.pictures.cels import After, Cel, Strip, seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keyweave.media.pictures.picture_file import PictureFile

_EXTENSION, _IMAGE, _TRAILER, _PADDING = b"!", b",", b";", b"\0"
_CONTROL, _APPLICATION = 0xF9, 0xFF
_LOOPS = (b"\x0bNETSCAPE2.0\x03\x01", b"\x0bANIMEXTS1.0\x03\x01")
_AFTER: dict[int, After] = {2: "clear", 3: "restore", 4: "restore"}  # 4 by an old misprint; all others keep


class _Control(NamedTuple):
    """A graphic control extension: how the next image is shown."""

    delay: int = 0  # hundredths of a second
    after: After = "keep"
    transparent: int | None = None


class Gif:
    """A GIF whose head and first image have been found.

    Args:
        file: a file that starts with a GIF's signature.
    """

    def __init__(self, file: PictureFile) -> None:
        self._file = file
        self._start = 13 + _table_bytes(file.read(10, 1)[0])
        self._head = file.read(0, self._start)
        self._plays = 1
        first = next(self._cels(), None)
        if first is None:
            raise file.damaged()
        width, height = struct.unpack("<HH", self._head[6:10])
        # As browsers do: a canvas too small for the first image grows; later images are clipped to it.
        self.size = max(width, first.box[2]), max(height, first.box[3])
        file.check_size(*self.size)

    def strip(self) -> Strip:
        """Return the frames."""
        return Strip(self.size, self._plays, self._cels)

    def _cels(self) -> Iterator[Cel]:
        at = self._start
        control = _Control()
        # Many files lack the trailer; what counts is that the last image is whole.
        while at < self._file.size and (mark := self._file.read(at, 1)) != _TRAILER:
            if mark == _EXTENSION:
                control = self._extension(at, control)
                at = self._past_blocks(at + 2)
            elif mark == _IMAGE:
                cel, at = self._image(at, control)
                yield cel
                control = _Control()
            elif mark == _PADDING:
                at += 1
            else:
                raise self._file.damaged(f" past byte {at:,}")

    def _extension(self, at: int, control: _Control) -> _Control:
        label, length = self._file.read(at + 1, 2)
        if label == _CONTROL and length >= 4:
            flags, delay, transparent = struct.unpack("<BHB", self._file.read(at + 3, 4))
            return _Control(delay, _AFTER.get(flags >> 2 & 7, "keep"), transparent if flags & 1 else None)
        if label == _APPLICATION and length == 11 and self._file.read(at + 2, 14) in _LOOPS:
            repeats = struct.unpack("<H", self._file.read(at + 16, 2))[0]
            self._plays = repeats + 1 if repeats else 0
        return control

    def _image(self, at: int, control: _Control) -> tuple[Cel, int]:
        left, top, width, height, flags = struct.unpack("<4HB", self._file.read(at + 1, 9))
        self._file.check_size(width, height)
        colors = at + 10
        data = colors + _table_bytes(flags)
        end = self._past_blocks(data + 1)
        # LZW takes at most 12 bits a pixel and the blocks some more; what is beyond is no picture.
        if end - data > 4 * width * height + (1 << 16):
            raise self._file.damaged(f" past byte {at:,}")

        def still() -> bytes:
            screen = b"GIF89a" + struct.pack("<HH", width, height) + self._head[10:]
            shown = b"" if control.transparent is None else struct.pack("<4sHB1x", b"!\xf9\4\1", 0, control.transparent)
            descriptor = _IMAGE + struct.pack("<4HB", 0, 0, width, height, flags)
            return screen + shown + descriptor + self._file.read(colors, end - colors) + _TRAILER

        # Browsers play a delay of 0 or 1 hundredth, which old programs wrote for "whenever", as a tenth of a second.
        delay = seconds(control.delay if control.delay > 1 else 10, 100)
        box = (left, top, left + width, top + height)
        opaque = control.transparent is None
        return Cel(box, delay, over=True, after=control.after, opaque=opaque, still=still), end

    def _past_blocks(self, at: int) -> int:
        while length := self._file.read(at, 1)[0]:
            at += 1 + length
        return at + 1


def _table_bytes(flags: int) -> int:
    """Size of the colour table that a packed field announces."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0
