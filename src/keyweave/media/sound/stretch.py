"""Sound at another speed with its pitch kept: overlapping pieces are laid where they continue one another best.

The method is WSOLA (Verhelst and Roelands, 1993): the piece that is due is looked for around its place, where it is
most like what would have followed the piece before. By itself it doubles clicks where the sound is slowed down, and
leaves some out where it is hurried. So onsets are anchored: each is laid exactly where it is due, once.
"""

from __future__ import annotations

from collections import deque
from math import ceil
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from keyweave.media.sound.onsets import OnsetFinder
from keyweave.media.types import Sound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from keyweave.media.types import Samples

_PIECE = 0.04  # seconds; two periods of the lowest voice
_SEARCH = 0.012  # seconds to either side
_LEAST_SEARCH = 0.007  # where time runs slowly: half a period of the lowest voice
_ATTACK = 0.0025  # seconds of an onset that must not be heard again
_AROUND, _FARTHEST = 8, 250  # half pieces that are held to either side; the faster time runs, the more


def stretched(sound: Sound, heard_at: Callable[[float], float], length: int) -> Sound:
    """Return a flow of `length` samples in which the sound runs at another speed.

    Args:
        sound: what is heard; it is read once, and little of it is held.
        heard_at: the second of the sound that is due at a second of the result; it must not fall.
        length: samples of the result; where the sound has ended there is silence.
    """
    return Sound(_pieces(sound, heard_at, length), sound.rate, sound.channels)


def _pieces(sound: Sound, heard_at: Callable[[float], float], length: int) -> Iterator[Samples]:
    rate = sound.rate
    hop = max(1, round(_PIECE * rate / 2))
    # Two neighbouring windows add up to one everywhere.
    window = (0.5 - 0.5 * np.cos(np.pi * (np.arange(2 * hop) + 0.5) / hop)).astype(np.float32)[:, None]
    course = _Course(heard_at, rate, length)
    tape = _Tape(sound)
    anchors = _Anchors(course, hop, round(_ATTACK * rate))
    tail = np.zeros((hop, sound.channels), np.float32)
    wanted: Samples | None = None  # how the sound would go on after the piece before
    follows = 0  # and where it does
    for made in range(-hop, length, hop):
        middle = made + hop
        due = course(middle) - hop
        speed = (course(middle + hop) - course(max(0, middle - hop))) / (2 * hop)
        reach = round(min(_SEARCH, max(_LEAST_SEARCH, _SEARCH * speed)) * rate)
        around = hop * min(max(_AROUND, 2 * ceil(speed)), _FARTHEST)
        tape.forget(due - around)
        anchors.add(tape.onsets(due + around))
        fixed = anchors.start_of(middle)
        lowest, highest = anchors.bounds_of(middle)
        due = min(max(due, lowest), highest)
        if fixed is not None:
            start = fixed
        elif wanted is None:
            start = due
        elif abs(due - follows) <= 1:
            start = follows  # at its own speed, the sound is left as it is
        else:
            start = _best(tape, wanted, due, max(due - reach, lowest), min(due + reach, highest))
        piece = np.asarray(tape.span(start, start + 2 * hop) * window, np.float32)
        whole = tail + piece[:hop]
        tail, follows = piece[hop:], start + hop
        wanted = tape.span(follows, follows + 2 * hop)
        if made >= 0:
            yield whole[: length - made]


def _best(tape: _Tape, wanted: Samples, due: int, first: int, last: int) -> int:
    """Return the start from `first` to `last` from which a piece is most like the one that is wanted."""
    around = tape.span(first, last + len(wanted)).mean(axis=1)
    shape = wanted.mean(axis=1)
    size = 1 << (len(around) + len(shape) - 1).bit_length()
    product = np.fft.irfft(np.fft.rfft(around, size) * np.conj(np.fft.rfft(shape, size)), size)[: last - first + 1]
    power = np.cumsum(np.concatenate([[0.0], around.astype(np.float64) ** 2]))
    energy = power[len(shape) :] - power[: len(power) - len(shape)]
    likeness = product / np.sqrt(np.maximum(energy, 1e-9))
    # In silence, or where all fit alike, the due place is the best.
    likeness[due - first] += 1e-6 + 1e-3 * float(np.abs(likeness).max())
    return first + int(likeness.argmax())


