"""Sound at another speed: its length is exact, its pitch stays, and what happens in it happens where it should."""

from collections.abc import Iterator

import numpy as np
import pytest

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


@pytest.mark.parametrize("speed", [0.5, 0.8, 1.25, 2])
def test_bursts_come_when_they_are_due(speed: float):
    """Within 35 ms: half of a piece and the search; measured at the middle of each burst."""
    due = np.array([0.5, 1.2, 2.0, 3.1])
    sound = np.zeros((4 * RATE, 1), np.float32)
    for at in due:
        first = round((at - 0.1) * RATE)
        sound[first : first + round(0.2 * RATE)] = tone(300, 0.2)
    made = whole(stretched(flow(sound), lambda at: at * speed, round(len(sound) / speed)))[:, 0]
    for at in due / speed:
        near = slice(round((at - 0.17) * RATE), round((at + 0.17) * RATE))
        power = made[near] ** 2
        middle = (np.arange(len(power)) * power).sum() / power.sum() / RATE + near.start / RATE
        assert middle == pytest.approx(at, abs=0.035)


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
