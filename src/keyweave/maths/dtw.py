"""Dynamic time warping: how well one sequence follows another when either may linger."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating]

BAND = 0.25


def warped(
    costs: Floats,  # (P, N, M) of laying each step of one sequence on each step of P others
    columns: NDArray[np.integer] | None = None,  # (P,) steps of each other one, where it has fewer than M
    *,
    band: float = BAND,
) -> Floats:  # (P,)
    """Return the mean cost along the cheapest path from the first steps of two sequences to the last ones.

    A path moves on by one step in one sequence or in both. The cheapest one has the least sum of costs, both ends
    counted, and of several such the fewest cells; its mean is the sum divided by the number of its cells.

    Args:
        costs: not negative; what lies beyond `columns` is ignored.
        columns: all M of them if not given.
        band: how far one sequence may be ahead of the other, as a share of its own way; at least one step of the
            shorter one, so that there always is a path.
    """
    pairs, rows, widest = costs.shape
    columns = np.full(pairs, widest) if columns is None else np.asarray(columns)
    costs = np.where(_within(rows, widest, columns, band), costs, np.inf)
    # Paths are followed along anti-diagonals; entry i + 1 is the cell of row i, entry 0 lies outside.
    before = np.full((2, pairs, rows + 1), np.inf)  # sums and cells, one diagonal ago
    earlier = before.copy()  # and two
    earlier[:, :, 0] = 0.0  # from where every path comes
    means = np.empty(pairs)
    for diagonal in range(rows + widest - 1):
        now = np.full_like(before, np.inf)
        i = np.arange(max(0, diagonal - widest + 1), min(diagonal, rows - 1) + 1)
        ways = np.stack([earlier[:, :, i], before[:, :, i], before[:, :, i + 1]])
        least = ways[:, 0].min(axis=0)
        cells = np.where(ways[:, 0] == least, ways[:, 1], np.inf).min(axis=0)
        now[0, :, i + 1] = (least + costs[:, i, diagonal - i]).T
        now[1, :, i + 1] = (cells + 1).T
        done = columns == diagonal - rows + 2
        means[done] = now[0, done, rows] / now[1, done, rows]
        before, earlier = now, before
    return means


def _within(rows: int, widest: int, columns: NDArray[np.integer], band: float) -> NDArray[np.bool_]:
    """Tell which cells (P, N, M) lie near the diagonal of their pair."""
    long, wide = rows - 1, columns[:, None, None] - 1
    i, j = np.arange(rows)[:, None], np.arange(widest)
    reach = np.maximum(band * long * wide, np.maximum(long, wide))
    return (np.abs(i * wide - j * long) <= reach) & (j <= wide)
