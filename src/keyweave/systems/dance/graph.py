"""The keyframe graph: which two keyframes a motion can be danced between, and which motion can follow it (7.4, 7.5).

Keyframes are numbers. A motion from one keyframe to another is told as how far the subject moves on the mean, in
pixels of a picture that is 576 high: at that height the ranges of the paper apply, and they then hold for pictures of
any size. The height decides, since one who dances stands upright: what is cut off at the sides changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import cv2
import numpy as np

from keyweave.base.errors import InputError
from keyweave.base.progress import SILENT, Progress
from keyweave.perceive.filling import resized
from keyweave.perceive.flow import shrunk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from keyweave.media.types import Frame
    from keyweave.protocols import FlowEstimator

    Floats = NDArray[np.floating]
    Numbers = NDArray[np.intp]
    Mask = NDArray[np.bool_]

STANDARD_HEIGHT = 576  # the paper's pictures are 1024 x 576
LOW, HIGH = 12.0, 60.0  # its range of motion
_COMPARED_HEIGHT = 288  # a mean over the subject needs no more


def measure_motions(
    pictures: Sequence[Frame],
    masks: Sequence[Mask],
    mirror: ArrayLike,
    flow: FlowEstimator,
    *,
    flipped: bool = False,
    progress: Progress = SILENT,
) -> NDArray[np.float64]:
    """Measure how far the subject moves from each keyframe to each other one.

    Args:
        pictures: the keyframes (H, W, 3 or 4), the mirrored ones among them, all of one size.
        masks: (H, W) where the subject is in each.
        mirror: (N,) the number of each one's mirrored keyframe.
        flow: finds the pixels of one picture in another, such as `perceive.flow.estimate_flow`.
        flipped: whether mirrored subjects are the others flipped about one axis, so that motions between mirrored
            keyframes are those between the others: half as many are measured.
        progress: a part of the job.

    Returns:
        (N, N) mean lengths of the flow over the subject of the first picture, times 576 / H. There and back are
        measured each by itself.
    """
    mirror = check_mirror(mirror, len(pictures))
    pictures, masks = _made_small(pictures, masks)
    scale = STANDARD_HEIGHT / pictures[0].shape[0]
    motions = np.full((len(pictures),) * 2, np.nan)
    np.fill_diagonal(motions, 0)
    pairs = [
        (u, v) for u, v in np.ndindex(motions.shape) if u != v and not (flipped and (mirror[u], mirror[v]) < (u, v))
    ]
    for u, v in progress.each(pairs, "comparing keyframes"):
        motions[u, v] = np.linalg.norm(flow(pictures[u], pictures[v])[masks[u]], axis=1).mean() * scale
    return np.where(np.isnan(motions), motions[np.ix_(mirror, mirror)], motions)


def _made_small(pictures: Sequence[Frame], masks: Sequence[Mask]) -> tuple[list[Frame], list[Mask]]:
    """Check the pictures and their masks, and make them as small as can be compared."""
    shapes = [picture.shape for picture in pictures]
    for number, shape in enumerate(shapes):
        if shape != shapes[0]:
            ours, first = (f"{each[1]} x {each[0]}" for each in (shape, shapes[0]))
            raise InputError(
                f"Keyframes are of one size; keyframe {number + 1} is {ours} and keyframe 1 is {first}.",
                "Crop or resize them first.",
            )
    if [mask.shape for mask in masks] != [shape[:2] for shape in shapes]:
        raise ValueError("each picture has a mask of its size")
    height, width = shapes[0][:2]
    size = max(1, round(width * _COMPARED_HEIGHT / height)), _COMPARED_HEIGHT
    small = height > _COMPARED_HEIGHT
    covered = [resized(mask.astype(np.float32), size, cv2.INTER_AREA) > 0.5 if small else mask for mask in masks]
    for number, mask in enumerate(covered):
        if not mask.any():
            raise InputError(
                f"No subject was found in keyframe {number + 1}.", "Leave it out, or say where the subject is."
            )
    return [shrunk(picture, size) if small else picture for picture in pictures], covered


def check_mirror(mirror: ArrayLike, count: int) -> Numbers:
    """Return the numbers of the mirrored keyframes, which must lead back."""
    mirror = np.asarray(mirror, np.intp)
    if mirror.shape != (count,) or not np.array_equal(np.sort(mirror), np.arange(count)):
        raise ValueError(f"mirror gives each of {count} keyframes another of them; got {mirror}")
    if not np.array_equal(mirror[mirror], np.arange(count)):
        raise ValueError("the mirrored one of a mirrored keyframe is the keyframe itself")
    return mirror


@dataclass(frozen=True, eq=False)
class KeyframeGraph:
    """Pairs of keyframes that motions can be danced between, and how they follow one another.

    Args:
        motions: (N, N) how far the subject moves from one keyframe to another.
        mirror: (N,) the number of each one's mirrored keyframe; its own where it looks the same mirrored.
        low: motions within a pair are larger than this.
        high: motions within a pair, and from pair to pair, are smaller than this.
        slack: how many times further the range reaches, both ways; its ends then belong to it.
    """

    motions: Floats
    mirror: Numbers
    low: float
    high: float
    slack: float = 1.0

    @cached_property
    def pairs(self) -> Numbers:
        """All ordered pairs of two keyframes (P, 2); what follows numbers them so."""
        count = len(self.mirror)
        return np.array([pair for pair in np.ndindex(count, count) if pair[0] != pair[1]], np.intp).reshape(-1, 2)

    @cached_property
    def mirrored(self) -> Numbers:
        """The number of each pair's mirrored pair (P,)."""
        return self.number(*self.mirror[self.pairs].T)

    @cached_property
    def fits(self) -> NDArray[np.bool_]:
        """Which pairs are nodes of the graph (P,): those in the range of motion (7.4)."""
        return self._reaches(np.maximum(*self.excess)[tuple(self.pairs.T)])

    @cached_property
    def follows(self) -> NDArray[np.bool_]:
        """From which keyframe one may go on to which (N, N): from pair to pair the edges of the graph (7.5)."""
        return self._reaches(self.excess[1]) & ~np.eye(len(self.mirror), dtype=bool)

    @cached_property
    def excess(self) -> tuple[Floats, Floats]:
        """How many times further the range must reach, below and above, to hold each motion (N, N)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            below = np.where(self.low > 0, self.low / self.motions, np.where(self.motions > 0, 0, np.inf))
        return below, self.motions / self.high

    def _reaches(self, excess: Floats) -> NDArray[np.bool_]:
        return excess <= self.slack if self.slack > 1 else excess < 1

    def number(self, first: ArrayLike, last: ArrayLike) -> Numbers:
        """Return the numbers of pairs."""
        first, last = np.asarray(first), np.asarray(last)
        return first * (len(self.mirror) - 1) + last - (last > first)
