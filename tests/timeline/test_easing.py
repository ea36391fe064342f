"""Easings against closed forms and the values that browsers use."""

import math
from fractions import Fraction as F
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyweave.timeline.easing import FAMILIES, Easing, cubic_bezier

EXAMPLES = {"slow-out": "(0.7)", "slow-in": "(0.7)", "slow-in-out": "(0.7)", "cubic-bezier": "(0.3, 0, 0.1, 1)"}
SPELLED = [name + EXAMPLES.get(name, "") for name in FAMILIES]
LIVELY = ("back", "bounce", "elastic")
CALM = [text for text in SPELLED if not text.startswith(LIVELY)]
SHARES = st.fractions(0, 1, max_denominator=500)
UNIT = st.floats(0, 1)


@pytest.mark.parametrize("text", SPELLED)
def test_every_easing_begins_at_0_and_ends_at_1_and_knows_its_spelling(text: str):
    easing = Easing.parse(text)
    assert (easing(F(0)), easing(F(1))) == (0, 1)
    assert str(easing) == text
    assert Easing.parse(str(easing)) == easing
    assert easing.curve()(0.0) == pytest.approx(0, abs=1e-3)
    assert easing.curve()(1.0) == pytest.approx(1, abs=1e-3)


@given(st.sampled_from(CALM), SHARES, SHARES)
def test_calm_easings_never_run_backward_nor_leave_the_way(text: str, a: F, b: F):
    easing = Easing.parse(text)
    assert 0 <= easing(min(a, b)) <= easing(max(a, b)) <= 1


@given(SHARES)
def test_linear_is_exact(passed: F):
    assert Easing()(passed) == passed


@given(UNIT, st.floats(-1, 2), UNIT, st.floats(-1, 2), UNIT)
def test_a_bezier_lies_on_its_curve(x1: float, y1: float, x2: float, y2: float, s: float):
    """The curve is given by a parameter; at the height that `passed` has there, the function must find it."""

    def at(a: float, b: float) -> float:
        return 3 * (1 - s) ** 2 * s * a + 3 * (1 - s) * s * s * b + s**3

    passed, height = at(x1, x2), at(y1, y2)
    found = cubic_bezier(x1, y1, x2, y2)(passed)
    # Where the curve stands upright, many heights belong to nearly one time.
    near = [cubic_bezier(x1, y1, x2, y2)(min(max(passed + d, 0), 1)) for d in (-1e-9, 1e-9)]
    assert min(near) - 1e-6 <= height <= max(near) + 1e-6 or found == pytest.approx(height, abs=1e-6)


# Worked out with 40 digits by bisection on the parameter, for the curves that CSS names.
CSS = [
    ("ease", 0.25, 0.4085105913553958), ("ease", 0.5, 0.8024033877399112), ("ease", 0.75, 0.9604593717114986),
    ("ease-in", 0.25, 0.0934646507054141), ("ease-in", 0.5, 0.3153568125725393),
    ("ease-out", 0.5, 0.6846431874274607), ("ease-in-out", 0.25, 0.1291619199045574), ("ease-in-out", 0.5, 0.5),
]  # fmt: skip


@pytest.mark.parametrize(("text", "passed", "come"), CSS)
def test_the_curves_of_css(text: str, passed: float, come: float):
    assert float(Easing.parse(text)(F(passed))) == pytest.approx(come, abs=2e-4)
    low, high = 0.0, 1.0  # the same by a road of its own
    numbers = {"ease": (0.25, 0.1, 0.25, 1), "ease-in": (0.42, 0, 1, 1), "ease-out": (0, 0, 0.58, 1)}
    x1, y1, x2, y2 = numbers.get(text, (0.42, 0, 0.58, 1))
    s = 0.5
    for _ in range(200):
        s = (low + high) / 2
        low, high = (s, high) if 3 * (1 - s) ** 2 * s * x1 + 3 * (1 - s) * s * s * x2 + s**3 < passed else (low, s)
    exact = 3 * (1 - s) ** 2 * s * y1 + 3 * (1 - s) * s * s * y2 + s**3
    assert float(Easing.parse(text)(F(passed))) == pytest.approx(exact, abs=1e-11)


