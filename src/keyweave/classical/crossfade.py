"""The simplest in-betweener: one picture fades into the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from keyweave.base.progress import SILENT, Progress

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from fractions import Fraction

    from keyweave.media.types import Frame, Image


def crossfade(
    first: Image, last: Image, times: Sequence[Fraction], *, seed: int = 0, progress: Progress = SILENT
) -> Iterator[Frame]:
    """Yield (1 - t) first + t last for each time t, rounded to the nearest level; chance plays no part.

    Where there is alpha, colours are weighted by it, so that nothing of an invisible pixel's colour shines through.
    """
    del seed
    a, b = (_premultiplied(image.pixels) for image in (first, last))  # float32 (H, W, C)
    for time in times:
        yield _straight(a + (b - a) * np.float32(time))
        progress.step()


def _premultiplied(pixels: Frame) -> np.ndarray:
    values = pixels.astype(np.float32)
    if values.shape[2] == 4:
        values[..., :3] *= values[..., 3:] / 255
    return values


def _straight(values: np.ndarray) -> Frame:
    if values.shape[2] == 4:
        alpha = values[..., 3:]
        values[..., :3] *= np.divide(255, alpha, out=np.zeros_like(alpha), where=alpha > 0)
    return np.rint(values).clip(0, 255).astype(np.uint8)
