"""Squares of a frame that a network looks at: cut out upright, and the way back from what it says of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from keyweave.media.types import Frame

    Floats = NDArray[np.floating]

_ROOM = 1.25  # how much wider a person's square is than the circle around them


@dataclass(frozen=True)
class Region:
    """A square somewhere in a frame, upright or turned.

    Args:
        x: its middle, in pixels from the left border of the frame.
        y: the same from the upper border.
        side: how long its sides are, in pixels.
        turn: by how many radians it is turned clockwise.
    """

    x: float
    y: float
    side: float
    turn: float = 0.0

    @property
    def axes(self) -> Floats:
        """What a step to the right and a step down in it are in the frame, as columns (2, 2) of length one."""
        cos, sin = np.cos(self.turn), np.sin(self.turn)
        return np.array([[cos, -sin], [sin, cos]])

    def placed(self, shares: Floats) -> Floats:
        """Return where in the frame points (..., 2) are that are given in shares of the sides."""
        return (shares - 0.5) @ self.axes.T * self.side + (self.x, self.y)

    def distance(self, x: float, y: float) -> float:
        """Return how far away its middle is from a point."""
        return float(np.hypot(self.x - x, self.y - y))

    def holds(self, x: float, y: float) -> bool:
        """Tell whether a point of the frame lies in it."""
        inside = np.abs((np.array([x, y]) - (self.x, self.y)) @ self.axes)
        return bool((inside <= self.side / 2).all())


def whole(frame: Frame) -> Region:
    """Return the smallest upright square around a frame."""
    height, width = frame.shape[:2]
    return Region(width / 2, height / 2, max(width, height))


def around(middle: Floats, top: Floats) -> Region:
    """Return the square around a person, from the middle of the hips and a point above on the circle around them."""
    x, y = top - middle
    return Region(*map(float, middle), side=2 * _ROOM * float(np.hypot(x, y)), turn=float(np.arctan2(x, -y)))


def cut(frame: Frame, region: Region, size: int) -> Floats:
    """Cut out a region as (size, size, 3) from 0 to 1; black where it reaches out of the frame."""
    full = frame.shape[1], frame.shape[0]
    # Single pixels of a large picture would flicker; averages of blocks do not.
    shrink = max(1, int(region.side / size))
    small = full[0] // shrink or 1, full[1] // shrink or 1
    frame = np.ascontiguousarray(frame[..., :3])
    if shrink > 1:
        frame = np.asarray(cv2.resize(frame, small, interpolation=cv2.INTER_AREA), np.uint8)
    # From the middle of each pixel of what is made to the same place in the frame.
    turn = region.axes * region.side / size
    start = region.placed(np.full(2, 0.5 / size))
    scale = np.divide(small, full)
    to_frame = np.column_stack([turn * scale[:, None], start * scale - 0.5])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(frame, to_frame, (size, size), flags=flags).astype(np.float32) / 255
