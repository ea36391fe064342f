"""What can be asked of a dance whose plan is made."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import BeforeValidator, Field, PlainSerializer, model_validator

from keyweave.systems.dance.clock import STRONGEST
from keyweave.timeline.options import (
    AdapterRef,
    Compile,
    Device,
    FilmOptions,
    LinearLight,
    Memory,
    ModelRef,
    NoDetail,
    Precision,
    RaftFile,
    Rate,
)
from keyweave.timeline.times import parse_seconds

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_BEATS = 4096
PREVIEW = 320  # pixels
PLANNED = ("walk", "beats", "heard_by")  # what a plan and its beats say
_SHOWN = 40  # characters of what does not fit
_LAST_BEAT = 24 * 60 * 60  # seconds; times without end would be more than a floating-point number holds


def _listed(value: Any) -> Any:
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


def _timed(value: Any) -> Any:
    found = _listed(value)
    return beat_times(found) if isinstance(found, list | tuple) else value


def beat_times(values: Iterable[Any]) -> tuple[Fraction, ...]:
    """Read when beats are; a ValueError says which cannot be."""
    return tuple(_beat(number, value) for number, value in enumerate(values, start=1))


def _beat(number: int, value: Any) -> Fraction:
    """Read a number, or what is written as people do."""
    try:
        at = Fraction(str(value)) if isinstance(value, int | float) else parse_seconds(str(value))
    except ValueError:
        at = None
    if at is None or not 0 <= at <= _LAST_BEAT:
        words = f"write seconds from 0 to {_LAST_BEAT}, such as 2.5 or 4/3"
        raise ValueError(f"beat {number} is {shown(value)}; {words}")
    return at


def shown(value: Any) -> str:
    """Return a value as a sentence tells it: of a long one the beginning."""
    words = repr(value)
    return words if len(words) <= _SHOWN else f"{words[:_SHOWN]}..."


Walk = Annotated[tuple[int, ...], BeforeValidator(_listed), PlainSerializer(list, return_type=list[int])]
BeatTimes = Annotated[
    tuple[Fraction, ...],
    BeforeValidator(_timed),
    PlainSerializer(lambda value: [str(at) for at in value], return_type=list[str]),
]


class DanceOptions(FilmOptions):
    """Options of the film of a dance; its plan says them."""

    fps: Rate = Field(
        Fraction(25),
        description="frames per second, a number or a fraction such as 24000/1001",
        json_schema_extra={"metavar": "R"},
    )
    walk: Walk = Field(
        (),
        max_length=MOST_BEATS,
        description="which picture is shown on each beat, counted from 1, such as 1,4,4,2",
        json_schema_extra={"metavar": "NUMBERS"},
    )
    beats: BeatTimes = Field(
        (),
        max_length=MOST_BEATS,
        description="when those beats are, in seconds of the song",
        json_schema_extra={"metavar": "TIMES"},
    )
    heard_by: str = Field(
        "",
        description="who found those beats; told, not read",
        json_schema_extra={"metavar": "NAME"},
    )
    strength: float = Field(
        1.0,
        ge=0,
        le=STRONGEST,
        description="how much a motion waits and then hurries to its beat; 0 is steady",
        json_schema_extra={"metavar": "S"},
    )
    preview: bool = Field(
        default=False,
        description=f"a small film, {PREVIEW} pixels on its longer side, that shows the timing in seconds",
    )
    linear_light: LinearLight = False
    raft: RaftFile = None
    model: ModelRef = None
    adapter: AdapterRef = None
    memory: Memory = "auto"
    compile: Compile = False
    no_detail: NoDetail = False
    device: Device = None
    dtype: Precision = None

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if len(self.walk) != len(self.beats):
            raise ValueError(f"--walk has {len(self.walk)} pictures for the {len(self.beats)} beats of --beats")
        if len(self.beats) < 2:
            raise ValueError(f"a dance has 2 beats or more; got {len(self.beats)}")
        for number, (before, after) in enumerate(pairwise(self.beats), start=2):
            if before >= after:
                raise ValueError(
                    f"--beats must rise; beat {number} is at {float(after):g} s, after {float(before):g} s"
                )
        return self
