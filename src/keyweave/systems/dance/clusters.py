"""Which segments are the same motion: clusters in which all pairs are alike (equation 7.2)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating]

CLEAR = 4 / 3  # a gap's higher end is this many times its lower one, or more
FINEST = 10.0  # heights below this part of the lower end of the doubt are noise, and as good as one


@dataclass(frozen=True, eq=False)
class Clusters:
    """Segments by what they are.

    Args:
        of: (S,) the number of each segment's cluster; numbers rise in order of appearance.
        heights: (S - 1,) rising: how far apart the farthest two are of clusters that are merged one after another.
        threshold: clusters were merged up to this height.
        band: any threshold from the first up to the second gives the same clusters.
    """

    of: NDArray[np.integer]
    heights: Floats
    threshold: float
    band: tuple[float, float]

    @property
    def members(self) -> tuple[tuple[int, ...], ...]:
        """The segments of each cluster."""
        return tuple(tuple(np.flatnonzero(self.of == number).tolist()) for number in range(self.of.max() + 1))


def cluster(distances: Floats, *, doubt: tuple[float, float], threshold: float | None = None) -> Clusters:
    """Merge segments while all pairs of a cluster stay nearer than a threshold (complete linkage).

    Args:
        distances: (S, S) symmetric.
        doubt: segments nearer than its lower end are one motion and those farther apart than its upper end are not.
            If no threshold is given it is in between: in the middle of the gap between two heights, one after the
            other, of which the higher one is the largest multiple of the lower one. Where even the two segments that
            are most alike are farther apart than the geometric middle of the doubt, and no gap is clear, all are
            distinct.
        threshold: to be taken instead.
    """
    merges = _merges(distances)
    heights = np.array([height for height, _, _ in merges])
    if threshold is None:
        threshold = _widest_gap(heights, doubt)
    merged = heights < threshold
    low, high = heights[merged].max(initial=0.0), heights[~merged].min(initial=np.inf)
    of = np.arange(len(distances))
    for (_, into, gone), joined in zip(merges, merged, strict=True):
        if joined:
            of[of == of[gone]] = of[into]
    return Clusters(np.unique(of, return_inverse=True)[1], heights, float(threshold), (float(low), float(high)))


def _merges(distances: Floats) -> list[tuple[float, int, int]]:
    """Return height and first segments of the two clusters that are merged, the nearest two each time."""
    apart = np.asarray(distances, np.float64).copy()
    np.fill_diagonal(apart, np.inf)
    merges = []
    for _ in range(len(apart) - 1):
        one, other = sorted(np.unravel_index(int(apart.argmin()), apart.shape))
        merges.append((float(apart[one, other]), int(one), int(other)))
        apart[one] = apart[:, one] = np.maximum(apart[one], apart[other])
        apart[other] = apart[:, other] = np.inf
    return merges


def _widest_gap(heights: Floats, doubt: tuple[float, float]) -> float:
    """Return the middle of the widest gap between heights, or what is in doubt and nearest to it."""
    least, most = doubt
    middle = float(np.sqrt(least * most))
    inside = heights[(heights > least) & (heights < most)]
    below, above = heights[heights <= least], heights[heights >= most]
    # Where nothing is surely the same, half of the doubt speaks against calling all segments distinct.
    low = below.max() if len(below) else min([middle, *inside])
    high = above.min() if len(above) else most
    low, high = max(pairwise([low, *inside, high]), key=lambda gap: gap[1] / max(gap[0], least / FINEST))
    if len(heights) and heights.min() > middle and high < CLEAR * low:
        return middle  # even the two that are most alike hardly are, and no others less: nothing comes again
    return float(np.clip((low + high) / 2, least, most))
