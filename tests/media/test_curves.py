"""Curves stand where their values say; marks, gaps and words are there."""

from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyweave.base.errors import InputError
from keyweave.media import curves
from keyweave.media.curves import Curve, Panel, curves_picture
from keyweave.media.types import Image

BLUE, RED, GOLD = (104, 178, 250), (244, 134, 108), (214, 176, 84)


def near(picture: Image, color: tuple[int, int, int]) -> np.ndarray:
    """Tell where (H, W) a picture has nearly a colour."""
    return np.abs(picture.pixels.astype(int) - color).max(axis=2) < 24


def columns(mask: np.ndarray) -> np.ndarray:
    return np.flatnonzero(mask.any(axis=0))


def rows(mask: np.ndarray) -> np.ndarray:
    return np.flatnonzero(mask.any(axis=1))


def test_a_flat_line_lies_at_its_value():
    heights = []
    for value in (102, 105, 108):
        picture = curves_picture([Panel("x", [Curve("a", [value] * 50)], floor=100, ceiling=110)])
        heights.append(rows(near(picture, BLUE)).mean())
        across = columns(near(picture, BLUE))
        assert across[0] < 110
        assert across[-1] > 1280 - 60
    assert heights[0] - heights[1] == pytest.approx(heights[1] - heights[2])
    assert heights[0] - heights[2] == pytest.approx(0.6 * 180)


def test_a_rising_line_rises():
    line = near(curves_picture([Panel("x", [Curve("a", list(range(200)))])]), BLUE)
    middles = [rows(line[:, x : x + 1]).mean() for x in columns(line)]
    assert (np.diff(middles) <= 0.5).all()
    assert middles[0] - middles[-1] == pytest.approx(180 * 199 / 200, abs=4)


def test_keyframes_are_marked_at_their_frames():
    clip = [Panel(name, [Curve("a", [1.0] * 101)], floor=0, ceiling=2) for name in "xy"]
    marks = near(curves_picture(clip, keyframes=[0, 50, 100]), GOLD)
    found = columns(marks)
    groups = np.split(found, np.flatnonzero(np.diff(found) > 9) + 1)
    middles = [group.mean() for group in groups]
    assert len(middles) == 3
    assert middles[1] == pytest.approx((middles[0] + middles[2]) / 2, abs=1)
    assert len(np.split(rows(marks), np.flatnonzero(np.diff(rows(marks)) > 9) + 1)) == 2  # in each panel
    assert not near(curves_picture(clip), GOLD).any()


def test_a_missing_value_is_a_gap_and_an_infinite_one_a_tick_at_the_top():
    values: list[float | None] = [5.0] * 100
    whole = near(curves_picture([Panel("x", [Curve("a", values)], floor=0, ceiling=10)]), BLUE)
    values[40:61] = [None] * 21
    holed = near(curves_picture([Panel("x", [Curve("a", values)], floor=0, ceiling=10)]), BLUE)
    assert len(columns(whole)) - len(columns(holed)) == pytest.approx(22 / 99 * 1136, abs=8)  # less the dots
    values[50] = inf
    ticked = near(curves_picture([Panel("x", [Curve("a", values)], floor=0, ceiling=10)]), BLUE) & ~holed
    assert ticked.any()
    assert rows(ticked)[-1] < rows(whole)[0] - 70


def test_a_step_stands_between_its_frames():
    at_frames = near(curves_picture([Panel("x", [Curve("a", [1, 1, 1, 1])], floor=0)]), BLUE)
    between = near(curves_picture([Panel("x", [Curve("a", [1, 1, 1], 0.5)], floor=0)]), BLUE)
    assert columns(between)[0] - columns(at_frames)[0] == pytest.approx(1136 / 6, abs=3)
    assert columns(at_frames)[-1] - columns(between)[-1] == pytest.approx(1136 / 6, abs=3)


@pytest.mark.parametrize("values", [[], [3.0], [inf, inf], [0.0] * 5, [-1e6, 1e6], [1e-9, 2e-9], [None, 4.0, None]])
def test_odd_curves_can_be_drawn(values: list[float | None]):
    for panel in (Panel("x", [Curve("a", values)]), Panel("x", [Curve("a", values)], floor=0, ceiling=1)):
        assert curves_picture([panel], width=480).size == (480, 301)


def test_the_heading_takes_room_and_is_cut_to_it():
    panels = [Panel("x", [Curve("a", [1.0, 2.0])])]
    bare, headed = curves_picture(panels, width=480), curves_picture(panels, title="t" * 500, facts="f", width=480)
    assert headed.height - bare.height == 34
    assert not near(Image(headed.pixels[:60, -32:]), (238, 238, 240)).any()


@given(st.floats(-1e5, 1e5), st.floats(1e-3, 1e5), st.integers(2, 8))
def test_ticks_are_round_even_and_hold_the_range(low: float, span: float, about: int):
    ticks = curves._ticks(low, low + span, about)
    assert ticks[0] <= low + 1e-4 * span
    assert ticks[-1] >= low + span - 1e-4 * span
    assert np.diff(ticks) == pytest.approx(ticks[1] - ticks[0])
    assert 2 <= len(ticks) <= about + 3
    assert f"{ticks[1] - ticks[0]:e}"[:3] in ("1.0", "2.0", "2.5", "5.0")


def test_a_narrow_picture_is_refused():
    with pytest.raises(InputError, match="at least 480 pixels wide; got 100"):
        curves_picture([Panel("x", [Curve("a", [1.0])])], width=100)
