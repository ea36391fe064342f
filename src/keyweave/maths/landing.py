"""Where a moved pixel falls: between which pixels, and how near to each.

A picture is laid in an apron, a border as wide as a kernel has taps. Whatever falls outside the picture falls into the
apron, so no index needs a check and nothing outside can touch what is inside. A motion is kept as whole steps and the
part of a step left over, so that a whole-pixel motion is exact however wide the picture is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

FAR = 1e9  # pixels; a motion that is not finite leaves every picture by this much


def land(
    flow: Tensor,  # (N, 2, R, W) pixels (dx, dy), of R rows of the picture
    taps: int,
    *,
    top: int = 0,  # the first of these rows
    height: int | None = None,  # of the whole picture; R if not given
) -> tuple[Tensor, Tensor]:  # (N, 1, R * W) int64 and (N, 2, R * W)
    """Return the place of each pixel's first tap in the aproned picture, and the part of a step beyond its pixel."""
    rows, width = flow.shape[2:]
    height = rows if height is None else height
    flow = flow.nan_to_num(nan=FAR, posinf=FAR, neginf=-FAR)
    whole = flow.detach().floor()
    before = taps // 2 - 1  # taps that lie left of, or above, the pixel that was passed
    x = whole[:, :1] + torch.arange(width, device=flow.device) + (taps - before)
    y = whole[:, 1:] + torch.arange(top, top + rows, device=flow.device)[:, None] + (taps - before)
    first = y.clamp(0, height + taps).long() * (width + 2 * taps) + x.clamp(0, width + taps).long()
    return first.flatten(2), (flow - whole).flatten(2)


def corners(flow: Tensor) -> Iterator[tuple[Tensor, Tensor]]:  # flow (N, 2, H, W); four times two (N, 1, H * W)
    """Yield, for each of the four pixels around every landing point, its place in an apron of 2 and its share."""
    first, part = land(flow, 2)
    beyond_x, beyond_y = part[:, :1], part[:, 1:]
    for down, tall in enumerate((1 - beyond_y, beyond_y)):
        for right, wide in enumerate((1 - beyond_x, beyond_x)):
            yield first + (down * (flow.shape[3] + 4) + right), tall * wide
