"""Drawing flat shapes, and keeping track of which shape every pixel belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from keyweave.media.types import Frame

    Floats = NDArray[np.floating]

Color = tuple[int, int, int]

_FINE = 6  # bits of a pixel's fraction that corners are placed with
HERE = np.array([[1, 0, 0], [0, 1, 0]], np.float64)


@dataclass(frozen=True, eq=False)
class Part:
    """A shape of one colour that moves as one piece.

    Args:
        outline: (N, 2) corners x, y in the part's own coordinates, y downwards.
        color: red, green and blue.
        place: (2, 3) from its own coordinates to those of whatever it is a part of.
    """

    outline: Floats
    color: Color
    place: Floats

    def put(self, place: Floats) -> Part:
        """Return the part within something larger that is itself placed."""
        return Part(self.outline, self.color, chained(place, self.place))


def chained(outer: Floats, inner: Floats) -> Floats:
    """Return the affine map (2, 3) that does `inner` first."""
    both = outer[:, :2] @ inner
    both[:, 2] += outer[:, 2]
    return both


def placed(x: float = 0, y: float = 0, *, size: float = 1, turn: float = 0, wide: float = 1, high: float = 1) -> Floats:
    """Return the affine map (2, 3) that stretches, scales, turns by radians (clockwise on screen), and then shifts."""
    cos, sin = size * np.cos(turn), size * np.sin(turn)
    return np.array([[cos * wide, -sin * high, x], [sin * wide, cos * high, y]])


def draw(canvas: Frame, parts: Sequence[Part]) -> None:
    """Fill parts with smooth edges onto a canvas (H, W, 3), the last one in front; coordinates are its pixels."""
    for part in parts:
        cv2.fillPoly(canvas, [_corners(part)], part.color, cv2.LINE_AA, _FINE)


def mark(owners: NDArray[np.uint8], parts: Sequence[Part], first: int) -> None:
    """Write the number of the part that is in front at each pixel of a map (H, W), counting from `first`."""
    for number, part in enumerate(parts, first):
        cv2.fillPoly(owners, [_corners(part)], number, cv2.LINE_8, _FINE)


def _corners(part: Part) -> NDArray[np.int32]:
    corners = part.outline @ part.place[:, :2].T + part.place[:, 2] - 0.5  # OpenCV's pixels have whole middles
    return np.rint(corners * (1 << _FINE)).astype(np.int32)


@lru_cache(maxsize=1024)
def ellipse(x: float, y: float, across: float, down: float, *, turn: float = 0, corners: int = 20) -> Floats:
    """Return an outline (N, 2) about a middle, by its two half axes."""
    angle = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    points = np.stack([across * np.cos(angle), down * np.sin(angle)], axis=1)
    cos, sin = np.cos(turn), np.sin(turn)
    outline = points @ np.array([[cos, sin], [-sin, cos]]) + (x, y)
    outline.flags.writeable = False  # it is handed out again
    return outline


def box(left: float, top: float, right: float, bottom: float) -> Floats:
    """Return the outline of a rectangle."""
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.float64)


def shape(*corners: tuple[float, float]) -> Floats:
    """Return an outline through the corners given."""
    return np.array(corners, np.float64)


def limb(length: float, thick: float, thin: float) -> Floats:
    """Return the outline of a limb that hangs from the origin, rounded at its end."""
    end = ellipse(0, length, thin / 2, thin / 2, corners=8)
    end = end[(end[:, 1] >= length - 1e-9)]
    end = end[np.argsort(-end[:, 0])]
    return np.vstack([[(-thick / 2, 0), (thick / 2, 0)], end])


def shaded(color: Color, share: float) -> Color:
    """Mix a colour with black (share below 0) or white (above)."""
    to = 255 if share > 0 else 0
    red, green, blue = (round(value + (to - value) * abs(share)) for value in color)
    return red, green, blue
