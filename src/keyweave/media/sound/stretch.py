"""Sound at another speed with its pitch kept: overlapping pieces are laid where they continue one another best.

The method is WSOLA (Verhelst and Roelands, 1993): the piece that is due is looked for around its place, where it is
most like what would have followed the piece before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from keyweave.media.types import Sound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from keyweave.media.types import Samples

_PIECE = 0.04  # seconds; two periods of the lowest voice
_SEARCH = 0.012  # seconds to either side


def stretched(sound: Sound, heard_at: Callable[[float], float], length: int) -> Sound:
    """Return a flow of `length` samples in which the sound runs at another speed.

    Args:
        sound: what is heard; it is read once, and little of it is held.
        heard_at: the second of the sound that is due at a second of the result; it must not fall.
        length: samples of the result; where the sound has ended there is silence.
    """
    return Sound(_pieces(sound, heard_at, length), sound.rate, sound.channels)


def _pieces(sound: Sound, heard_at: Callable[[float], float], length: int) -> Iterator[Samples]:
    hop = max(1, round(_PIECE * sound.rate / 2))
    reach = round(_SEARCH * sound.rate)
    # Two neighbouring windows add up to one everywhere.
    window = (0.5 - 0.5 * np.cos(np.pi * (np.arange(2 * hop) + 0.5) / hop)).astype(np.float32)[:, None]
    tape = _Tape(sound)
    tail = np.zeros((hop, sound.channels), np.float32)
    follows: int | None = None  # where the sound would go on after the piece before
    for made in range(-hop, length, hop):
        due = round(heard_at(max(0.0, (made + hop) / sound.rate)) * sound.rate) - hop
        start = due if follows is None else _best(tape, due, follows, hop, reach)
        piece = np.asarray(tape.span(start, start + 2 * hop) * window, np.float32)
        whole = tail + piece[:hop]
        tail, follows = piece[hop:], start + hop
        if made >= 0:
            yield whole[: length - made]
        tape.forget(min(due, follows) - reach)


def _best(tape: _Tape, due: int, follows: int, hop: int, reach: int) -> int:
    """Return the start near `due` from which a piece goes on most like the sound at `follows`."""
    if abs(due - follows) <= 1:
        return follows  # at its own speed, the sound is left as it is
    wanted = tape.span(follows, follows + 2 * hop).mean(axis=1)
    around = tape.span(due - reach, due + reach + 2 * hop).mean(axis=1)
    size = 1 << (len(around) + len(wanted) - 1).bit_length()
    product = np.fft.irfft(np.fft.rfft(around, size) * np.conj(np.fft.rfft(wanted, size)), size)[: 2 * reach + 1]
    power = np.cumsum(np.concatenate([[0.0], around.astype(np.float64) ** 2]))
    energy = power[2 * hop :] - power[: len(power) - 2 * hop]
    likeness = product / np.sqrt(np.maximum(energy[: 2 * reach + 1], 1e-9))
    # In silence, or where all fit alike, the due place is the best.
    likeness[reach] += 1e-6 + 1e-3 * float(np.abs(likeness).max())
    return due - reach + int(likeness.argmax())


class _Tape:
    """A sound that can be looked at a little way back; before its beginning and after its end there is silence."""

    def __init__(self, sound: Sound) -> None:
        self._blocks = iter(sound.blocks)
        self._held = np.zeros((0, sound.channels), np.float32)
        self._first = 0
        self._ended = False

    def span(self, start: int, stop: int) -> Samples:
        """Return samples [start, stop)."""
        while not self._ended and self._first + len(self._held) < stop:
            block = next(self._blocks, None)
            if block is None:
                self._ended = True
            else:
                self._held = np.concatenate([self._held, block])
        span = np.zeros((stop - start, self._held.shape[1]), np.float32)
        first, last = max(start, self._first), min(stop, self._first + len(self._held))
        if first < last:
            span[first - start : last - start] = self._held[first - self._first : last - self._first]
        return span

    def forget(self, before: int) -> None:
        """Let go of what is not needed any more; small leftovers are not worth a copy."""
        done = min(before - self._first, len(self._held))
        if done > 1 << 16:
            self._held = self._held[done:].copy()
            self._first += done
