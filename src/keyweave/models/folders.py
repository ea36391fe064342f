"""A folder that holds a model: of which kind it is, and whether all that its kind needs is there, whole and safe."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from keyweave.base.errors import ModelError
from keyweave.base.files import explain
from keyweave.models.headers import AGAIN, Header, read_header
from keyweave.models.layouts import LAYOUTS, NETWORKS, PIPELINES

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from keyweave.models.layouts import Family, Kind, Part

INDEX = "model_index.json"
CONFIG = "config.json"
ADAPTER = "adapter_config.json"
HALF = "fp16"  # the one variant that is taken, where there are no plain weights
PICKLES = (".bin", ".ckpt", ".pkl", ".pickle", ".pt", ".pth")
_SAFE_ONLY = "Pickles can run code, so keyweave reads only safetensors; look for another upload, or convert it."


@dataclass(frozen=True)
class Pipeline:
    """What `model_index.json` says.

    Args:
        name: the class of the pipeline.
        classes: the class of each part, by its folder.
    """

    name: str
    classes: dict[str, str]


def read_pipeline(folder: Path) -> Pipeline:
    """Read `model_index.json`."""
    row = read_object(folder / INDEX)
    classes = {
        part: entry[1]
        for part, entry in row.items()
        if isinstance(entry, list) and len(entry) == 2 and isinstance(entry[1], str)
    }
    return Pipeline(str(row.get("_class_name")), classes)


def read_class(folder: Path) -> str:
    """Read which class a network of its own is, from `config.json`."""
    row = read_object(folder / CONFIG)
    named = row.get("_class_name") or row.get("architectures")
    return str(named[0] if isinstance(named, list) and named else named)


def kind_of(folder: Path, ref: str | None = None) -> Kind:
    """Tell the kind of a folder from the files that diffusers wrote there; `ref` is how a person named it."""
    ref = ref or str(folder)
    if (folder / INDEX).is_file():
        return LAYOUTS[family_of(folder, ref)].kind
    if (folder / CONFIG).is_file():
        return "part"
    raise ModelError(
        f"{ref} is not a model: it has neither {INDEX} nor {CONFIG}.",
        "Name the folder that diffusers wrote, not one above or inside it.",
    )


def family_of(folder: Path, ref: str | None = None) -> Family:
    """Tell which models a folder is put together like, from the pipeline that `model_index.json` names."""
    name = read_pipeline(folder).name
    if name not in PIPELINES:
        raise ModelError(
            f"{ref or folder} is a {name}, which keyweave cannot use.", f"It can use: {', '.join(sorted(PIPELINES))}."
        )
    return PIPELINES[name]


def parts_of(folder: Path, kind: Kind, ref: str | None = None) -> tuple[Part, ...]:
    """List what a model of a kind is put together from; nothing where it is one network, or not a network at all."""
    if all(layout.kind != kind for layout in LAYOUTS.values()):
        return ()
    layout = LAYOUTS[family_of(folder, ref)]
    refuse_kind(ref or str(folder), layout.kind, kind)  # its card may say otherwise
    return tuple(layout.parts.values())


def check(folder: Path, kind: Kind) -> None:
    """Raise unless all that a model of this kind needs is there, and its weights are whole safetensors."""
    if kind == "part":
        refuse_class(folder, read_class(folder), NETWORKS)
        headers(folder)
    elif parts := parts_of(folder, kind):
        pipeline = read_pipeline(folder)
        for part in parts:
            _check_part(folder, part, pipeline)
    else:
        for path in folder.rglob("*.safetensors"):
            read_header(path)


def refuse_kind(ref: str, there: Kind, wanted: Kind | None) -> None:
    """Raise unless a model is of the kind that is needed."""
    if wanted is not None and there != wanted:
        raise ModelError(f"{ref} is a model of kind {there}; here one of kind {wanted} is needed.")


def refuse_class(place: Path, name: str, allowed: tuple[str, ...]) -> None:
    """Raise unless a class may stand in a place."""
    if name not in allowed:
        raise ModelError(f"{place} is a {name}; keyweave loads only {' or '.join(allowed)} there.")


def headers(folder: Path) -> dict[Path, Header]:
    """Read the headers of a network's weights, in one file or in several that an index lists."""
    if (folder / ADAPTER).exists():
        # transformers would follow it to a base model elsewhere, and read the adapter even from a pickle.
        raise ModelError(f"{folder} holds an adapter ({ADAPTER}), not a network by itself.", "Merge it into its base.")
    files = weight_files(folder)
    if not files:
        refuse_pickles([path.name for path in folder.iterdir()], str(folder))
        raise ModelError(f"{folder} has no weights (.safetensors).", AGAIN)
    for path in files:
        if not path.is_file():
            raise ModelError(f"{folder} is incomplete: {path.name} is missing.", AGAIN)
    return {path: read_header(path) for path in files}


def weight_files(folder: Path) -> list[Path]:
    """List the files of the weights that are taken of a network."""
    variant = taken_variant([path.name for path in folder.iterdir()])
    for path in folder.glob("*.safetensors.index*.json"):
        if variant_of(path.name) == variant:
            return _listed(path)
    return sorted(path for path in folder.glob("*.safetensors") if variant_of(path.name) == variant)


def taken_variant(names: Iterable[str]) -> str:
    """Tell which weights are taken where several precisions of the same ones lie: `""` for the plain ones."""
    there = {variant_of(name) for name in names if name.endswith(".safetensors")}
    return HALF if HALF in there and "" not in there else ""


def variant_of(name: str) -> str:
    """Return the variant in the name of a file of weights, or of an index of them: `fp16`; `""` in a plain one."""
    before, _, after = name.rpartition("/")[2].partition(".safetensors")
    # model.fp16.safetensors, model.fp16-00001-of-00002.safetensors; model.safetensors.index.fp16.json
    return before.partition(".")[2].partition("-")[0] or after.removesuffix(".json").removeprefix(".index").strip(".")


def _listed(index: Path) -> list[Path]:
    names = read_object(index).get("weight_map")
    if not isinstance(names, dict) or not all(isinstance(one, str) and "/" not in one for one in names.values()):
        raise ModelError(f"{index} is damaged: it does not list files of weights.", AGAIN)
    return sorted({index.parent / name for name in names.values()})


def refuse_pickles(names: list[str], where: str) -> None:
    """Raise if there is a pickle among files that should hold weights."""
    found = [name for name in names if name.endswith(PICKLES)]
    if found:
        raise ModelError(f"{where} has its weights only as pickles ({found[0]}).", _SAFE_ONLY)


def _check_part(folder: Path, part: Part, pipeline: Pipeline) -> None:
    if part.folder not in pipeline.classes or not (folder / part.folder).is_dir():
        raise ModelError(f"{folder} is incomplete: it has no {part.folder}/.", AGAIN)
    refuse_class(folder / part.folder, pipeline.classes[part.folder], part.classes)
    settings = CONFIG if part.learnt else "*.json"
    if not any((folder / part.folder).glob(settings)):
        raise ModelError(f"{folder} is incomplete: {part.folder}/{settings} is missing.", AGAIN)
    if part.learnt:
        headers(folder / part.folder)


def read_object(path: Path) -> dict[str, Any]:
    """Read a file of settings."""
    try:
        row = json.loads(path.read_bytes())
    except OSError as fault:
        raise explain(fault, path, "read") from fault
    except (ValueError, RecursionError):
        row = None
    if not isinstance(row, dict):
        raise ModelError(f"{path} is damaged: it is not a JSON object.", AGAIN)
    return row
