"""Adapters learnt for the benchmark, from more clips and fewer: how much data does it take (figure 5.6)?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from keyweave.base.errors import InputError
from keyweave.base.progress import SILENT, Progress
from keyweave.models.adapters import FILE
from keyweave.systems.inbetween.methods import METHODS
from keyweave.systems.inbetween.tune import tune
from keyweave.systems.inbetween.tuning import TuneOptions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass(frozen=True)
class Schooling:
    """How adapters are learnt; all of them alike.

    Args:
        sizes: numbers of clips.
        videos: where those are from, as for `train inbetween`.
        steps: of each training.
        rate: how fast it learns.
        seeds: trainings of each kind.
    """

    sizes: tuple[int, ...]
    videos: str
    steps: int
    rate: float
    seeds: int = 1


@dataclass(frozen=True)
class Pupil:
    """An adapter that was learnt.

    Args:
        title: what tables call the method with it.
        method: a name in `METHODS`.
        adapter: its file.
    """

    title: str
    method: str
    adapter: Path


def taught(names: Sequence[str]) -> list[str]:
    """Return those of the methods that take an adapter."""
    return [name for name in names if name in METHODS and METHODS[name].needs != "none"]


def school(
    names: Sequence[str],
    model: str,
    schooling: Schooling,
    folder: Path,
    *,
    device: str | None = None,
    progress: Progress = SILENT,
) -> list[Pupil]:
    """Learn an adapter for each method that takes one, each number of clips and each seed; those done before stay.

    Args:
        names: of methods.
        model: the image-to-video model.
        schooling: how.
        folder: keeps them, each in a folder of its own, which a stopped training goes on in.
        device: where to compute.
        progress: a part for each training.
    """
    methods = taught(names)
    if not methods:
        raise InputError("--train-sizes is for methods that learn.", "Add full or no-rotation to --methods.")
    plans = [(name, size, seed) for name in methods for size in schooling.sizes for seed in range(schooling.seeds)]
    found = []
    for name, size, seed in plans:
        title = f"{name}, {size:,} clips" + (f", seed {seed}" if schooling.seeds > 1 else "")
        place = folder / f"{name}-{size}-{schooling.steps}-{schooling.rate:g}-{seed}"
        adapter = place / "adapter" / FILE
        if not adapter.is_file():
            with progress.part(title, 0) as part:
                tune(_options(name, size, seed, model=model, schooling=schooling, device=device), place, part)
        found.append(Pupil(title, name, adapter))
    return found


def _options(name: str, size: int, seed: int, *, model: str, schooling: Schooling, device: str | None) -> TuneOptions:
    rotated = METHODS[name].needs == "rotated adapter"
    return TuneOptions.model_validate(
        {
            "videos": schooling.videos,
            "model": model,
            "clips": size,
            "steps": schooling.steps,
            "learning_rate": schooling.rate,
            "trainable": "vo" if rotated else "qkvo",
            "no_rotation": not rotated,
            "seed": seed,
            "device": device,
        }
    )
