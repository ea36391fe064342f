"""The demo's last film: one pair of keyframes, by the flow engine and by a video model, beside what really happened."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from keyweave.app.jobs import Job, Result, run_job
from keyweave.base.extras import installed
from keyweave.base.files import refuse_existing
from keyweave.base.progress import SILENT, Progress
from keyweave.media.beside import beside
from keyweave.media.clips import open_frames
from keyweave.media.pictures.images import write_image
from keyweave.media.sheet import strip
from keyweave.media.types import Image
from keyweave.media.writers import write_clip
from keyweave.systems.inbetween.options import InbetweenOptions
from keyweave.toyworld.scenes import scene_of
from keyweave.toyworld.shots import shoot

if TYPE_CHECKING:
    from pathlib import Path

ENGINES = ("flow", "generative")
NEEDS = ("diffusers", "transformers", "safetensors")
SCENE = 67  # of the test split: chosen, since flow cannot draw it and the model can
SEED = 7
_EVERY, _CELL = 2, 128  # frame of each film on the sheet, and how wide it is there


@dataclass(frozen=True)
class Comparison:
    """The film that shows both, and what it is made of."""

    path: Path
    sheet: Path
    keyframes: tuple[Path, Path]
    films: tuple[Result, ...]


def can_compare() -> bool:
    """Tell whether the packages are there that a video model runs on."""
    return all(installed(package) for package in NEEDS)


def make_comparison(folder: Path, *, overwrite: bool = False, progress: Progress = SILENT) -> Comparison:
    """Take the first and the last frame of a clip of the drawn world, and let both engines find what lies between."""
    path, sheet, truth = (folder / name for name in ("toy.mp4", "toy-sheet.png", "toy-truth.mp4"))
    pictures = (folder / "keyframes" / "toy-1.png", folder / "keyframes" / "toy-2.png")
    films = [folder / f"toy-{engine}.mp4" for engine in ENGINES]
    for file in (path, sheet, truth, *pictures, *films):
        refuse_existing(file, overwrite=overwrite)
    shot = shoot(scene_of("test", SCENE))
    for picture, frame in zip(pictures, shot.frames[[0, -1]], strict=True):
        write_image(picture, Image(frame), overwrite=overwrite)
    write_clip(truth, iter(shot.frames), shot.rate, overwrite=overwrite)
    options = InbetweenOptions.model_validate({"frames": len(shot.frames) - 2, "fps": shot.rate})
    results = []
    for engine, film in zip(ENGINES, films, strict=True):
        job = Job("inbetween", pictures, options, engine=engine, seed=SEED, output=film, overwrite=overwrite)
        with progress.part(film.stem, 1 / len(films)) as part:
            results.append(run_job(job, part))
    with ExitStack() as opened:
        clips = [opened.enter_context(open_frames(film)) for film in (*films, truth)]
        names = (*ENGINES, "what happened")
        write_clip(path, beside(clips, names), shot.rate, overwrite=overwrite)
        rows = [(name, list(clip.frames())[::_EVERY]) for name, clip in zip(names, clips, strict=True)]
    write_image(sheet, strip(rows, title=path.name, cell_width=_CELL), overwrite=overwrite)
    return Comparison(path, sheet, pictures, tuple(results))
