"""Sound at another speed: its length is exact, its pitch stays, and what happens in it happens where it should."""

import tracemalloc
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keyweave.media.sound.stretch import stretched
from keyweave.media.types import Samples, Sound

RATE = 16_000


def flow(samples: Samples, block: int = 1000) -> Sound:
    return Sound((samples[k : k + block] for k in range(0, len(samples), block)), RATE, samples.shape[1])


def whole(sound: Sound) -> Samples:
    return np.concatenate(list(sound.blocks))


def tone(pitch: float, seconds: float = 2) -> Samples:
    wave = 0.4 * np.sin(2 * np.pi * pitch * np.arange(round(seconds * RATE)) / RATE)
    return wave.astype(np.float32)[:, None]


@pytest.mark.parametrize("speed", [0.25, 0.5, 0.9, 1.5, 2, 4])
@pytest.mark.parametrize("pitch", [110, 440, 1234.5])
def test_a_tone_keeps_its_pitch_and_strength(speed: float, pitch: float):
    length = round(2 * RATE / speed)
    made = whole(stretched(flow(tone(pitch)), lambda at: at * speed, length))
    assert made.shape == (length, 1)
    assert made.dtype == np.float32
    inner = made[RATE // 10 : -RATE // 10, 0]
    spectrum = np.abs(np.fft.rfft(inner * np.hanning(len(inner)), 8 * RATE))
    assert spectrum.argmax() / 8 == pytest.approx(pitch, rel=0.01)
    assert np.sqrt(np.mean(inner**2)) == pytest.approx(0.4 / np.sqrt(2), rel=0.06)


def test_at_its_own_speed_it_is_left_as_it_is():
    noise = np.random.default_rng(0).normal(0, 0.2, (RATE, 2)).astype(np.float32)
    np.testing.assert_allclose(whole(stretched(flow(noise), lambda at: at, RATE)), noise, atol=1e-6)


def clicked(due: np.ndarray, seconds: float, *, hum: float = 0) -> Samples:
    """Clicks of a millisecond, in silence or over a hum."""
    sound = hum * sum(tone(pitch, seconds) for pitch in (110, 220, 331, 523))
    sound = sound + np.zeros((round(seconds * RATE), 1), np.float32)
    for at in due:
        sound[round(at * RATE) : round(at * RATE) + RATE // 1000] += 0.9
    return sound.astype(np.float32)


@pytest.mark.parametrize("hum", [0, 0.1])
@pytest.mark.parametrize("speed", [0.25, 0.5, 0.8, 1.25, 2, 4])
def test_clicks_come_once_and_when_they_are_due(speed: float, hum: float):
    """None is left out, none is heard twice, and each is within 20 ms of its place; 10 ms in fact."""
    due = np.array([0.51, 1.2, 2.03, 3.1, 3.77])
    made = whole(stretched(flow(clicked(due, 4.5, hum=hum)), lambda at: at * speed, round(4.5 * RATE / speed)))[:, 0]
    loud = np.flatnonzero(np.abs(made) > 0.5) / RATE
    heard = loud[np.r_[True, np.diff(loud) > 0.002]]
    assert heard == pytest.approx(due / speed, abs=0.01)


@pytest.mark.parametrize("speed", [0.5, 0.8, 1.25, 2])
def test_bursts_come_when_they_are_due(speed: float):
    """Measured at the middle of each burst."""
    due = np.array([0.5, 1.2, 2.0, 3.1])
    sound = np.zeros((4 * RATE, 1), np.float32)
    for at in due:
        first = round((at - 0.1) * RATE)
        sound[first : first + round(0.2 * RATE)] = tone(300, 0.2)
    made = whole(stretched(flow(sound), lambda at: at * speed, round(len(sound) / speed)))[:, 0]
    for at in due / speed:
        near = slice(round((at - 0.1 / speed - 0.1) * RATE), round((at + 0.1 / speed + 0.1) * RATE))
        power = made[near] ** 2
        middle = (np.arange(len(power)) * power).sum() / power.sum() / RATE + near.start / RATE
        assert middle == pytest.approx(at, abs=0.02)


@given(cuts=st.lists(st.integers(0, 2 * RATE), max_size=6), speed=st.sampled_from([0.4, 1, 3]))
@settings(max_examples=20)
def test_how_it_comes_in_does_not_matter(cuts: list[int], speed: float):
    sound = clicked(np.array([0.3, 0.9, 1.4]), 2, hum=0.1)
    edges = [0, *sorted(cuts), len(sound)]
    parts = Sound((sound[a:b] for a, b in pairwise(edges)), RATE, 1)
    length = round(2 * RATE / speed)
    np.testing.assert_array_equal(
        whole(stretched(parts, lambda at: at * speed, length)),
        whole(stretched(flow(sound), lambda at: at * speed, length)),
    )


def test_time_may_run_unevenly():
    """First at half its speed, then at double: a change of pitch in the sound comes at the right moment."""
    sound = np.concatenate([tone(300, 1), tone(900, 2)])

    def heard_at(at: float) -> float:
        return at / 2 if at < 2 else 1 + 2 * (at - 2)

    made = whole(stretched(flow(sound), heard_at, 3 * RATE))[:, 0]
    pitches = [
        np.abs(np.fft.rfft(made[round(a * RATE) : round(b * RATE)], RATE)).argmax() for a, b in ((1.5, 1.9), (2.1, 2.5))
    ]
    assert pitches == [pytest.approx(300, abs=8), pytest.approx(900, abs=8)]


def test_after_the_end_there_is_silence():
    made = whole(stretched(flow(tone(300, 0.5)), lambda at: at, RATE))
    assert len(made) == RATE
    assert not made[round(0.6 * RATE) :].any()


def test_little_of_it_is_held():
    """Blocks are asked for as they are needed, never far ahead."""
    asked = 0

    def blocks() -> Iterator[Samples]:
        nonlocal asked
        for _ in range(300):
            asked += 1
            yield np.zeros((RATE, 1), np.float32)

    made = 0
    for block in stretched(Sound(blocks(), RATE, 1), lambda at: at * 2, 150 * RATE).blocks:
        made += len(block)
        assert asked <= 2 * made / RATE + 2
    assert made == 150 * RATE


def test_a_leap_over_much_of_it_holds_none_of_that():
    """An easing may stand still and then jump; what is jumped over is read and let go."""

    def blocks() -> Iterator[Samples]:
        for _ in range(600):
            yield np.full((RATE, 1), 0.1, np.float32)

    tracemalloc.start()
    made = whole(stretched(Sound(blocks(), RATE, 1), lambda at: 0 if at < 1 else 590.0, 2 * RATE))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(made) == 2 * RATE
    assert peak < 4e6  # the sound is 38 MB
