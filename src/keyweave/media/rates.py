"""Which constant rate stands for delays that a file has rounded or mixed."""

from __future__ import annotations

from fractions import Fraction
from itertools import accumulate
from math import gcd, lcm
from typing import TYPE_CHECKING, NamedTuple

from keyweave.media.films.pace import STANDARD_RATES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

STILL_RATE = Fraction(25)
# Whole numbers first, for rounding may leave several open.
_COMMON = sorted(STANDARD_RATES, key=lambda rate: (rate.denominator, rate))
_MOST_EXACT, _MOST = 60, 100


class Rate(NamedTuple):
    """A constant rate for frames of given delays.

    Args:
        rate: frames per second.
        lateness: seconds by which rounding made frames begin after their place on the grid of this rate.
        slack: seconds by which it moved them, be it before or after.
    """

    rate: Fraction
    lateness: Fraction = Fraction(0)
    slack: Fraction = Fraction(0)


def rate_for(delays: Sequence[Fraction], unit: Fraction) -> Rate:
    """Choose the constant rate that shows every frame and comes closest to the delays.

    Equal delays give their exact inverse. Delays that rounding to the file's `unit` explains give the common rate they
    came from: 8, 8 and 9 hundredths are 12 a second. In either case the last frame may hold longer. Else it is the
    grid on which all frames begin, if no finer than 60 a second; else the inverse of the shortest delay, at most 100.
    One frame alone has no rate; it is taken for 25 a second.

    Args:
        delays: seconds that each frame is shown, all above 0.
        unit: seconds, the grain in which such files store them.
    """
    if len(delays) == 1:
        return Rate(STILL_RATE)
    if len(set(delays)) == 1:
        return Rate(1 / delays[0])
    if rounded := _rounded(delays, unit):
        return rounded
    *steps, _ = delays
    if len(set(steps)) == 1:
        return Rate(1 / steps[0])
    if rounded := _rounded(steps, unit):
        return rounded
    exact = 1 / _common_divisor(steps)
    return Rate(exact if exact <= _MOST_EXACT else min(1 / min(delays), Fraction(_MOST)))


def _rounded(delays: Sequence[Fraction], unit: Fraction) -> Rate | None:
    for rate in _COMMON:
        slack = max(map(abs, _lateness(delays, rate)))
        if slack < unit:
            return Rate(rate, max(_lateness(delays, rate)), slack)
    return None


def _lateness(delays: Sequence[Fraction], rate: Fraction) -> Iterator[Fraction]:
    return (at - k / rate for k, at in enumerate(accumulate(delays, initial=Fraction(0))))


def _common_divisor(delays: Sequence[Fraction]) -> Fraction:
    distinct = set(delays)
    below = lcm(*(delay.denominator for delay in distinct))
    return Fraction(gcd(*(int(delay * below) for delay in distinct)), below)
