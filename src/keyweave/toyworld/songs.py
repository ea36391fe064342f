"""Songs: a kick on every beat, a melody of its own for every label, exact to the sample."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from keyweave.base.seeds import derive
from keyweave.media.sound.track import sample_at
from keyweave.media.types import Audio

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Wave = NDArray[np.float64]  # (N,)

SOUND_RATE = 48_000
NOTES_A_BEAT = 2
_SCALE = (0, 3, 5, 7, 10, 12, 15)  # semitones of a minor pentatonic
_LOWEST = 220.0


def song(labels: Sequence[str], beats: Sequence[Fraction], length: int, seed: int) -> Audio:
    """Play a song.

    Args:
        labels: one for each beat; a prime is danced, not heard.
        beats: when each is, in seconds.
        length: samples in all.
        seed: decides the melodies.
    """
    sound = np.zeros(length)
    beat = float(beats[1] - beats[0])
    chance = np.random.default_rng(derive(seed, "drums"))
    for number, (label, at) in enumerate(zip(labels, beats, strict=True)):
        strong = number % 2 == 0
        _mix(sound, at, (1.0 if strong else 0.6) * _kick())
        if not strong:
            _mix(sound, at, 0.3 * _snare(chance))
        melody = tune(seed, label, 2 * NOTES_A_BEAT)
        _mix(sound, at, 0.16 * _note(melody[0] / 4, 0.9 * beat, dull=3.0))
        for part in range(NOTES_A_BEAT):
            pitch = melody[(number % 2) * NOTES_A_BEAT + part]
            when = at + Fraction(part, NOTES_A_BEAT) * (beats[1] - beats[0])
            _mix(sound, when, 0.14 * _note(pitch, 0.95 * beat / NOTES_A_BEAT, dull=1.6))
    return Audio(np.tanh(0.9 * sound).astype(np.float32)[:, None], SOUND_RATE)


def tune(seed: int, label: str, count: int) -> list[float]:
    """Return the pitches of a label's melody in Hz: the same whenever it comes back, and for its mirrored one."""
    chance = np.random.default_rng(derive(seed, "melody", label.rstrip("'")))
    return [_LOWEST * 2 ** (int(step) / 12) for step in chance.choice(_SCALE, count, replace=False)]


def _mix(sound: Wave, at: Fraction, more: Wave) -> None:
    start = sample_at(at, SOUND_RATE)
    heard = more[: max(0, len(sound) - start)]
    sound[start : start + len(heard)] += heard


def _kick() -> Wave:
    """Return a drum whose pitch falls, with a click at its very first sample."""
    t = np.arange(int(0.22 * SOUND_RATE)) / SOUND_RATE
    turns = 48 * t + (90 / 28) * (1 - np.exp(-28 * t))  # falls from 138 to 48 Hz
    return np.cos(2 * np.pi * turns) * np.exp(-14 * t) * 0.8 * (1 - t / t[-1])


def _snare(chance: np.random.Generator) -> Wave:
    t = np.arange(int(0.14 * SOUND_RATE)) / SOUND_RATE
    return chance.standard_normal(len(t)) * np.exp(-30 * t) * 0.5


def _note(pitch: float, seconds: float, *, dull: float) -> Wave:
    """Return a plucked note: overtones n as loud as 1 / n^dull, a soft beginning and end."""
    t = np.arange(int(seconds * SOUND_RATE)) / SOUND_RATE
    wave = sum(np.sin(2 * np.pi * n * pitch * t) / n**dull for n in range(1, 7))
    soft = np.clip(t / 0.012, 0, 1) * np.clip((seconds - t) / 0.03, 0, 1)
    return np.asarray(wave) * soft * np.exp(-3.5 * t)
