"""Frames of a grid, and what is drawn between them."""

from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyweave.base.progress import Event, Progress
from keyweave.media.types import Frame, Image
from keyweave.timeline.grid import off_the_grid

ASKED: list[tuple[int, int, list[Fraction]]] = []


def ramp(first: Image, last: Image, times: Sequence[Fraction], *, seed: int, progress: Progress) -> Iterator[Frame]:
    """Blend, and remember what was asked."""
    ASKED.append((int(first.pixels[0, 0, 0]), int(last.pixels[0, 0, 0]), list(times)))
    for time in times:
        yield np.round(first.pixels * float(1 - time) + last.pixels * float(time)).astype(np.uint8)


def levels(*values: int) -> list[Frame]:
    return [np.full((2, 3, 3), value, np.uint8) for value in values]


@given(st.integers(1, 12), st.lists(st.fractions(0, 1, max_denominator=60), max_size=12))
def test_a_straight_line_stays_one(gaps: int, times: list[Fraction]):
    grid = levels(*(round(240 * k / gaps) for k in range(gaps + 1)))
    found = [int(frame[0, 0, 0]) for frame in off_the_grid(grid, times, ramp, seed=0)]
    assert len(found) == len(times)
    assert all(abs(level - 240 * time) <= 1.5 for level, time in zip(found, times, strict=True))


def test_what_is_on_the_grid_is_not_drawn_and_each_gap_is_asked_once():
    ASKED.clear()
    grid = levels(0, 10, 30)
    third, half = Fraction(1, 6), Fraction(1, 2)
    found = list(off_the_grid(grid, [Fraction(0), third, third * 2, half, Fraction(1)], ramp, seed=0))
    assert found[0] is grid[0]
    assert found[3] is grid[1]
    assert found[4] is grid[2]
    assert [(0, 10, [Fraction(1, 3), Fraction(2, 3)])] == ASKED


def test_frames_that_are_equal_need_no_drawing():
    ASKED.clear()
    grid = levels(7, 7)
    assert [int(frame[0, 0, 0]) for frame in off_the_grid(grid, [Fraction(1, 3)], ramp, seed=0)] == [7]
    assert ASKED == []


def test_there_is_a_step_for_each_time():
    events: list[Event] = []
    progress = Progress("job", events.append, total=3)
    list(off_the_grid(levels(0, 9), [Fraction(k, 4) for k in (1, 2, 3)], ramp, seed=0, progress=progress))
    assert progress.fraction == pytest.approx(1)


def test_an_engine_that_draws_too_little_is_found_out():
    def lazy(*_: object, **__: object) -> Iterator[Frame]:
        return iter(())

    with pytest.raises(ValueError, match="fewer frames"):
        list(off_the_grid(levels(0, 9), [Fraction(1, 2)], lazy, seed=0))
