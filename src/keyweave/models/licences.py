"""The licence of a model from the hub: read from its page, told once, asked for if it is not free; remembered."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from keyweave.base.errors import InputError, KeyweaveError
from keyweave.base.files import write_text

if TYPE_CHECKING:
    from keyweave.base.progress import Progress

PAGE = "README.md"
ACCEPT = "--accept-licence"
VARIABLE = "KEYWEAVE_ACCEPT_LICENCE"
# Licences under which a model may be used for whatever purpose, by the names that the hub has for them. Any other is
# asked for: it forbids some uses (non-commercial, community, OpenRAIL), or nobody here has read it.
FREE = {
    "0bsd", "afl-3.0", "agpl-3.0", "apache-2.0", "artistic-2.0", "bsd", "bsd-2-clause", "bsd-3-clause",
    "bsd-3-clause-clear", "bsl-1.0", "cc-by-2.0", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0", "cc0-1.0",
    "cdla-permissive-1.0", "cdla-permissive-2.0", "ecl-2.0", "epl-1.0", "epl-2.0", "eupl-1.1", "eupl-1.2", "gpl",
    "gpl-2.0", "gpl-3.0", "isc", "lgpl", "lgpl-2.1", "lgpl-3.0", "mit", "mit-0", "mpl-2.0", "ms-pl", "ncsa", "odc-by",
    "osl-3.0", "pddl", "postgresql", "unlicense", "wtfpl", "zlib",
}  # fmt: skip
_TOLD, _ACCEPTED = "licences.json", "accepted-licences.json"
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


class LicenceNotAcceptedError(InputError):
    """A model comes under a licence that is not free for all uses, and this person has not agreed to it yet.

    Args:
        repo: the model.
        licence: its name, as the model's page says it.
        page: where it is read.
    """

    def __init__(self, repo: str, licence: str, page: str) -> None:
        super().__init__(
            f"{repo} comes under the licence {licence}, which is not free for all uses; read it at {page}.",
            f"If you agree to it, say so once with {ACCEPT} {repo}, or in the environment with {VARIABLE}={repo}.",
        )
        self.repo, self.licence = repo, licence


def refuse_unaccepted(repo: str, licence: str | None, *, page: str) -> None:
    """Raise unless a model may be used for all purposes, or this person agreed to its very licence.

    One whose page names no licence cannot be asked about; that is told, by `tell_once`.
    """
    if licence is None or licence.partition(" (")[0].lower() in FREE:
        return
    if repo in os.environ.get(VARIABLE, "").replace(",", " ").split() or _kept(_ACCEPTED).get(repo) == licence:
        return
    raise LicenceNotAcceptedError(repo, licence, page)


def accept(repo: str, licence: str) -> None:
    """Remember that this person agreed to the licence of a model, and so knows it.

    Raises:
        MediaError: the home cannot be written.
    """
    for name in (_ACCEPTED, _TOLD):
        _keep(name, repo, licence)


def tell_once(repo: str, licence: str | None, *, page: str, progress: Progress) -> None:
    """Say under which licence a model comes, unless it was said before; a changed licence is said again."""
    words = licence or "unknown"
    if _kept(_TOLD).get(repo) == words:
        return
    if licence:
        progress.say(f"{repo} comes under the licence {licence}; read it at {page} before you publish what it makes.")
    else:
        progress.warn(f"{repo} names no licence; ask its owner before you publish what it makes: {page}")
    try:
        _keep(_TOLD, repo, words)
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


def _kept(name: str) -> dict[str, str]:
    try:
        kept = json.loads((state_folder() / name).read_bytes())
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}


def _keep(name: str, repo: str, words: str) -> None:
    write_text(state_folder() / name, json.dumps({**_kept(name), repo: words}, indent=2) + "\n", overwrite=True)
