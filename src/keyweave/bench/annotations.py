"""What a person wrote of a filmed dance: the right labels, and what is needed to look at the right dancer.

Beside a film NAME.mp4, or poses NAME.npz, lies one of

- NAME.txt: the labels alone, such as A-A'-B-C, one for each pair of beats;
- NAME.json: an object with "keyweave annotation": 1, the same `labels`, and whatever else of `Annotation` helps.

NAME.beats.json, as `keyweave dance beats` writes it, tells the beats; without it they are heard in the film.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

from keyweave.base.errors import InputError
from keyweave.base.files import existing_file, explain
from keyweave.systems.dance.files import Labels, Meter  # noqa: TC001 - pydantic reads them
from keyweave.systems.dance.labels import read_labels
from keyweave.timeline.forms import FORMAT, read_form

if TYPE_CHECKING:
    from pathlib import Path

BESIDE = (".txt", ".json")
BEATS = ".beats.json"
_MOST_BYTES = 1 << 16


class Annotation(BaseModel):
    """What a person wrote of a dance."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True, populate_by_name=True)

    format: Literal[1] = Field(default=FORMAT, alias="keyweave annotation", description="the version of this form")
    labels: Labels = Field(description="the right label of each pair of beats, such as A-A'-B")
    crop: tuple[int, int, int, int] | None = Field(
        default=None, description="left, top, right and bottom of the part of the picture to look at, in pixels"
    )
    dancer: tuple[float, float] | None = Field(
        default=None, description="a point on the dancer in the first frame, in pixels of that part"
    )
    parity: Literal[0, 1, 2] | None = Field(
        default=None, description="the number of the first strong beat, counted from 0"
    )
    tempo: Literal["x1", "x2", "x0.5"] = Field(
        default="x1", description="as many beats as are heard, twice or half as many"
    )
    meter: Meter = Field(default="4/4", description="4/4 or 3/4")
    source: str = Field(default="", description="where the film and the labels are from; told, not read")


def annotation_of(clip: Path) -> Path | None:
    """Return the file that tells the right labels of a clip, if there is one."""
    beside = (clip.with_name(clip.stem + ending) for ending in BESIDE)
    return next((path for path in beside if path.is_file()), None)


def read_annotation(path: Path) -> Annotation:
    """Read the right labels of a clip.

    Raises:
        InputError: the file is no annotation, or its labels cannot be read.
    """
    if path.suffix == ".json":
        return read_form(path, Annotation, "annotation")
    try:
        with existing_file(path).open(encoding="utf-8") as file:
            text = file.read(_MOST_BYTES)
    except UnicodeDecodeError:
        raise InputError(f"{path} is no text.", "Write labels into it, such as A-A'-B-C.") from None
    except OSError as fault:
        raise explain(fault, path, "read") from fault
    try:
        return Annotation(labels=read_labels(text))
    except InputError as fault:
        raise InputError(f"{path}: {fault.message}", fault.hint) from None
