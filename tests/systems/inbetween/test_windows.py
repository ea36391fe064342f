"""Windows: where they meet, and what is drawn of them."""

from fractions import Fraction
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyweave.base.errors import InputError
from keyweave.base.progress import SILENT
from keyweave.classical.crossfade import crossfade
from keyweave.media.types import Frame
from keyweave.systems.inbetween.windows import joins, needed, through_windows

FILL = partial(crossfade, linear_light=False)


@given(st.integers(2, 40), st.data())
def test_windows_follow_one_another_and_are_about_as_long(frames: int, data: st.DataObject):
    windows = data.draw(st.integers(1, frames - 1))
    at = joins(frames, windows)
    assert (at[0], at[-1], len(at)) == (0, frames - 1, windows + 1)
    steps = np.diff(at)
    assert steps.min() >= 1
    assert steps.max() - steps.min() <= 1


@pytest.mark.parametrize("windows", [0, 14, 99])
def test_as_many_windows_as_a_clip_has_steps_are_the_most(windows: int):
    with pytest.raises(InputError, match=f"--windows is {windows}; .* which has 14. Ask for 13 or fewer."):
        joins(14, windows)


@given(st.integers(1, 6), st.lists(st.fractions(0, 1, max_denominator=60), min_size=1, max_size=12))
def test_of_frames_that_tell_their_time_each_is_the_right_one(windows: int, times: list[Fraction]):
    """A frame at time t is a grey of 240 t, so whichever window draws it, its grey is known."""
    at, drawn = joins(7, windows), []

    def draw(number: int) -> list[Frame]:
        drawn.append(number)
        start, stop = at[number : number + 2]
        return [np.full((2, 2, 3), round(240 * level / 6), np.uint8) for level in np.linspace(start, stop, 5)]

    found = list(through_windows(times, at, draw, FILL, seed=0, progress=SILENT))
    assert len(found) == len(times)
    for frame, time in zip(found, times, strict=True):
        assert abs(float(frame[0, 0, 0]) - 240 * float(time)) <= 1
    assert set(drawn) == {
        min(int(np.searchsorted(at, float(6 * time), side="right")) - 1, windows - 1) for time in times
    }
    assert needed(times, at) == len(set(drawn))
