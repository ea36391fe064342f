"""Decoded frames become pixels: upright, square, sRGB, 8 bits, straight alpha."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from fractions import Fraction
from math import cos, radians, sin
from typing import TYPE_CHECKING

import cv2
import numpy as np
from av.error import FFmpegError
from av.video.reformatter import ColorPrimaries, ColorTrc, Interpolation, VideoReformatter

from keyweave.base.errors import MediaError

if TYPE_CHECKING:
    from av.video.frame import VideoFrame
    from av.video.plane import VideoPlane
    from numpy.typing import NDArray

    from keyweave.media.types import Frame

log = logging.getLogger(__name__)

# Codes of ISO/IEC 23091-2 for the matrix between YUV and RGB.
_BT709, _BT601, _BT2020, _BT2020_CONSTANT = 1, 6, 9, 10
# What swscale knows; 4 is FCC, 5 another name of BT.601, 7 SMPTE 240M.
_KNOWN_MATRICES = frozenset({_BT709, 4, 5, _BT601, 7, _BT2020})
_STRANGEST_ASPECT = 16
_MOST_THREADS = 4


@dataclass(frozen=True)
class Look:
    """How the frames of a stream are to be shown, told by its first one.

    Args:
        width: columns of square pixels before turning.
        height: rows before turning.
        turn: the upper left 2 x 2 of the display matrix, as signs.
        has_alpha: whether frames say how opaque each pixel is.
    """

    width: int
    height: int
    turn: tuple[int, int, int, int]
    has_alpha: bool

    @property
    def shown_size(self) -> tuple[int, int]:
        """Width and height as displayed."""
        return (self.height, self.width) if self.turn[0] == 0 else (self.width, self.height)

    @property
    def is_mirrored(self) -> bool:
        """Whether left and right are exchanged before turning."""
        a, b, c, d = self.turn
        return a * d - b * c < 0

    @property
    def rotation(self) -> int:
        """Degrees, clockwise, by which stored frames are turned to be shown: 0, 90, 180 or 270."""
        a, b = (-self.turn[0], -self.turn[1]) if self.is_mirrored else self.turn[:2]
        return {(1, 0): 0, (0, 1): 90, (-1, 0): 180, (0, -1): 270}[a, b]


def look_of(first: VideoFrame, aspect: Fraction) -> Look:
    """Tell how a stream is to be shown; the height is kept, the width gives way where pixels are not square."""
    if not Fraction(1, _STRANGEST_ASPECT) <= aspect <= _STRANGEST_ASPECT:
        aspect = Fraction(1)
    width = max(1, round(first.width * aspect))
    return Look(width, first.height, _turn(first), any(part.is_alpha for part in first.format.components))


def warn_of(first: VideoFrame, name: str) -> None:
    """Log what keyweave does not undo."""
    if first.color_trc in (ColorTrc.SMPTE2084, ColorTrc.ARIB_STD_B67):
        log.warning("%s is HDR video; it is read without tone mapping and will look pale.", name)
    elif first.color_primaries == ColorPrimaries.BT2020:
        log.warning("%s has BT.2020 primaries; its colours are read as if they were sRGB.", name)
    if first.interlaced_frame:
        log.warning("%s is interlaced; its fields are not separated, so motion will show combs.", name)


class Developer:
    """Turns decoded frames into pixels; one per thread, since it keeps swscale's tables.

    Args:
        look: how the frames are to be shown.
        name: the file, for messages.
    """

    def __init__(self, look: Look, name: str) -> None:
        self._look = look
        self._name = name
        self._reformatter = VideoReformatter()
        self._size: tuple[int, int] | None = None

    def __call__(self, frame: VideoFrame) -> Frame:
        """Return the pixels of one frame, uint8 (H, W, 3 or 4); a frame of another size is scaled to the first's."""
        self._watch_size(frame)
        _name_matrix(frame)
        look = self._look
        as_it_is = (frame.width, frame.height) == (look.width, look.height)
        scaling = Interpolation.BILINEAR if as_it_is else Interpolation.BICUBIC
        try:
            made = self._reformatter.reformat(
                frame,
                look.width,
                look.height,
                # Planes come out the same as packed pixels, and in less than half the time.
                "gbrap" if look.has_alpha else "gbrp",
                # Without these two, swscale repeats chroma in pairs and is up to 3 levels off.
                interpolation=int(scaling | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT),
                threads=min(os.cpu_count() or 1, _MOST_THREADS),
            )
        except (FFmpegError, ValueError) as fault:
            raise MediaError(
                f"{self._name} has frames of a kind that cannot be turned into RGB ({frame.format.name}).",
                "Convert it first, for instance to MP4 with H.264.",
            ) from fault
        green, blue, red, *alpha = (_pixels(plane) for plane in made.planes)
        return _turned(cv2.merge([red, green, blue, *alpha]), look.turn)

    def _watch_size(self, frame: VideoFrame) -> None:
        size = frame.width, frame.height
        if self._size not in (None, size):
            log.warning("%s changes size to %d x %d on the way; it is scaled to the first size.", self._name, *size)
        self._size = size


def _name_matrix(frame: VideoFrame) -> None:
    """Fill in the matrix that a frame leaves open, the way mpv and VLC do.

    High definition (1280 columns or more than 576 rows) is taken for BT.709, the rest for BT.601. An open range needs
    no word: swscale takes it for the limited one of television, unless the pixel format is a full one by itself.
    """
    if frame.colorspace == _BT2020_CONSTANT:
        frame.colorspace = _BT2020
    elif frame.colorspace not in _KNOWN_MATRICES:
        frame.colorspace = _BT709 if frame.width >= 1280 or frame.height > 576 else _BT601


def _pixels(plane: VideoPlane) -> NDArray[np.uint8]:
    return np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]


def _turn(frame: VideoFrame) -> tuple[int, int, int, int]:
    """Read the display matrix, rounded to quarter turns and mirrors."""
    a, b, c, d = _display_matrix(frame)
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return (-1 if a < 0 else 1), 0, 0, (-1 if d < 0 else 1)
    return 0, (-1 if b < 0 else 1), (-1 if c < 0 else 1), 0


def _display_matrix(frame: VideoFrame) -> tuple[float, float, float, float]:
    try:
        stored = frame.side_data.get("DISPLAYMATRIX")
    except ValueError:
        # PyAV trips over kinds of side data that are newer than it is; the angle can still be had, a mirror cannot.
        angle = radians(frame.rotation)
        return cos(angle), -sin(angle), sin(angle), cos(angle)
    if stored is None:
        return 1, 0, 0, 1
    a, b, _, c, d = np.frombuffer(bytes(stored), "=i4")[:5].tolist()
    return a, b, c, d


def _turned(pixels: np.ndarray, turn: tuple[int, int, int, int]) -> Frame:
    """Send the pixel at (x, y) to (a x + c y, b x + d y), moved back into view."""
    a, b, c, d = turn
    if a == 0:
        pixels = pixels.transpose(1, 0, 2)
    across, down = a or c, d or b
    return np.ascontiguousarray(pixels[::down, ::across])
