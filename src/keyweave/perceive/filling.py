"""Spreading what is known here and there over a whole picture, smoothly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating]  # float32 in fact; the stubs of NumPy lose track of it

_SMALLEST = 2  # pixels along the shorter side at the top of the pyramid
_NOTHING = np.float32(1e-8)  # a weight below this is none


def spread(values: Floats, weights: Floats) -> Floats:
    """Fill in by pull and push: averages go up a pyramid, and come down where nothing finer is known.

    Where a weight is 1 the value stays; elsewhere it fades into the mean of what is known around, the nearer the more;
    where nothing is known at all, into zero.

    Args:
        values: (H, W, C); what stands where the weight is 0 does not matter, but must be finite.
        weights: (H, W) from 0 to 1, how well each value is known.
    """
    height, width = weights.shape
    if min(height, width) <= _SMALLEST:
        mean = (values * weights[..., None]).sum((0, 1)) / np.maximum(weights.sum(), _NOTHING)
        coarse = np.broadcast_to(mean, values.shape)
    else:
        size = (width + 1) // 2, (height + 1) // 2
        share = resized(weights, size, cv2.INTER_AREA)
        sums = resized(values * weights[..., None], size, cv2.INTER_AREA)
        means = sums / np.maximum(share, _NOTHING)[..., None]
        # A pixel of the next level is known once a quarter of its area is.
        coarse = resized(spread(means, np.minimum(4 * share, np.float32(1))), (width, height))
    return coarse + (values - coarse) * weights[..., None]


def resized(values: Floats, size: tuple[int, int], how: int = cv2.INTER_LINEAR) -> Floats:
    """Resize a field (H, W) or (H, W, C) to a width and height; unlike OpenCV, a single channel stays a channel."""
    return np.asarray(cv2.resize(values, size, interpolation=how), np.float32).reshape(*size[::-1], *values.shape[2:])
