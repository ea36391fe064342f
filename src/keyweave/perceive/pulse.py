"""The pulse of a song: how strongly sounds set in, moment by moment, and where a beat runs through it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from keyweave.base.extras import need

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from keyweave.base.progress import Progress
    from keyweave.media.types import Audio

    Floats = NDArray[np.floating]

RATE, HOP = 22_050, 256  # samples a second that are listened to, and from one look at them to the next
# How much later than the sound librosa hears it, in seconds: over clicks of 60 to 180 beats a minute and drums of 75 to
# 175, librosa 0.11 at this rate and hop is 13.7 to 21.5 ms late, 17.3 on average.
LATE = 0.0173
_LOW, _HIGH = 150.0, 2500.0  # Hz: bass drums are heard below, snares and claps above
_AROUND = 2  # looks to either side of a beat in which its drum may be heard
_WINDOW = 4.0  # seconds in which a tempo may be taken as constant
_DRIFT = 0.07  # of the time between two beats, by which it may differ there
_CLICK = 2.7  # looks over which a click sets in: measured over 1 to 14 of them


def listen(audio: Audio, progress: Progress) -> Pulse:
    """Hear a song."""
    if "librosa" not in sys.modules:
        progress.say("Loading librosa, which takes ten seconds or more.")
    return Pulse(need("librosa", "finding beats"), audio)


class Pulse:
    """What is heard of a song, in looks that are `HOP` samples apart. All times are seconds of the song."""

    def __init__(self, librosa: Any, audio: Audio) -> None:
        self._librosa = librosa
        mono = librosa.resample(audio.samples.mean(axis=1), orig_sr=audio.rate, target_sr=RATE)
        power = librosa.feature.melspectrogram(y=mono, sr=RATE, hop_length=HOP)
        loud = librosa.power_to_db(power, ref=np.max)  # (bands, T)
        pitch = librosa.mel_frequencies(n_mels=len(loud), fmax=RATE / 2)
        self._onsets: Floats = self._set_in(loud)  # (T,)
        low, high = self._set_in(loud[pitch < _LOW]), self._set_in(loud[pitch > _HIGH])
        self._bass: Floats = low / max(low.std(), 1e-9) - high / max(high.std(), 1e-9)

    def beats(self, *, moving: bool = False) -> Floats:
        """Find beats (B,): of one tempo, or of one that changes from moment to moment."""
        about: dict[str, Any] = {"onset_envelope": self._onsets, "sr": RATE, "hop_length": HOP}
        bpm = self._librosa.feature.tempo(aggregate=None, **about) if moving else None
        looks = self._librosa.beat.beat_track(trim=False, bpm=bpm, **about)[1]
        return np.maximum(looks * HOP / RATE - LATE, 0)

    def clarity(self, beats: Floats) -> float:
        """Tell how much more sets in on beats (B,) than at as many moments by chance, in standard errors."""
        onsets = self._onsets
        return float((onsets[self._looks(beats)].mean() - onsets.mean()) / onsets.std() * np.sqrt(len(beats)))

    def agreement(self, beats: Floats, together: int) -> Floats:
        """Tell for each parity (together,) how bass, less treble, sets in on the beats that would be strong.

        It is the correlation over beats (B,) of being strong with that difference.
        """
        looks = self._looks(beats)[:, None] + np.arange(-_AROUND, _AROUND + 1)
        bass = self._bass[np.clip(looks, 0, len(self._bass) - 1)].mean(axis=1)
        strong = np.arange(len(beats)) % together == np.arange(together)[:, None]  # (together, B)
        return np.array([_correlation(bass, row.astype(np.float64)) for row in strong])

    def moments(self) -> float:
        """Tell at how many moments something sets in: so many clicks would be as much spread over the sound."""
        whole = float(self._onsets.sum())
        return whole**2 / float(self._onsets @ self._onsets) / _CLICK if whole else 0.0

    def repeats(self, beats: Floats) -> float:
        """Tell how far what sets in repeats from beat to beat, up to 1: its autocorrelation, window by window."""
        gap = float(np.median(np.diff(beats))) * RATE / HOP
        lags = range(max(1, int(gap * (1 - _DRIFT))), int(gap * (1 + _DRIFT)) + 2)
        size = max(int(_WINDOW * RATE / HOP), 3 * lags[-1])
        alike = whole = 0.0
        for start in range(0, max(1, len(self._onsets) - size // 2), size // 2):
            window = self._onsets[start : start + size] - self._onsets[start : start + size].mean()
            if len(window) > 2 * lags[-1]:
                own = float(window @ window)
                alike += max(float(window[lag:] @ window[:-lag]) * len(window) / (len(window) - lag) for lag in lags)
                whole += own
        return alike / whole if whole else 0.0

    def _looks(self, beats: Floats) -> NDArray[np.intp]:
        return np.clip(np.rint((beats + LATE) * RATE / HOP).astype(np.intp), 0, len(self._onsets) - 1)

    def _set_in(self, loud: Floats) -> Floats:
        return self._librosa.onset.onset_strength(S=loud, sr=RATE, hop_length=HOP)


def _correlation(a: Floats, b: Floats) -> float:
    a, b = a - a.mean(), b - b.mean()
    spread = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / spread if spread > 1e-12 else 0.0
