"""The rate behind presentation times."""

from __future__ import annotations

from fractions import Fraction
from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyweave.media.films.pace import STANDARD_RATES, Pace, contradicts, judge

F = Fraction
TICKS = [F(1, 1000), F(1, 600), F(1, 12800), F(1, 90000)]


def rounded(times, tick: Fraction) -> np.ndarray:
    return np.array([float(round(at / tick) * tick) for at in times])


@given(rate=st.sampled_from(STANDARD_RATES), tick=st.sampled_from(TICKS), begin=st.fractions(0, 100))
def test_standard_rates_are_exact_through_the_rounding_of_clocks(rate, tick, begin):
    times = rounded([begin + k / rate for k in range(200)], tick)
    assert judge(times, tick) == Pace(rate, constant=True)


@given(rate=st.fractions(1, 200, max_denominator=1001))
def test_what_the_file_states_is_believed_where_it_holds(rate):
    times = np.array([float(k / rate) for k in range(50)])
    found = judge(times, F(1, 90000), [rate])
    assert found.constant
    assert abs(found.rate / rate - 1) < F(1, 2002)


@given(rate=st.fractions(1, 200, max_denominator=1001))
def test_any_constant_rate_is_found_without_a_word_from_the_file(rate):
    found = judge(np.array([float(k / rate) for k in range(50)]), F(1, 90000))
    assert found.constant
    assert abs(found.rate / rate - 1) < F(1, 1000)


@pytest.mark.parametrize("stated", [[], [F(1000)], [F(90000)], [F("22.13"), F(30)], [None, F(0)]])
def test_frames_on_a_grid_with_gaps_get_its_rate(stated):
    steps = [1, 2, 1, 1, 2, 1, 3, 1, 1, 1, 2, 1, 1] * 6
    times = rounded([F(k, 30) for k in accumulate(steps)], F(1, 1000))
    assert judge(times, F(1, 1000), stated) == Pace(F(30), constant=False)


def test_a_clock_that_trembles_gets_a_standard_rate():
    rng = np.random.default_rng(1)
    times = np.cumsum(rng.choice([19, 20, 20, 20, 21], 250)) / 600
    found = judge(times, F(1, 600), [F(600), F(30)])
    assert (found.rate in (F(30000, 1001), 30), found.constant) == (True, False)


@given(steps=st.lists(st.integers(9, 300), min_size=30, max_size=60))
def test_hardly_a_frame_is_lost_and_no_rate_is_absurd(steps):
    times = np.array(list(accumulate(steps))) / 1000
    found = judge(times, F(1, 1000), [F(1000)])
    assert found.rate <= 120
    if found.rate < 120:
        seen = {int(np.ceil(round((at - times[0] - 0.001) * float(found.rate), 9))) for at in times}
        assert len(seen) >= len(times) - 0.01 * len(times) - 1


def test_a_lone_frame_has_the_rate_that_is_stated_or_25():
    assert judge(np.array([3.0]), F(1, 1000), [None, F(90000), F(12)]) == Pace(F(12), constant=True)
    assert judge(np.array([]), F(1, 1000)) == Pace(F(25), constant=True)


def test_containers_that_count_frames_do_not_hide_gaps():
    assert not judge(np.array([0, 2, 3, 4, 5]) / 25, F(1, 25)).constant


@pytest.mark.parametrize(
    ("average", "told"), [(F(30), False), (F(30000, 1001), False), (None, False), (F(22), True), (F(29), True)]
)
def test_a_differing_average_is_a_contradiction(average, told):
    assert contradicts(Pace(F(30), constant=True), average) is told
    assert not contradicts(Pace(F(30), constant=False), average)
