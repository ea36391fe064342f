"""Constant rates for stored delays: the usual ones by name, the rest by what they promise."""

from fractions import Fraction
from itertools import accumulate, count, pairwise, takewhile
from math import ceil, floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyweave.media.rates import Rate, rate_for

CENTI, MILLI = Fraction(1, 100), Fraction(1, 1000)


def grid(rate: Rate, stop: Fraction) -> list[Fraction]:
    """List the times that a source of this rate samples, its lateness forgiven."""
    return list(takewhile(lambda at: at < stop, (tick / rate.rate + rate.lateness for tick in count())))


@pytest.mark.parametrize(
    ("delays", "unit", "rate"),
    [
        ([4, 4, 4], CENTI, 25),
        ([7, 7], CENTI, Fraction(100, 7)),
        ([8, 8, 9, 8, 8, 9], CENTI, 12),
        ([9, 8, 8, 9, 8, 8], CENTI, 12),
        ([3, 3, 4, 3, 3, 4], CENTI, 30),
        ([4, 4, 5, 4, 4, 4], CENTI, 24),
        ([33, 33, 34, 33, 33, 34], MILLI, 30),
        ([42, 41, 42, 42], MILLI, 24),
        ([17, 16, 17, 17, 17, 16], MILLI, 60),
        ([4, 4, 4, 200], CENTI, 25),  # the last holds
        ([8, 9, 8, 8, 9, 8, 200], CENTI, 12),
        ([10, 200], CENTI, 10),
        ([4, 8, 4, 20, 4], CENTI, 25),  # one grid with gaps
        ([7, 30, 5, 12], CENTI, 20),  # none: the shortest decides
        ([2, 7, 3, 5], CENTI, 50),
        ([3, 50, 7, 11], MILLI, 100),  # at most
        ([9], CENTI, 25),
    ],
)
def test_the_rate_of_known_delays(delays, unit, rate):
    assert rate_for([delay * unit for delay in delays], unit).rate == rate


@given(
    st.sampled_from([5, 8, 10, 12, 15, 24, 25, 30, Fraction(24000, 1001), Fraction(30000, 1001)]),
    st.sampled_from([round, floor, ceil]),
    st.integers(2, 400),
    st.sampled_from([CENTI, MILLI]),
)
def test_rounded_delays_give_each_frame_once(rate, rounding, count, unit):
    ends = [rounding(k / Fraction(rate) / unit) * unit for k in range(count + 1)]
    delays = [after - before for before, after in pairwise(ends)]
    found = rate_for(delays, unit)
    if len(set(delays)) == 1:  # too few to tell
        assert found == (1 / delays[0], 0, 0)
        return
    for k, (start, stop) in enumerate(pairwise(ends)):
        assert start <= k / found.rate + found.lateness < stop
        assert abs(start - k / found.rate) <= found.slack < unit
    assert count / found.rate + found.lateness >= ends[-1]
    if count > 300:
        assert found.rate == rate


@given(st.lists(st.integers(10, 300), min_size=2, max_size=12))
def test_no_frame_is_lost(delays):
    found = rate_for([delay * MILLI for delay in delays], MILLI)
    ends = list(accumulate(delays))
    shown = {sum(end <= at / MILLI for end in ends) for at in grid(found, ends[-1] * MILLI)}
    assert shown == set(range(len(delays)))


@given(st.lists(st.integers(10, 300), min_size=2, max_size=12), st.sampled_from([CENTI, MILLI]))
def test_it_is_no_finer_than_it_must_be(delays, unit):
    delays = [delay * unit for delay in delays]
    found = rate_for(delays, unit)
    assert found.rate <= max(60, 1 / min(delays) + 1, 1 / delays[0])
    assert found.lateness < unit
