"""Mending a flow where it cannot be believed: what is not known moves with what looks like it nearby."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from keyweave.perceive.filling import resized, spread

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from keyweave.media.types import Frame

    Floats = NDArray[np.floating]  # float32 in fact; the stubs of NumPy lose track of it

_MENDED = 480  # pixels along the longer side where it is done
_ALIKE = 14.0  # levels of difference at which a neighbour counts for e^-1/2 as much
_STRIDES = (1, 2, 4, 8, 16, 32)
_NOTHING = np.float32(1e-8)  # a weight below this is none
_MEDIANS = 3  # OpenCV has them of 5 x 5 points; repeated, they reach a little farther
_GAIN = 3.0  # how readily a pixel believes its like


def mend(flow: Floats, trust: Floats, guide: Frame) -> Floats:
    """Replace what cannot be believed, softly, by the flow of believed neighbours of the same colour.

    A strip that the other picture hides then moves with the ground that it belongs to, and not with what hides it;
    and a thing that changes its looks moves with what surrounds it.

    Args:
        flow: (H, W, 2).
        trust: (H, W) from 0 to 1.
        guide: the picture that the flow starts from (H, W, 3).
    """
    height, width = trust.shape
    scale = min(1.0, _MENDED / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    colors = resized(guide.astype(np.float32), size, cv2.INTER_AREA)
    known = resized(trust, size, cv2.INTER_AREA)
    weighted = resized(flow * trust[..., None], size, cv2.INTER_AREA)
    small = weighted / np.maximum(known, _NOTHING)[..., None]
    for stride in _STRIDES:
        small, known = _ask_neighbours(small, known, colors, stride)
    small = spread(small, known)
    filled = resized(small, (width, height))
    return filled + (flow - filled) * trust[..., None]


def without_specks(flow: Floats) -> Floats:
    """Return the flow (H, W, 2) in which no few points move unlike all around them; its edges stay where they are."""
    for _ in range(_MEDIANS):
        sides = [cv2.medianBlur(np.ascontiguousarray(flow[..., k]), 5) for k in (0, 1)]
        flow = np.dstack(sides).astype(np.float32, copy=False)
    return flow


def _ask_neighbours(flow: Floats, known: Floats, colors: Floats, stride: int) -> tuple[Floats, Floats]:
    """Take over from the eight neighbours at a stride, as far as they know better and look alike."""
    sums = np.zeros_like(flow)
    total = np.zeros_like(known)
    height, width = known.shape
    for dy in (-stride, 0, stride):
        for dx in (-stride, 0, stride):
            if abs(dy) >= height or abs(dx) >= width or dx == dy == 0:
                continue
            here = slice(max(0, -dy), height - max(0, dy)), slice(max(0, -dx), width - max(0, dx))
            there = slice(max(0, dy), height - max(0, -dy)), slice(max(0, dx), width - max(0, -dx))
            apart = colors[here] - colors[there]
            weight = np.exp(np.einsum("yxc,yxc->yx", apart, apart) * np.float32(-0.5 / _ALIKE**2)) * known[there]
            sums[here] += flow[there] * weight[..., None]
            total[here] += weight
    heard = np.minimum(total * np.float32(_GAIN / 8), np.float32(1)) * (1 - known)
    both = np.maximum(known + heard, _NOTHING)
    told = sums / np.maximum(total, _NOTHING)[..., None]
    return (flow * known[..., None] + told * heard[..., None]) / both[..., None], known + heard
