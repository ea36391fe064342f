"""What is asked of a dance besides its film, in the words of the command line, which are those of Python too."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, FiniteFloat
from pydantic_core import PydanticCustomError

from keyweave.app.dance_stages import Hearing, Reference
from keyweave.app.fields import read_options
from keyweave.base.errors import InputError
from keyweave.perceive.beats import Octave
from keyweave.perceive.listeners import LIBROSA, listener_of
from keyweave.systems.dance.files import Meter
from keyweave.systems.dance.stages import Wishes, read_pins

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from keyweave.perceive.listeners import Listener

_HEARD = ("tempo", "offset", "parity", "meter")  # of one song
_REFERENCE = "reference_"  # before these, where the song of the reference is another


def _listed(value: Any) -> Any:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _seconds(value: Any) -> Fraction:
    try:
        found = Fraction(str(value))  # 0.1 is a tenth, in Python as where it is typed
        float(found)
    except (ValueError, ArithmeticError):
        raise PydanticCustomError("seconds", "Input should be seconds, such as 0.02 or -0.1") from None
    return found


def _numbers(count: int) -> Callable[[Any], tuple[float, ...]]:
    def read(value: Any) -> tuple[float, ...]:
        try:
            found = tuple(map(float, value.split(",") if isinstance(value, str) else value))
        except (TypeError, ValueError, OverflowError):
            found = ()
        if len(found) != count or not all(map(math.isfinite, found)):
            raise PydanticCustomError(
                "numbers", "Input should be {count} numbers with commas between them", {"count": count}
            )
        return found

    return read


def _sides(value: Any) -> tuple[int, ...]:
    return tuple(map(round, _numbers(4)(value)))


def _range(value: Any) -> tuple[float, ...]:
    try:
        low, high = map(float, value.split(":") if isinstance(value, str) else value)
    except (TypeError, ValueError, OverflowError):
        raise PydanticCustomError("range", "Input should be LOW:HIGH, such as 12:60") from None
    return low, high


Tempo = Octave | None
Offset = Annotated[Fraction, BeforeValidator(_seconds)] | None
Bar = Meter | None
File = Path | None
Point = Annotated[tuple[float, float], BeforeValidator(_numbers(2))] | None
Sides = Annotated[tuple[int, int, int, int], BeforeValidator(_sides)] | None
Range = Annotated[tuple[float, float], BeforeValidator(_range)] | None
Words = Annotated[tuple[str, ...], BeforeValidator(_listed)]


class Asked(BaseModel):
    """What is asked; None where nothing is, and then it is as usual.

    Args:
        tempo: see `perceive.beats.find_beats`, as for the three after it.
        offset: seconds.
        parity: the number of a beat.
        meter: 4/4 or 3/4.
        beats_by: see `perceive.listeners.listener_of`.
        reference_tempo: the same of the song of the reference, where that is another.
        reference_offset: the same.
        reference_parity: the same.
        reference_meter: the same.
        poses: see `Reference`, as for the four after it.
        dancer: x and y.
        crop: left, top, right and bottom.
        threshold: of motions.
        mirror_threshold: of their mirror images.
        pin: see `read_pins`.
        motion: how far the subject may move within a motion, from and to; see `Wishes`, as for the three after it.
        transition: how far between motions at least.
        mirrored_poses: names of labels.
        plan_seconds: for the plan.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    tempo: Tempo = None
    offset: Offset = None
    parity: int | None = None
    meter: Bar = None
    beats_by: str | None = None
    reference_tempo: Tempo = None
    reference_offset: Offset = None
    reference_parity: int | None = None
    reference_meter: Bar = None
    poses: File = None
    dancer: Point = None
    crop: Sides = None
    threshold: FiniteFloat | None = None
    mirror_threshold: FiniteFloat | None = None
    pin: Words = ()
    motion: Range = None
    transition: FiniteFloat | None = None
    mirrored_poses: Words = ()
    plan_seconds: FiniteFloat | None = None

    def hearing(self) -> Hearing:
        """Return how one song is heard."""
        return self._hearing("", self._listener())

    def hearings(self, *, another: bool) -> tuple[Hearing, Hearing]:
        """Return how the song is heard, and how the reference is; `another` tells whether that has another song."""
        apart = [name for name in _HEARD if getattr(self, f"{_REFERENCE}{name}") is not None]
        if apart and not another:
            raise InputError(
                f"--reference-{apart[0]} is for a dance to another song than that of the reference.",
                f"Give that song as --music, or write --{apart[0]}.",
            )
        listener = self._listener()
        song = self._hearing("", listener)
        return song, self._hearing(_REFERENCE, listener) if another else song

    def _hearing(self, of: str, listener: Listener) -> Hearing:
        return Hearing(**self._given(**{name: f"{of}{name}" for name in _HEARD}), listener=listener)

    def _listener(self) -> Listener:
        return LIBROSA if self.beats_by is None else listener_of(self.beats_by)

    def reference(self, film: Path) -> Reference:
        """Return the dance that is followed."""
        return Reference(film, self.poses, self.dancer, self.crop, self.threshold, self.mirror_threshold)

    def wishes(self, keyframes: int) -> Wishes:
        """Return what is asked of the plan of so many keyframes."""
        moves = {} if self.motion is None else dict(zip(("low", "high"), self.motion, strict=True))
        return Wishes(
            **moves,
            **self._given(least_transition="transition", seconds="plan_seconds"),
            pins=read_pins(self.pin, keyframes),
            mirrored_poses=self.mirrored_poses,
        )

    def _given(self, **names: str) -> dict[str, Any]:
        """Return by other names what was given."""
        return {new: value for new, name in names.items() if (value := getattr(self, name)) is not None}


def read_asked(given: Mapping[str, Any]) -> Asked:
    """Read what is asked out of all that was given; None is nothing."""
    known = {name: value for name, value in given.items() if name in Asked.model_fields}
    return read_options(Asked, {name: value for name, value in known.items() if value is not None})
