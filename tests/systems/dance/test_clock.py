"""The clock: slow on the beat, fast before the next; every keyframe on its beat at every rate."""

from collections.abc import Sequence
from fractions import Fraction as F

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyweave.base.errors import InputError
from keyweave.base.progress import Progress
from keyweave.media.types import Frame, Image
from keyweave.systems.dance.clock import STRONGEST, beat_warp, on_the_beat
from keyweave.timeline.renderer import render
from keyweave.timeline.types import Warp

RATES = [F(24), F(25), F(30), F(60), F(30000, 1001)]
SHARES = [F(number, 251) for number in range(252)]  # between the knots


def flat(value: int) -> Image:
    return Image(np.full((2, 2, 3), value, np.uint8))


class Counter:
    """An engine that draws nothing but white, and counts."""

    def __init__(self) -> None:
        self.asked: list[list[F]] = []

    def __call__(self, first: Image, last: Image, times: Sequence[F], *, seed: int, progress: Progress) -> list[Frame]:
        self.asked.append(list(times))
        return [np.full_like(first.pixels, 255) for _ in times]


@given(st.floats(0, STRONGEST))
def test_the_warp_is_the_closed_form_and_never_runs_back(strength: float):
    warp = beat_warp(strength)
    made = np.array([float(warp(t)) for t in SHARES])
    t = np.array([float(share) for share in SHARES])
    assert np.abs(made - (1 - (1 - t ** (1 + 2 * strength)) ** (1 + strength))).max() < 0.002
    assert (np.diff(made) >= 0).all()
    assert (made[0], made[-1]) == (0, 1)


@pytest.mark.parametrize("strength", [0.1, 0.25, 0.5, 1, 2, 4])
def test_it_is_slow_at_the_beat_fastest_late_and_stops(strength: float):
    warp = beat_warp(strength)
    speed = np.diff([float(warp(F(number, 64))) for number in range(65)]) * 64
    assert 0.6 <= (speed.argmax() + 0.5) / 64 <= 0.9
    assert speed.argmax() == np.flatnonzero(np.diff(speed) < 0)[0]  # it rises to the peak, then falls
    assert (np.diff(speed)[speed.argmax() :] < 0).all()
    assert max(speed[0], speed[-1]) < 1
    if strength >= 1:
        assert max(speed[0], speed[-1]) < 0.3


def test_strength_zero_is_steady_and_one_is_a_polynomial():
    assert beat_warp(0) == Warp()
    warp = beat_warp(1)
    for number in range(65):
        t = F(number, 64)
        assert abs(warp(t) - (2 * t**3 - t**6)) <= F(1, 10**9)


@given(
    st.lists(st.integers(200, 1500), min_size=1, max_size=12),
    st.integers(0, 30) | st.integers(0, 1200),  # often too early for a hold of its own
    st.integers(0, 30) | st.integers(0, 900),
    st.sampled_from(RATES),
)
def test_every_keyframe_is_on_its_beat_and_the_ends_are_held(gaps: list[int], before: int, after: int, rate: F):
    beats = [F(before + sum(gaps[:number]), 1000) for number in range(len(gaps) + 1)]
    length = beats[-1] + F(after, 1000)
    walk = [flat(number) for number in range(len(beats))]
    film = on_the_beat(walk, beats, length=length, rate=rate, warp=beat_warp(1))
    frames = list(render(film, rate, Counter(), seed=0))
    for picture, beat in zip(walk, beats, strict=True):
        shown = [number for number, frame in enumerate(frames) if frame is picture.pixels]
        assert min(abs(number / rate - beat) for number in shown) <= 1 / (2 * rate)
    assert all(frame is walk[0].pixels for frame in frames[: round(beats[0] * rate) + 1])
    assert all(frame is walk[-1].pixels for frame in frames[round(beats[-1] * rate) :])
    # The film is as long as the song, but for a last beat that is nearest to the frame after its end.
    assert 0 <= len(frames) / rate - length < 2 / rate
    if after > 100:
        assert len(frames) / rate - length < 1 / rate


def test_what_is_held_costs_nothing():
    a, b = flat(1), flat(2)
    engine = Counter()
    film = on_the_beat([a, a, b, b], [F(1), F(2), F(3), F(4)], length=F(5), rate=F(25), warp=beat_warp(0.5))
    frames = list(render(film, F(25), engine, seed=0))
    assert len(frames) == 125
    assert [len(times) for times in engine.asked] == [24]
    assert engine.asked[0][12] < F(1, 2)  # the middle of the way comes late


@pytest.mark.parametrize(
    ("strength", "said"), [(-0.1, "from 0 to 4; got -0.1"), (5, "from 0 to 4; got 5"), (float("nan"), "got nan")]
)
def test_a_strength_that_cannot_be_is_refused(strength: float, said: str):
    with pytest.raises(InputError, match=said):
        beat_warp(strength)


def test_beats_outside_of_the_song_are_refused():
    with pytest.raises(InputError, match=r"The beats go from 1 to 3 s, but the song from 0 to 2.5 s."):
        on_the_beat([flat(1), flat(2)], [F(1), F(3)], length=F(5, 2), rate=F(25), warp=Warp())
    with pytest.raises(InputError, match=r"The beats go from -1 to 2 s"):
        on_the_beat([flat(1), flat(2)], [F(-1), F(2)], length=F(5, 2), rate=F(25), warp=Warp())


def test_beats_too_near_for_the_rate_are_refused_and_a_walk_must_fit():
    film = on_the_beat([flat(1), flat(2)], [F(1), F(101, 100)], length=F(2), rate=F(25), warp=Warp())
    with pytest.raises(InputError, match="fall on one frame"):
        list(render(film, F(25), Counter(), seed=0))
    with pytest.raises(ValueError, match="1 keyframes cannot lie on 2 beats"):
        on_the_beat([flat(1)], [F(1), F(2)], length=F(2), rate=F(25), warp=Warp())
