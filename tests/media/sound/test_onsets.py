"""Onsets are found where something sets in, and not in what goes on."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyweave.media.sound.onsets import OnsetFinder
from keyweave.media.types import Samples

RATE = 16_000
STEP = 1 / 400


def onsets(sound: Samples) -> list[float]:
    return [at / RATE for at in OnsetFinder(RATE, sound.shape[1]).hear(sound)]


def bursts(starts: list[float], pitch: float, seconds: float, loud: float = 0.3) -> Samples:
    sound = np.zeros((3 * RATE, 2), np.float32)
    wave = loud * np.sin(2 * np.pi * pitch * np.arange(round(seconds * RATE)) / RATE)
    for at in starts:
        sound[round(at * RATE) : round(at * RATE) + len(wave), 1] = wave
    return sound


@pytest.mark.parametrize(("pitch", "seconds"), [(4000, 0.002), (1000, 0.04), (300, 0.3)])
@pytest.mark.parametrize("loud", [0.02, 0.9])
def test_what_sets_in_is_found_to_a_step(pitch: float, seconds: float, loud: float):
    starts = [0.51, 1.2, 2.03]
    found = onsets(bursts(starts, pitch, seconds, loud))
    assert found == pytest.approx(starts, abs=1.01 * STEP)


def test_what_goes_on_is_none():
    at = np.arange(3 * RATE) / RATE
    voice = 0.5 * ((at * 80) % 1 < 0.05)  # a pulse each 12.5 ms: a low voice
    noise = np.random.default_rng(0).normal(0, 0.2, len(at))
    swell = noise * np.linspace(0, 1, len(at))
    for sound in (voice, noise, swell, np.sin(at * 2000), np.zeros(len(at))):
        assert onsets(sound.astype(np.float32)[:, None]) in ([], pytest.approx([0.05], abs=0.06))


def test_over_a_hum_a_click_is_found():
    sound = bursts([0.0], 110, 3) + bursts([1.5], 3000, 0.002)
    assert onsets(sound) == pytest.approx([1.5], abs=1.01 * STEP)


@given(st.lists(st.integers(0, 3 * RATE), max_size=8))
def test_how_it_comes_in_does_not_matter(cuts: list[int]):
    sound = bursts([0.51, 1.2, 2.03], 1000, 0.04)
    finder = OnsetFinder(RATE, 2)
    edges = [0, *sorted(cuts), len(sound)]
    found = [at for a, b in pairwise(edges) for at in finder.hear(sound[a:b])]
    assert found == OnsetFinder(RATE, 2).hear(sound)
