"""Measuring a film against the keyframes of its own recipe."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from keyweave.app.rerun import find_recipe, job_of
from keyweave.app.systems import SYSTEMS
from keyweave.base.errors import InputError
from keyweave.base.progress import SILENT, Progress
from keyweave.media.clips import open_frames
from keyweave.metrics.report import Report, report
from keyweave.perceive.flow import estimate_flow
from keyweave.timeline.film import KeyframeFilm

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from keyweave.base.recipe import Recipe
    from keyweave.media.types import Frame


@dataclass(frozen=True)
class Reported:
    """A film that was measured.

    Args:
        film: where it is.
        recipe: what made it.
        keyframes: the numbers of the frames that show them.
        report: what was found.
    """

    film: Path
    recipe: Recipe
    keyframes: tuple[int, ...]
    report: Report


def report_on(path: Path, *, inputs: Sequence[Path] = (), progress: Progress = SILENT) -> Reported:
    """Measure a film that keyweave made; `inputs` says where its keyframes are now, if they moved."""
    found = find_recipe(path)
    job = job_of(found, inputs)
    assert job.options is not None
    plan = SYSTEMS[job.system].make_film(job.inputs, job.options)  # no engine: nothing is drawn
    if not isinstance(plan, KeyframeFilm):
        raise InputError(
            f"{found.output} was made by {found.recipe.system}, from no keyframes.",
            "Measure it against another clip with keyweave compare.",
        )
    film, keyframes = found.output, plan.keyframes()
    with open_frames(film, rate=plan.rate) as source, progress.part("measuring", total=plan.frame_count) as part:
        held = round(source.duration * source.rate)
        if held != plan.frame_count:
            raise InputError(
                f"{film} holds {held} frames, and its recipe makes {plan.frame_count}: it was changed since.",
                "Measure the film as keyweave made it.",
            )
        estimate = partial(estimate_flow, preset="fast", near=True)
        measured = report(_counted(source.frames(), part), keyframes, estimate=estimate, loop=plan.timeline.loop)
    return Reported(film, found.recipe, tuple(sorted(keyframes)), measured)


def _counted(frames: Iterator[Frame], progress: Progress) -> Iterator[Frame]:
    for frame in frames:
        yield frame
        progress.step()
