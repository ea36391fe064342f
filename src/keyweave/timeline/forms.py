"""Small versioned files that a person can open, edit and feed back: JSON with a mark that says what it is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, ValidationError

from keyweave.base.errors import InputError
from keyweave.base.files import existing_file, explain

if TYPE_CHECKING:
    from pathlib import Path

FORMAT = 1
_MOST_BYTES = 16 << 20
FormT = TypeVar("FormT", bound=BaseModel)


def read_form(path: Path, model: type[FormT], word: str) -> FormT:
    """Read a file; what does not fit is said in one sentence that names the place in it.

    Args:
        path: the file.
        model: what is in it; its field `format` has the alias "keyweave WORD".
        word: what such a file is called.
    """
    mark = f"keyweave {word}"
    try:
        if existing_file(path).stat().st_size > _MOST_BYTES:
            raise InputError(f"{path} is too large to be a {word}.", f"Name a {mark} (.json).")
        row = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        raise InputError(f"{path} is not JSON.", f"Name a {mark} (.json).") from None
    except OSError as fault:
        raise explain(fault, path, "read") from fault
    if not isinstance(row, dict) or mark not in row:
        raise InputError(f"{path} is not a {mark}.", f'It must be an object with "{mark}": {FORMAT}.')
    if row[mark] != FORMAT:
        raise InputError(
            f"{path} is a {word} of format {row[mark]!r}; this keyweave reads format {FORMAT}.",
            "Install a keyweave that is as new as the file.",
        )
    try:
        return model.model_validate(row)
    except ValidationError as fault:
        first = fault.errors()[0]
        place = _place(first["loc"])
        words = first["msg"].removeprefix("Value error, ")
        raise InputError(f"{path}: {place}: {words[0].lower() if place else words[0]}{words[1:]}.") from None


def is_form(path: Path, word: str) -> bool:
    """Tell whether a file says of itself that it is one, whole or not."""
    try:
        with path.open("rb") as file:
            return f'"keyweave {word}"'.encode() in file.read(_MOST_BYTES)
    except OSError:
        return False


def form_text(form: BaseModel, word: str, *, whole: bool = False) -> str:
    """Write a form as a person would: without what is as always, or with all of it, to be changed."""
    row = form.model_dump(mode="json", by_alias=True, exclude_defaults=not whole)
    return json.dumps({f"keyweave {word}": FORMAT, **row}, ensure_ascii=False, indent=2) + "\n"


def _place(steps: tuple[int | str, ...]) -> str:
    return "".join(
        f" {step + 1}" if isinstance(step, int) else f"{', ' if k else ''}{step}" for k, step in enumerate(steps)
    )
