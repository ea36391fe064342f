"""The seams of the house: what each exchangeable part is called with. A plain function satisfies each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from fractions import Fraction

    import numpy as np
    from numpy.typing import NDArray

    from keyweave.base.progress import Progress
    from keyweave.media.types import Frame, Image

    Flow = NDArray[np.float32]  # (H, W, 2)


class Inbetweener(Protocol):
    """Fills the time between two pictures.

    Args:
        first: the picture at time 0.
        last: the picture at time 1; same size and channels as `first`.
        times: never exactly 0 or 1, which are the pictures themselves. They rise from 0 to 1 unless an easing comes
            back (bounce), and fall where the film walks back; they go beyond only for engines whose row says how far
            they reach.
        seed: decides all chance.
        progress: a part of the job with `len(times)` steps; call `step` for each frame.

    Returns:
        One frame (H, W, C) per time, in order: an array (T, H, W, C), or a generator where frames can be streamed.
    """

    def __call__(  # noqa: D102 - the class says it
        self, first: Image, last: Image, times: Sequence[Fraction], *, seed: int, progress: Progress
    ) -> Iterable[Frame]: ...


class FlowEstimator(Protocol):
    """Finds the pixels of one picture in another.

    Args:
        a: a picture (H, W, 3 or 4).
        b: another of the same size and channels.

    Returns:
        For each pixel of a, how far away in b it is found: (H, W, 2) float32 pixels (dx, dy).
    """

    def __call__(self, a: Frame, b: Frame) -> Flow: ...  # noqa: D102 - the class says it
