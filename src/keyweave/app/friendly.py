"""One plain function per system, for those who work in Python."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image as PillowImage

from keyweave.app.fields import read_options
from keyweave.app.jobs import Job, Result, run_job
from keyweave.app.systems import SYSTEMS
from keyweave.base.errors import InputError
from keyweave.base.progress import SILENT, Progress
from keyweave.media.types import Image

if TYPE_CHECKING:
    from collections.abc import Sequence


def inbetween(
    pictures: Sequence[str | Path | Image | np.ndarray | PillowImage.Image],
    output: str | Path | None = None,
    *,
    engine: str | None = None,
    seed: int | None = None,
    overwrite: bool = False,
    progress: Progress = SILENT,
    **options: Any,
) -> Result:
    """Fill the time between keyframes.

    Args:
        pictures: two or more, in order: paths, keyweave or Pillow images, or uint8 arrays (H, W, 3 or 4).
        output: where the film goes, its ending chooses the format; None keeps it in memory (`result.clip`).
        engine: who draws the in-betweens; None for the default.
        seed: decides all chance; None to draw one, which the recipe records.
        overwrite: whether an existing output may be replaced.
        progress: told how far the work is.
        options: those of `keyweave inbetween --help`, such as frames=10, fps=12, size="640x360".
    """
    return run_job(
        _job("inbetween", pictures, output, options, engine=engine, seed=seed, overwrite=overwrite), progress
    )


def retime(
    clip: str | Path,
    output: str | Path | None = None,
    *,
    engine: str | None = None,
    seed: int | None = None,
    overwrite: bool = False,
    progress: Progress = SILENT,
    **options: Any,
) -> Result:
    """Slow a clip down, speed it up, or change its frame rate.

    Args:
        clip: a film or an animation.
        output: where the film goes, its ending chooses the format; None keeps it in memory (`result.clip`).
        engine: who draws what lies between its frames; None for the default.
        seed: decides all chance; None to draw one, which the recipe records.
        overwrite: whether an existing output may be replaced.
        progress: told how far the work is.
        options: those of `keyweave retime --help`, such as speed=0.25, fps=60, easing="ease-in-out".
    """
    return run_job(
        _job("retime", [Path(clip)], output, options, engine=engine, seed=seed, overwrite=overwrite), progress
    )


def dance(
    keyframes: Sequence[str | Path],
    reference: str | Path,
    output: str | Path,
    *,
    song: str | Path | None = None,
    poses: str | Path | None = None,
    dancer: tuple[float, float] | None = None,
    masks: str | Path | None = None,
    mirrored: str | Path | None = None,
    engine: str | None = None,
    seed: int | None = None,
    overwrite: bool = False,
    progress: Progress = SILENT,
    **options: Any,
) -> Result:
    """Let pictures dance another dance; its files lie in a folder beside the film.

    Args:
        keyframes: pictures of one subject, in no order.
        reference: the film of the dance to follow.
        output: where the film goes, its ending chooses the format.
        song: what is danced to; that of the reference without.
        poses: how the dancer of the reference moves, where that is known (.npz).
        dancer: a point on who is followed, in the first frame of the reference; the largest without.
        masks: a folder with the mask of each keyframe, or sam:REF; they are found without.
        mirrored: a folder that `keyweave dance mirror` made of these keyframes.
        engine: who draws the in-betweens; None for the default.
        seed: decides all chance; None to draw one, which the recipe records.
        overwrite: whether what exists may be replaced.
        progress: told how far the work is.
        options: the others of `keyweave dance --help`: of how songs are heard, such as tempo="x2" or
            reference_offset=0.1; of the reference, such as crop=(0, 0, 640, 720); of the plan, such as
            pin=["A=2>5"] or transition=20; and of the film, such as fps=30, strength=0.5, size="640x360".
    """
    from keyweave.app.dance_asked import Asked, read_asked  # noqa: PLC0415 - for those who dance
    from keyweave.app.dancing import make_dance  # noqa: PLC0415

    asked = read_asked({**options, "poses": poses, "dancer": dancer})
    hearing, reference_hearing = asked.hearings(another=song is not None)
    pictures = [Path(path) for path in keyframes]
    return make_dance(
        pictures,
        asked.reference(Path(reference)),
        Path(output),
        song=None if song is None else Path(song),
        hearing=hearing,
        reference_hearing=reference_hearing,
        wishes=asked.wishes(len(pictures)),
        masks=None if masks is None else str(masks),
        mirrored=None if mirrored is None else Path(mirrored),
        given={name: value for name, value in options.items() if name not in Asked.model_fields},
        engine=engine,
        seed=seed,
        overwrite=overwrite,
        progress=progress,
    ).result


def _job(
    system: str,
    pictures: Sequence[Any],
    output: str | Path | None,
    options: dict[str, Any],
    *,
    engine: str | None,
    seed: int | None,
    overwrite: bool,
) -> Job:
    return Job(
        system=system,
        inputs=tuple(_picture(one) for one in pictures),
        options=read_options(SYSTEMS[system].options_model(), options),
        engine=engine,
        seed=seed,
        output=None if output is None else Path(output),
        overwrite=overwrite,
    )


def _picture(source: Any) -> Path | Image:
    if isinstance(source, str | Path):
        return Path(source)
    if isinstance(source, Image):
        return source
    if isinstance(source, PillowImage.Image):
        return Image(np.array(source.convert("RGBA" if source.has_transparency_data else "RGB")))
    if isinstance(source, np.ndarray):
        return Image(source)
    raise InputError(
        f"A picture must be a path, an image or an array; got {type(source).__name__}.", "Pass a path or a uint8 array."
    )
