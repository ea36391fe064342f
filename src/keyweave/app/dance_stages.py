"""Single stages of a dance, from files to a file with pictures of what was found."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from keyweave.app.fields import read_options
from keyweave.app.inputs import refuse_to_replace
from keyweave.app.jobs import Job
from keyweave.base.errors import InputError
from keyweave.base.files import existing_file, refuse_existing, replacing_folder
from keyweave.base.progress import SILENT, Progress
from keyweave.base.recipe import sha256_of_file
from keyweave.media.pictures.images import read_image, write_image
from keyweave.media.types import Image
from keyweave.models.people import find_people
from keyweave.perceive.beats import check_asked
from keyweave.perceive.listeners import LIBROSA, Listener
from keyweave.perceive.tracks import read_track, write_track
from keyweave.systems.dance.files import (
    BeatsFile,
    ChoreographyFile,
    PlanFile,
    check_name,
    pictures_of,
    read_file,
    write_file,
)
from keyweave.systems.dance.label_chart import label_chart
from keyweave.systems.dance.matrix_chart import matrix_chart
from keyweave.systems.dance.mirror import Keyframes, mirror_keyframes
from keyweave.systems.dance.naming import check_thresholds
from keyweave.systems.dance.options import DanceOptions
from keyweave.systems.dance.plan_chart import plan_chart
from keyweave.systems.dance.segments import beats_together, keyframe_times
from keyweave.systems.dance.stages import (
    Masks,
    Wishes,
    beats_of,
    changed_put_aside,
    fill_with,
    label_dance,
    mirrored_names,
    plan_dance,
    track_dancer,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from keyweave.perceive.poses import JointTrack, RotationTrack
    from keyweave.systems.dance.labels import Label
    from keyweave.systems.dance.stages import Box


@dataclass(frozen=True)
class Reference:
    """The dance that is followed. What cannot be is refused at once.

    Args:
        film: of it.
        poses: how the dancer moves, where that is known; they are followed in the film without.
        dancer: a point on the dancer in the first frame, in pixels of what is cut out.
        crop: the part of the picture that is looked at.
        threshold: see `label_dance`.
        mirror_threshold: see `label_dance`.
    """

    film: Path
    poses: Path | None = None
    dancer: tuple[float, float] | None = None
    crop: Box | None = None
    threshold: float | None = None
    mirror_threshold: float | None = None

    def __post_init__(self) -> None:
        check_thresholds(self.threshold, self.mirror_threshold)
        if self.poses is not None and (self.dancer, self.crop) != (None, None):
            looked = "crop" if self.dancer is None else "dancer"
            raise InputError(
                f"--{looked} is for a dancer who is looked for, and --poses tells how they move.",
                "Leave one of them out.",
            )

    @property
    def words(self) -> str:
        """What is asked of it, the same for the same."""
        poses = "" if self.poses is None else sha256_of_file(existing_file(self.poses))
        return f"poses [{poses}] dancer {self.dancer} crop {self.crop} within {self.threshold} {self.mirror_threshold}"


@dataclass(frozen=True)
class Hearing:
    """How beats are found, and by whom; see `perceive.beats.find_beats`. What cannot be is refused at once."""

    tempo: Any = "x1"
    offset: Fraction = Fraction(0)
    parity: int | None = None
    meter: Any = "4/4"
    listener: Listener = LIBROSA

    def __post_init__(self) -> None:
        check_asked(self.tempo, self.parity, beats_together(self.meter))

    @property
    def words(self) -> str:
        """What is asked, the same for the same."""
        return (
            f"tempo {self.tempo} offset {self.offset} parity {self.parity} meter {self.meter} by {self.listener.mark}"
        )

    def beats(self, song: Path, progress: Progress) -> BeatsFile:
        """Find the beats of a song."""
        return beats_of(
            song,
            listener=self.listener,
            tempo=self.tempo,
            offset=self.offset,
            parity=self.parity,
            meter=self.meter,
            asked=self.words,
            progress=progress,
        )


def beside(file: Path, ending: str) -> Path:
    """Name what lies beside a file: plan.png and plan-keyframes beside plan.json."""
    return file.with_name(f"{file.stem}{ending}")


def write_labels_of(
    file: Path,
    reference: Reference,
    beats: BeatsFile,
    *,
    asked: str = "",
    overwrite: bool = False,
    aside: bool = False,
    progress: Progress = SILENT,
) -> ChoreographyFile:
    """Name the motions of a dance, and write them with a picture of each and how the dancer moves.

    What was there is replaced with `overwrite`; with `aside`, a choreography keeps another name.
    """
    check_name(file, ChoreographyFile)
    poses, picture, matrix = (beside(file, ending) for ending in ("-poses.npz", ".png", "-distances.png"))
    for path in (file, picture, matrix, *([poses] if reference.poses is None else [])):
        refuse_existing(path, overwrite=overwrite)
    track = _track_of(reference, progress)
    made, found = label_dance(
        track,
        beats,
        reference=reference.film,
        threshold=reference.threshold,
        mirror_threshold=reference.mirror_threshold,
        asked=asked,
    )
    if reference.poses is None:
        write_track(poses, track, overwrite=overwrite)
    write_image(picture, label_chart(reference.film, beats.segments(), found), overwrite=overwrite)
    write_image(matrix, matrix_chart(found, title=file.name), overwrite=overwrite)
    say_old(file, write_file(file, made, overwrite=overwrite, aside=aside), progress)
    return made


def say_old(file: Path, old: Path | None, progress: Progress) -> None:
    """Say where what a person may have worked on is now."""
    if old is not None:
        progress.say(f"{file} as it was is now {old.name}.")


def _track_of(reference: Reference, progress: Progress) -> JointTrack | RotationTrack:
    if reference.poses is not None:
        return read_track(reference.poses)
    from keyweave.perceive.blazepose.tracker import pose_tracker  # noqa: PLC0415 - an extra

    tracker = pose_tracker(find_people(), at=reference.dancer)
    return track_dancer(reference.film, tracker, crop=reference.crop, progress=progress)


def write_plan_of(
    file: Path,
    labels: Sequence[Label],
    keyframes: Sequence[Path],
    *,
    wishes: Wishes | None = None,
    masks: Masks | None = None,
    mirrored: Sequence[Path] = (),
    axis: float | None = None,
    keep: bool = False,
    painted: bool = False,
    overwrite: bool = False,
    aside: bool = False,
    progress: Progress = SILENT,
) -> PlanFile:
    """Write the mirrored keyframes, the plan, and a picture of it.

    Args:
        file: of the plan; the others are named after it.
        labels: the choreography.
        keyframes: pictures of the subject.
        wishes: what else is asked.
        masks: who tells subjects from the background.
        mirrored: the keyframes and then their mirrored ones, where these were made before.
        axis: see `mirror_keyframes`.
        keep: see `mirror_keyframes`.
        painted: leave the pictures of an earlier plan for the same keyframes; a person may have mended them.
        overwrite: whether what lies there may be replaced; pictures that a person changed keep another name.
        aside: whether a plan that lies there keeps another name too.
        progress: a part of the job.
    """
    check_name(file, PlanFile)
    folder, chart = beside(file, "-keyframes"), beside(file, ".png")
    for path in (file, chart):
        refuse_existing(path, overwrite=overwrite)
    masks, wishes = masks or Masks(), wishes or Wishes()
    wishes.check(labels, len(keyframes))
    paths = list(mirrored) or [folder / name for name in mirrored_names(len(keyframes))]
    there = bool(mirrored) or (painted and all(path.is_file() for path in paths))
    images = read_keyframes(mirrored or keyframes)  # refused before anything is looked for
    # Where there is no plan, its keyframes are not left behind either.
    with nullcontext() if there else replacing_folder(folder, overwrite=overwrite) as fresh:
        with progress.part("mirroring keyframes", 0.3):
            if mirrored:
                made = Keyframes(tuple(images), masks.masker([image.pixels for image in images]))
            else:
                made = turned = mirror_keyframes(images, axis=axis, masker=masks.masker, keep=keep)
                if fresh is None:
                    made = replace(turned, pictures=tuple(_painted(paths, turned.pictures[0])))
                else:
                    fill_with(turned, fresh)
        with progress.part("planning", 0.7) as part:
            planned, plan = plan_dance(
                labels,
                made,
                paths,
                file.parent,
                flipped=fresh is not None,
                made_from=marks_of([*keyframes, *mirrored], masks),
                wishes=wishes,
                progress=part,
            )
        if fresh is not None:
            say_old(folder, changed_put_aside(folder), progress)
    frames = [image.pixels for image in made.pictures]
    write_image(chart, plan_chart(plan, frames, made.mirror, title=file.name), overwrite=overwrite)
    say_old(file, write_file(file, planned, overwrite=overwrite, aside=aside), progress)
    return planned


def read_keyframes(paths: Sequence[Path]) -> list[Image]:
    """Read the keyframes of a dance: two or more, of one size."""
    if len(paths) < 2:
        raise InputError(f"A dance needs 2 keyframes or more; got {len(paths)}.", "Six make a lively one.")
    images = [read_opaque(path) for path in paths]
    for path, image in zip(paths, images, strict=True):
        if image.size != images[0].size:
            sizes = f"{path} is {image.width}x{image.height}, {paths[0]} {images[0].width}x{images[0].height}"
            raise InputError(f"Keyframes of a dance have one size; {sizes}.", "Fit them to one size first.")
    return images


def read_opaque(path: Path) -> Image:
    """Read a picture of a subject before a background, without an alpha channel that says nothing."""
    image = read_image(path)
    if not image.has_alpha:
        return image
    if image.pixels[..., 3].min() < 255:
        raise InputError(
            f"{path} has transparent parts; a subject is set before the background that all keyframes show.",
            "Take pictures with their background, or lay these over one.",
        )
    return Image(image.pixels[..., :3])


def _painted(paths: Sequence[Path], like: Image) -> list[Image]:
    """Read the pictures of an earlier plan, as a person may have mended them."""
    images = read_keyframes(paths)
    if images[0].size != like.size:
        raise InputError(
            f"{paths[0].parent} holds pictures of {images[0].width}x{images[0].height}, and the keyframes are "
            f"{like.width}x{like.height}.",
            "Bring them to that size, or move them away to have them made again.",
        )
    return images


def marks_of(keyframes: Sequence[Path], masks: Masks) -> tuple[str, ...]:
    """Tell what mirrored keyframes are made of."""
    return (*(sha256_of_file(existing_file(path)) for path in keyframes), *filter(None, [masks.mark]))


def job_of(
    plan_file: Path,
    beats: BeatsFile | ChoreographyFile,
    song: Path,
    *,
    given: Mapping[str, Any],
    engine: str | None = None,
    seed: int | None = None,
    output: Path,
    overwrite: bool = False,
) -> tuple[Job, tuple[str, ...]]:
    """Return the job of a planned dance, and sentences on what may not be what was wanted."""
    plan = read_file(plan_file, PlanFile)
    pictures = pictures_of(plan, plan_file.parent)
    refuse_to_replace([song, *pictures], output)
    divided = beats.segments()
    count = min(len(divided), len(plan.labels))
    notes = []
    if len(divided) != len(plan.labels):
        notes.append(
            f"The plan has {len(plan.labels)} segments and the song {len(divided)}: the first {count} are danced."
        )
    options = read_options(
        DanceOptions,
        {
            **given,
            "walk": plan.walk[: 2 * count],
            "beats": keyframe_times(divided[:count]),
            "heard_by": beats.heard_by,
        },
    )
    job = Job(
        "dance",
        (song, *pictures),
        options=options,
        engine=engine,
        seed=seed,
        output=output,
        overwrite=overwrite,
        keep=beside(plan_file, "-clips"),
    )
    return job, tuple(notes)