def test_no_strength_is_linear_and_more_is_slower():
    for name in ("slow-out", "slow-in", "slow-in-out"):
        assert float(Easing.parse(f"{name}(0)")(F(1, 3))) == pytest.approx(1 / 3, abs=1e-9)
    leaving = [float(Easing.parse(f"slow-out({s})")(F(1, 10))) for s in (0, 0.3, 0.6, 0.9)]
    arriving = [float(Easing.parse(f"slow-in({s})")(F(9, 10))) for s in (0, 0.3, 0.6, 0.9)]
    assert leaving == sorted(leaving, reverse=True)
    assert arriving == sorted(arriving)


def test_hold_stays_and_jumps():
    assert [Easing("hold")(F(k, 4)) for k in range(5)] == [0, 0, 0, 0, 1]


def test_a_bounce_is_a_ball_falling_and_bouncing_to_a_quarter_each_time():
    curve = Easing("bounce").curve()
    fall = 1 / 2.75
    for landing in (1, 2, 2.5, 2.75):
        assert curve(landing * fall) == pytest.approx(1, abs=1e-12)
    for top, height in ((1.5, 1 / 4), (2.25, 1 / 16), (2.625, 1 / 64)):
        assert curve(top * fall) == pytest.approx(1 - height, abs=1e-12)
    assert curve(fall / 2) == pytest.approx(0.25)  # half the time of the fall, a quarter of the way


def test_back_overshoots_by_a_tenth_and_elastic_swings():
    heights = [Easing("back").curve()(k / 1000) for k in range(1001)]
    assert max(heights) == pytest.approx(1.1, abs=2e-4)
    assert [Easing.parse("back(0)").curve()(k / 10) <= 1 for k in range(11)] == [True] * 11
    swing = [float(Easing("elastic")(F(2 * k + 1, 2000))) - 1 for k in range(1000)]
    assert sum(a * b < 0 for a, b in pairwise(swing)) == 7


@given(UNIT, UNIT, UNIT, UNIT, st.floats(0.001, 0.999))
def test_a_bezier_with_its_axes_swapped_is_the_inverse(x1: float, y1: float, x2: float, y2: float, passed: float):
    there, back = cubic_bezier(x1, y1, x2, y2), cubic_bezier(y1, x1, y2, x2)
    come = there(passed)
    # Where the curve is all but level, a hair of height is a long time: the way is what must agree.
    assert there(min(1.0, max(0.0, back(come)))) == pytest.approx(come, abs=1e-6)


@given(st.sampled_from([text for text in SPELLED if text != "hold"]), SHARES)
def test_reversed_is_the_same_way_walked_back(text: str, passed: F):
    easing = Easing.parse(text)
    assert float(easing.reversed()(passed)) == pytest.approx(float(1 - easing(1 - passed)), abs=1e-9)
    assert float(easing.reversed().reversed()(passed)) == pytest.approx(float(easing(passed)), abs=1e-9)


def test_values_are_rounded_so_that_machines_agree():
    assert (Easing("elastic")(F(1, 3)) * 10**12).denominator == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("wobble", "'wobble' is not an easing; choose from linear, ease"),
        ("", "is not an easing"),
        ("ease-in(3)", r"ease-in takes 0 numbers in brackets; 'ease-in\(3\)' has 1"),
        ("slow-in", "slow-in takes 1 numbers in brackets"),
        ("slow-in(1.5)", r"slow-in takes its number from 0 to 1; got 'slow-in\(1.5\)'"),
        ("slow-in(x)", "has something in its brackets that is not a number"),
        ("back(1,2)", "back takes 0 to 1 numbers in brackets"),
        ("cubic-bezier(0,0,1)", "cubic-bezier takes 4 numbers"),
        ("cubic-bezier(2,0,1,1)", "takes its first and third number from 0 to 1"),
        ("cubic-bezier(0,nan,1,1)", "has a number that is not finite"),
        ("slow-in(nan)", "takes its number from 0 to 1"),
    ],
)
def test_what_is_no_easing_is_one_sentence(text: str, words: str):
    with pytest.raises(ValueError, match=words):
        Easing.parse(text)


def test_beyond_its_ends_an_easing_stays_there():
    assert Easing("back")(F(-1)) == 0
    assert Easing("back")(F(2)) == 1
    assert math.isfinite(float(Easing("elastic")(F(1, 10**9))))
