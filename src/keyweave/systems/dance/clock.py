"""The clock of a dance: time between two beats runs slowly, then fast, and stops on the beat (7.2.4).

What has come of the way, when the share t of an interval has passed, is that of a Kumaraswamy distribution:

    come(t) = 1 - (1 - t^a)^b           speed(t) = a b t^(a-1) (1 - t^a)^(b-1)

with a = 1 + 2s and b = 1 + s for a strength s. It rises for every s from 0 on, and is steady at 0. For s > 0 the speed
is 0 on both beats and greatest at t = ((a - 1) / (a b - 1))^(1/a): from 67 % of the interval where s is small, by 74 %
at 1, where come(t) = 2 t^3 - t^6, to 83 % at 4. In the films of the paper it is greatest between 60 and 90 %.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import ceil
from typing import TYPE_CHECKING

from keyweave.base.errors import InputError
from keyweave.timeline.types import Keyframe, Timeline, Warp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keyweave.media.types import Image

STRONGEST = 4.0
_KNOTS = 64  # pieces that stand for the curve; at most 0.2 % of the way off it
# Powers may differ by the last bit between machines; this many digits do not.
_GRAIN = 10**9


def beat_warp(strength: float) -> Warp:
    """Return the map of time from one beat to the next.

    Args:
        strength: 0 is steady; 1 eases in and stops; up to 4, where nearly all of the way is in the last third.
    """
    if not 0 <= strength <= STRONGEST:
        raise InputError(f"The strength of the beat goes from 0 to {STRONGEST:g}; got {strength:g}.")
    if strength == 0:
        return Warp()
    passed = [Fraction(number, _KNOTS) for number in range(_KNOTS + 1)]
    return Warp(tuple((t, Fraction(round(_come(float(t), strength) * _GRAIN), _GRAIN)) for t in passed))


def _come(passed: float, strength: float) -> float:
    return 1 - (1 - passed ** (1 + 2 * strength)) ** (1 + strength)


def on_the_beat(
    walk: Sequence[Image], beats: Sequence[Fraction], *, length: Fraction, rate: Fraction, warp: Warp
) -> Timeline:
    """Lay a film in which each keyframe is shown on its beat, and the first and the last are held to the ends.

    Args:
        walk: two pictures or more, in the order in which they are danced. One that comes twice in a row is held.
        beats: when each is due, in seconds of the song, rising.
        length: seconds of the song; the film ends with the frame in which the song does.
        rate: frames per second of the film.
        warp: how time runs between two of them.
    """
    if len(walk) != len(beats):
        raise ValueError(f"{len(walk)} keyframes cannot lie on {len(beats)} beats")
    if beats and not 0 <= beats[0] <= beats[-1] <= length:
        raise InputError(
            f"The beats go from {float(beats[0]):g} to {float(beats[-1]):g} s, but the song from 0 to "
            f"{float(length):g} s."
        )
    # A hold that is too short for a frame of its own is left out: the beat is within half a frame all the same.
    keyframes = [
        Keyframe(image, at if round(at * rate) else Fraction(0)) for image, at in zip(walk, beats, strict=True)
    ]
    last_frame = ceil(length * rate) - 1
    until = last_frame / rate if keyframes and last_frame > round(keyframes[-1].at * rate) else None
    film = Timeline.through(keyframes, until=until)
    return replace(film, spans=tuple(replace(span, warp=warp) for span in film.spans))
