"""Models of the hub: its cache first where that is enough, its network where it is not, and one sentence per failure.

Only the plain safetensors of a model's parts are fetched, with their settings and the page that names the licence:
never pickles, code, other precisions of the same weights, or the single-file copies that many models keep beside.
"""

from __future__ import annotations

import importlib
import re
import sys
from contextlib import contextmanager
from glob import escape
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from keyweave.base.errors import InputError, KeyweaveError, MissingExtra, ModelError, ModelNotFound
from keyweave.base.extras import install_line
from keyweave.base.files import explain
from keyweave.base.progress import SILENT, Progress
from keyweave.models.card import CARD, SAFE_ENDINGS, ModelCard, files_of, find_card
from keyweave.models.folders import (
    CONFIG,
    INDEX,
    check,
    kind_of,
    parts_of,
    refuse_kind,
    refuse_pickles,
    taken_variant,
    variant_of,
)
from keyweave.models.licences import PAGE, licence_of, refuse_unaccepted, tell_once

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keyweave.models.layouts import Kind, Part

_REF = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w./-]+))?", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}")
_NEWEST = "main"


def pull(text: str, kind: Kind | None, *, progress: Progress = SILENT) -> tuple[Path, str]:
    """Return the folder of a model of the hub and its lasting reference, downloading what is missing.

    Args:
        text: `owner/name` or `owner/name@revision`; the revision is a branch, a tag or a commit.
        kind: what it must do, known before its weights are downloaded; any kind if left out.
        progress: is told of the download and of the licence.
    """
    named = _REF.fullmatch(text)
    if named is None:
        raise _no_ref(text)
    repo, revision = named["repo"], named["revision"] or _NEWEST
    hub = _hub()
    # A commit never changes: if it is here, nothing needs to be asked, and a recipe runs again without a network.
    folder = _cached(hub, repo, revision) if _COMMIT.fullmatch(revision) else None
    if folder is None or not _is_whole(folder):
        folder = _fetched(hub, repo, revision, kind, progress)
    refuse_unaccepted(repo, licence_of(folder), page=_page(hub, repo))
    tell_once(repo, licence_of(folder), page=_page(hub, repo), progress=progress)
    return folder, f"hub:{repo}@{folder.name}"


def _fetched(hub: Any, repo: str, revision: str, kind: Kind | None, progress: Progress) -> Path:
    """Ask the hub and download; where it cannot be asked, take what its cache has."""
    try:
        return _download(hub, repo, revision, kind, progress)
    except KeyweaveError:
        raise
    except (hub.errors.HTTPError, hub.errors.EntryNotFoundError, OSError, ValueError) as fault:
        said = _explained(hub, fault, repo, revision)
        gone = isinstance(fault, hub.errors.RevisionNotFoundError)
        folder = None if gone else _cached(hub, repo, revision)
        if folder is None or not _is_whole(folder):
            raise said from fault
        if not isinstance(fault, hub.errors.OfflineModeIsEnabled):
            progress.warn(f"The hub did not answer as hoped; the copy in its cache is used ({folder.name[:8]}).")
        return folder


def _download(hub: Any, repo: str, revision: str, kind: Kind | None, progress: Progress) -> Path:
    ref = f"hub:{repo}@{revision}"
    sizes = {
        one.rfilename: one.size or 0 for one in hub.model_info(repo, revision=revision, files_metadata=True).siblings
    }
    settings = [name for name in sizes if _is_setting(name)]
    with _bars(hub, shown=False):
        folder = Path(hub.snapshot_download(repo, revision=revision, allow_patterns=[*map(escape, settings)]))
    card = find_card(folder)
    there = card.kind if card else kind_of(folder, ref)
    refuse_kind(ref, there, kind)
    refuse_unaccepted(repo, licence_of(folder), page=_page(hub, repo))  # before gigabytes come
    weights = _weights(list(sizes), parts_of(folder, there, ref), ref)
    weights += _of_adapter(list(sizes), card)
    missing = sum(sizes[name] for name in weights if not (folder / name).exists())
    if missing:
        progress.say(f"{ref}: downloading {missing / 1e6:,.1f} MB.")
    with _bars(hub, shown=bool(missing) and sys.stderr.isatty()):
        hub.snapshot_download(repo, revision=folder.name, allow_patterns=[*map(escape, settings + weights)])
    return folder


@contextmanager
def _bars(hub: Any, *, shown: bool) -> Iterator[None]:
    """Show the hub's own bars only where a person waits for something large."""
    hide = not shown and not hub.utils.are_progress_bars_disabled()
    if hide:
        hub.utils.disable_progress_bars()
    try:
        yield
    finally:
        if hide:
            hub.utils.enable_progress_bars()


