"""The project file: keyframes, their times and easings, as versioned JSON that a person can edit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from keyweave.base.files import write_text
from keyweave.timeline.easing import LINEAR, Easing
from keyweave.timeline.forms import FORMAT, form_text, read_form
from keyweave.timeline.options import FilmOptions, Seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

OneEasing = Annotated[
    Easing,
    BeforeValidator(lambda value: Easing.parse(value) if isinstance(value, str) else value),
    PlainSerializer(str, return_type=str),
]


class ProjectKeyframe(BaseModel):
    """A keyframe of a project.

    Args:
        image: path of the picture, from the project file's folder.
        at: seconds.
        easing: how the way to the next keyframe is spread over its time.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    image: str = Field(description="path of the picture, from the project file's folder")
    at: Seconds = Field(description='when it is shown: seconds such as "2.5", or "1:02.5"')
    easing: OneEasing = Field(LINEAR, description="how the way to the next keyframe is spread over its time")


class Project(FilmOptions):
    """A film as a file: what `keyweave render` makes."""

    format: Literal[1] = Field(FORMAT, alias="keyweave project", description="the version of this form")
    keyframes: tuple[ProjectKeyframe, ...] = Field(min_length=2, description="at rising times")
    engine: str | None = Field(None, description="who draws the in-betweens; the default engine if left out")
    seed: int | None = Field(None, ge=0, description="decides all chance; drawn if left out")
    duration: Seconds | None = Field(None, description="length of the film, if it goes on after the last keyframe")
    loop: bool = Field(False, description="go on from the last keyframe to the first")
    ping_pong: bool = Field(False, description="go back the way it came")

    def to_json(self) -> str:
        """Write the project as a person would."""
        return form_text(self, "project")


def read_project(path: Path) -> Project:
    """Read a project file."""
    return read_form(path, Project, "project")


def write_project(path: Path, project: Project, *, overwrite: bool = False) -> None:
    """Write a project file, whole or not at all."""
    write_text(path, project.to_json(), overwrite=overwrite)


def pictures_of(project: Project, folder: Path) -> Iterator[Path]:
    """Yield the path of each keyframe's picture, in order."""
    for keyframe in project.keyframes:
        yield folder / Path(keyframe.image)


def schema() -> dict[str, Any]:
    """Return the JSON Schema of project files."""
    return {"$id": "keyweave-project-1", **Project.model_json_schema(by_alias=True, mode="serialization")}
