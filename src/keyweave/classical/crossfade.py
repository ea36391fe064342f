"""The simplest in-betweener: one picture fades into the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from keyweave.base.progress import SILENT, Progress
from keyweave.classical.blending import Blending

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from fractions import Fraction

    from keyweave.media.types import Frame, Image


def crossfade(
    first: Image,
    last: Image,
    times: Sequence[Fraction],
    *,
    seed: int = 0,
    progress: Progress = SILENT,
    linear_light: bool = False,
) -> Iterator[Frame]:
    """Yield (1 - t) first + t last for each time t, rounded to the nearest level; chance plays no part.

    Where there is alpha, colours are weighted by it, so that nothing of an invisible pixel's colour shines through.
    """
    del seed
    blending = Blending(first.has_alpha, linear_light)
    a, b = (blending.ready(image.pixels) for image in (first, last))
    for time in times:
        yield blending.blend(a, b, np.full((first.height, first.width), time, np.float32))
        progress.step()