class _Course:
    """Which sample of the sound is due at a sample of the result."""

    def __init__(self, heard_at: Callable[[float], float], rate: int, length: int) -> None:
        self._heard_at = heard_at
        self._rate = rate
        self._length = length

    def __call__(self, sample: int) -> int:
        return round(self._heard_at(max(0.0, sample / self._rate)) * self._rate)

    def first_at(self, heard: int, since: int) -> int | None:
        """Return the first sample of the result, from `since` on, at which a sample of the sound is due or over."""
        step = 1
        while self(since + step) < heard:
            if since + step > self._length:
                return None
            step *= 2
        low, high = since - 1, since + step
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self(middle) < heard else (low, middle)
        return high


class _Anchor(NamedTuple):
    """An onset: at which sample of the sound, and of the result."""

    heard: int
    due: int


class _Anchors:
    """The onsets around the piece at hand. Two that come within a piece of one another count as one."""

    def __init__(self, course: _Course, hop: int, attack: int) -> None:
        self._course = course
        self._hop = hop
        self._attack = attack
        self._anchors: deque[_Anchor] = deque()

    def add(self, onsets: list[int]) -> None:
        """Take onsets of the sound, in order."""
        for heard in onsets:
            since = self._anchors[-1].due if self._anchors else 0
            due = self._course.first_at(heard, since)
            if due is not None and (not self._anchors or due - since >= 2 * self._hop):
                self._anchors.append(_Anchor(heard, due))

    def start_of(self, middle: int) -> int | None:
        """Return where a piece must start, so that an onset within it falls on its place; None without one."""
        while len(self._anchors) > 1 and self._anchors[1].due <= middle - self._hop:
            self._anchors.popleft()
        for heard, due in self._anchors:
            if abs(due - middle) < self._hop:
                return heard - (due - (middle - self._hop))
        return None

    def bounds_of(self, middle: int) -> tuple[int, int]:
        """Return between which samples a piece may start, so that it holds no onset that is heard elsewhere."""
        past = [anchor.heard + self._attack for anchor in self._anchors if anchor.due <= middle - self._hop]
        coming = [anchor.heard - 2 * self._hop for anchor in self._anchors if anchor.due >= middle + self._hop]
        lowest = max(past, default=-(1 << 60))
        return lowest, max(lowest, min(coming, default=1 << 60))


class _Tape:
    """A sound that can be looked at a little way back; before its beginning and after its end there is silence."""

    def __init__(self, sound: Sound) -> None:
        self._blocks = iter(sound.blocks)
        self._finder = OnsetFinder(sound.rate, sound.channels)
        self._onsets: list[int] = []
        self._held = np.zeros((0, sound.channels), np.float32)
        self._first = 0
        self._needed = 0
        self._ended = False

    def span(self, start: int, stop: int) -> Samples:
        """Return samples [start, stop)."""
        self._read(stop)
        span = np.zeros((stop - start, self._held.shape[1]), np.float32)
        first, last = max(start, self._first), min(stop, self._first + len(self._held))
        if first < last:
            span[first - start : last - start] = self._held[first - self._first : last - self._first]
        return span

    def onsets(self, until: int) -> list[int]:
        """Return what sets in up to about a sample, each onset once."""
        self._read(until)
        onsets, self._onsets = self._onsets, []
        return onsets

    def forget(self, before: int) -> None:
        """Let go of what is not needed any more, be it read already or not."""
        self._needed = max(self._needed, before)

    def _read(self, until: int) -> None:
        while not self._ended and self._first + len(self._held) < until:
            block = next(self._blocks, None)
            if block is None:
                self._ended = True
                return
            self._onsets += self._finder.hear(block)
            done = min(max(self._needed - self._first, 0), len(self._held) + len(block))
            kept = self._held[done:]
            self._held = np.concatenate([kept, block[max(0, done - len(self._held)) :]])
            self._first += done
