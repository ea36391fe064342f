"""How fast the frames of a film follow one another, told from their presentation times."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    Times = NDArray[np.float64]  # (N,) seconds, rising

# Clocks that count milliseconds are common, also behind the finer time base of a file that was remuxed.
MILLISECOND = Fraction(1, 1000)
_EVERYDAY = tuple(Fraction(rate) for rate in (5, 6, 8, 10, 12, "12.5", 15, 20, 24, 25, 30, 48, 50, 60, 90, 100, 120))
_TELEVISION = tuple(Fraction(rate * 1000, 1001) for rate in (15, 24, 30, 48, 60, 120))
STANDARD_RATES = tuple(sorted(_EVERYDAY + _TELEVISION))
_UNKNOWN = Fraction(25)
_MAY_BE_LOST = 0.01


class Pace(NamedTuple):
    """A rate, and whether every frame lasts exactly one period of it."""

    rate: Fraction
    constant: bool


def judge(times: Times, tick: Fraction, stated: Iterable[Fraction | None] = ()) -> Pace:
    """Find the rate that explains the times, to which `tick` is the container's unit.

    A constant rate is one whose grid explains each time to within a tick, or a millisecond where the clock seems to
    have counted those. Frames that sit on a grid with gaps get the rate of that grid. Frames that sit on none get
    the lowest standard rate that loses at most one in a hundred, so never the 1000 or 90000 of a clock.
    """
    claims = [rate for rate in stated if rate is not None and 0 < rate <= 1000]
    if len(times) < 2:
        return Pace(claims[0] if claims else _UNKNOWN, constant=True)
    mean = Fraction((len(times) - 1) / float(times[-1] - times[0])).limit_denominator(1001)
    tries = [rate for claim in (*claims, mean) for rate in (_standard_near(claim), claim) if rate]
    slacks = (tick, max(tick, MILLISECOND))
    grids = [*sorted(rate for rate in claims if rate <= STANDARD_RATES[-1]), *STANDARD_RATES]
    for rates, gaps in ((tries, False), (grids, True)):
        for slack, rate in product(slacks, rates):
            if _explains(times, rate, float(slack), gaps=gaps):
                return Pace(rate, constant=not gaps)
    steady = (rate for rate in STANDARD_RATES if _lost(times, rate) <= _MAY_BE_LOST * len(times))
    return Pace(next(steady, STANDARD_RATES[-1]), constant=False)


def contradicts(pace: Pace, average: Fraction | None) -> bool:
    """Tell whether the file's own average shows that its later frames go at another pace than those judged."""
    return pace.constant and average is not None and abs(average / pace.rate - 1) > _MAY_BE_LOST / 2


def _standard_near(rate: Fraction) -> Fraction | None:
    """Find the standard rate within half of what tells 24 from 23.976."""
    near: Iterator[Fraction] = (known for known in STANDARD_RATES if abs(rate / known - 1) < Fraction(1, 2002))
    return next(near, None)


def _explains(times: Times, rate: Fraction, slack: float, *, gaps: bool) -> bool:
    places = (times - times[0]) * float(rate)
    grid = np.round(places) if gaps else np.arange(len(times))
    off = np.abs(places - grid) / float(rate)
    # Some containers count whole frames: then a tick would excuse anything.
    slack = min(slack, 1 / (4 * float(rate))) + 1e-9
    return bool((off <= slack).all() and (np.diff(grid) > 0).all())


def _lost(times: Times, rate: Fraction) -> int:
    """Count the frames that are never the nearest earlier one of a grid point."""
    first_seen = np.ceil((times - times[0] - float(MILLISECOND)) * float(rate))
    return int((np.diff(first_seen) == 0).sum())
