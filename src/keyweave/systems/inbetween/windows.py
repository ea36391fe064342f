"""Windows: a gap that is too long for one clip of a model, drawn by several that meet in frames of the first.

The clip of the whole gap is drawn first. Some of its frames, evenly chosen, become keyframes themselves, and the way
from each to the next is a clip of its own: a window. It is drawn over a sketch, the first clip's frames there and what
another engine draws between them: where things go was decided once, and a model that has learnt to go at one speed
would decide otherwise in every window.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import groupby
from typing import TYPE_CHECKING

from keyweave.base.errors import InputError
from keyweave.base.progress import SILENT, Progress
from keyweave.base.seeds import derive
from keyweave.timeline.grid import off_the_grid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from keyweave.media.types import Frame
    from keyweave.protocols import Inbetweener


# The level of noise, beside latents whose spread is 1, from which a window is drawn over its sketch. At 3 a car that
# goes slowly still came twice.
SKETCHED = 1.5


def joins(frames: int, windows: int) -> list[int]:
    """Return the frames of a clip at which its windows begin, and last the one at which they end."""
    if not 1 <= windows < frames:
        raise InputError(
            f"--windows is {windows}; they meet in frames of the model's own clip, which has {frames}.",
            f"Ask for {frames - 1} or fewer.",
        )
    return [round(Fraction(number * (frames - 1), windows)) for number in range(windows + 1)]


def through_windows(
    times: Sequence[Fraction],
    at: Sequence[int],
    draw: Callable[[int], Sequence[Frame]],
    fill: Inbetweener,
    *,
    seed: int,
    progress: Progress = SILENT,
) -> Iterator[Frame]:
    """Yield the frame at each time, from the window that it lies in.

    Args:
        times: from 0 to 1, in any order.
        at: the joins.
        draw: returns the frames (H, W, C) of a window, both ends included; it is asked only for windows that are
            needed, and for one at a time.
        fill: draws between neighbours of a window's frames.
        seed: handed to it, another for each window.
        progress: a step for each time.
    """
    for number, run in groupby(times, key=lambda time: _window_of(time, at)):
        start, stop = at[number], at[number + 1]
        shares = [(time * at[-1] - start) / (stop - start) for time in run]
        yield from off_the_grid(draw(number), shares, fill, seed=derive(seed, "window", number), progress=progress)


def needed(times: Sequence[Fraction], at: Sequence[int]) -> int:
    """Count the windows that times lie in."""
    return len({_window_of(time, at) for time in times})


def _window_of(time: Fraction, at: Sequence[int]) -> int:
    return next((number for number, stop in enumerate(at[1:]) if time * at[-1] < stop), len(at) - 2)
