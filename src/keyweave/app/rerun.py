"""Making an output again from the recipe that it carries."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from keyweave.app.engines import pick
from keyweave.app.inputs import checksum_if_there
from keyweave.app.jobs import Job, Result, plan_job, run_plan, sidecar_of
from keyweave.app.systems import SYSTEMS
from keyweave.base.errors import InputError
from keyweave.base.files import existing_file, explain
from keyweave.base.progress import SILENT, Progress
from keyweave.base.recipe import Recipe, sha256_of_file
from keyweave.media.comments import read_comment
from keyweave.media.writers import is_numbered
from keyweave.models.finding import is_folder

if TYPE_CHECKING:
    from collections.abc import Sequence

_MOST_BYTES = 4 << 20  # of a recipe file


@dataclass(frozen=True)
class Found:
    """A recipe and where it was found.

    Args:
        recipe: what made the output.
        output: the film that it made, or would have made; for a folder of pictures, its pattern.
        folders: where inputs are looked for by name.
        paths: where each input lay when the output was made; empty where nobody wrote it down.
        model_paths: where options lay then that name models of this disk.
    """

    recipe: Recipe
    output: Path
    folders: tuple[Path, ...]
    paths: tuple[Path | None, ...]
    model_paths: dict[str, Path] = field(default_factory=dict)


@dataclass(frozen=True)
class Again:
    """An output that was made again.

    Args:
        result: what was made.
        same: whether its bytes equal the earlier output's; None where that one is not there to compare.
        differences: what the two recipes have otherwise, such as versions.
    """

    result: Result
    same: bool | None
    differences: tuple[str, ...]


def find_recipe(path: Path) -> Found:
    """Read the recipe in a film, a picture of a sequence, a folder of them, or a recipe file."""
    if path.is_dir():
        path = path / "recipe.json"
    if path.suffix.lower() == ".json":
        return _from_sidecar(path)
    pattern = path if "%" in path.name else None
    text = read_comment(path)
    sidecar = sidecar_of(path)
    beside = _from_sidecar(sidecar) if sidecar.is_file() else None
    if text is None:
        if beside is None:
            raise InputError(f"{path} holds no keyweave recipe.", "Only files made by keyweave can be made again.")
        return beside
    recipe = Recipe.from_json(text, str(path))
    known = beside is not None and beside.recipe.digest() == recipe.digest()
    paths, model_paths = (beside.paths, beside.model_paths) if beside is not None and known else ((), {})
    if pattern is None and path.suffix.lower() in (".png", ".jpg", ".jpeg"):
        # One picture of a sequence stands for all of it.
        return _from_sidecar(path.parent / "recipe.json")
    return Found(recipe, path, (path.parent, Path()), paths, model_paths)


def rerun(
    path: Path,
    *,
    inputs: Sequence[Path] = (),
    output: Path | None = None,
    overwrite: bool = False,
    progress: Progress = SILENT,
) -> Again:
    """Make an output again, from its recipe and the same inputs; `inputs` says where they are now, if they moved."""
    found = find_recipe(path)
    job = replace(job_of(_with_models(found), inputs), output=output or beside(found.output), overwrite=overwrite)
    plan = plan_job(job, progress)
    _refuse_other_weights(found.recipe, plan.recipe)
    result = run_plan(plan, progress)
    assert result.path is not None
    return Again(result, _same_bytes(found.output, result.path), tuple(found.recipe.differences(result.recipe)))


def job_of(found: Found, inputs: Sequence[Path] = ()) -> Job:
    """Return the job that a recipe tells of, its inputs found and checked, without an output."""
    recipe = found.recipe
    system = pick(SYSTEMS, recipe.system, "a system")
    try:
        options = system.options_model().model_validate(recipe.options)
    except ValidationError as fault:
        first = fault.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise InputError(
            f"The recipe of {found.output} has an option that this version does not take ({name}: {first['msg']}).",
            f"Install keyweave {recipe.version}.",
        ) from None
    return Job(
        system=recipe.system,
        inputs=_inputs(found, inputs),
        options=options,
        engine=recipe.engine,
        seed=recipe.seed,
        known_as=tuple(mark.name for mark in recipe.inputs),
    )


def _refuse_other_weights(then: Recipe, now: Recipe) -> None:
    for role, mark in then.models.items():
        if role in now.models and now.models[role].sha256 != mark.sha256:
            raise InputError(
                f"{now.models[role].ref} holds other weights than those that were used then: its checksum differs."
            )


def _with_models(found: Found) -> Found:
    """Return a recipe with the models of this disk that its options name where they lie now."""
    recipe = found.recipe
    here: dict[str, str] = {}
    for option in recipe.models:
        named = recipe.options.get(option)
        if not isinstance(named, str) or not is_folder(named):
            continue  # embedded, or of the hub
        by_name = [folder / Path(named).name for folder in found.folders]  # never a path: recipes come from strangers
        places = [found.model_paths[option], *by_name] if option in found.model_paths else by_name
        place = next((place for place in places if place.exists()), None)
        if place is None:
            looked = ", ".join(dict.fromkeys(map(str, places)))
            raise InputError(
                f"The {option} {Path(named).name} was not found (looked at {looked}).",
                "Put it there, or a link to it.",
            )
        here[option] = str(place.absolute())
    return replace(found, recipe=replace(recipe, options=recipe.options | here))


def beside(output: Path) -> Path:
    """Name the place of a second making: film.rerun.mp4 beside film.mp4, shots.rerun/ beside shots/."""
    if is_numbered(output):
        return output.parent.with_name(output.parent.name + ".rerun") / output.name
    return output.with_name(f"{output.stem}.rerun{output.suffix}")


def _from_sidecar(path: Path) -> Found:
    text = _text_of(path)
    recipe = Recipe.from_json(text, str(path))
    row: dict[str, Any] = json.loads(text)
    paths = row.get("paths")
    if not isinstance(paths, list) or len(paths) != len(recipe.inputs):
        paths = []
    places = tuple(path.parent / one if isinstance(one, str) else None for one in paths)
    models = row.get("model_paths")
    models = models if isinstance(models, dict) else {}
    model_places = {option: path.parent / one for option, one in models.items() if isinstance(one, str)}
    if path.name == "recipe.json":
        output = path.parent / _pattern_in(path.parent)
    else:
        output = path.with_name(path.name.removesuffix(".json"))
    return Found(recipe, output, (path.parent, Path()), places, model_places)


def _text_of(path: Path) -> str:
    try:
        if existing_file(path).stat().st_size > _MOST_BYTES:
            raise InputError(f"{path} is too large to be a recipe.", "Name a film or a recipe made by keyweave.")
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise InputError(
            f"{path} holds no keyweave recipe.", "Only files made by keyweave can be made again."
        ) from None
    except OSError as fault:
        raise explain(fault, path, "read") from fault


def _pattern_in(folder: Path) -> str:
    """Recover the pattern of a folder of numbered pictures from its first picture."""
    for picture in sorted(folder.glob("*[0-9].*")):
        digits = len(picture.stem) - len(picture.stem.rstrip("0123456789"))
        return f"{picture.stem[:-digits]}%0{digits}d{picture.suffix}"
    raise InputError(f"{folder} holds a recipe but no numbered pictures.", "Name another folder.")


def _inputs(found: Found, given: Sequence[Path]) -> tuple[Path, ...]:
    """Find every input of the recipe and make sure that it is the very same."""
    marks = found.recipe.inputs
    sequences = SYSTEMS[found.recipe.system].reads == "clip"
    if given and len(given) != len(marks):
        names = ", ".join(mark.name for mark in marks)
        raise InputError(
            f"The recipe has {len(marks)} inputs ({names}); {len(given)} were given.", "Give them all, in order."
        )
    located: list[Path] = []
    for number, mark in enumerate(marks):
        places = [given[number]] if given else _places(found, number)
        sums = {place: checksum_if_there(place, sequences=sequences) for place in places}
        there = [place for place, sum_ in sums.items() if sum_ is not None]
        same = next((place for place in there if sums[place] == mark.sha256), None)
        if same is None and there:
            raise InputError(
                f"{there[0]} is not the file that was used then: its checksum differs.",
                "Name the right files with --inputs.",
            )
        if same is None:
            raise InputError(
                f"The input {mark.name} was not found (looked at {', '.join(str(place) for place in places)}).",
                "Name the inputs with --inputs.",
            )
        located.append(same)
    return tuple(located)


def _places(found: Found, number: int) -> list[Path]:
    recorded = found.paths[number] if found.paths else None
    name = Path(found.recipe.inputs[number].name).name  # never a path: recipes come from strangers
    by_name = [folder / name for folder in found.folders]
    return list(dict.fromkeys([recorded, *by_name] if recorded else by_name))


def _same_bytes(before: Path, now: Path) -> bool | None:
    """Compare two outputs; for patterns, every picture of both folders."""
    if "%" not in now.name:
        return sha256_of_file(before) == sha256_of_file(now) if before.is_file() else None
    sums = [
        [(file.name, sha256_of_file(file)) for file in sorted(place.parent.glob(f"*{place.suffix}"))]
        for place in (before, now)
    ]
    return sums[0] == sums[1] if sums[0] else None
