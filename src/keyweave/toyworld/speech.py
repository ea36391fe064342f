"""Speech: words with exact times, a head that moves as they are said, and a voice as loud as the mouth is open."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from math import ceil, floor
from typing import TYPE_CHECKING

import numpy as np

from keyweave.base.errors import InputError
from keyweave.base.seeds import derive, stream
from keyweave.media.sound.track import sample_at
from keyweave.media.types import Audio
from keyweave.toyworld.songs import SOUND_RATE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating]

RATE = Fraction(25)
FILLERS = frozenset({"um", "uh", "er", "erm", "hmm"})
DIALS = ("yaw", "pitch", "roll", "mouth", "eyes", "brows")  # radians to the right, downwards, clockwise; then 0 to 1
MOST_WORDS = 80
_LEAD, _TAIL = Fraction(3, 10), Fraction(4, 10)  # seconds of silence at the ends
# The least silence between words; a cut on the next frame on either side of a word hits no other.
_LEAST_GAP = Fraction(10, 100)
_BLINK = 0.22  # seconds from open to open
_FORMANTS = {"a": (800, 1200), "e": (500, 1900), "i": (320, 2300), "o": (480, 850), "u": (340, 700)}
_LOUDEST = 0.5
_FAR = (0.34, 0.1, 0.09)  # how far the head turns, nods and leans
_SENTENCES = (
    "so today um we will paint a very small uh flying fish",
    "and then erm the comet came back over our um little town",
    "hmm first you draw um two good pictures and uh let it dance",
    "uh my grandmother had a boat and er every sunday we um sailed away",
)


@dataclass(frozen=True)
class Word:
    """A word, and when it is said, in seconds."""

    text: str
    start: Fraction
    stop: Fraction

    @property
    def filler(self) -> bool:
        """Whether it says nothing, such as um."""
        return self.text in FILLERS

    @property
    def vowels(self) -> str:
        """The vowel of each syllable."""
        return "".join(group[0] for group in re.findall("[aeiouy]+", self.text)).replace("y", "i") or "u"


@dataclass(frozen=True)
class Talk:
    """Somebody who talks.

    Args:
        script: what was said, in order.
        seed: decides how the head moves, the blinks and the voice.
        cuts: which frames of what was said are left out, each from the first to the one after the last.
    """

    script: tuple[Word, ...]
    seed: int = 0
    cuts: tuple[tuple[int, int], ...] = ()

    @property
    def name(self) -> str:
        """What it is, for sheets."""
        return "face"

    @property
    def caption(self) -> str:
        """One sentence that says what happens."""
        return f"a face says: {' '.join(word.text for word in self.words)}"

    @cached_property
    def kept(self) -> NDArray[np.int64]:
        """Which frames (T,) of what was said are shown."""
        kept = np.ones(ceil((self.script[-1].stop + _TAIL) * RATE), bool)
        for first, after in self.cuts:
            kept[first:after] = False
        return np.flatnonzero(kept)

    @property
    def words(self) -> tuple[Word, ...]:
        """What is heard, at the times when it is."""
        return tuple(self._moved(word) for word in self._heard())

    @property
    def joins(self) -> tuple[int, ...]:
        """The first frame after each jump cut."""
        return tuple(int(at) + 1 for at in np.flatnonzero(np.diff(self.kept) > 1))

    @cached_property
    def blinks(self) -> tuple[Fraction, ...]:
        """When the eyes are shut, in seconds of what was said."""
        chance, at, found = stream(self.seed, "blinks"), Fraction(0), []
        while (at := at + Fraction(chance.randrange(1200, 3200), 1000)) < self.script[-1].stop:
            found.append(at)
        return tuple(found)

    def without(self, number: int) -> Talk:
        """Leave a word out, and the frames in which it was said: a jump cut.

        Args:
            number: which of `words`, from 0.
        """
        heard = self._heard()
        if not 0 <= number < len(heard):
            raise InputError(f"There is no word {number}; {len(heard)} words are heard, counted from 0.")
        word = heard[number]
        return replace(self, cuts=tuple(sorted((*self.cuts, _frames_of(word)))))

    def without_fillers(self) -> Talk:
        """Leave all fillers out."""
        return replace(
            self, cuts=tuple(sorted({*self.cuts, *(_frames_of(word) for word in self.script if word.filler)}))
        )

    def mouth(self, times: Floats) -> Floats:
        """Return how far the mouth is open (T,), from 0 to 1, at rising times of what was said: once a syllable."""
        opening = np.zeros(len(times))
        for number, word in enumerate(self.script):
            chance = stream(self.seed, "mouth", number)
            first, after = np.searchsorted(times, (float(word.start), float(word.stop)))
            count = len(word.vowels)
            passed = (times[first:after] - float(word.start)) / float(word.stop - word.start) * count
            strengths = np.array([chance.uniform(0.6, 1.0) * (0.7 if word.filler else 1) for _ in range(count)])
            syllable = np.minimum(passed.astype(int), count - 1)
            opening[first:after] = strengths[syllable] * np.sin(np.pi * (passed - syllable)) ** 2
        return opening

    def dials(self, times: Floats) -> Floats:
        """Return the numbers (T, 6) of `DIALS` that the face is drawn by, at rising times of what was said."""
        chance = np.random.default_rng(derive(self.seed, "head"))
        paces = np.array((0.17, 0.43))[:, None] * chance.uniform(0.8, 1.25, (3, 2, 1))
        waves = np.sin(2 * np.pi * (paces * times + chance.random((3, 2, 1))))
        head = np.array(_FAR)[:, None] * np.einsum("dpt,p->dt", waves, (0.65, 0.35))
        mouth = self.mouth(times)
        thinking = np.zeros(len(times))
        for word in self.script:
            if word.filler:  # who looks for a word looks up and away
                middle, half = float(word.start + word.stop) / 2, float(word.stop - word.start) / 2 + 0.2
                thinking += np.cos(np.clip((times - middle) / half, -1, 1) * np.pi / 2) ** 2
        thinking = np.minimum(thinking, 1)
        head += np.outer((0.2, -0.12, 0.06), thinking) * np.sign(chance.uniform(-1, 1))
        head[1] += 0.05 * mouth
        eyes = np.ones(len(times))
        for at in self.blinks:
            eyes -= np.cos(np.clip((times - float(at)) / (_BLINK / 2), -1, 1) * np.pi / 2) ** 2
        brows = np.clip(0.7 * thinking + 0.25 * mouth, 0, 1)
        return np.stack([*head, mouth, np.clip(eyes, 0, 1), brows], axis=1)

    def voice(self) -> Audio:
        """Speak, exactly as long as the frames."""
        times = np.arange(sample_at(ceil((self.script[-1].stop + _TAIL) * RATE) / RATE, SOUND_RATE)) / SOUND_RATE
        loud, sound = self.mouth(times), np.zeros(len(times))
        for number, word in enumerate(self.script):
            first, after = (sample_at(at, SOUND_RATE) for at in (word.start, word.stop))
            sound[first:after] = _sung(word, after - first, stream(self.seed, "voice", number).uniform(150, 190))
        a_frame = sample_at(1 / RATE, SOUND_RATE)
        frames = (_LOUDEST * loud * sound).astype(np.float32).reshape(-1, a_frame)
        return Audio(frames[self.kept].reshape(-1, 1), SOUND_RATE)

    def facts(self) -> dict[str, object]:
        """Return what it is, as plain values; times are exact fractions of a second."""
        return {
            "caption": self.caption,
            "words": [
                {"text": word.text, "start": str(word.start), "stop": str(word.stop), "filler": word.filler}
                for word in self.words
            ],
            "joins": list(self.joins),
        }

    def _heard(self) -> list[Word]:
        return [word for word in self.script if _frames_of(word) not in self.cuts]

    def _moved(self, word: Word) -> Word:
        before = sum(after - first for first, after in self.cuts if after <= word.start * RATE) / RATE
        return replace(word, start=word.start - before, stop=word.stop - before)


def talk(text: str, *, seed: int = 0) -> Talk:
    """Say a text.

    Args:
        text: words of the letters a to z; um, uh, er, erm and hmm are fillers.
        seed: decides how long words and pauses are, how the head moves, the blinks and the voice.

    Raises:
        InputError: there are no words, too many, or other signs than letters.
    """
    texts = text.lower().split()
    if not 1 <= len(texts) <= MOST_WORDS:
        raise InputError(f"A face says 1 to {MOST_WORDS} words; got {len(texts)}.")
    odd = next((word for word in texts if not re.fullmatch("[a-z]+", word)), None)
    if odd is not None:
        raise InputError(f"A face cannot say {odd!r}.", "Write words of the letters a to z.")
    chance, at, script = stream(seed, "words"), _LEAD, []
    for word in texts:
        filler = word in FILLERS
        if filler:
            at += Fraction(chance.randrange(60, 160), 1000)
        lasts = (
            chance.randrange(320, 560) if filler else 70 + chance.randrange(120, 170) * len(Word(word, at, at).vowels)
        )
        script.append(Word(word, at, at + Fraction(lasts, 1000)))
        at = (
            script[-1].stop + _LEAST_GAP + Fraction(chance.randrange(60, 160) if filler else chance.randrange(50), 1000)
        )
    return Talk(tuple(script), seed)


def invented_talk(seed: int) -> Talk:
    """Invent a talk with fillers in it."""
    return talk(stream(seed, "sentence").choice(_SENTENCES), seed=derive(seed, "talk", bits=31))


def _frames_of(word: Word) -> tuple[int, int]:
    """Return the first frame in which a word is heard, and the one after the last."""
    return floor(word.start * RATE), ceil(word.stop * RATE)


def _sung(word: Word, count: int, pitch: float) -> Floats:
    """Return a word at an even loudness: a buzz with the resonances of its vowels, lower towards its end."""
    t = np.arange(count) / SOUND_RATE
    fall = pitch * (1.06 - 0.12 * t / t[-1] if not word.filler else 0.9 + 0 * t)
    turns = np.cumsum(fall) / SOUND_RATE
    sound = np.zeros(count)
    for span, vowel in zip(np.array_split(np.arange(count), len(word.vowels)), word.vowels, strict=True):
        numbers = np.arange(1, 16)
        peaks = sum(np.exp(-(((numbers * pitch - peak) / 180) ** 2)) for peak in _FORMANTS[vowel])
        strengths = (0.12 + np.asarray(peaks)) / numbers**0.6
        strengths /= np.sqrt((strengths**2).sum() / 2)
        sound[span] = np.sin(2 * np.pi * turns[span, None] * numbers) @ strengths
    return sound * 0.5