def _weights(names: list[str], parts: tuple[Part, ...], ref: str) -> list[str]:
    """Choose the files of weights that a model needs; its parts lie in folders, a network by itself does not."""
    chosen: list[str] = []
    for place in [f"{part.folder}/" for part in parts if part.learnt] or [""]:
        near = [name for name in names if name.startswith(place) and "/" not in name.removeprefix(place)]
        variant = taken_variant(near)
        taken = [name for name in near if name.endswith(".safetensors") and variant_of(name) == variant]
        if not taken:
            where = f"{ref} {place}".rstrip()
            refuse_pickles(near, where)
            raise ModelError(f"{where} has no weights that keyweave reads (.safetensors, plain or fp16).")
        chosen += taken
    return chosen


def _of_adapter(names: list[str], card: ModelCard | None) -> list[str]:
    """Choose the weights of the adapter that a model has beside itself."""
    ref = card.adapter if card else None
    if ref is None or not _is_inside(ref):
        return []
    place = PurePosixPath(ref)
    return [name for name in names if name.endswith(".safetensors") and PurePosixPath(name).is_relative_to(place)]


def _is_inside(adapter: str) -> bool:
    """Tell whether a card means an adapter in its own folder, not the name of another model."""
    return adapter.startswith("./") or adapter.endswith(".safetensors")


def _is_setting(name: str) -> bool:
    """Tell whether a file is small and worth having: settings of the parts, the page, the terms."""
    if "/" not in name and (name in (PAGE, CARD) or name.upper().startswith(("LICENSE", "LICENCE"))):
        return True
    return name.count("/") <= 1 and name.endswith(SAFE_ENDINGS) and not name.endswith(".safetensors")


def _cached(hub: Any, repo: str, revision: str) -> Path | None:
    try:
        return Path(
            hub.snapshot_download(repo, revision=revision, local_files_only=True, allow_patterns=[INDEX, CONFIG])
        )
    except (hub.errors.EntryNotFoundError, ValueError):
        return None


def _is_whole(folder: Path) -> bool:
    try:
        card = find_card(folder)
        check(folder, card.kind if card else kind_of(folder))
    except KeyweaveError:
        return False
    beside = card is not None and card.adapter is not None and _is_inside(card.adapter)
    return not beside or bool(_of_adapter(files_of(folder), card))


def _explained(hub: Any, fault: Exception, repo: str, revision: str) -> KeyweaveError:
    """Put what went wrong between us and the hub into one sentence."""
    errors = hub.errors
    for kinds, words, hint in (
        (
            errors.GatedRepoError,
            f"{repo} is gated: the hub gives it only to people who accepted its terms.",
            f"Accept them at {_page(hub, repo)}, log in with `hf auth login`, and try again.",
        ),
        (
            errors.RepositoryNotFoundError,
            f"The hub has no model {repo}, or it is private.",
            "Check the spelling; for a private one log in with `hf auth login`.",
        ),
        (
            errors.RevisionNotFoundError,
            f"{repo} has no revision {revision!r}.",
            "Name a branch, a tag or a whole commit, or leave @REVISION out.",
        ),
        (
            errors.OfflineModeIsEnabled,
            f"{repo}@{revision} is not, or not whole, in the hub's cache, and the hub is in offline mode.",
            "Unset HF_HUB_OFFLINE and try again, or copy the cache of a machine that has it.",
        ),
        (
            errors.HfHubHTTPError,
            f"The hub did not give {repo}: it answered {_status(fault)}.",
            "Try again later.",
        ),
        (
            (errors.HTTPError, errors.EntryNotFoundError, ConnectionError, TimeoutError),
            f"The hub cannot be reached for {repo}, which is not, or not whole, in its cache.",
            "Check the network and try again; what came already is kept.",
        ),
    ):
        if isinstance(fault, kinds):
            return ModelNotFound(words, hint)
    if isinstance(fault, OSError):
        return explain(fault, Path(hub.constants.HF_HUB_CACHE), "write")
    return _no_ref(repo)


def _status(fault: Exception) -> str:
    return str(getattr(getattr(fault, "response", None), "status_code", "nothing"))


def _no_ref(text: str) -> InputError:
    return InputError(f"hub:{text} is not a model of the hub.", "Write hub:OWNER/NAME or hub:OWNER/NAME@REVISION.")


def _page(hub: Any, repo: str) -> str:
    return f"{hub.constants.ENDPOINT}/{repo}"


def _hub() -> Any:
    """Import the hub's library, whose errors and constants are modules of it."""
    try:
        for name in ("errors", "constants", "utils"):
            importlib.import_module(f"huggingface_hub.{name}")
        return importlib.import_module("huggingface_hub")
    except ModuleNotFoundError as fault:
        if fault.name != "huggingface_hub":
            raise
        raise MissingExtra(
            "Reaching the hub needs the package huggingface_hub, which is not installed.",
            f"Install it with: {install_line('generate')}",
        ) from None
