"""The licence of a model from the hub: read from its page, told once, remembered."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from keyweave.base.errors import KeyweaveError
from keyweave.base.files import write_text

if TYPE_CHECKING:
    from keyweave.base.progress import Progress

PAGE = "README.md"
_FRONT = re.compile(r"\A\ufeff?---\s*\n(.*?)\n---\s*(?:\n|\Z)", re.DOTALL)
_ROW = re.compile(r"^(license(?:_name|_link)?):[ \t]*['\"]?([^'\"\n]+?)['\"]?[ \t]*(?:[ \t]#.*)?$", re.MULTILINE)


def licence_of(folder: Path) -> str | None:
    """Read the licence that a model's page names, by its own name where it is not one of the well-known."""
    try:
        front = _FRONT.match((folder / PAGE).read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return None
    rows = dict(_ROW.findall(front[1])) if front else {}
    name = rows.get("license_name") or rows.get("license")
    link = rows.get("license_link", "")
    return f"{name} ({link})" if name and link.startswith("http") else name


def tell_once(repo: str, licence: str | None, *, page: str, progress: Progress) -> None:
    """Say under which licence a model comes, unless it was said before; a changed licence is said again."""
    words = licence or "unknown"
    told = _told()
    if told.get(repo) == words:
        return
    if licence:
        progress.say(f"{repo} comes under the licence {licence}; read it at {page} before you publish what it makes.")
    else:
        progress.warn(f"{repo} names no licence; ask its owner before you publish what it makes: {page}")
    try:
        write_text(state_folder() / "licences.json", json.dumps({**told, repo: words}, indent=2) + "\n", overwrite=True)
    except KeyweaveError:
        return  # a home that cannot be written only means that it is said again


def state_folder() -> Path:
    """Name the folder where keyweave remembers what it told this person, by the system's rules."""
    if sys.platform == "win32":
        home = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        home = Path.home() / "Library" / "Application Support"
    else:
        home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(home) / "keyweave"


def _told() -> dict[str, str]:
    try:
        told = json.loads((state_folder() / "licences.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}
