"""Warping error: whether what moves stays what it is (DreamMover's WE and WE_mid)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import cv2
import numpy as np

from keyweave.base.errors import InputError
from keyweave.media.types import Frame
from keyweave.media.uniform import alike
from keyweave.metrics.frames import PEAK, Floats, opaque_pair
from keyweave.metrics.records import Record

if TYPE_CHECKING:
    from collections.abc import Sequence

Estimate = Callable[[Frame, Frame], Floats]  # from a to b: (H, W, 2) pixels (dx, dy)


@dataclass(frozen=True)
class WarpingError(Record):
    """A warping error and what it rests on.

    Args:
        error: mean squared difference of colours in 0 to 1, over the pixels that count.
        counted: the share of the pixels that count, 0 to 1. Where it is small the error says little.
        pairs: over how many pairs of frames both are the mean.
    """

    error: float
    counted: float
    pairs: int


def warping_error(frames: Iterable[Frame], estimate: Estimate) -> WarpingError:
    """Return the warping error WE of a clip, held two frames at a time.

    DreamMover (Shen et al. 2024) takes WE from Lai et al., "Learning blind video temporal consistency" (2018): for
    each pair of neighbours, frame t+1 is warped back to frame t by the optical flow from t to t+1, and the squared
    difference of colours in [0, 1] is averaged over the pixels that are not occluded; the clip's WE is the mean over
    its pairs. A pixel counts as occluded (Ruder et al. 2016) where the flow there and back does not return,
    |F + B|² > 0.01 (|F|² + |B|²) + 0.5, at edges of motion, |∇F|² > 0.01 |F|² + 0.002, and where it leaves the frame.

    What DreamMover leaves open, and what is done here:

    - *Whose flow.* Lai et al. take it from the unprocessed video; an in-between has none, so it is that of the made
      frames themselves, by whatever `estimate` is. WE of different estimators cannot be compared.
    - *The unit.* Lai et al. write the squared length of the colour difference; their program takes the mean of the
      three channels, a third of it. Here it is the mean. DreamMover's table (0.12 to 0.51) cannot be either: even
      0.12 would put neighbouring frames 9 dB apart. It must carry a factor that is not given.
    - *The ends.* Whether the two inputs are frames of the clip is not said; here it is what the caller hands in.
    - *No pixel left.* Lai et al. then count an error of 0, which would reward a cut; here all pixels count instead.

    A clip that stands still has the error 0: read it beside a measure of motion.

    Args:
        frames: at least two, (H, W, 3 or 4).
        estimate: the optical flow from its first frame to its second, (H, W, 2) pixels (dx, dy).
    """
    return _mean_over(pairwise(alike(frames)), estimate)


def middle_warping_error(first: Frame, middle: Frame, last: Frame, estimate: Estimate) -> WarpingError:
    """Return WE_mid: how far the middle frame is from both inputs, each warped to it.

    DreamMover says no more than that WE_mid measures whether the middle-most image is consistent with the input pair.
    Here it is the mean of the two warping errors from the middle to the first and to the last frame, as in
    `warping_error`; both flows are estimated on the frames themselves. Of an even number of frames, hand in either of
    the two in the middle.

    Args:
        first: the first input, (H, W, 3 or 4).
        middle: the frame halfway.
        last: the last input.
        estimate: the optical flow from its first frame to its second, (H, W, 2) pixels (dx, dy).
    """
    return _mean_over([(middle, first), (middle, last)], estimate)


def _mean_over(pairs: Iterable[tuple[Frame, Frame]], estimate: Estimate) -> WarpingError:
    found: Sequence[tuple[float, float]] = [_pair_error(a, b, estimate) for a, b in pairs]
    if not found:
        raise InputError("A warping error needs at least 2 frames.")
    error, counted = np.mean(found, axis=0)
    return WarpingError(float(error), float(counted), len(found))


def _pair_error(a: Frame, b: Frame, estimate: Estimate) -> tuple[float, float]:
    """Return the error of b warped to a, and the share of the pixels that count."""
    a, b = opaque_pair(a, b)
    there, back = (_checked(estimate(*pair), a) for pair in ((a, b), (b, a)))
    counts = _unoccluded(there, back)
    share = float(counts.mean())
    difference = (_warped(b.astype(np.float32), there) - a) / PEAK
    return float(np.mean(difference[counts] ** 2 if share else difference**2)), share


def _unoccluded(there: Floats, back: Floats) -> np.ndarray:
    """Tell for each pixel (H, W) whether the flow `there` can be followed and comes home by the flow `back`."""
    height, width = there.shape[:2]
    down, right = np.mgrid[:height, :width]
    x, y = right + there[..., 0], down + there[..., 1]
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    home = _warped(back, there)
    far, astray = _squared(there), _squared(there + home)
    edge = _squared(np.diff(there, axis=0, append=there[-1:])) + _squared(np.diff(there, axis=1, append=there[:, -1:]))
    return inside & (astray <= 0.01 * (far + _squared(home)) + 0.5) & (edge <= 0.01 * far + 0.002)


def _warped(values: Floats, flow: Floats) -> Floats:
    """Return the values (H, W, C) that the flow points at, between pixels the weighted mean of four."""
    down, right = np.mgrid[: flow.shape[0], : flow.shape[1]].astype(np.float32)
    x, y = right + flow[..., 0], down + flow[..., 1]
    return np.asarray(cv2.remap(values, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)


def _squared(vectors: Floats) -> Floats:
    return np.square(vectors).sum(axis=-1)


def _checked(flow: Floats, frame: Frame) -> Floats:
    if flow.shape != (*frame.shape[:2], 2):
        raise ValueError(f"the flow has shape {flow.shape}; {(*frame.shape[:2], 2)} was asked for")
    return np.asarray(flow, np.float32)
