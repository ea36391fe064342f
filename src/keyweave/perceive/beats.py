"""Beats of a song: when they are, and which of them are the strong ones."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, Literal, Protocol, get_args

import numpy as np

from keyweave.base.errors import InputError
from keyweave.base.progress import SILENT, Progress
from keyweave.perceive.pulse import listen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from keyweave.media.types import Audio
    from keyweave.perceive.pulse import Pulse

    Floats = NDArray[np.floating]

Octave = Literal["x1", "x2", "x0.5"]

SHORTEST, LONGEST = 3, 30 * 60  # seconds of a song
_SILENT = 1e-4  # what is nowhere louder is no song
_GRAIN = 1000  # beats are told to the millisecond, as people read and write them
# How far what is heard must repeat from beat to beat: measured 0.43 and more in four songs for dancing and in a piano
# played by hand, 0.2 where that hurries and waits, 0.14 and less in noise, 0.07 to 0.16 in talks of more than six
# seconds (shorter ones may be anything to 0.3). Below the first number beats would be invented.
_LEAST_REPEATS, _REPEATS = 0.15, 0.25
_LEAST_MOMENTS = 4  # at which something sets in: two clicks repeat each other exactly, and are no song
_BY_HAND = (
    'Write them by hand into a .json file, {"keyweave beats": 1, "beats": [0.5, 1.0, 1.5]}, which keyweave dance label '
    "and keyweave dance render take as --beats."
)
# How many times as clear beats must be as the usual ones to be taken instead, or offered. Of a changing tempo they were
# 1.11 to 1.37 times as clear in songs that have one, up to 1.05 in others. Twice as many were 1.28 times as clear where
# every other beat was missed, up to 1.06 elsewhere.
_CLEARER_IF_MOVING, _CLEARER_IF_OTHER = 1.1, 1.15
_EVENER = 0.9  # times the unevenness of the usual beats
_BY_CHANCE = 1.5  # times what beats at random places agree with a parity
_WALTZ = 0.5  # how far threes must agree, where pairs do not agree half as well


@dataclass(frozen=True)
class Beats:
    """When the beats of a song are.

    Args:
        times: two or more, in seconds, rising.
        parity: the number of the first strong beat: 0 or 1 where every other one is strong, up to 2 where it is every
            third.
        sureness: how far what is heard agrees with the parity, from -1 (the opposite) by 0 (it does not tell) to 1.
        notes: sentences on what is doubtful.
    """

    times: tuple[Fraction, ...]
    parity: int
    sureness: float
    notes: tuple[str, ...] = ()

    @property
    def tempo(self) -> float:
        """Beats per minute, the median."""
        return float(60 / median(after - before for before, after in pairwise(self.times)))


@dataclass(frozen=True)
class Heard:
    """What a tracker hears in a song.

    Args:
        beats: (B,) in seconds, rising; in the tempo that it took them for.
        agreement: tells for beats (B,) and a number that go together how far the song agrees with each parity: as many
            numbers, from -1 (the opposite) by 0 (it does not tell) to 1.
        notes: sentences on what is doubtful.
        others: sentences on other tempos that would fit.
    """

    beats: Floats
    agreement: Callable[[Floats, int], Floats]
    notes: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


class BeatTracker(Protocol):
    """Hears the beats of a song.

    Args:
        audio: the song.
        progress: a part of the job.
    """

    def __call__(self, audio: Audio, *, progress: Progress) -> Heard: ...  # noqa: D102 - the class says it


def by_librosa(audio: Audio, *, progress: Progress) -> Heard:
    """Hear beats with librosa, a `BeatTracker`; the strong ones are those on which bass drums are heard.

    Raises:
        InputError: what is heard is no evidence of beats: librosa itself would lay some over anything.
    """
    pulse = listen(audio, progress)
    moments = round(pulse.moments())
    if moments < _LEAST_MOMENTS:
        times = f"{moments} time{'s' * (moments != 1)}"
        raise _no_beat(audio, f"Something sets in only {times}, and beats need {_LEAST_MOMENTS} or more.")
    found, notes = _steady_or_moving(pulse)
    if len(found) < 2:
        return Heard(found, pulse.agreement)
    repeats = pulse.repeats(found)
    little = f"Little of this sound repeats from beat to beat ({max(0, repeats):.2f} of 1, where songs have {_REPEATS} "
    little += "or more); it may be speech or noise."
    if repeats < _LEAST_REPEATS:
        raise _no_beat(audio, little)
    if repeats < _REPEATS:
        return Heard(found, pulse.agreement, (*notes, little))
    return Heard(found, pulse.agreement, tuple(notes), _others(pulse, found))


def find_beats(
    audio: Audio,
    *,
    tracker: BeatTracker = by_librosa,
    tempo: Octave = "x1",
    offset: Fraction = Fraction(0),
    parity: int | None = None,
    together: int = 2,
    progress: Progress = SILENT,
) -> Beats:
    """Find the beats of a song.

    Args:
        audio: the song.
        tracker: who hears them.
        tempo: x2 puts a beat between every two that are found, x0.5 keeps only the strong ones.
        offset: seconds by which all beats come later; those that leave the song are dropped.
        parity: the number of the first strong beat; None leaves it to what is heard.
        together: after so many beats a strong one comes again.
        progress: a part of the job.
    """
    check_asked(tempo, parity, together)
    check_song(audio)
    with progress.part("finding beats") as part:
        heard = tracker(audio, progress=part)
        found = heard.beats
        if len(found) > 1:
            found = _in_octave(found, tempo, int(np.argmax(heard.agreement(found, 2))))
        times = on_the_grain(found + float(offset), audio.duration)
        if len(times) < 2:
            if len(found) > 1:
                raise InputError(f"Moved by {float(offset):g} s, the beats leave the song.", "Choose another offset.")
            raise _no_beat(audio)
        agreement = heard.agreement(np.array(times, np.float64), together)
        best = int(np.argmax(agreement)) if parity is None else parity
        threes = heard.agreement(np.array(times, np.float64), 3).max()
    notes = [*heard.notes, *(heard.others if tempo == "x1" else ())]
    if together == 2 and threes > max(_WALTZ, 2 * agreement.max()):
        notes.append("Every third beat is strong, not every other one; this may be in 3/4.")
    elif parity is None and agreement[best] < _BY_CHANCE / np.sqrt(len(times)):
        notes.append(
            f"Which beats are the strong ones is hard to hear ({agreement[best]:.2f} of 1 for number {best} to be the "
            "first); look whether motions begin on them, and set the parity otherwise."
        )
    return Beats(times, best, float(agreement[best]), tuple(notes))


def check_asked(tempo: str, parity: int | None, together: int) -> None:
    """Refuse to look for beats that cannot be; see `find_beats`."""
    if tempo not in get_args(Octave):
        raise InputError(
            f"Beats can be taken at {', '.join(get_args(Octave))} of the tempo that is found; got {tempo!r}."
        )
    if parity is not None and not 0 <= parity < together:
        raise InputError(f"The first strong beat is number 0 to {together - 1}; got {parity}.")


def check_song(audio: Audio) -> None:
    """Refuse what cannot be a song."""
    seconds = float(audio.duration)
    if not SHORTEST <= seconds <= LONGEST:
        raise InputError(
            f"A song to dance to lasts {SHORTEST} seconds to {LONGEST // 60} minutes; this one lasts {seconds:.1f} s.",
            "Cut out the part that is danced." if seconds > LONGEST else "Choose a longer one.",
        )
    if np.abs(audio.samples).max() < _SILENT:
        raise InputError("The song is silent; there is no beat to find.", "Give a file in which it is heard.")


def on_the_grain(seconds: Iterable[float], duration: Fraction) -> tuple[Fraction, ...]:
    """Return the times that lie within a song, to the millisecond, each once."""
    times = sorted({Fraction(round(at * _GRAIN), _GRAIN) for at in seconds})
    return tuple(at for at in times if 0 <= at <= duration)


def _steady_or_moving(pulse: Pulse) -> tuple[Floats, list[str]]:
    """Find beats (B,) in seconds, of one tempo; or of a tempo that changes, where they are better.

    They are where they are clearly better heard; and where they are heard as well but come more evenly, since beats of
    one tempo must jump now and then to keep up with a song that hurries.
    """
    steady, moving = pulse.beats(), pulse.beats(moving=True)
    if min(len(steady), len(moving)) < 3:
        return steady, []
    clearer = pulse.clarity(moving) / max(pulse.clarity(steady), 1e-9)
    evener = clearer >= 1 and _unevenness(moving) < _EVENER * _unevenness(steady)
    if clearer < _CLEARER_IF_MOVING and not evener:
        return steady, []
    slow, fast = np.percentile(60 / np.diff(moving), (10, 90))
    return moving, [f"The tempo changes: beats come {slow:.0f} to {fast:.0f} times a minute."]


def _unevenness(beats: Floats) -> float:
    return float(np.abs(np.diff(np.log(np.diff(beats)))).mean())


def _in_octave(found: Floats, tempo: Octave, parity: int) -> Floats:
    """Return beats with one more halfway between every two, or only the strong ones, or as they are."""
    if tempo == "x2":
        return np.interp(np.arange(2 * len(found) - 1) / 2, np.arange(len(found)), found)
    return found[parity::2] if tempo == "x0.5" else found


def _others(pulse: Pulse, found: Floats) -> tuple[str, ...]:
    """Return sentences on other tempos that fit."""
    clear, bpm = pulse.clarity(found), 60 / np.median(np.diff(found))
    others = []
    if pulse.clarity(_in_octave(found, "x2", 0)) > _CLEARER_IF_OTHER * clear:
        others.append(f"{2 * bpm:.0f} beats a minute fit as well as {bpm:.0f}; x2 takes them.")
    if max(pulse.clarity(_in_octave(found, "x0.5", parity)) for parity in (0, 1)) > _CLEARER_IF_OTHER * clear:
        others.append(f"{bpm / 2:.0f} beats a minute fit as well as {bpm:.0f}; x0.5 takes them.")
    return tuple(others)


def _no_beat(audio: Audio, why: str = "") -> InputError:
    found = f"No beat was found in {float(audio.duration):.1f} s of sound."
    return InputError(f"{found} {why}".rstrip(), f"Choose another song. {_BY_HAND}")
