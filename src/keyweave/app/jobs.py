"""Running a job: the only place that opens inputs and writes outputs."""

from __future__ import annotations

import hashlib
import json
import os
import time
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from keyweave.app.engines import Bound, Engine, pick
from keyweave.app.inputs import checksum_of, refuse_to_replace
from keyweave.app.systems import SYSTEMS, System
from keyweave.base.errors import InputError
from keyweave.base.files import refuse_existing, refuse_unwritable, write_text
from keyweave.base.progress import SILENT, Progress
from keyweave.base.recipe import MARK, InputMark, Recipe
from keyweave.base.seeds import draw_seed
from keyweave.base.version import VERSION
from keyweave.media.clips import read_clip
from keyweave.media.types import Audio, Clip, Image
from keyweave.media.writers import check_crf, check_free, format_of, is_numbered, write_clip
from keyweave.metrics.motion import Walker
from keyweave.metrics.seams import loop_seam, seams
from keyweave.timeline.film import KeyframeFilm
from keyweave.timeline.keeping import Keeper, kept_seed

if TYPE_CHECKING:
    from fractions import Fraction

    from keyweave.metrics.seams import LoopSeam, Seam
    from keyweave.timeline.film import Film
    from keyweave.timeline.options import OutputOptions

# Their versions can change the bytes of an output.
_LIBRARIES = ("av", "numpy", "opencv-python-headless", "pillow", "torch")
_OF_MODELS = ("diffusers", "transformers")


@dataclass(frozen=True)
class Job:
    """What is to be made.

    Args:
        system: a name of the table of systems.
        inputs: files, or pictures in memory.
        options: an instance of the system's options model; None for its defaults.
        engine: who draws the in-betweens; None for the system's default.
        seed: decides all chance; None for that of the clips in `keep`, or to draw one. The recipe records it.
        output: where the film goes, its ending chooses the format; None keeps it in memory.
        overwrite: whether an existing output may be replaced.
        known_as: what the recipe calls the inputs; without it, their file names.
        keep: a folder in which clips that a model makes are kept, and looked for.
    """

    system: str
    inputs: tuple[Path | Image, ...]
    options: OutputOptions | None = None
    engine: str | None = None
    seed: int | None = None
    output: Path | None = None
    overwrite: bool = False
    known_as: tuple[str, ...] = ()
    keep: Path | None = None


@dataclass(frozen=True)
class Result:
    """What was made.

    Args:
        recipe: all that decided it.
        frames: how many there are.
        size: width and height.
        rate: frames per second.
        path: the film, if it was written.
        sidecar: the recipe beside it.
        notes: what the format could not keep, as sentences.
        timings: seconds by part.
        seams: how it passes through the keyframes within it, and through the frames next to which clips meet that a
            gap is made of, as it was drawn; a format that loses loses after that. The change of velocity, which takes a
            search for motion, is only in `keyweave report`.
        loop: how it passes from its last frame to its first; None unless it is a loop of keyframes.
    """

    recipe: Recipe
    frames: int
    size: tuple[int, int]
    rate: Fraction
    path: Path | None = None
    sidecar: Path | None = None
    notes: tuple[str, ...] = ()
    timings: dict[str, float] = field(default_factory=dict)
    seams: tuple[Seam, ...] = ()
    loop: LoopSeam | None = None
    _clip: Clip | None = None

    @property
    def duration(self) -> Fraction:
        """Exact length in seconds."""
        return self.frames / self.rate

    @property
    def clip(self) -> Clip:
        """The frames in memory; a written film is read back."""
        if self._clip is not None:
            return self._clip
        assert self.path is not None
        return read_clip(self.path)


@dataclass(frozen=True)
class Plan:
    """A job that was checked and laid out, with nothing drawn yet."""

    job: Job
    system: System
    engine: Bound
    options: OutputOptions
    film: Film
    recipe: Recipe
    began: float  # on the monotonic clock


