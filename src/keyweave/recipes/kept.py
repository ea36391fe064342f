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
    """Write a budget, a flat dataclass, into a folder that may not be there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / _FILE, json.dumps(vars(budget), indent=2) + "\n", overwrite=True)


def kept_budget(folder: Path, kind: type[T]) -> T | None:
    """Return the budget of a training that was begun; None if there is none."""
    path = folder / _FILE
    if not path.exists():
        return None
    try:
        return kind(**json.loads(existing_file(path).read_text(encoding="utf-8")))
    except (ValueError, TypeError):
        raise InputError(f"{path} is no budget of this training.", "Name a new folder, or mend the file.") from None
