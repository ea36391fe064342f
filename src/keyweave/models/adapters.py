"""Adapters: what sets one branch of a network apart, as differences of a few matrices in one safetensors file.

The file carries its card with it. Differences that were learnt on one network apply to others with layers of the same
names and shapes: those of the 14-frame model to the 25-frame one.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from keyweave.base.errors import InputError, ModelError, ModelNotFound
from keyweave.base.extras import need
from keyweave.base.files import replacing
from keyweave.base.recipe import ModelMark, sha256_of_file
from keyweave.models.card import ModelCard
from keyweave.models.finding import find
from keyweave.models.folders import headers
from keyweave.models.headers import AGAIN, read_header
from keyweave.models.layouts import LAYOUTS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor, nn

    from keyweave.models.finding import Found

    Matrices = Mapping[str, Mapping[str, Tensor]]  # by layer and projection

FILE = "adapter.safetensors"
PROJECTIONS = ("to_q", "to_k", "to_v", "to_out.0")
_CARD, _ROTATED, _FITS = "keyweave adapter", "rotated layers", "fits"
_NAME = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")


@dataclass(frozen=True, eq=False)
class Adapter:
    """A branch of a network.

    Args:
        differences: of matrices from those of the network, by layer and projection.
        rotated: names of the layers that take the other branch's map of attention, turned by 180 degrees.
        card: what is known about it; its `base` is the model that it was learnt on.
        fits: which models it is for: checksums of theirs (`checksum_of_base`), or names; none if that is not known.
    """

    differences: Matrices
    rotated: tuple[str, ...]
    card: ModelCard
    fits: tuple[str, ...] = ()


def write_adapter(path: Path, adapter: Adapter, *, overwrite: bool = False) -> None:
    """Write an adapter, each difference in the precision that it has."""
    need("safetensors", "writing an adapter")
    from safetensors.torch import save_file  # noqa: PLC0415 - an extra

    tensors = {
        f"{layer}.{part}.weight": difference.detach().cpu().contiguous()
        for layer, row in adapter.differences.items()
        for part, difference in row.items()
    }
    facts = {_CARD: adapter.card.to_json(), _ROTATED: json.dumps(adapter.rotated), _FITS: json.dumps(adapter.fits)}
    with replacing(path, overwrite=overwrite) as written:
        save_file(tensors, written, metadata=facts)


def find_adapter(ref: str) -> Path:
    """Return the file of an adapter: one that is named, or that of a model of kind `adapter`."""
    if not ref.endswith(".safetensors"):
        return find(ref, "adapter").folder / FILE
    path = Path(ref).expanduser()
    if not path.is_file():
        raise ModelNotFound(f"There is no adapter {ref}.", "Check the spelling of the path.")
    return path


def mark_adapter(ref: str, path: Path) -> ModelMark:
    """Return an adapter as a recipe knows it: the last part of what names it, and its file's checksum."""
    return ModelMark(Path(ref).name, sha256_of_file(path))


def read_adapter(path: Path) -> Adapter:
    """Read an adapter; anything else is refused in one sentence."""
    need("safetensors", "reading an adapter")
    read_header(path)  # whole, and safetensors at all
    from safetensors import SafetensorError, safe_open  # noqa: PLC0415 - an extra

    try:
        file = safe_open(str(path), framework="pt")
    except SafetensorError:
        raise ModelError(f"{path} is a damaged adapter: its names cannot be read.", AGAIN) from None
    with file:
        facts = file.metadata() or {}
        if _CARD not in facts:
            raise ModelError(
                f"{path} is a safetensors file, but no adapter that keyweave wrote.",
                "`keyweave train inbetween` makes one, and `keyweave models convert-adapter` one of the authors' own.",
            )
        try:
            card = ModelCard.model_validate_json(facts[_CARD])
            rotated = tuple(map(str, json.loads(facts[_ROTATED])))
            fits = tuple(map(str, json.loads(facts.get(_FITS, "[]"))))
            differences: dict[str, dict[str, Tensor]] = {}
            for name in file.keys():  # noqa: SIM118 - it is no dict
                layer, part = _split(name)
                difference = file.get_tensor(name)
                refuse_infinite(difference, path, name)
                differences.setdefault(layer, {})[part] = difference
        except (ValidationError, ValueError, KeyError, TypeError, SafetensorError):
            raise ModelError(f"{path} is a damaged adapter: its card or its names cannot be read.", AGAIN) from None
    return Adapter(differences, rotated, card, fits)