def plan_job(job: Job, progress: Progress = SILENT) -> Plan:
    """Check everything that can be checked before work begins, and lay out the film."""
    began = time.monotonic()
    system = pick(SYSTEMS, job.system, "a system")
    row = system.pick_engine(job.engine)
    options = _options(job, system)
    if job.output is not None:
        check_crf(format_of(job.output), job.output, options.crf)
        refuse_to_replace([source for source in job.inputs if isinstance(source, Path)], job.output)
        check_output(job.output, overwrite=job.overwrite)
    if job.keep is not None:
        refuse_unwritable(job.keep)
    _check_inputs(job, system)
    film = system.make_film(job.inputs, options)
    _refuse_transparency(film, row)
    engine = row.bind(options, progress)  # which may download a model
    recipe = Recipe(
        system=system.name,
        engine=row.name,
        inputs=_marks(job, system),
        options=options.model_dump(mode="json") | engine.names,
        seed=_seed(job),
        version=VERSION,
        models=engine.marks,
        libraries={name: metadata.version(name) for name in _LIBRARIES + (_OF_MODELS if engine.place else ())},
        **({"device": engine.place.device, "dtype": engine.place.dtype} if engine.place else {}),
    )
    return Plan(job, system, engine, options, film, recipe, began)


def run_job(job: Job, progress: Progress = SILENT) -> Result:
    """Make what the job describes: whole, or not at all."""
    return run_plan(plan_job(job, progress), progress)


def run_plan(plan: Plan, progress: Progress = SILENT) -> Result:
    """Make what was laid out."""
    job = plan.job
    _tell(plan, progress)
    planned = time.monotonic()
    engine = plan.engine.load(_keeper(plan), chance=plan.recipe.seed)
    reach, seed = plan.engine.row.reach, plan.recipe.seed
    film = plan.film
    frames = film.frames(engine, seed=seed, progress=progress, reach=reach)
    places = _seams_of(plan)
    walker = Walker() if places else None
    frames = walker.watch(frames) if walker else frames
    sound = film.sound()
    if job.output is None:
        heard = None if sound is None else Audio(np.concatenate(list(sound.blocks)), sound.rate)
        clip = Clip(np.stack(list(frames)), film.rate, heard)
        made = Result(plan.recipe, len(clip), film.size, clip.rate, timings=_timings(plan.began, planned), _clip=clip)
        return replace(made, **_passed(film, places, walker))
    written = write_clip(
        job.output,
        frames,
        film.rate,
        sound=sound,
        crf=plan.options.crf,
        comment=plan.recipe.to_json(),
        overwrite=job.overwrite,
    )
    sidecar = sidecar_of(job.output)
    write_text(sidecar, _sidecar_text(plan, sidecar), overwrite=True)
    for note in written.notes:
        progress.warn(note)
    return Result(
        plan.recipe,
        written.frames,
        (written.width, written.height),
        film.rate,
        job.output,
        sidecar,
        written.notes,
        _timings(plan.began, planned),
        **_passed(film, places, walker),
    )


def _seams_of(plan: Plan) -> set[int]:
    """Return the frames of keyframes and of clips that meet, where there is a seam among them; else none."""
    film = plan.film
    if not isinstance(film, KeyframeFilm):
        return set()
    places = film.keyframes().keys() | film.nearest(plan.engine.joins)
    return set(places) if film.timeline.loop or len(places) > 2 else set()


def _passed(film: Film, places: set[int], walker: Walker | None) -> dict[str, Any]:
    """Return how a film that was drawn passes through its seams."""
    if walker is None or not isinstance(film, KeyframeFilm):
        return {}
    loop = loop_seam(walker.walk) if film.timeline.loop else None
    return {"seams": seams(walker.walk, places), "loop": loop}


def _seed(job: Job) -> int:
    """Return the seed of a job: its own, or that of the clips that it goes on with, or a new one."""
    if job.seed is not None:
        return job.seed
    kept = None if job.keep is None else kept_seed(job.keep)
    return draw_seed() if kept is None else kept


def _keeper(plan: Plan) -> Keeper | None:
    """Return who keeps the clips of a job: by its recipe, without what only tells where and when a clip is shown."""
    if plan.job.keep is None:
        return None
    taken = {name: value for name, value in plan.recipe.options.items() if name in plan.engine.row.takes}
    same = replace(plan.recipe, system="", inputs=(), options=taken, seed=0)
    return Keeper(plan.job.keep, same.digest(), plan.recipe.seed)


def sidecar_of(output: Path) -> Path:
    """Name the file beside an output that holds its recipe and where its inputs lay."""
    if is_numbered(output):
        return output.parent / "recipe.json"
    return output.with_name(output.name + ".json")


