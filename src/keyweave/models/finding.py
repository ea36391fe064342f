"""From what a person types to a folder with a model in it.

Three forms, and no guessing between them: an embedded name (`toy-video`), a folder (`./mine`, `/models/mine`), or a
model of the hub (`hub:owner/name@revision`).
"""

from __future__ import annotations

import difflib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from keyweave.base.errors import ModelError, ModelNotFound
from keyweave.base.progress import SILENT, Progress
from keyweave.base.recipe import ModelMark
from keyweave.models.card import ModelCard, digest, find_card
from keyweave.models.folders import CONFIG, check, kind_of, refuse_kind
from keyweave.models.settings import UnetSettings, check_settings

if TYPE_CHECKING:
    from keyweave.models.layouts import Kind

EMBEDDED = Path(__file__).parent / "weights"
HUB = "hub:"
_FORMS = "./FOLDER or hub:OWNER/NAME@REVISION"


@dataclass(frozen=True)
class Found:
    """A model that is at hand.

    Args:
        folder: where it lies.
        ref: what names it, for good: of the hub, with the commit instead of a branch.
        kind: what it does.
        card: what is known about it, if its maker wrote that down for keyweave.
    """

    folder: Path
    ref: str
    kind: Kind
    card: ModelCard | None

    @property
    def name(self) -> str:
        """What it is called."""
        if self.card:
            return self.card.name
        return self.ref.removeprefix(HUB).partition("@")[0] if self.ref.startswith(HUB) else self.folder.name

    @property
    def adapter(self) -> str | None:
        """The adapter that its card names, for whoever names none; a path there begins in the model's folder."""
        ref = self.card.adapter if self.card else None
        if ref is None or not (is_folder(ref) or ref.endswith(".safetensors")):
            return ref
        return str(self.folder / Path(ref).expanduser())

    def mark(self) -> ModelMark:
        """Return the model as a recipe knows it; a local folder is named without its path."""
        local = self.folder.name if is_folder(self.ref) else ""
        return ModelMark(f"./{local}" if local else self.ref, digest(self.folder))


def embedded() -> list[str]:
    """List the names of the models that come with keyweave."""
    return sorted(path.name for path in EMBEDDED.glob("[!._]*") if path.is_dir())


def find(ref: str, kind: Kind | None = None, *, progress: Progress = SILENT) -> Found:
    """Find a model, and make sure that it is whole, safe and of the kind that is needed.

    Only a reference that begins with `hub:` may use the network, and only for what is not in the hub's cache yet.

    Args:
        ref: an embedded name, a folder, or `hub:owner/name@revision`.
        kind: what it must do; any kind if left out.
        progress: is told of downloads and licences.

    Raises:
        ModelNotFound: it is not at hand and cannot be had.
        ModelError: it is there but of another kind, incomplete, damaged or unsafe.
        MissingExtra: reaching the hub needs a package that is not installed.
    """
    if ref.startswith(HUB):
        from keyweave.models.hub import pull  # noqa: PLC0415 - only on this road

        folder, ref = pull(ref.removeprefix(HUB), kind, progress=progress)
    else:
        folder = folder_of(ref)
    card = find_card(folder)
    there = card.kind if card else kind_of(folder, ref)
    refuse_kind(ref, there, kind)
    check(folder, there)
    if there == "image-to-video":
        check_settings(folder)
    return Found(folder, ref, there, card)


def folder_of(ref: str) -> Path:
    """Return the folder of a model that lies on this disk, whatever is in it.

    Args:
        ref: an embedded name or a folder.

    Raises:
        ModelNotFound: there is none.
    """
    return _local(ref) if is_folder(ref) else _embedded(ref)


def frames_of(model: Found) -> int:
    """Return how many frames the clips of an image-to-video model have."""
    return UnetSettings.read(model.folder / "unet" / CONFIG).num_frames


def is_folder(ref: str) -> bool:
    """Tell whether a reference is meant as a local folder: it begins like a path."""
    return ref.startswith((".", "~")) or Path(ref).is_absolute()


def _local(ref: str) -> Path:
    folder = Path(ref).expanduser()
    if folder.is_file():
        raise ModelError(f"{ref} is a file; a model is a folder.", "Name the folder with model_index.json in it.")
    if not folder.is_dir():
        raise ModelNotFound(f"There is no folder {ref}.", "Check the spelling of the path.")
    return folder.resolve()


def _embedded(ref: str) -> Path:
    names = embedded()
    if ref in names:
        return EMBEDDED / ref
    near = difflib.get_close_matches(ref, names, 1)
    if "/" in ref or os.sep in ref:
        hint = f"Write ./{ref} for a folder, or hub:{ref} for the hub."
    elif ref and Path(ref).is_dir():
        hint = f"For the folder here write ./{ref}."
    elif near:
        hint = f"Did you mean {near[0]}?"
    else:
        hint = f"Embedded models: {', '.join(names) or 'none'}; others are named {_FORMS}."
    raise ModelNotFound(f"There is no embedded model {ref!r}.", hint)
