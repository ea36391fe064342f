"""The two doors between frames (uint8, sRGB) and tensors (floating point, -1 to 1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from numpy.typing import NDArray

HALF = 127.5  # levels from the middle, 0, to either end


def to_tensor(frames: NDArray[np.uint8]) -> torch.Tensor:  # (..., H, W, C) -> float32 (..., C, H, W)
    """Return frames as a tensor: black is -1, full level is 1."""
    values = np.moveaxis(frames, -1, -3).astype(np.float32, order="C")
    values /= HALF
    values -= 1
    return torch.from_numpy(values)


def to_frames(tensor: torch.Tensor) -> NDArray[np.uint8]:  # (..., C, H, W) -> (..., H, W, C)
    """Return a tensor of any device and precision as frames, to the nearest level; what is not a number is black."""
    values = tensor.detach().to("cpu", torch.float32).nan_to_num(nan=-1.0)
    levels = ((values + 1) * HALF).round().clamp(0, 255).to(torch.uint8)
    return np.ascontiguousarray(levels.movedim(-3, -1).numpy())
