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
    """Write a budget, a dataclass of whole numbers and rows of them, into a folder that may not be there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / _FILE, json.dumps(vars(budget), indent=2) + "\n", overwrite=True)


def kept_budget(folder: Path, kind: type[T]) -> T | None:
    """Return the budget of a training that was begun; None if there is none."""
    path = folder / _FILE
    if not path.exists():
        return None
    try:
        found = json.loads(existing_file(path).read_text(encoding="utf-8"))
        found = {name: tuple(value) if isinstance(value, list) else value for name, value in found.items()}
        if all(_whole(value) for value in found.values()):
            return kind(**found)
    except (ValueError, TypeError, AttributeError):
        pass
    raise InputError(f"{path} is no budget of this training.", "Name a new folder, or mend the file.")


def _whole(value: Any) -> bool:
    return all(type(number) is int and number >= 0 for number in (value if isinstance(value, tuple) else (value,)))
