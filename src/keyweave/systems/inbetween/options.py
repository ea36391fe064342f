"""What can be asked of `inbetween`."""

from __future__ import annotations

from pydantic import Field, model_validator

from keyweave.timeline.options import FilmOptions, Seconds

MOST_FRAMES = 1_000_000


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

    @model_validator(mode="after")
    def _one_length(self) -> InbetweenOptions:
        if self.frames is not None and self.duration is not None:
            raise ValueError("--frames and --duration both set the length; give only one of them")
        return self
