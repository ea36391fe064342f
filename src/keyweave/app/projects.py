"""Project files as jobs: the same film whether its keyframes stand on the command line or in a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyweave.app.fields import read_options
from keyweave.app.jobs import Job, plan_job
from keyweave.systems.inbetween.options import InbetweenOptions
from keyweave.timeline.chart import chart
from keyweave.timeline.film import KeyframeFilm
from keyweave.timeline.options import FilmOptions
from keyweave.timeline.project import Project, pictures_of, read_project

if TYPE_CHECKING:
    from pathlib import Path

    from keyweave.media.types import Image


def job_of(
    path: Path, output: Path | None = None, *, over: dict[str, object] | None = None, overwrite: bool = False
) -> Job:
    """Read a project file into a job.

    Args:
        path: the project.
        output: where the film goes.
        over: film options that replace the project's, such as another rate or size.
        overwrite: whether an existing output may be replaced.
    """
    project = read_project(path)
    return Job(
        system="inbetween",
        inputs=tuple(pictures_of(project, path.parent)),
        options=options_of(project, over or {}),
        engine=project.engine,
        seed=project.seed,
        output=output,
        overwrite=overwrite,
    )


def options_of(project: Project, over: dict[str, object]) -> InbetweenOptions:
    """Turn a project into the options of the system that makes it."""
    easings = [keyframe.easing for keyframe in project.keyframes]
    given: dict[str, object] = {name: getattr(project, name) for name in FilmOptions.model_fields}
    given |= {
        "at": [keyframe.at for keyframe in project.keyframes],
        # The last keyframe leads on only in a loop.
        "easing": tuple(easings if project.loop else easings[:-1]),
        "duration": project.duration,
        "loop": project.loop,
        "ping_pong": project.ping_pong,
    }
    return read_options(InbetweenOptions, given | over)


def chart_of(path: Path) -> Image:
    """Draw the timeline of a project file."""
    film = plan_job(job_of(path)).film
    assert isinstance(film, KeyframeFilm)
    return chart(film.timeline, film.rate, title=path.name)