def check_output(output: Path, *, overwrite: bool) -> None:
    """Refuse a name that no format has, and what is there already; a recipe whose film is gone holds nobody up."""
    check_free(output, overwrite=overwrite)
    sidecar = sidecar_of(output)
    if not is_numbered(output) and (output.exists() or not _is_recipe(sidecar)):
        refuse_existing(sidecar, overwrite=overwrite)


def _is_recipe(path: Path) -> bool:
    try:
        return MARK in json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError):
        return False


def _options(job: Job, system: System) -> OutputOptions:
    model = system.options_model()
    if job.options is None:
        return model.model_validate({})
    if not isinstance(job.options, model):
        raise InputError(
            f"{system.name} takes {model.__name__}; got {type(job.options).__name__}.", f"Build a {model.__name__}."
        )
    return job.options


def _check_inputs(job: Job, system: System) -> None:
    names = " ".join(system.takes[: system.fewest])
    if system.reads == "clip":
        if len(job.inputs) != 1 or not isinstance(job.inputs[0], Path):
            raise InputError(
                f"{system.name} takes one film, animation or folder of pictures ({names}); got {len(job.inputs)}.",
                "Name one.",
            )
    elif system.reads == "song" and not all(isinstance(source, Path) for source in job.inputs):
        raise InputError(f"{system.name} reads files; a picture in memory was given.", "Write it to a file first.")
    elif len(job.inputs) < system.fewest:
        raise InputError(
            f"{system.name} needs at least {system.fewest} pictures ({names}); got {len(job.inputs)}.",
            "Name one more picture.",
        )


def _refuse_transparency(film: Film, row: Engine) -> None:
    if not row.opaque or not isinstance(film, KeyframeFilm):
        return
    for span in film.to_draw():
        if span.source.is_transparent:
            raise InputError(
                f"The engine {row.name} draws opaque pictures, and a keyframe is transparent in places, between "
                f"{float(span.start):g} s and {float(span.stop):g} s of the film.",
                "Flatten it, or use --engine flow.",
            )


def _marks(job: Job, system: System) -> tuple[InputMark, ...]:
    marks = [_mark(source, system) for source in job.inputs]
    if job.known_as:
        marks = [InputMark(name, mark.sha256) for name, mark in zip(job.known_as, marks, strict=True)]
    return tuple(marks)


def _mark(source: Path | Image, system: System) -> InputMark:
    if isinstance(source, Image):
        shape = json.dumps(source.pixels.shape).encode()
        return InputMark(
            "(in memory)", hashlib.sha256(shape + np.ascontiguousarray(source.pixels).tobytes()).hexdigest()
        )
    return InputMark(source.name, checksum_of(source, sequences=system.reads == "clip"))


def _tell(plan: Plan, progress: Progress) -> None:
    """Say what is about to happen, and what may not be what was wanted."""
    film = plan.film
    width, height = film.size
    for doubt in film.doubts():
        progress.warn(doubt)
    progress.say(
        f"{plan.system.name}: {film.frame_count} frames, {width}x{height}, {film.frame_count / film.rate} s at "
        f"{film.rate} fps, engine {plan.recipe.engine} on {plan.recipe.device}"
    )


def _sidecar_text(plan: Plan, sidecar: Path) -> str:
    row: dict[str, Any] = json.loads(plan.recipe.to_json())
    row["paths"] = [_path_from(sidecar.parent, source) for source in plan.job.inputs]
    if plan.engine.local:
        row["model_paths"] = {option: _path_from(sidecar.parent, path) for option, path in plan.engine.local.items()}
    return json.dumps(row, ensure_ascii=False, indent=2, sort_keys=True) + "\n"


def _path_from(folder: Path, source: Path | Image) -> str | None:
    """Write the way to an input so that folder and input can be moved together."""
    if isinstance(source, Image):
        return None
    try:
        return Path(os.path.relpath(source, folder)).as_posix()
    except ValueError:  # Windows: on another drive
        return source.resolve().as_posix()


def _timings(began: float, planned: float) -> dict[str, float]:
    now = time.monotonic()
    return {"reading": planned - began, "drawing and writing": now - planned, "whole": now - began}
