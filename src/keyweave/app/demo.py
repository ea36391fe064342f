"""The demo: keyframes that the package draws, the films between them, and a look at each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from keyweave.app.jobs import Job, Result, run_job
from keyweave.base.files import refuse_existing
from keyweave.base.progress import SILENT, Progress
from keyweave.media.clips import open_frames
from keyweave.media.pictures.images import write_image
from keyweave.media.sheet import contact_sheet
from keyweave.systems.inbetween.options import InbetweenOptions
from keyweave.toyworld.landscape import LIGHTS, landscape

if TYPE_CHECKING:
    from pathlib import Path

SECONDS = 4  # of each film
SEED = 7  # fixed, so that everybody's first films are the same
_BOAT = ((0.20, 0.15), (0.34, 0.30), (0.48, 0.40), (0.62, 0.55))  # how far to the right and how near, in each keyframe


@dataclass(frozen=True)
class Demo:
    """One film of the demo, and what it was made of."""

    film: Result
    sheet: Path
    keyframes: tuple[Path, ...]


def make_demo(folder: Path, *, overwrite: bool = False, progress: Progress = SILENT) -> tuple[Demo, Demo]:
    """Draw a boat on a lake, and a day there; make a film of each by the engine that suits it, and contact sheets."""
    pictures = folder / "keyframes"
    boat = {pictures / f"boat-{number}.png": ("noon", place) for number, place in enumerate(_BOAT, 1)}
    day = {pictures / f"day-{number}-{light}.png": (light, None) for number, light in enumerate(LIGHTS, 1)}
    films = {folder / "boat.mp4": (boat, "flow"), folder / "day.mp4": (day, "crossfade")}
    for path in (*boat, *day, *films, *(_sheet_of(film) for film in films)):
        refuse_existing(path, overwrite=overwrite)
    for path, (light, place) in progress.each((boat | day).items(), "keyframes", total=len(boat | day), share=0.1):
        write_image(path, landscape(light, seed=SEED, boat=place), overwrite=overwrite)
    first, second = (
        _made(film, tuple(keyframes), engine, progress.part(film.stem, 0.45), overwrite=overwrite)
        for film, (keyframes, engine) in films.items()
    )
    return first, second


def _made(film: Path, keyframes: tuple[Path, ...], engine: str, progress: Progress, *, overwrite: bool) -> Demo:
    options = InbetweenOptions.model_validate({"duration": SECONDS, "fps": 24})
    job = Job("inbetween", keyframes, options, engine=engine, seed=SEED, output=film, overwrite=overwrite)
    with progress:
        result = run_job(job, progress)
        sheet = _sheet_of(film)
        with open_frames(film) as clip:
            write_image(sheet, contact_sheet(clip, columns=4, count=12, title=film.name), overwrite=overwrite)
    return Demo(result, sheet, keyframes)


def _sheet_of(film: Path) -> Path:
    return film.with_name(f"{film.stem}-sheet.png")