def refuse_infinite(numbers: Tensor, where: Path, name: str) -> None:
    """Refuse a tensor whose numbers are not all finite: nothing that is reckoned with it would be."""
    if not numbers.float().isfinite().all():
        raise ModelError(
            f"{where} holds infinities or no numbers, first in {name}.", "Its training failed, or a copy did."
        )


def checksum_of_base(folder: Path, differences: Matrices) -> str:
    """Return the checksum of what differences are added to in an image-to-video model.

    It is of those matrices alone, which is quickly read, and the same whether they are stored in float32 or float16.

    Args:
        folder: of the model, with its UNet in it.
        differences: of an adapter.
    """
    need("safetensors", "reading a model")
    from safetensors import safe_open  # noqa: PLC0415 - an extra

    names = {f"{layer}.{part}.weight" for layer, row in differences.items() for part in row}
    sums: dict[str, str] = {}
    for path in headers(folder / LAYOUTS["svd"].parts["unet"].folder):
        with safe_open(str(path), framework="pt") as file:
            for name in names.intersection(file.keys()):
                sums[name] = hashlib.sha256(file.get_tensor(name).half().numpy().tobytes()).hexdigest()
    return hashlib.sha256(json.dumps(sorted(sums.items())).encode()).hexdigest()


def check_fits(names: Sequence[str]) -> None:
    """Refuse what no model is called, so that an adapter says nothing in vain."""
    for name in names:
        if not _NAME.fullmatch(name):
            raise InputError(
                f"{name!r} is no name of a model: neither a path nor a revision belongs to it.",
                "Write NAME, which is met on the hub and in a folder that is called so, or OWNER/NAME.",
            )


def is_for(adapter: Adapter, found: Found) -> bool:
    """Tell whether an adapter is for a model, as far as is known; one that does not say is taken at its word."""
    names = {found.name, found.name.rpartition("/")[2]}  # on the hub, and copied from there
    known = not adapter.fits or not names.isdisjoint(adapter.fits)
    return known or checksum_of_base(found.folder, adapter.differences) in adapter.fits


def doubt_of(adapter: Adapter, found: Found) -> str:
    """Say in a sentence that an adapter was made for other models than this; nothing where it was not."""
    if is_for(adapter, found):
        return ""
    return (
        f"The adapter {adapter.card.name} was learnt on {adapter.card.base}, whose weights are others than those of "
        f"{found.name}: both directions may not agree on one motion."
    )


def matrices_of(
    adapter: Adapter, network: nn.Module, layers: Sequence[str], *, device: str | None = None
) -> dict[str, dict[str, Tensor]]:
    """Return the matrices that the branch has instead of the network's, in the precision of those.

    Args:
        adapter: its differences must fit the network.
        network: the base.
        layers: the network's temporal layers, the only ones that may differ or take maps.
        device: where the network computes, if that is not where it is: it may come there only when it is called.
    """
    for layer in (*adapter.differences, *adapter.rotated):
        if layer not in layers:
            raise _misfit(adapter, f"the network has no temporal layer {layer}")
    found: dict[str, dict[str, Tensor]] = {}
    for layer, row in adapter.differences.items():
        found[layer] = {}
        for part, difference in row.items():
            try:
                weight: Tensor = network.get_submodule(layer).get_submodule(part).weight.detach()  # type: ignore[assignment]
            except AttributeError:
                raise _misfit(adapter, f"the network's {layer} has no {part}") from None
            if weight.shape != difference.shape:
                raise _misfit(
                    adapter, f"{layer}.{part} is {tuple(difference.shape)}, and {tuple(weight.shape)} in the network"
                )
            # Added as precisely as can be, and rounded once.
            matrix = (weight.float() + difference.to(weight.device).float()).to(weight.dtype)
            found[layer][part] = matrix.to(device or weight.device)
    return found


def _split(name: str) -> tuple[str, str]:
    for part in PROJECTIONS:
        ending = f".{part}.weight"
        if name.endswith(ending):
            return name.removesuffix(ending), part
    raise ValueError(f"{name} is no matrix of an attention layer")


def _misfit(adapter: Adapter, why: str) -> ModelError:
    return ModelError(
        f"The adapter {adapter.card.name} does not fit: {why}.", f"It was learnt on {adapter.card.base}; use it there."
    )
