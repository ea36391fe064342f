"""How near a made frame comes to the real one: PSNR and SSIM."""

from __future__ import annotations

from math import inf, log10
from typing import TYPE_CHECKING, Literal

import cv2
import numpy as np

from keyweave.base.errors import InputError
from keyweave.metrics.frames import PEAK, luma, opaque_pair

if TYPE_CHECKING:
    from keyweave.media.types import Frame
    from keyweave.metrics.frames import Floats

_SIGMA, _WINDOW = 1.5, 11
_BORDER = _WINDOW // 2
_BAND = 32  # rows at a time: what is computed on the way stays in the cache
_C1, _C2 = (0.01 * PEAK) ** 2, (0.03 * PEAK) ** 2


def mean_squared_error(a: Frame, b: Frame) -> float:
    """Return the mean of (a - b)² over pixels and channels, in squared levels of 0 to 255."""
    a, b = opaque_pair(a, b)
    return cv2.norm(a, b, cv2.NORM_L2SQR) / a.size


def psnr_of(error: float) -> float:
    """Turn a mean squared error into a peak signal-to-noise ratio in decibels; infinite where there is no error."""
    return 10 * log10(PEAK**2 / error) if error else inf


def error_of(decibels: float) -> float:
    """Turn a peak signal-to-noise ratio back into the mean squared error."""
    return PEAK**2 / 10 ** (decibels / 10)


def psnr(a: Frame, b: Frame) -> float:
    """Return the peak signal-to-noise ratio in decibels over all channels; infinite for frames that are the same.

    Args:
        a: a frame (H, W, 3 or 4).
        b: another of the same size.
    """
    return psnr_of(mean_squared_error(a, b))


def ssim(a: Frame, b: Frame, *, on: Literal["channels", "luma"] = "channels") -> float:
    """Return the mean structural similarity (Wang et al. 2004), at most 1 and only then for frames that are the same.

    Windows are Gaussian, 11 x 11 with sigma 1.5, and lie wholly inside the frame; variances are those of the window,
    not of a sample. It agrees with scikit-image's `structural_similarity(gaussian_weights=True, sigma=1.5,
    use_sample_covariance=False, data_range=255, channel_axis=-1)`.

    Args:
        a: a frame (H, W, 3 or 4), at least 11 x 11.
        b: another of the same size.
        on: the mean over red, green and blue, or the similarity of the brightness alone.
    """
    a, b = opaque_pair(a, b)
    if min(a.shape[:2]) < _WINDOW:
        raise InputError(f"SSIM needs frames of at least {_WINDOW} x {_WINDOW}; got {a.shape[1]} x {a.shape[0]}.")
    total = count = 0
    for top in range(0, a.shape[0] - 2 * _BORDER, _BAND):
        rows = slice(top, top + _BAND + 2 * _BORDER)
        x, y = (luma(frame[rows]) if on == "luma" else frame[rows].astype(np.float32) for frame in (a, b))
        found = _similarity(x, y)
        total += found.sum(dtype=np.float64)
        count += found.size
    return float(total / count)


def _similarity(x: Floats, y: Floats) -> Floats:
    """Return the similarity of every window; x and y are (H, W) or (H, W, C)."""
    # Variances and covariances do not change with the level, and in float32 small numbers keep more digits.
    level_x, level_y = (np.array(cv2.mean(values)[: values[0, 0].size], np.float32) for values in (x, y))
    x, y = x - level_x, y - level_y
    mean_x, mean_y = _windowed(x), _windowed(y)
    covariance = _windowed(x * y) - mean_x * mean_y
    variances = _windowed(x**2 + y**2) - (mean_x**2 + mean_y**2)
    mean_x, mean_y = mean_x + level_x, mean_y + level_y
    brightness = (2 * mean_x * mean_y + _C1) / (mean_x**2 + mean_y**2 + _C1)
    return brightness * (2 * covariance + _C2) / (variances + _C2)


def _windowed(values: Floats) -> Floats:
    """Return the weighted mean of every window that lies wholly inside."""
    means = cv2.GaussianBlur(values, (_WINDOW, _WINDOW), _SIGMA)
    return np.asarray(means[_BORDER:-_BORDER, _BORDER:-_BORDER], np.float32)
