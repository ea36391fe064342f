"""What can be asked of `retime`."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, PlainSerializer, model_validator

from keyweave.timeline.easing import Easing
from keyweave.timeline.options import LinearLight, OutputOptions, RaftFile, Rate, Seconds

_SLOWEST, _FASTEST = Fraction(1, 100), Fraction(100)
_CHECKED = 400  # points of an easing


def _speed(value: Any) -> Fraction:
    try:
        speed = Fraction(str(value).removesuffix("x"))
    except (ValueError, ZeroDivisionError):
        raise ValueError(f"{value!r} is no speed; write a number or a fraction such as 1/4") from None
    if not _SLOWEST <= speed <= _FASTEST:
        raise ValueError(f"a speed is from 1/100 to 100; got {value}")
    return speed


def _easing(value: Any) -> Easing | None:
    """Read an easing, and see that it never runs backwards or beyond the clip."""
    easing = value if isinstance(value, Easing) or value is None else Easing.parse(str(value))
    if easing is not None:
        come = [easing(Fraction(k, _CHECKED)) for k in range(_CHECKED + 1)]
        if min(come) < 0 or max(come) > 1 or any(after < before for before, after in pairwise(come)):
            raise ValueError(f"{easing} runs backwards or beyond the clip; choose one that only goes forward")
    return easing


Speed = Annotated[Fraction, BeforeValidator(_speed), PlainSerializer(str, return_type=str)]
Course = Annotated[
    Easing | None,
    BeforeValidator(_easing),
    PlainSerializer(lambda value: None if value is None else str(value), return_type=str | None),
]


class RetimeOptions(OutputOptions):
    """Options of `keyweave retime`."""

    near: ClassVar[bool] = True  # told to engines: the pictures follow one another in a film

    fps: Rate | None = Field(
        None,
        description="frames per second, a number or a fraction such as 24000/1001; without it, those of the clip",
        json_schema_extra={"metavar": "R"},
    )
    speed: Speed = Field(
        Fraction(1),
        description="how fast it runs: 0.25 is a quarter of its speed, 2 is double",
        json_schema_extra={"metavar": "X", "default_text": "1"},
    )
    duration: Seconds | None = Field(
        None,
        description="how long it becomes, in seconds or as 1:02.5; in place of --speed",
        json_schema_extra={"metavar": "S"},
    )
    easing: Course = Field(
        None,
        description="how time runs over the whole clip, such as ease-in-out; without it, steadily",
        json_schema_extra={"metavar": "EASING"},
    )
    sound: Literal["stretch", "drop"] = Field(
        "stretch", description="whether the sound follows, its pitch kept, or is left out"
    )
    linear_light: LinearLight = False
    raft: RaftFile = None

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.duration == 0:
            raise ValueError("--duration must be more than 0 s")
        if self.duration is not None and self.speed != 1:
            raise ValueError("--speed and --duration both set the length; give only one of them")
        return self
