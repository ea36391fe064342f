"""What every measure starts from: opaque frames of one size, and their luma."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from keyweave.base.errors import InputError

if TYPE_CHECKING:
    from keyweave.media.types import Frame

Floats = NDArray[np.floating]

PEAK = 255
_GREY = 128


def opaque(frame: Frame) -> Frame:
    """Return (H, W, 3): what is transparent lies over mid grey, so that a colour nobody sees never counts."""
    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] not in (3, 4) or not frame.size:
        raise InputError(f"A frame must be uint8 of shape (height, width, 3 or 4); got {frame.dtype} {frame.shape}.")
    if frame.shape[2] == 3:
        return np.ascontiguousarray(frame)
    if frame[..., 3].min() == PEAK:  # as it mostly is
        return np.ascontiguousarray(frame[..., :3])
    alpha = frame[..., 3:].astype(np.float32) / PEAK
    return np.rint(frame[..., :3] * alpha + _GREY * (1 - alpha)).astype(np.uint8)


def opaque_pair(a: Frame, b: Frame) -> tuple[Frame, Frame]:
    """Return both frames opaque; raise unless they have one size."""
    a, b = opaque(a), opaque(b)
    if a.shape != b.shape:
        sizes = " and ".join(f"{frame.shape[1]} x {frame.shape[0]}" for frame in (a, b))
        raise InputError(f"Only frames of one size can be compared; got {sizes}.", "Bring both to one size first.")
    return a, b


def luma(frame: Frame) -> Floats:
    """Return the brightness 0.299 R + 0.587 G + 0.114 B (Rec. 601, as SSIM is used to), not rounded.

    Args:
        frame: opaque, (H, W, 3).

    Returns:
        float32 (H, W), 0 to 255.
    """
    return np.asarray(cv2.cvtColor(frame.astype(np.float32), cv2.COLOR_RGB2GRAY), np.float32)


def mean_difference(a: Frame, b: Frame) -> float:
    """Return the mean of |a - b| over pixels and channels, in levels of 0 to 255; both opaque, of one size."""
    return cv2.norm(a, b, cv2.NORM_L1) / a.size
