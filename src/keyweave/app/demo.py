"""The demo: keyframes that the package draws, the film between them, and a look at it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from keyweave.app.jobs import Job, Result, run_job
from keyweave.base.files import refuse_existing
from keyweave.base.progress import SILENT, Progress
from keyweave.media.clips import open_frames
from keyweave.media.images import write_image
from keyweave.media.sheet import contact_sheet
from keyweave.systems.inbetween.options import InbetweenOptions
from keyweave.toyworld.landscape import LIGHTS, landscape

if TYPE_CHECKING:
    from pathlib import Path

SEED = 7  # fixed, so that everybody's first film is the same


@dataclass(frozen=True)
class Demo:
    """What the demo made."""

    film: Result
    sheet: Path
    keyframes: tuple[Path, ...]


def make_demo(folder: Path, *, overwrite: bool = False, progress: Progress = SILENT) -> Demo:
    """Draw a day at the lake as keyframes, fill the time between them, and print a contact sheet."""
    film, sheet = folder / "day.mp4", folder / "day-sheet.png"
    keyframes = tuple(folder / "keyframes" / f"{number}-{light}.png" for number, light in enumerate(LIGHTS, 1))
    for path in (film, sheet, *keyframes):
        refuse_existing(path, overwrite=overwrite)
    for path, light in zip(progress.each(keyframes, "keyframes", share=0.2), LIGHTS, strict=True):
        write_image(path, landscape(light, seed=SEED), overwrite=overwrite)
    with progress.part("film", 0.7) as part:
        options = InbetweenOptions.model_validate({"duration": 6, "fps": 24})
        job = Job("inbetween", keyframes, options, seed=SEED, output=film, overwrite=overwrite)
        result = run_job(job, part)
    with progress.part("contact sheet", 0.1), open_frames(film) as clip:
        write_image(sheet, contact_sheet(clip, columns=4, count=12, title=film.name), overwrite=overwrite)
    return Demo(result, sheet, keyframes)
