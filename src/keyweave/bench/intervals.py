"""How sure a difference is: bootstrap intervals over pairs (Efron 1979)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from keyweave.base.seeds import derive
from keyweave.metrics.records import Record

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.floating]

_TIMES, _TOGETHER = 4000, 500
_TIMES_SLOW = 400  # where each time takes milliseconds
_ENDS = (2.5, 97.5)
# Drawing few pairs again shows too little of their spread. Of values by chance around zero, intervals of the mean
# leave zero out 5 times of 100 as they should where there are many pairs, 8 times at 12, 9 at 10, 20 at 4, 49 at 2.
FEWEST = 10  # pairs that a sign is told of

Zero = Literal["excluded", "inside", "too few pairs"]


@dataclass(frozen=True)
class Interval(Record):
    """A number, and where 95 % of those lie that other pairs would have given.

    Args:
        value: of the pairs as they are.
        low: the lower end.
        high: the upper end.
        pairs: how many it rests on.
    """

    value: float
    low: float
    high: float
    pairs: int

    @property
    def zero(self) -> Zero:
        """Where zero lies; outside, the sign is sure, which so few pairs never make it."""
        if self.pairs < FEWEST:
            return "too few pairs"
        return "excluded" if self.low > 0 or self.high < 0 else "inside"


def of_mean(values: Floats, *, seed: int = 0) -> Interval | None:
    """Return the mean of values (P,), one for each pair, as pairs are drawn again; NaN are left out.

    None where fewer than two are left.
    """
    values = values[np.isfinite(values)]
    if len(values) < 2:
        return None
    chance = np.random.default_rng(derive(seed, "bootstrap"))
    means = [
        values[chance.integers(len(values), size=(_TOGETHER, len(values)))].mean(axis=1)
        for _ in range(_TIMES // _TOGETHER)
    ]
    return Interval(float(values.mean()), *_ends(np.concatenate(means)), len(values))


def redrawn(count: int, statistic: Callable[[NDArray[np.intp]], float], *, seed: int = 0) -> Floats:
    """Return any number that is computed from pairs: of the pairs as they are, and then as these are drawn again.

    Equal seeds draw equally, so that two of these can be subtracted.

    Args:
        count: of pairs.
        statistic: takes the rows of the pairs that were drawn, (count,), some of them more than once.
        seed: decides the draws.
    """
    chance = np.random.default_rng(derive(seed, "bootstrap"))
    draws = [np.arange(count), *(chance.integers(count, size=count) for _ in range(_TIMES_SLOW))]
    return np.array([statistic(rows) for rows in draws])


def of_redrawn(numbers: Floats, pairs: int) -> Interval:
    """Return the interval of what `redrawn` returned, or of a difference of two such.

    A number such as a Frechet distance grows where pairs are drawn twice, whatever the pairs are. So only the spread
    of the draws counts, laid around the number itself.
    """
    value = float(numbers[0])
    low, high = _ends(numbers[1:] - numbers[1:].mean() + value)
    return Interval(value, low, high, pairs)


def _ends(drawn: Floats) -> tuple[float, float]:
    low, high = np.percentile(drawn, _ENDS)
    return float(low), float(high)
