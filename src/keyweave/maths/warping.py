"""Backward warping, and what can be said of a motion by warping another with it.

A flow (N, 2, H, W) says for each pixel where in the other picture it is found: (x + dx, y + dy).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from torch.nn.functional import interpolate, pad

from keyweave.maths.landing import land
from keyweave.maths.splatting import splat_with_weight

if TYPE_CHECKING:
    from torch import Tensor

TAPS = {"linear": 2, "cubic": 4}
BAND = 1 << 16  # pixels that are sampled at a time, so that what comes between stays small


def warp(
    image: Tensor,  # (N, C, H, W)
    flow: Tensor,  # (N, 2, H, W) pixels (dx, dy)
    *,
    outside: Literal["edge", "zero"] = "edge",
    kernel: Literal["linear", "cubic"] = "linear",
) -> Tensor:  # (N, C, H, W)
    """Look up, for each pixel, what `image` shows where `flow` points; exact where that is a pixel.

    Args:
        image: any channels; float32, float64, or a half precision, which is sampled in float32.
        flow: where it is not finite, it points outside.
        outside: what lies beyond the picture: its nearest pixel, or 0.
        kernel: cubic (Catmull-Rom) keeps more detail and may overshoot a little.

    Returns:
        The warped picture, differentiable in `image` and `flow`.
    """
    count, channels, height, width = image.shape
    if flow.shape != (count, 2, height, width):
        raise ValueError(f"flow {tuple(flow.shape)} does not fit an image {tuple(image.shape)}")
    precision = torch.promote_types(image.dtype, torch.float32)
    taps = TAPS[kernel]
    laid = pad(image.to(precision), (taps,) * 4, mode="replicate" if outside == "edge" else "constant").flatten(2)
    rows = max(1, BAND // width)
    bands = []
    for top in range(0, height, rows):
        first, part = land(flow[:, :, top : top + rows].to(precision), taps, top=top, height=height)
        across, down = _shares(part[:, :1], taps), _shares(part[:, 1:], taps)
        band = laid.new_zeros(())
        for row, tall in enumerate(down):
            for column, wide in enumerate(across):
                place = first + (row * (width + 2 * taps) + column)
                band = band + tall * wide * laid.gather(2, place.expand(-1, channels, -1))
        bands.append(band.unflatten(2, (-1, width)))
    return torch.cat(bands, dim=2).to(image.dtype)


def _shares(part: Tensor, taps: int) -> tuple[Tensor, ...]:
    """Return the share of each tap, for positions `part` of a step beyond the middle one (Keys 1981, a = -1/2)."""
    if taps == 2:
        return 1 - part, part
    rest = 1 - part
    return (
        -part * rest * rest / 2,
        1 + part * part * (3 * part - 5) / 2,
        1 + rest * rest * (3 * rest - 5) / 2,
        -rest * part * part / 2,
    )


def inside(flow: Tensor) -> Tensor:  # (N, 2, H, W) -> bool (N, 1, H, W)
    """Return where a flow points into the picture."""
    height, width = flow.shape[2:]
    x = flow[:, :1] + torch.arange(width, device=flow.device)
    y = flow[:, 1:] + torch.arange(height, device=flow.device)[:, None]
    return (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)


def compose(first: Tensor, second: Tensor) -> Tensor:  # all (N, 2, H, W)
    """Return the flow of going along `first` (from a to b) and from there along `second` (from b to c)."""
    return first + warp(second, first)


def consistency(forward: Tensor, backward: Tensor) -> Tensor:  # (N, 2, H, W) twice -> (N, 1, H, W)
    """Return how far from home, in pixels, each pixel ends that goes forward and back again."""
    return compose(forward, backward).norm(dim=1, keepdim=True)


def occluded(
    forward: Tensor,  # (N, 2, H, W), from a to b
    backward: Tensor,  # (N, 2, H, W), from b to a
    *,
    relative: float = 0.01,  # of the squared lengths of both ways
    absolute: float = 0.5,  # squared pixels
) -> Tensor:  # bool (N, 1, H, W)
    """Return which pixels of a are not seen in b: those that leave it, and those that do not come home.

    A pixel comes home where |f + b|² <= relative (|f|² + |b|²) + absolute (Sundaram et al. 2010).
    """
    back = warp(backward, forward)
    lengths = forward.square().sum(1, keepdim=True) + back.square().sum(1, keepdim=True)
    home = (forward + back).square().sum(1, keepdim=True) <= relative * lengths + absolute
    return ~(home & inside(forward))


def invert(flow: Tensor, metric: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Return the flow from b to a, for one (N, 2, H, W) from a to b, and how much fell on each pixel (N, 1, H, W).

    Where several pixels of a meet, the inverse is their mean, or goes to the one of larger `metric` (N, 1, H, W). Where
    the weight is 0, nothing of a is seen and the inverse is 0.
    """
    return splat_with_weight(-flow, flow, metric, mode="average" if metric is None else "softmax")


def resize_flow(flow: Tensor, height: int, width: int) -> Tensor:  # (N, 2, h, w) -> (N, 2, H, W)
    """Return a flow at another size, its vectors in pixels of that size; it is smoothed where it shrinks."""
    scale = flow.new_tensor([width / flow.shape[3], height / flow.shape[2]])[:, None, None]
    return interpolate(flow, (height, width), mode="bilinear", antialias=True) * scale
