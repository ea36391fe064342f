"""How a timeline becomes a film: declared once, for every system that makes one."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from keyweave.timeline.easing import Easing
from keyweave.timeline.times import parse_rate, parse_seconds, parse_size


def _from_text(parse: Any) -> BeforeValidator:
    """Read text and plain numbers with one of our parsers; let everything else through to be checked by its type."""
    return BeforeValidator(
        lambda value: parse(str(value)) if isinstance(value, str | int | float | Fraction) else value
    )


def _listed(value: Any) -> Any:
    """Split text at commas outside brackets, so that cubic-bezier(0.3, 0, 0.1, 1) stays one."""
    return re.split(r",\s*(?![^()]*\))", value) if isinstance(value, str) else value


def _easing(value: Any) -> Easing:
    return value if isinstance(value, Easing) else Easing.parse(str(value))


def _size_words(size: tuple[int, int] | None) -> str | None:
    return None if size is None else f"{size[0]}x{size[1]}"


_AS_TEXT = PlainSerializer(lambda value: None if value is None else str(value), return_type=str | None)

Rate = Annotated[Fraction, _from_text(parse_rate), _AS_TEXT]
Seconds = Annotated[Fraction, _from_text(parse_seconds), _AS_TEXT]
Size = Annotated[tuple[int, int], _from_text(parse_size), PlainSerializer(_size_words, return_type=str | None)]
Easings = Annotated[
    tuple[Easing, ...],
    BeforeValidator(lambda value: tuple(_easing(one) for one in _listed(value))),
    PlainSerializer(lambda value: None if value is None else [str(one) for one in value], return_type=list[str] | None),
]
Fit = Literal["crop", "pad", "stretch"]

# What several systems hand on to their engines.
LinearLight = Annotated[bool, Field(description="blend light as a camera does, where the engine blends")]
RaftFile = Annotated[
    Path | None,
    Field(
        description="weights of RAFT (.safetensors), which then searches motion where the engine does",
        json_schema_extra={"metavar": "FILE"},
    ),
]
ModelRef = Annotated[
    str | None,
    Field(
        description="the video model of the engine generative: a name, ./FOLDER or hub:OWNER/NAME@REVISION",
        json_schema_extra={"metavar": "REF", "default_text": "toy-video"},
    ),
]
AdapterRef = Annotated[
    str | None,
    Field(
        description="what sets its backward branch apart: a file, a folder or a name; none for the plain model",
        json_schema_extra={"metavar": "REF", "default_text": "what the model's card says"},
    ),
]
Memory = Annotated[
    Literal["auto", "low", "high"],
    Field(description="whether it works in small parts, which takes less memory and more time"),
]
Compile = Annotated[bool, Field(description="compile its network first: minutes once, then faster")]
NoDetail = Annotated[
    bool, Field(description="leave its frames as smooth as the model draws them, without the keyframes' detail")
]
Device = Annotated[
    str | None,
    Field(
        description="where it computes: cpu, cuda, cuda:N or mps; without it, the fastest there is",
        json_schema_extra={"metavar": "DEVICE"},
    ),
]
Precision = Annotated[
    Literal["float32", "bfloat16", "float16"] | None,
    Field(
        description="how precisely it computes: float32, bfloat16 or float16; without it, half where that is faster",
        json_schema_extra={"metavar": "TYPE"},
    ),
]


class OutputOptions(BaseModel):
    """Options that everything written as a film has."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    crf: int | None = Field(
        None,
        ge=0,
        le=63,
        description="quality of lossy formats: lower is better and larger; without it, near-transparent",
        json_schema_extra={"metavar": "N"},
    )


class FilmOptions(OutputOptions):
    """Options of films made of keyframes."""

    fps: Rate = Field(
        Fraction(24),
        description="frames per second, a number or a fraction such as 24000/1001",
        json_schema_extra={"metavar": "R"},
    )
    size: Size | None = Field(
        None,
        description="width x height of the film; without it, the size of the first picture",
        json_schema_extra={"metavar": "WxH"},
    )
    fit: Fit = Field("crop", description="how a picture of another shape fills the size")
