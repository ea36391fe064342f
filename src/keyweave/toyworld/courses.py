"""Courses: where an actor is at each time of a clip. Lengths are shares of the picture's height; y is downwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating]

_STEPS = 96  # a course is a table of this many steps
_LOSS = 0.72  # the share of its speed that a ball keeps when it bounces
_LEAST = 1e-3  # a bounce that is shorter than this share of the clip is none


@dataclass(frozen=True, eq=False)
class Course:
    """A way through the picture, as a table over time from 0 to 1.

    Args:
        points: (K, 2) where the actor's middle is.
        headings: (K,) where it is going, in radians, clockwise on screen from the right.
        gone: (K,) how far it has come.
    """

    points: Floats
    headings: Floats
    gone: Floats

    def at(self, times: Floats) -> tuple[Floats, Floats, Floats]:
        """Return places (T, 2), headings (T,) and ways come (T,) at times of 0 to 1."""
        table = np.linspace(0, 1, len(self.gone))
        x, y, heading, gone = (np.interp(times, table, column) for column in (*self.points.T, self.headings, self.gone))
        return np.stack([x, y], axis=1), heading, gone

    @property
    def length(self) -> float:
        """How long the way is."""
        return float(self.gone[-1])


def along(points: Floats) -> Course:
    """Follow a line (K, 2) at a steady speed."""
    ways = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    even = np.linspace(0, ways[-1], _STEPS + 1)
    points = np.stack([np.interp(even, ways, column) for column in points.T], axis=1)
    moves = np.gradient(points, axis=0)
    return Course(points, np.unwrap(np.arctan2(moves[:, 1], moves[:, 0])), even)


def curve(start: Floats, stop: Floats, bend: float) -> Course:
    """Go from one point to another, in a bow that leaves the straight line by `bend` times its length."""
    across = stop - start
    over = (start + stop) / 2 + 2 * bend * np.array([-across[1], across[0]])
    t = np.linspace(0, 1, 4 * _STEPS)[:, None]
    return along((1 - t) ** 2 * start + 2 * t * (1 - t) * over + t**2 * stop)


def bounces(start: Floats, stop_x: float, floor: float, gravity: float) -> Course:
    """Fall from a height, and bounce lower each time, while going sideways at a steady speed.

    Args:
        start: the first point x, y.
        stop_x: where it is in the end.
        floor: the y at which it turns back.
        gravity: in heights of the picture per clip squared.
    """
    times = np.linspace(0, 1, _STEPS + 1)
    height = max(floor - float(start[1]), 0.0)
    speed, since = 0.0, 0.0  # upwards at the last bounce, and when that was
    heights = np.zeros_like(times)
    for number, now in enumerate(times):
        lands = _fall(height, speed, gravity)
        while lands > _LEAST and now - since > lands:
            since += lands
            speed = (gravity * lands - speed) * _LOSS
            height = 0.0
            lands = _fall(height, speed, gravity)
        passed = now - since
        heights[number] = height + speed * passed - gravity * passed**2 / 2 if lands > _LEAST else 0.0
    points = np.stack([np.linspace(start[0], stop_x, len(times)), floor - heights], axis=1)
    heading = 0.0 if stop_x >= start[0] else np.pi
    return Course(points, np.full(len(times), heading), np.abs(points[:, 0] - start[0]))


def _fall(height: float, speed: float, gravity: float) -> float:
    """Return how long it takes to come down to 0 from a height, thrown upwards."""
    return (speed + float(np.sqrt(speed**2 + 2 * gravity * height))) / gravity


def rest(point: Floats, heading: float = 0.0) -> Course:
    """Stay in one place."""
    return Course(np.repeat(point[None], 2, axis=0), np.full(2, heading), np.zeros(2))
