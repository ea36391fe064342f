"""Splatting made for the CPU: bands of a few rows that stay in the cache, strips of bands side by side.

Almost all the time of a splat goes into adding to scattered places. So a band of rows is small enough that its shares,
its products and the rows on which it falls stay in the cache of one core. Each strip has sums of its own, and these are
added in their order: the result does not depend on the number of threads. The system gives memory only to the rows of a
strip's sums that are touched, so that smooth motion costs little more than one picture.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

if TYPE_CHECKING:
    from torch import Tensor

BAND = 1 << 14  # pixels that are worked on at a time
ALONE = 1 << 16  # pixels; a picture that is not larger is one strip
STRIPS = 4
LIFT = 30.0  # exp(-30) to exp(30), the reach of softmax weights, leaves float32 room for shares, values and sums


class Given(NamedTuple):
    """One picture's part of the arguments, as arrays of one type."""

    source: np.ndarray  # (C, H, W)
    flow: np.ndarray  # (2, H, W)
    metric: np.ndarray | None  # (1, H, W)
    peak: np.ndarray | None  # (1, (H + 4) * (W + 4))


class Strip(NamedTuple):
    """What some rows of the source add to the whole target."""

    sums: np.ndarray  # (L, H + 4, W + 4), in an apron of 2
    first: int  # of the target rows that are touched
    stop: int


def splat_in_strips(
    source: Tensor,  # (N, C, H, W)
    flow: Tensor,  # (N, 2, H, W)
    metric: Tensor | None,  # (N, 1, H, W)
    peak: Tensor | None,  # (N, 1, (H + 4) * (W + 4))
    *,
    threads: int | None = None,
) -> Tensor:  # (N, C + 1 or C + 2, H, W)
    """Return what `splat_plainly` returns; all tensors are float32 or all are float64."""
    count, channels, height, width = source.shape
    values, steps = source.detach().numpy(), flow.detach().numpy()
    metrics = [None] * count if metric is None else metric.detach().numpy()
    peaks = [None] * count if peak is None else peak.detach().numpy()
    whole = np.zeros((count, channels + (1 if metric is None else 2), height, width), values.dtype)
    strips = STRIPS if height * width > ALONE else 1
    spans = list(pairwise(height * number // strips for number in range(strips + 1)))
    threads = min(threads or torch.get_num_threads(), strips)
    with ThreadPoolExecutor(threads) if threads > 1 else nullcontext() as pool:
        each = map if pool is None else pool.map
        for number, total in enumerate(whole):
            given = Given(values[number], steps[number], metrics[number], peaks[number])
            done = list(each(partial(_splat_rows, given), spans))
            list(each(partial(_add_up, total, done), spans))
    return torch.from_numpy(whole)


@np.errstate(over="ignore", invalid="ignore")  # what is not finite is lost in the apron, or the caller's own
def _splat_rows(given: Given, span: tuple[int, int]) -> Strip:
    """Splat the rows of the source from `span[0]` to `span[1]`."""
    channels, height, width = given.source.shape
    layers = channels + (1 if given.metric is None else 2)
    sums = np.zeros((layers, (height + 4) * (width + 4)), given.source.dtype)
    target = torch.from_numpy(sums)
    wide = width + 4
    corners = np.array([0, 1, wide, wide + 1])[:, None, None]
    rows = max(1, BAND // width)
    first, last = sums.shape[1], 0
    for top in range(*span, rows):
        band = slice(top, min(top + rows, span[1]))
        place, sides = _land(given.flow[:, band], top, height)
        first, last = min(first, int(place.min())), max(last, int(place.max()))
        places = place + corners
        layered = _weighted(given, band, places, sides, layers)
        target.index_add_(1, torch.from_numpy(places.reshape(-1)), torch.from_numpy(layered.reshape(layers, -1)))
    return Strip(sums.reshape(layers, height + 4, wide), first // wide, last // wide + 2)


def _weighted(given: Given, band: slice, places: np.ndarray, sides: np.ndarray, layers: int) -> np.ndarray:
    """Return what each pixel of a band gives to each of its four corners (L, 4, R, W): values, weight, share."""
    layered = np.empty((layers, *places.shape), given.source.dtype)
    shares, weights = layered[-1], layered[len(given.source)]
    np.multiply(sides[:, None, 1], sides[None, :, 0], out=shares.reshape(2, 2, *places.shape[1:]))
    if given.metric is not None and given.peak is not None:
        below = given.metric[:, band] - given.peak[0].take(places)
        np.multiply(shares, np.exp(np.minimum(below, LIFT)), out=weights)
    elif given.metric is not None:
        np.multiply(shares, given.metric[:, band], out=weights)
    np.multiply(given.source[:, None, band], weights, out=layered[: len(given.source)])
    return layered


def _land(flow: np.ndarray, top: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the first corner's place in an apron of 2 (R, W), and the sides of all (near or far, x or y, R, W)."""
    rows, width = flow.shape[1:]
    sides = np.empty((2, *flow.shape), flow.dtype)
    whole = np.floor(flow)
    np.subtract(flow, whole, out=sides[1])
    np.subtract(1, sides[1], out=sides[0])
    whole[0] += np.arange(2, width + 2, dtype=flow.dtype)
    whole[1] += np.arange(top + 2, top + rows + 2, dtype=flow.dtype)[:, None]
    np.fmax(whole, 0, out=whole)  # unlike maximum, takes what is not a number to 0 too
    np.fmin(whole, np.array([width + 2, height + 2], flow.dtype)[:, None, None], out=whole)
    x, y = whole.astype(np.int64)
    y *= width + 4
    y += x
    return y, sides


def _add_up(total: np.ndarray, strips: list[Strip], span: tuple[int, int]) -> None:
    """Add to `total` (L, H, W), in its rows from `span[0]` to `span[1]`, what each strip has there."""
    for strip in strips:
        first, stop = max(span[0], strip.first - 2), min(span[1], strip.stop - 2)
        if first < stop:
            total[:, first:stop] += strip.sums[:, first + 2 : stop + 2, 2:-2]
