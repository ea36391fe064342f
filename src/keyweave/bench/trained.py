"""Adapters learnt for the benchmark, from more clips and fewer: how much data does it take (figure 5.6)?"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from keyweave.base.errors import InputError
from keyweave.base.progress import SILENT, Progress
from keyweave.base.version import VERSION
from keyweave.bench.names import method_of
from keyweave.bench.overlap import overlap
from keyweave.models.adapters import FILE
from keyweave.models.folders import CONFIG, read_object
from keyweave.systems.inbetween.footage import DRAWN, find_footage, reels_of_clips
from keyweave.systems.inbetween.methods import METHODS
from keyweave.systems.inbetween.tune import cutting_of, tune
from keyweave.systems.inbetween.tuning import TuneOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keyweave.models.finding import Found
    from keyweave.models.loading import VideoModel
    from keyweave.systems.inbetween.footage import Cutting

_LATENTS = "latents"  # of the clips, encoded once for all trainings
_NAMED = 12  # letters of a checksum in a folder's name
_TAUGHT = 1  # raised when trainings come to other adapters, so that none of before is taken
_SHARE = 0.5  # of the work: 500 steps look about as often as it takes to fill 100 pairs


@dataclass(frozen=True)
class Schooling:
    """How adapters are learnt; all of them alike.

    Args:
        sizes: numbers of clips.
        videos: where those are from, as for `train inbetween`.
        steps: of each training.
        rate: how fast it learns.
        batch: clips in each step.
        seeds: trainings of each kind.
        untold: share of the samples that hide the picture.
    """

    sizes: tuple[int, ...]
    videos: str
    steps: int
    rate: float
    batch: int
    seeds: int = 1
    untold: float = 0.0


@dataclass(frozen=True)
class Pupil:
    """An adapter that was learnt.

    Args:
        title: what tables call the method with it.
        method: a name in `METHODS`.
        clips: how many it was learnt from.
        adapter: its file.
        source: what the clips are from, in words; never a path.
    """

    title: str
    method: str
    clips: int
    adapter: Path
    source: str


@dataclass(frozen=True)
class _Plan:
    """A training, and the folder that is its own."""

    title: str
    method: str
    options: TuneOptions
    place: Path

    @property
    def adapter(self) -> Path:
        return self.place / "adapter" / FILE


def taught(names: Sequence[str]) -> list[str]:
    """Return those of the methods that take an adapter, however they sample."""
    methods = dict.fromkeys(map(method_of, names))
    return [name for name in methods if name in METHODS and METHODS[name].needs != "none"]


def school(
    names: Sequence[str],
    model: Found,
    schooling: Schooling,
    folder: Path,
    *,
    filled: Path | None = None,
    device: str | None = None,
    progress: Progress = SILENT,
) -> list[Pupil]:
    """Learn an adapter for each method that takes one, each number of clips and each seed; those done before stay.

    Args:
        names: of methods.
        model: the image-to-video model.
        schooling: how.
        folder: keeps them, each in a folder of its own, which a stopped training goes on in. Its name has the checksum
            of all that decides the adapter, so that none of another model or of other videos is taken for it.
        filled: the folder whose films are filled; None of the drawn world, where none is learnt from.
        device: where to compute.
        progress: a part for each training; is told where films are filled that are learnt from.

    Raises:
        InputError: there is no such folder, or there are too few clips for the largest number; nothing is trained then.
    """
    methods = taught(names)
    assert methods, "whoever asks has looked"
    videos = None if schooling.videos == DRAWN else Path(schooling.videos)
    if videos is not None and not videos.is_dir():  # `find_footage` would name a flag of another command
        raise InputError(
            f"There is no folder {videos}.", f"Name a folder of clips with --train-videos, or write {DRAWN}."
        )
    paths = [] if videos is None else find_footage(videos, progress)
    cutting = _cutting(_options(methods[0], 2, 0, model=model, schooling=schooling, device=device), model)
    sums = [reel.facts["sums"] for reel in reels_of_clips(paths, cutting, 1)]
    # Libraries are left out: hours of training are not thrown away for a version that changes their last digits.
    decides = {
        "version": VERSION,
        "taught": _TAUGHT,
        "model": model.mark().sha256,
        "videos": sums or schooling.videos,
    }
    source = "the drawn world's training split" if videos is None else f"the folder {videos.resolve().name}"
    if videos is not None and filled is not None:
        doubt = overlap(filled, videos, {sha256 for files in sums for _, sha256 in files}, progress)
        if doubt:
            progress.warn(doubt)
            source += ", which has films that are filled here"
    plans = []
    for name in methods:
        for size in schooling.sizes:
            for seed in range(schooling.seeds):
                options = _options(name, size, seed, model=model, schooling=schooling, device=device)
                title = group_of(name, size) + (f", seed {seed}" if schooling.seeds > 1 else "")
                place = folder / f"{name}-{size}-{seed}-{_digest(options, decides)[:_NAMED]}"
                plans.append(_Plan(title, name, options, place))
    to_do = [plan for plan in plans if not plan.adapter.is_file()]
    if videos is not None:
        sizes = {plan.options.clips: plan.options for plan in to_do}
        for size in sorted(sizes, reverse=True):
            _refuse_too_few(sizes[size], paths, cutting, progress)
    if to_do:
        with progress.part("training", _SHARE) as whole:
            for plan in to_do:
                with whole.part(plan.title, 1 / len(to_do)) as part:
                    tune(plan.options, plan.place, part, latents=folder / _LATENTS)
    return [Pupil(plan.title, plan.method, plan.options.clips, plan.adapter, source) for plan in plans]


def group_of(method: str, clips: int) -> str:
    """Return what tables call a method that learnt from so many clips, whatever the seed."""
    return f"{method}, {clips:,} clips"


def _refuse_too_few(options: TuneOptions, paths: Sequence[Path], cutting: Cutting, progress: Progress) -> None:
    """Look through the videos until there are enough training clips; `tune` would go on with fewer."""
    most, total = options.clips + options.held_out, 0
    for reel in progress.each(reels_of_clips(paths, cutting, most), "counting clips", share=0):
        try:
            for _ in reel.windows():
                total += 1
        except InputError:
            continue  # it is left out, in training too, which says why
        if total >= most:
            return
    left = total - max(1, min(options.held_out, total // 5))  # as `divided` holds some back
    if left < options.clips:
        raise InputError(
            f"--train-sizes asks for {options.clips:,} clips, and {options.videos} gives {max(0, left):,} to learn "
            f"from: {total:,} training clips, some of them held back to measure on.",
            f"A training clip is {cutting.span} frames without a cut; add videos, or ask for fewer clips.",
        )


def _digest(options: TuneOptions, decides: dict[str, Any]) -> str:
    """Return the checksum of all that decides an adapter, wherever its model and its videos lie."""
    numbers = options.model_dump(mode="json", exclude={"videos", "model", "device"})
    return hashlib.sha256(json.dumps({**decides, "options": numbers}, sort_keys=True).encode()).hexdigest()


def _cutting(options: TuneOptions, model: Found) -> Cutting:
    """Return how `tune` will cut windows; a model's settings tell that, before gigabytes are loaded."""
    settings = {name: SimpleNamespace(config=read_object(model.folder / name / CONFIG)) for name in ("unet", "vae")}
    return cutting_of(options, cast("VideoModel", SimpleNamespace(**settings)))


def _options(name: str, size: int, seed: int, *, model: Found, schooling: Schooling, device: str | None) -> TuneOptions:
    rotated = METHODS[name].needs == "rotated adapter"
    return TuneOptions.model_validate(
        {
            "videos": schooling.videos,
            "model": model.ref,
            "clips": size,
            "steps": schooling.steps,
            "learning_rate": schooling.rate,
            "batch": schooling.batch,
            "untold": schooling.untold,
            "trainable": "vo" if rotated else "qkvo",
            "no_rotation": not rotated,
            "seed": seed,
            "device": device,
        }
    )
