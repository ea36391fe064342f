"""What the stages of a dance hand on to one another, as files that a person can open, edit and feed back."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, ValidationInfo, field_validator

from keyweave.base.errors import InputError
from keyweave.base.files import put_aside, write_text
from keyweave.systems.dance.labels import Label, read_labels, write_labels
from keyweave.systems.dance.options import MOST_BEATS, beat_times, shown
from keyweave.systems.dance.segments import Segment, segments
from keyweave.timeline.forms import FORMAT, form_text, is_form, read_form

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FormT = TypeVar("FormT", bound="_Form")
Meter = Literal["4/4", "3/4"]


def _labels(value: Any) -> Any:
    if not isinstance(value, str | tuple):
        raise ValueError('write one text, such as "A-A\'-B"')  # noqa: TRY004 - pydantic tells ValueErrors
    try:
        return read_labels(value) if isinstance(value, str) else value
    except InputError as fault:
        raise ValueError(str(fault).rstrip(".")) from None


def _times(value: Any) -> tuple[Fraction, ...]:
    if not isinstance(value, list | tuple):
        raise ValueError("write a list of seconds, such as [0.5, 1.0]")  # noqa: TRY004 - pydantic tells ValueErrors
    if not 2 <= len(value) <= MOST_BEATS:
        raise ValueError(f"a dance has 2 to {MOST_BEATS} beats; got {len(value)}")
    times = beat_times(value)
    for number, (before, after) in enumerate(pairwise(times), start=2):
        if before >= after:
            raise ValueError(f"beat {number} is at {float(after):g} s, after one at {float(before):g} s")
    return times


def _number(at: Fraction) -> float | str:
    """Write a time as a number where that says exactly the same."""
    return float(at) if Fraction(str(float(at))) == at else str(at)


Labels = Annotated[
    tuple[Label, ...], BeforeValidator(_labels), PlainSerializer(write_labels, return_type=str, when_used="json")
]
Times = Annotated[
    tuple[Fraction, ...],
    BeforeValidator(_times),
    PlainSerializer(lambda value: [_number(at) for at in value], return_type=list[float | str], when_used="json"),
]

FileName = Annotated[str, Field(pattern=r"^[^\x00]+$")]


class _Form(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True, populate_by_name=True)


class _Beaten(_Form):
    """Beats, and which of them are the strong ones."""

    beats: Times = Field(description="when each beat is, in seconds, rising")
    parity: int = Field(0, ge=0, le=2, description="the number of the first strong beat, counted from 0")
    meter: Meter = Field("4/4", description="4/4 or 3/4")
    heard_by: str = Field("", description="who found the beats; told, not read")
    notes: tuple[str, ...] = Field((), description="what is doubtful")

    def segments(self) -> tuple[Segment, ...]:
        """Divide the dance."""
        return segments(self.beats, parity=self.parity, meter=self.meter)


class BeatsFile(_Beaten):
    """The beats of a song: what `keyweave dance beats` writes."""

    format: Literal[1] = Field(default=FORMAT, alias="keyweave beats", description="the version of this form")
    song: str = Field("", description="the name of the song")
    made_from: str = Field("", description="its checksum; what was made from another file is made anew")
    asked: str = Field("", description="what was asked; beats are found anew if something else is")
    tempo: float = Field(0, description="beats per minute, the median; told, not read")


class ChoreographyFile(_Beaten):
    """The labels of a dance: what `keyweave dance label` writes."""

    format: Literal[1] = Field(default=FORMAT, alias="keyweave choreography", description="the version of this form")
    labels: Labels = Field(description="a label for each segment, such as A-A'-B")
    reference: str = Field("", description="the name of the dance")
    made_from: str = Field("", description="its checksum; what was made from another file is made anew")
    asked: str = Field("", description="what was asked; labels are found anew if something else is")
    threshold: float = Field(0, description="segments nearer than this were taken for the same motion")
    mirror_threshold: float = Field(0, description="the same for mirror images")
    band: tuple[float, float] | None = Field(None, description="thresholds that give the same labels, mirrors aside")
    unit: str = Field("", description="what these are measured in")

    @field_validator("labels")
    @classmethod
    def _as_many(cls, labels: tuple[Label, ...], read: ValidationInfo) -> tuple[Label, ...]:
        if not {"beats", "parity", "meter"} <= read.data.keys():
            return labels  # what is wrong there is told
        try:
            count = len(segments(read.data["beats"], parity=read.data["parity"], meter=read.data["meter"]))
        except InputError as fault:
            raise ValueError(fault.message.rstrip(".")) from None
        if len(labels) != count:
            raise ValueError(f"there are {len(labels)} labels for {count} segments; the beats make one for each pair")
        return labels


class PlanFile(_Form):
    """Which keyframes are danced: what `keyweave dance plan` writes."""

    format: Literal[1] = Field(default=FORMAT, alias="keyweave plan", description="the version of this form")
    labels: Labels = Field(description="the choreography, a label for each segment")
    pictures: tuple[FileName, ...] = Field(min_length=2, description="the keyframes, as seen from this file's folder")
    pairs: dict[str, tuple[int, int]] = Field(
        description="for each label the keyframes that it begins and ends in, counted from 1"
    )
    made_from: tuple[str, ...] = Field(
        (), description="checksums of the keyframes, and whose masks; a plan for others is made anew"
    )
    asked: str = Field("", description="what was asked; a plan is made anew if something else is")
    relaxed: str = Field("", description="which rules were given up; told, not read")
    cost: float = Field(0, description="how far the subject moves over all transitions, in pixels of 576 rows")
    proved: bool = Field(default=False, description="whether no plan moves less")
    gap: float = Field(0, description="by which share of it a plan may move less at most, where that is not proved")
    notes: tuple[str, ...] = Field((), description="what is doubtful")

    @field_validator("pairs")
    @classmethod
    def _whole(cls, pairs: dict[str, tuple[int, int]], read: ValidationInfo) -> dict[str, tuple[int, int]]:
        for label in dict.fromkeys(read.data.get("labels", ())):
            if str(label) not in pairs:
                raise ValueError(f"there are no keyframes for the label {label}")
        count = len(read.data.get("pictures", ()))
        for name, pair in pairs.items():
            for number in pair:
                if not 1 <= number <= count:
                    raise ValueError(f"the label {name} has keyframe {shown(number)}; there are 1 to {count}")
        return pairs

    @property
    def walk(self) -> tuple[int, ...]:
        """The keyframe of the beginning and the end of each segment, counted from 1."""
        return tuple(number for label in self.labels for number in self.pairs[str(label)])


WORDS: Mapping[type[BaseModel], str] = {BeatsFile: "beats", ChoreographyFile: "choreography", PlanFile: "plan"}


def read_file(path: Path, model: type[FormT]) -> FormT:
    """Read one of these files; what does not fit is said in one sentence that names the place in it."""
    form = read_form(path, model, WORDS[model])
    if isinstance(form, _Beaten):
        try:
            form.segments()
        except InputError as fault:
            raise InputError(f"{path}: {fault.message[0].lower()}{fault.message[1:]}", fault.hint) from None
    return form


def read_beats(path: Path) -> BeatsFile | ChoreographyFile:
    """Read beats, which a choreography tells too."""
    try:
        return read_file(path, BeatsFile)
    except InputError:
        if not is_form(path, WORDS[ChoreographyFile]):
            raise
        return read_file(path, ChoreographyFile)


def write_file(path: Path, form: _Form, *, overwrite: bool = False, aside: bool = False) -> Path | None:
    """Write one of these files, whole or not at all.

    Args:
        path: of the file.
        form: what is in it.
        overwrite: whether a file that is there may be replaced.
        aside: whether that is kept by another name, where something else is in it.

    Returns:
        The other name, if one was given.
    """
    text = form_text(form, WORDS[type(form)], whole=True)
    other = aside and path.is_file() and path.read_text(encoding="utf-8", errors="replace") != text
    old = put_aside(path) if other else None
    write_text(path, text, overwrite=overwrite)
    return old


def check_name(path: Path, model: type[BaseModel]) -> None:
    """Refuse a name that one of these files cannot have."""
    if path.suffix != ".json":
        raise InputError(f"{path} is no name for a {WORDS[model]}.", "Let it end in .json.")


def pictures_of(plan: PlanFile, folder: Path) -> Sequence[Path]:
    """Return the paths of a plan's keyframes."""
    return [folder / Path(name) for name in plan.pictures]
