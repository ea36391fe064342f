"""Puppets: somebody drawn by a few numbers, before a backdrop that stands still; and where each point of them is."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from keyweave.base.errors import InputError
from keyweave.base.seeds import derive
from keyweave.toyworld.ink import Color, Part, chained, draw, mark, placed
from keyweave.toyworld.shots import FINER, Truth

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from keyweave.media.types import Frame

    Floats = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Piece:
    """A part of a puppet, and the points that lie on it."""

    part: Part
    shows: tuple[str, ...]


_BLUSH = (240, 116, 104)


class Look(NamedTuple):
    """What somebody looks like."""

    skin: Color
    hair: Color
    shirt: Color
    extra: Color  # a headband, a collar

    @property
    def blush(self) -> Color:
        """The colour of the cheeks."""
        red, green, blue = ((a + b) // 2 for a, b in zip(self.skin, _BLUSH, strict=True))
        return red, green, blue


LOOKS = (
    Look(skin=(250, 208, 170), hair=(92, 48, 40), shirt=(246, 82, 92), extra=(64, 196, 220)),
    Look(skin=(196, 136, 96), hair=(44, 32, 36), shirt=(255, 178, 54), extra=(240, 92, 148)),
    Look(skin=(136, 86, 62), hair=(34, 26, 30), shirt=(72, 188, 132), extra=(255, 214, 84)),
    Look(skin=(244, 192, 150), hair=(204, 108, 48), shirt=(78, 128, 214), extra=(246, 236, 214)),
    Look(skin=(232, 178, 132), hair=(206, 200, 210), shirt=(170, 96, 190), extra=(120, 220, 190)),
)


@dataclass(frozen=True)
class Puppet:
    """Somebody who is drawn by a few numbers.

    Args:
        dials: the names of the numbers.
        points: the names of the points that are followed; the first is the middle.
        drawn: from the numbers (D,) to the pieces, always as many, the last one in front, and the points (P, 2).
    """

    dials: tuple[str, ...]
    points: tuple[str, ...]
    drawn: Callable[[Floats], tuple[list[Piece], Floats]]


@dataclass(frozen=True, eq=False)
class PuppetTruth(Truth):
    """What is known of a shot of a puppet.

    Args:
        puppet: who, and so the names of the points and the numbers.
        points: (T, P, 2) where its points are, x and y in pixels.
        seen: (T, P) whether they are inside the picture and nothing hides them.
        dials: (T, D) the numbers it was drawn by.
    """

    puppet: Puppet
    points: Floats
    seen: NDArray[np.bool_]
    dials: Floats


def perform(
    puppet: Puppet, dials: Floats, ground: Frame, view: Floats, *, truth: bool
) -> tuple[NDArray[np.uint8], PuppetTruth | None]:
    """Draw a puppet, frame by frame.

    Args:
        puppet: who.
        dials: (T, D) its numbers in each frame.
        ground: (FINER * H, FINER * W, 3) what is behind it.
        view: (2, 3) from its coordinates to the pixels of a frame.
        truth: whether to keep what is known of every pixel.

    Returns:
        The frames (T, H, W, 3), and the truth about them.
    """
    height, width = ground.shape[0] // FINER, ground.shape[1] // FINER
    finer = chained(placed(size=FINER), view)
    frames = np.empty((len(dials), height, width, 3), np.uint8)
    drawn = []
    for number, row in enumerate(dials):
        pieces, points = puppet.drawn(row)
        canvas = ground.copy()
        draw(canvas, [piece.part.put(finer) for piece in pieces])
        frames[number] = cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)
        drawn.append((pieces, points @ view[:, :2].T + view[:, 2]))
    return frames, _truth(puppet, dials, drawn, view, (width, height)) if truth else None


def _truth(
    puppet: Puppet,
    dials: Floats,
    drawn: Sequence[tuple[list[Piece], Floats]],
    view: Floats,
    size: tuple[int, int],
) -> PuppetTruth:
    width, height = size
    count = len(drawn[0][0])
    owners = np.zeros((len(drawn), height, width), np.uint8)
    places = np.empty((len(drawn), count + 1, 2, 3))
    places[:, 0] = placed()
    for number, (pieces, _) in enumerate(drawn):
        parts = [piece.part.put(view) for piece in pieces]
        mark(owners[number], parts, 1)
        places[number, 1:] = [part.place for part in parts]
    points = np.array([at for _, at in drawn])
    # Which point lies on which piece; none lies on the backdrop, which owns what is 0.
    on = np.zeros((count + 1, len(puppet.points)), bool)
    for number, piece in enumerate(drawn[0][0], 1):
        on[number] = [name in piece.shows for name in puppet.points]
    column, row = np.floor(points).astype(int).transpose(2, 0, 1)
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    owner = owners[np.arange(len(drawn))[:, None], row.clip(0, height - 1), column.clip(0, width - 1)]
    seen = inside & on[owner, np.arange(len(puppet.points))]
    poses = np.zeros((len(drawn), 1, 4))
    poses[:, 0, :2], poses[:, 0, 3] = points[:, 0], np.hypot(*view[:, 1])
    return PuppetTruth(owners, places, ((1, count + 1),), poses, puppet, points, seen, dials)


def look_of(seed: int) -> Look:
    """Return what somebody of a seed looks like."""
    return LOOKS[derive(seed, "look") % len(LOOKS)]


def check_size(width: int, height: int) -> None:
    """Refuse pictures that nothing can be drawn in, or that no memory holds."""
    if min(width, height) < 16 or max(width, height) > 2048:
        raise InputError(f"Clips of the toy world are 16 to 2048 pixels wide and high; got {width}x{height}.")


def standing(width: int, height: int, *, tall: float, floor: float) -> Floats:
    """Return the view (2, 3) in which somebody stands in the middle of the ground, as tall as a share of the height."""
    return placed(width / 2, floor * height, size=tall * min(height, 1.1 * width))


@lru_cache(maxsize=256)
def capsule(length: float, thick: float, thin: float) -> Floats:
    """Return the outline (N, 2) of a limb that hangs from the origin, with round ends of two widths."""
    angle = np.linspace(0, np.pi, 9)
    half = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    outline = np.vstack([half * thin / 2 + (0, length), -half * thick / 2])
    outline.flags.writeable = False  # it is handed out again
    return outline
