"""Where people are in a frame: the first network, a detector of single shots (SSD, Liu et al. 2016)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from keyweave.perceive.blazepose.networks import Network, shaped, sigmoid
from keyweave.perceive.blazepose.regions import Region, around, cut, whole

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from keyweave.media.types import Frame

    Floats = NDArray[np.floating]

_SIZE = 224
_LAYERS = ((8, 2), (16, 2), (32, 6))  # pixels from one anchor to the next, and how many share a place
_VALUES = 12  # a box as middle and size, and four points: hips, top of the circle around all, shoulders, top of half
_SURE = 0.5
_OVERLAP = 0.3


@dataclass(frozen=True)
class Person:
    """Somebody in a frame.

    Args:
        region: the square around them.
        score: how surely there is somebody, from 0 to 1.
    """

    region: Region
    score: float


def people_in(frame: Frame, network: Network) -> list[Person]:
    """Find the people in a frame, the largest first."""
    seen = whole(frame)
    outputs = network(2 * cut(frame, seen, _SIZE) - 1)
    count = len(anchors())
    scores = sigmoid(shaped(outputs, count))
    sure = scores >= _SURE
    values = decoded(shaped(outputs, count, _VALUES)[sure], anchors()[sure])
    found = []
    for row, score in merged(values, scores[sure]):
        hips, top = seen.placed(row[4:8].reshape(2, 2))
        found.append(Person(around(hips, top), score))
    return sorted(found, key=lambda person: -person.region.side)


@cache
def anchors() -> Floats:
    """Return the middles (2254, 2) of the places that the network speaks of, in shares of its picture."""
    layers = []
    for stride, shared in _LAYERS:
        cells = _SIZE // stride
        down, right = np.divmod(np.arange(cells * cells).repeat(shared), cells)
        layers.append((np.stack([right, down], axis=1) + 0.5) / cells)
    return np.concatenate(layers)


def decoded(values: Floats, middles: Floats) -> Floats:
    """Turn the network's values (N, 12), pixels from an anchor (N, 2), into shares of its picture.

    Returns:
        For each row left, top, right, bottom, and the four points.
    """
    shares = values.reshape(-1, _VALUES // 2, 2) / _SIZE
    middle, half = shares[:, 0] + middles, shares[:, 1] / 2
    points = shares[:, 2:] + middles[:, None]
    return np.hstack([middle - half, middle + half, points.reshape(-1, _VALUES - 4)])


def merged(rows: Floats, scores: Floats) -> list[tuple[Floats, float]]:
    """Make one of all rows that are about the same person: the mean of those that overlap the surest, by their scores.

    Args:
        rows: (N, 4 or more) left, top, right, bottom and whatever else is averaged.
        scores: (N,) from 0 to 1.
    """
    left = np.argsort(-scores, kind="stable")
    found = []
    while len(left):
        same = overlap(rows[left[0]], rows[left]) > _OVERLAP
        same[0] = True  # a box without area overlaps nothing, not even itself
        ones = left[same]
        found.append((np.average(rows[ones], axis=0, weights=scores[ones]), float(scores[left[0]])))
        left = left[~same]
    return found


def overlap(box: Floats, boxes: Floats) -> Floats:
    """Return which share of their union a box and each of some boxes (N, 4 or more) have in common."""
    inner = np.minimum(box[2:4], boxes[:, 2:4]) - np.maximum(box[:2], boxes[:, :2])
    common = inner.clip(0).prod(axis=1)
    area = (box[2:4] - box[:2]).clip(0).prod() + (boxes[:, 2:4] - boxes[:, :2]).clip(0).prod(axis=1) - common
    return np.divide(common, area, out=np.zeros_like(common), where=area > 0)
