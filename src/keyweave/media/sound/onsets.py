"""Where something sets in: clicks, beats, the beginnings of words; found while the sound flows by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from keyweave.media.types import Samples

_STEP = 400  # steps a second in which the sound is measured
_BEFORE = 20  # steps that tell how loud it was; longer than the period of any voice, whose pulses are no onsets
_LOUDER = 8.0  # times the power of before
_AUDIBLE = 1e-7  # the power of the change from sample to sample below which nothing counts
_APART = 16  # steps from one onset to the next


class OnsetFinder:
    """Finds onsets in a sound that comes in blocks; of it, the last few steps are held.

    An onset is where the change from sample to sample, in which clicks and consonants are loud and hums are not,
    suddenly has several times the power that it had for a while.
    """

    def __init__(self, rate: int, channels: int) -> None:
        self._step = max(1, rate // _STEP)
        self._rest = np.zeros((0, channels), np.float32)
        self._last = np.zeros((1, channels), np.float32)
        self._powers = np.zeros(0)
        self._passed = 0  # steps before those of `_powers`
        self._found = -_APART

    def hear(self, block: Samples) -> list[int]:
        """Take the next samples (n, C); return at which samples, counted from the first of all, something sets in."""
        sound = np.concatenate([self._rest, block])
        count = len(sound) // self._step
        self._rest = sound[count * self._step :]
        sound = sound[: count * self._step]
        if not count:
            return []
        change = np.diff(sound, axis=0, prepend=self._last).astype(np.float64)
        self._last = sound[-1:]
        powers = np.concatenate([self._powers, (change**2).reshape(count, -1).mean(axis=1)])
        summed = np.concatenate([[0.0], np.cumsum(powers)])
        usual = (summed[_BEFORE:-1] - summed[: -1 - _BEFORE]) / _BEFORE if len(powers) > _BEFORE else np.zeros(0)
        louder = np.flatnonzero(powers[_BEFORE:] > _LOUDER * np.maximum(usual, 0) + _AUDIBLE) + _BEFORE + self._passed
        onsets = []
        for step in louder.tolist():
            if step - self._found >= _APART:
                self._found = step
                onsets.append(step * self._step)
        held = min(len(powers), _BEFORE)
        self._passed += len(powers) - held
        self._powers = powers[len(powers) - held :]
        return onsets
