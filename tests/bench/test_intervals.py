"""Bootstrap intervals against closed forms."""

import numpy as np
import pytest

from keyweave.bench.intervals import FEWEST, Interval, of_mean, of_redrawn, redrawn


def test_two_values_by_hand():
    """Both draws are the lower one in a quarter of all cases, so that the ends are the values themselves."""
    assert of_mean(np.array([1.0, 3.0])) == Interval(2, 1, 3, 2)


def test_many_values_as_the_normal_law_has_it():
    values = np.random.default_rng(3).normal(0.5, 2, 400)
    found = of_mean(values)
    assert found is not None
    half = 1.96 * values.std() / 20
    assert found.value == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - half, abs=0.03)
    assert found.high == pytest.approx(values.mean() + half, abs=0.03)


def test_what_is_missing_is_left_out():
    with_gaps = of_mean(np.array([np.nan, 1.0, np.nan, 3.0]))
    assert with_gaps == of_mean(np.array([1.0, 3.0]))
    assert of_mean(np.array([np.nan, 1.0])) is None


def test_zero_is_excluded_only_where_the_sign_is_sure():
    assert Interval(1, 0.1, 2, 10).zero == "excluded"
    assert Interval(-1, -2, -0.1, 10).zero == "excluded"
    assert Interval(1, -0.1, 2, 10).zero == "inside"
    assert Interval(0, 0, 0, 10).zero == "inside"


def test_too_few_pairs_tell_no_sign():
    assert Interval(1, 0.1, 2, FEWEST).zero == "excluded"
    assert Interval(1, 0.1, 2, FEWEST - 1).zero == Interval(1, -0.1, 2, FEWEST - 1).zero == "too few pairs"


def test_a_sign_is_told_wrongly_about_as_seldom_as_the_page_says():
    """Where there is no difference: 5 % by the name, and 8 % at twelve pairs, since of few pairs the spread is low."""
    chance = np.random.default_rng(0)
    found = [of_mean(chance.normal(0, 1, 12), seed=k) for k in range(300)]
    assert 0.05 < np.mean([one is not None and one.zero == "excluded" for one in found]) < 0.12


def test_any_number_is_redrawn_as_the_mean_is():
    values = np.random.default_rng(5).normal(0, 1, 200)
    slow = of_redrawn(redrawn(200, lambda rows: float(values[rows].mean())), 200)
    fast = of_mean(values)
    assert fast is not None
    assert slow.value == pytest.approx(fast.value)
    assert (slow.low, slow.high) == pytest.approx((fast.low, fast.high), abs=0.03)


def test_equal_draws_cancel():
    values = np.random.default_rng(6).normal(0, 1, 50)
    one = redrawn(50, lambda rows: float(values[rows].mean()))
    other = redrawn(50, lambda rows: float(values[rows].mean() + 2))
    found = of_redrawn(other - one, 50)
    assert (found.value, found.low, found.high) == pytest.approx((2, 2, 2))


def test_growth_by_drawing_twice_is_taken_off():
    """Of n pairs that are drawn again, only some 63 % are different ones."""
    drawn = redrawn(50, lambda rows: -len(np.unique(rows)) / 50)
    assert drawn[0] == -1
    assert drawn[1:].mean() == pytest.approx(-0.636, abs=0.01)
    found = of_redrawn(drawn, 50)
    assert found.value == -1
    assert -1.1 < found.low < -1 < found.high < -0.9
