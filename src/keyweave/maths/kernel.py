"""Splatting as one kernel for graphics cards, in Triton: each pixel is read once and added where it falls.

The plain construction writes all shares, weights and products to memory and reads them back. Here they never leave the
registers; only the sums are written. Gradients need no kernel: they sample, which PyTorch does on every device. This
module is imported where Triton is there.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import torch

from keyweave.maths.strips import LIFT

if TYPE_CHECKING:
    from torch import Tensor

# Fetched by name: types are checked where Triton is not installed.
triton: Any = importlib.import_module("triton")
tl: Any = importlib.import_module("triton.language")

BLOCK = 256  # pixels that one program works on
_BLOCK, _LIFT = tl.constexpr(BLOCK), tl.constexpr(LIFT)  # as the compiler wants them


def splat_in_blocks(
    source: Tensor,  # (N, C, H, W)
    flow: Tensor,  # (N, 2, H, W)
    metric: Tensor | None,  # (N, 1, H, W)
    peak: Tensor | None,  # (N, 1, (H + 4) * (W + 4))
) -> Tensor:  # (N, C + 1 or C + 2, H, W)
    """Return what `splat_plainly` returns; all tensors are float32 or all are float64, on one device."""
    count, channels, height, width = source.shape
    sums = source.new_zeros(count, channels + (1 if metric is None else 2), height, width)
    given = [None if tensor is None else tensor.contiguous() for tensor in (source, flow, metric, peak)]
    with torch.cuda.device_of(source):  # Triton launches on the current card, which may be another
        _splat_block[(triton.cdiv(height * width, BLOCK), count)](
            *given, sums, channels, height, width, enable_fp_fusion=False
        )
    return sums


@triton.jit
def _splat_block(  # noqa: PLR0917 - Triton's own convention
    source,
    flow,
    metric,  # or None, and so is the peak; what hangs on it is decided when the kernel is compiled
    peak,
    sums,
    channels,
    height,
    width,
):
    """Throw a block of pixels of one picture onto the four corners around where each of them lands."""
    picture = tl.program_id(1).to(tl.int64)  # all that is counted in pictures may pass 2**31
    area = height * width
    layers = channels + 1 + (0 if metric is None else 1)
    pixel = tl.program_id(0) * _BLOCK + tl.arange(0, _BLOCK)
    real = pixel < area
    dx = tl.load(flow + picture * 2 * area + pixel, mask=real, other=0)
    dy = tl.load(flow + (picture * 2 + 1) * area + pixel, mask=real, other=0)
    # What lies beyond the last pixel stands still there, below the picture, and adds nothing.
    # Whole steps and the part left over are kept apart, as everywhere: a whole step is exact in the widest picture.
    left, upper = tl.floor(dx), tl.floor(dy)
    beyond_x, beyond_y = dx - left, dy - upper
    left += pixel % width
    upper += pixel // width
    level = None if metric is None else tl.load(metric + picture * area + pixel, mask=real, other=0)
    for corner in tl.static_range(4):
        x, y = left + corner % 2, upper + corner // 2
        share = (beyond_x if corner % 2 else 1 - beyond_x) * (beyond_y if corner // 2 else 1 - beyond_y)
        # In floating point, where a comparison with what is not a number, or far outside every picture, is still right.
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height) & (share > 0)
        column, row = tl.where(inside, x, 0).to(tl.int32), tl.where(inside, y, 0).to(tl.int32)
        weight = share
        if peak is not None:
            place = picture * (height + 4) * (width + 4) + (row + 2) * (width + 4) + column + 2
            weight = share * tl.exp(tl.minimum(level - tl.load(peak + place, mask=inside, other=0), _LIFT))
        elif metric is not None:
            weight = share * level
        values = source + picture * channels * area + pixel
        target = sums + picture * layers * area + row * width + column
        for _ in range(channels):
            tl.atomic_add(target, tl.load(values, mask=inside, other=0) * weight, mask=inside, sem="relaxed")
            values += area
            target += area
        tl.atomic_add(target, weight, mask=inside, sem="relaxed")
        if metric is not None:
            tl.atomic_add(target + area, share, mask=inside, sem="relaxed")
