"""Frames on a grid of times, brought to the times that are asked for: one function for all engines with a grid."""

from __future__ import annotations

from fractions import Fraction
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from keyweave.base.progress import SILENT, Progress
from keyweave.base.seeds import derive
from keyweave.media.types import Image
from keyweave.timeline.renderer import checked

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from keyweave.media.types import Frame
    from keyweave.protocols import Inbetweener


def off_the_grid(
    frames: Sequence[Frame], times: Sequence[Fraction], fill: Inbetweener, *, seed: int, progress: Progress = SILENT
) -> Iterator[Frame]:
    """Yield the frame at each time; between two frames of the grid, another engine draws.

    Args:
        frames: N of 2 or more, (H, W, C) each, at 0, 1/(N - 1), ... 1.
        times: from 0 to 1, in any order.
        fill: draws between neighbours of the grid.
        seed: handed to it, another for each gap.
        progress: a step for each time.
    """
    gaps = len(frames) - 1
    places = [divmod(min(max(time, Fraction(0)), Fraction(1)) * gaps, 1) for time in times]
    for gap, run in groupby(places, key=lambda place: int(place[0])):
        shares = [share for _, share in run]
        after = frames[min(gap + 1, gaps)]
        for frame in between_frames(frames[gap], after, shares, fill, derive(seed, "gap", gap)):
            yield frame
            progress.step()


def between_frames(
    before: Frame, after: Frame, shares: Sequence[Fraction], engine: Inbetweener, seed: int
) -> Iterator[Frame]:
    """Yield the way from a frame to the next, at shares from 0 and below 1; two that are equal need no drawing."""
    moving = [share for share in shares if share]
    if not moving or np.array_equal(before, after):
        yield from (before for _ in shares)
        return
    drawn = iter(engine(Image(before), Image(after), moving, seed=seed, progress=SILENT))
    for share in shares:
        yield checked(next(drawn, None), before.shape) if share else before
    if next(drawn, None) is not None:
        raise ValueError("the engine drew more frames than it was asked for")
