"""What can be asked of `inbetween`."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, PlainSerializer, ValidationInfo, model_validator

from keyweave.systems.inbetween.presets import DEFAULT, PRESETS, parse_sampling, sampling_words
from keyweave.systems.inbetween.sampling import Sampling
from keyweave.timeline.easing import LINEAR
from keyweave.timeline.options import (
    AdapterRef,
    Compile,
    Device,
    Easings,
    FilmOptions,
    LinearLight,
    Memory,
    ModelRef,
    NoDetail,
    Precision,
    RaftFile,
    Seconds,
)
from keyweave.timeline.times import parse_moment

MOST_FRAMES = 1_000_000


def _moments(value: Any, info: ValidationInfo) -> Any:
    """Read times; frames are of this film's rate, and become seconds so that another rate never moves a keyframe."""
    texts = value.split(",") if isinstance(value, str) else value
    rate = info.data.get("fps", Fraction(24))
    return tuple(parse_moment(str(text), rate) for text in texts)


Moments = Annotated[
    tuple[Fraction, ...],
    BeforeValidator(_moments),
    PlainSerializer(lambda value: None if value is None else [str(at) for at in value], return_type=list[str] | None),
]


Samplings = Annotated[
    Sampling,
    BeforeValidator(lambda value: value if isinstance(value, Sampling) else parse_sampling(str(value))),
    PlainSerializer(sampling_words, return_type=str),
]


class InbetweenOptions(FilmOptions):
    """Options of `keyweave inbetween`."""

    frames: int | None = Field(
        None,
        ge=0,
        le=MOST_FRAMES,
        description="in-betweens in each gap between two keyframes; the keyframes come on top",
        json_schema_extra={"metavar": "N"},
    )
    duration: Seconds | None = Field(
        None,
        description="length of the film in seconds, or as 1:02.5; without it, one second from keyframe to keyframe",
        json_schema_extra={"metavar": "S"},
    )
    at: Moments | None = Field(
        None,
        description="when each keyframe is shown, such as 0,1.2s,48f: seconds, 1:02.5, or frames",
        json_schema_extra={"metavar": "TIMES"},
    )
    easing: Easings = Field(
        (LINEAR,),
        description="how each gap's time is spread, one for all or one each, such as ease-in-out,hold,slow-in(0.7)",
        json_schema_extra={"metavar": "EASINGS", "default_text": "linear"},
    )
    loop: bool = Field(False, description="go on from the last keyframe to the first, and end just before it")
    ping_pong: bool = Field(False, description="go back the way it came, and end just before the beginning")

    linear_light: LinearLight = False
    raft: RaftFile = None
    model: ModelRef = None
    adapter: AdapterRef = None
    sampling: Samplings = Field(
        PRESETS[DEFAULT],
        description=f"how it samples: {', '.join(PRESETS)}, or one with changes such as fast,steps=50,guidance=1..3",
        json_schema_extra={"metavar": "PRESET", "default_text": DEFAULT},
    )
    windows: int = Field(
        1,
        ge=1,
        le=MOST_FRAMES,
        description="clips of the model in each gap, which meet in frames of a first clip of all of it",
        json_schema_extra={"metavar": "N"},
    )
    memory: Memory = "auto"
    compile: Compile = False
    no_detail: NoDetail = False
    device: Device = None
    dtype: Precision = None

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        lengths = [f"--{name}" for name in ("frames", "duration") if getattr(self, name) is not None]
        if len(lengths) == 2:
            raise ValueError("--frames and --duration both set the length; give only one of them")
        if self.at is not None and self.frames is not None:
            raise ValueError("--at and --frames both place the keyframes; give only one of them")
        if self.at is not None and any(before >= after for before, after in pairwise(self.at)):
            raise ValueError(
                f"--at must rise from keyframe to keyframe; got {', '.join(f'{float(t):g}' for t in self.at)}"
            )
        if self.at is not None and self.duration is not None and self.at and self.duration <= self.at[-1]:
            raise ValueError(
                f"--duration ends at {float(self.duration):g} s, before the last keyframe at {float(self.at[-1]):g} s"
            )
        if self.loop and self.ping_pong:
            raise ValueError("--loop and --ping-pong are two ways to begin again; give only one of them")
        return self
