"""Segments of a dance: from the beats of the song to the stretches in which a motion is danced (7.2.1).

Motions begin on strong beats and end on weak ones; from the weak beat to the next strong one the dance only changes
over. In 4/4 a segment goes from the first beat of a pair to the second, in 3/4 from the first beat of a bar to the
third. Beats before the first strong one, and what is left of a group at the end, belong to no segment.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from keyweave.base.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

# How many beats go together: the strong one, and those up to the next strong one.
BEATS_TOGETHER = {"4/4": 2, "3/4": 3}


@dataclass(frozen=True)
class Segment:
    """A stretch in which one motion is danced.

    Args:
        first: the number of the beat on which it begins, counted from 0.
        last: and of the beat on which it ends.
        start: when it begins, in seconds.
        stop: and when it ends.
    """

    first: int
    last: int
    start: Fraction
    stop: Fraction


def beats_together(meter: str) -> int:
    """Return after how many beats a strong one comes again."""
    if meter not in BEATS_TOGETHER:
        raise InputError(
            f"A dance can follow {' or '.join(BEATS_TOGETHER)}; got the meter {meter!r}.",
            "Count a 2/4 song as 4/4, and a 6/8 song as 3/4.",
        )
    return BEATS_TOGETHER[meter]


def segments(beats: Sequence[Fraction], *, parity: int = 0, meter: str = "4/4") -> tuple[Segment, ...]:
    """Divide a dance.

    Args:
        beats: when each beat is, in seconds, rising.
        parity: the number of the first strong beat: 0 or 1, in 3/4 also 2.
        meter: 4/4 or 3/4.
    """
    together = beats_together(meter)
    if not 0 <= parity < together:
        allowed = ", ".join(str(number) for number in range(together - 1))
        raise InputError(f"In {meter}, the first strong beat is number {allowed} or {together - 1}; got {parity}.")
    for number, (before, after) in enumerate(pairwise(beats), start=2):
        if before >= after:
            raise InputError(
                f"Beats must come at rising times; beat {number} is at {float(after):g} s, the one before it at "
                f"{float(before):g} s."
            )
    starts = range(parity, len(beats) - together + 1, together)
    if not starts:
        raise InputError(
            f"A dance in {meter} needs {together} beats from the first strong one on; got "
            f"{max(0, len(beats) - parity)}.",
            "Give a longer song, or set its beats by hand.",
        )
    lasts = (first + together - 1 for first in starts)
    return tuple(Segment(first, last, beats[first], beats[last]) for first, last in zip(starts, lasts, strict=True))


def keyframe_times(divided: Sequence[Segment]) -> tuple[Fraction, ...]:
    """Return when a keyframe is due: at the beginning and at the end of each segment, in order."""
    return tuple(at for segment in divided for at in (segment.start, segment.stop))
