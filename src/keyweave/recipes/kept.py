"""How much a training was to do, kept in its folder, so that whoever goes on does the same."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeVar

from keyweave.base.errors import InputError
from keyweave.base.files import existing_file, write_text

if TYPE_CHECKING:
    from pathlib import Path

T = TypeVar("T")
_FILE = "budget.json"


def keep_budget(folder: Path, budget: Any) -> None:
    """Write a budget, a flat dataclass of whole numbers, into a folder that may not be there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / _FILE, json.dumps(vars(budget), indent=2) + "\n", overwrite=True)


def kept_budget(folder: Path, kind: type[T]) -> T | None:
    """Return the budget of a training that was begun; None if there is none."""
    path = folder / _FILE
    if not path.exists():
        return None
    try:
        found = json.loads(existing_file(path).read_text(encoding="utf-8"))
        if all(type(value) is int and value >= 0 for value in found.values()):
            return kind(**found)
    except (ValueError, TypeError, AttributeError):
        pass
    raise InputError(f"{path} is no budget of this training.", "Name a new folder, or mend the file.")
