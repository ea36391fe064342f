"""The card of a model: what it is, how it came to be, what it cannot do, and the checksums of its files."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import date  # noqa: TC003 - pydantic reads the annotation
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from keyweave.base.errors import KeyweaveError, ModelError
from keyweave.base.files import explain, write_text
from keyweave.base.recipe import sha256_of_file
from keyweave.models.headers import read_header
from keyweave.models.layouts import Kind  # noqa: TC001 - pydantic reads the annotation

CARD = "card.json"
FORMAT = 1
_MARK = "keyweave model"
SAFE_ENDINGS = (".safetensors", ".json", ".txt", ".model")  # weights, settings and vocabularies: data, never code


def _inside(name: str) -> str:
    """Refuse a name that leads out of the model's folder."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name:
        raise ValueError("it leads out of the folder")
    return name


def _no_way_out(ref: str) -> str:
    """Refuse a reference whose path climbs out of the model's folder."""
    if ".." in re.split(r"[/\\]", ref):
        raise ValueError("it leads out of the folder")
    return ref


FileName = Annotated[str, AfterValidator(_inside)]
Checksum = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class ModelCard(BaseModel):
    """What is known about a model.

    Args:
        name: what it is called.
        kind: what it does, which decides who can use it.
        says: one sentence about it.
        toy: made for the drawn world; not for photographs.
        data: what it was trained on.
        recipe: the command or function that makes it again.
        seed: of its training.
        steps: of its training, over all resumed runs.
        hours: of its training, on that hardware.
        hardware: what it was trained on.
        trained: the day it was done.
        scores: measured on held-out data, by a name that says what was measured.
        limits: what it cannot do.
        license: an SPDX name.
        base: the model that it was made from, if it was not made from nothing.
        adapter: the one that a video model takes for in-betweens unless another is named; a path begins in its folder.
        files: checksum (SHA-256) of each file, by its path inside the folder.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_by_name=True, validate_by_alias=True, allow_inf_nan=False
    )

    format: Literal[1] = Field(default=FORMAT, alias=_MARK)
    name: str = Field(min_length=1)
    kind: Kind
    says: str
    toy: bool = False
    data: str
    recipe: str
    seed: int = Field(ge=0)
    steps: int = Field(ge=0)
    hours: float = Field(ge=0)
    hardware: str
    trained: date
    scores: dict[str, float] = {}
    limits: str
    license: str
    base: str | None = None
    adapter: Annotated[str, AfterValidator(_no_way_out)] | None = None
    files: dict[FileName, Checksum] = {}

    def to_json(self) -> str:
        """Write the card as a person would."""
        return json.dumps(self.model_dump(mode="json", by_alias=True), ensure_ascii=False, indent=2) + "\n"


def write_card(folder: Path, card: ModelCard) -> ModelCard:
    """Write the card into the model's folder with the checksums of all files there, and return it as written."""
    sums = {name: sha256_of_file(folder / name) for name in files_of(folder)}
    card = ModelCard.model_validate({**card.model_dump(by_alias=True), "files": sums})
    write_text(folder / CARD, card.to_json(), overwrite=True)
    return card


def read_card(folder: Path) -> ModelCard:
    """Read the card of a model; what does not fit is said in one sentence that names the place in it."""
    path = folder / CARD
    try:
        return ModelCard.model_validate_json(path.read_bytes())
    except OSError as fault:
        raise explain(fault, path, "read") from fault
    except ValidationError as fault:
        first = fault.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise ModelError(
            f"{path} is not a keyweave model card: {f'{place}: ' if place else ''}{first['msg']}."
        ) from None


def find_card(folder: Path) -> ModelCard | None:
    """Read the card of a model if it has one; another program's `card.json` is none."""
    path = folder / CARD
    try:
        ours = path.is_file() and f'"{_MARK}"'.encode() in path.read_bytes()
    except OSError as fault:
        raise explain(fault, path, "read") from fault
    return read_card(folder) if ours else None


def verify(folder: Path) -> list[str]:
    """Compare a model's files with its card, and say each difference in one sentence; none means all is well.

    Without a card only the lengths of the weights can be checked.
    """
    card, there = find_card(folder), files_of(folder)
    if card is None:
        return [fault for name in there if (fault := _fault_of_weights(folder / name))]
    found = [f"{folder / name} is missing." for name in sorted(card.files.keys() - set(there))]
    for name in there:
        if name not in card.files:
            found.append(f"{folder / name} is not on the card.")
        elif sha256_of_file(folder / name) != card.files[name]:
            found.append(_fault_of_weights(folder / name) or f"{folder / name} is not the file that the card names.")
    return found


def digest(folder: Path) -> str:
    """Return one checksum for all files that decide what a model makes: equal digests, equal models."""
    rows = [(name, _sum_of(folder / name)) for name in files_of(folder) if name.endswith(SAFE_ENDINGS)]
    return hashlib.sha256(json.dumps(rows, separators=(",", ":")).encode()).hexdigest()


def files_of(folder: Path) -> list[str]:
    """List the files of a model by their paths inside its folder, the card and hidden files left out."""
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(
        path.as_posix() for path in paths if path != Path(CARD) and not any(part[0] == "." for part in path.parts)
    )


def _sum_of(path: Path) -> str:
    # The hub's cache keeps large files under their checksums: no need to read gigabytes again.
    kept = path.resolve().name if path.is_symlink() else ""
    known = len(kept) == 64 and set(kept) <= set("0123456789abcdef")
    return kept if known else sha256_of_file(path)


def _fault_of_weights(path: Path) -> str | None:
    if path.suffix != ".safetensors":
        return None
    try:
        read_header(path)
    except KeyweaveError as fault:
        return fault.message
    return None
