"""From keyframes, a song and a reference dance to a film: the stages one after another, all kept beside it."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from keyweave.app.fields import read_options
from keyweave.app.jobs import Job, Result, run_job, sidecar_of
from keyweave.base.errors import InputError
from keyweave.base.files import existing_file, refuse_existing, replacing_folder
from keyweave.base.progress import SILENT, Progress
from keyweave.base.recipe import sha256_of_file
from keyweave.media.pictures.images import read_image, write_image
from keyweave.models.people import find_people
from keyweave.perceive.tracks import read_track, write_track
from keyweave.systems.dance.files import (
    BeatsFile,
    ChoreographyFile,
    FormT,
    PlanFile,
    check_name,
    pictures_of,
    read_file,
    write_file,
)
from keyweave.systems.dance.label_chart import label_chart
from keyweave.systems.dance.mirror import mirror_keyframes
from keyweave.systems.dance.options import DanceOptions
from keyweave.systems.dance.plan_chart import plan_chart
from keyweave.systems.dance.segments import keyframe_times
from keyweave.systems.dance.stages import (
    Masks,
    Wishes,
    beats_of,
    fill_with,
    label_dance,
    masks_of,
    mirrored_names,
    plan_dance,
    track_dancer,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from keyweave.media.types import Image
    from keyweave.perceive.poses import JointTrack, RotationTrack
    from keyweave.systems.dance.labels import Label
    from keyweave.systems.dance.stages import Box

BEATS, CHOREOGRAPHY, PLAN = "beats.json", "choreography.json", "plan.json"


@dataclass(frozen=True)
class Reference:
    """The dance that is followed.

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

    @property
    def words(self) -> str:
        """What is asked of it, the same for the same."""
        poses = "" if self.poses is None else sha256_of_file(existing_file(self.poses))
        return f"poses [{poses}] dancer {self.dancer} crop {self.crop} within {self.threshold} {self.mirror_threshold}"


@dataclass(frozen=True)
class Hearing:
    """How beats are found; see `perceive.beats.find_beats`."""

    tempo: Any = "x1"
    offset: Fraction = Fraction(0)
    parity: int | None = None
    meter: Any = "4/4"

    @property
    def words(self) -> str:
        """What is asked, the same for the same."""
        return f"tempo {self.tempo} offset {self.offset} parity {self.parity} meter {self.meter}"

    def beats(self, song: Path, progress: Progress) -> BeatsFile:
        """Find the beats of a song."""
        return beats_of(
            song, tempo=self.tempo, offset=self.offset, parity=self.parity, meter=self.meter, progress=progress
        )


@dataclass(frozen=True)
class Danced:
    """A dance that was made.

    Args:
        result: the film.
        folder: what was found and planned on the way.
        labels: the choreography.
        notes: what may not be what was wanted.
    """

    result: Result
    folder: Path
    labels: tuple[Label, ...]
    notes: tuple[str, ...] = field(default=())


def folder_beside(film: Path) -> Path:
    """Name the folder that keeps what a dance was made of: film.dance beside film.mp4."""
    return film.with_name(f"{film.stem}.dance")


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
    progress: Progress = SILENT,
) -> ChoreographyFile:
    """Name the motions of a dance, and write them with a picture of each and how the dancer moves."""
    check_name(file, ChoreographyFile)
    poses, picture = beside(file, "-poses.npz"), beside(file, ".png")
    for path in (file, picture, *([poses] if reference.poses is None else [])):
        refuse_existing(path, overwrite=overwrite)
    track = _track_of(reference, progress)
    if reference.poses is None:
        write_track(poses, track, overwrite=overwrite)
    made, found = label_dance(
        track, beats, threshold=reference.threshold, mirror_threshold=reference.mirror_threshold, asked=asked
    )
    write_image(picture, label_chart(reference.film, beats.segments(), found), overwrite=overwrite)
    write_file(file, made, overwrite=overwrite)
    return made


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
    axis: float | None = None,
    keep: bool = False,
    painted: bool = False,
    overwrite: bool = False,
    progress: Progress = SILENT,
) -> PlanFile:
    """Write the mirrored keyframes, the plan, and a picture of it.

    Args:
        file: of the plan; the others are named after it.
        labels: the choreography.
        keyframes: pictures of the subject.
        wishes: what else is asked.
        masks: who tells subjects from the background.
        axis: see `mirror_keyframes`.
        keep: see `mirror_keyframes`.
        painted: leave the pictures of an earlier plan for the same keyframes; a person may have mended them.
        overwrite: whether what lies there may be replaced.
        progress: a part of the job.
    """
    check_name(file, PlanFile)
    folder, chart = beside(file, "-keyframes"), beside(file, ".png")
    for path in (file, chart):
        refuse_existing(path, overwrite=overwrite)
    masks = masks or Masks()
    paths = [folder / name for name in mirrored_names(len(keyframes))]
    painted = painted and all(path.is_file() for path in paths)
    images = read_keyframes(keyframes)
    # Where there is no plan, its keyframes are not left behind either.
    with nullcontext() if painted else replacing_folder(folder, overwrite=overwrite) as fresh:
        with progress.part("mirroring keyframes"):
            made = mirror_keyframes(images, axis=axis, masker=masks.masker, keep=keep)
        with progress.part("planning") as part:
            marks = _marks_of(keyframes, masks)
            planned, plan = plan_dance(labels, made, paths, file.parent, made_from=marks, wishes=wishes, progress=part)
        if fresh is not None:
            fill_with(made, fresh)
    frames = [image.pixels for image in made.pictures]
    write_image(chart, plan_chart(plan, frames, made.mirror, title=file.name), overwrite=overwrite)
    write_file(file, planned, overwrite=overwrite)
    return planned


def read_keyframes(paths: Sequence[Path]) -> list[Image]:
    """Read the keyframes of a dance: two or more, of one size."""
    if len(paths) < 2:
        raise InputError(f"A dance needs 2 keyframes or more; got {len(paths)}.", "Six make a lively one.")
    images = [read_image(path) for path in paths]
    for path, image in zip(paths, images, strict=True):
        if image.size != images[0].size:
            sizes = f"{path} is {image.width}x{image.height}, {paths[0]} {images[0].width}x{images[0].height}"
            raise InputError(f"Keyframes of a dance have one size; {sizes}.", "Fit them to one size first.")
    return images


def _marks_of(keyframes: Sequence[Path], masks: Masks) -> tuple[str, ...]:
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
    divided = beats.segments()
    count = min(len(divided), len(plan.labels))
    notes = []
    if len(divided) != len(plan.labels):
        notes.append(
            f"The plan has {len(plan.labels)} segments and the song {len(divided)}: the first {count} are danced."
        )
    options = read_options(
        DanceOptions,
        {**given, "walk": plan.walk[: 2 * count], "beats": keyframe_times(divided[:count])},
    )
    job = Job(
        "dance",
        (song, *pictures_of(plan, plan_file.parent)),
        options=options,
        engine=engine,
        seed=seed,
        output=output,
        overwrite=overwrite,
    )
    return job, tuple(notes)


def make_dance(
    keyframes: Sequence[Path],
    reference: Reference,
    output: Path,
    *,
    song: Path | None = None,
    hearing: Hearing | None = None,
    wishes: Wishes | None = None,
    masks: str | None = None,
    given: Mapping[str, Any] | None = None,
    engine: str | None = None,
    seed: int | None = None,
    overwrite: bool = False,
    progress: Progress = SILENT,
) -> Danced:
    """Make a dance from nothing but keyframes, a reference and perhaps another song.

    What lies in the folder beside the film, from an earlier try or edited by a person, is used as it is, unless it was
    made from other files or is to be overwritten.
    """
    hearing = hearing or Hearing()
    folder = folder_beside(output)
    refuse_existing(output, overwrite=overwrite)
    refuse_existing(sidecar_of(output), overwrite=overwrite)
    read_options(DanceOptions, {**(given or {}), "walk": (1, 2), "beats": ("0", "1")})  # before minutes of work
    read_keyframes(keyframes)
    cut_by = masks_of(masks, keyframes, progress=progress)
    folder.mkdir(parents=True, exist_ok=True)
    kept = _Kept(folder, anew=overwrite, progress=progress)
    choreography = kept.choreography(reference, hearing)
    heard = choreography if song is None else kept.beats(song, hearing)
    plan = kept.plan(choreography.labels, keyframes, wishes or Wishes(), cut_by)
    job, notes = job_of(
        folder / PLAN,
        heard,
        song or reference.film,
        given=given or {},
        engine=engine,
        seed=seed,
        output=output,
        overwrite=overwrite,
    )
    result = run_job(job, progress)
    told = [*choreography.notes, *(heard.notes if song else ()), *plan.notes, plan.relaxed, *notes]
    return Danced(result, folder, choreography.labels, tuple(dict.fromkeys(filter(None, told))))


@dataclass(frozen=True)
class _Kept:
    """The files of a dance, used where they fit what is asked and made where they do not."""

    folder: Path
    anew: bool
    progress: Progress

    def choreography(self, reference: Reference, hearing: Hearing) -> ChoreographyFile:
        path, mark = self.folder / CHOREOGRAPHY, sha256_of_file(existing_file(reference.film))
        asked = f"{hearing.words} {reference.words}"
        found = self._read(path, ChoreographyFile)
        if found is not None and self._fits(path, found.made_from in ("", mark) and found.asked in ("", asked)):
            return found
        if reference.poses is None:
            find_people()  # that they are not there is better said before the song is listened to
        beats = hearing.beats(reference.film, self.progress)
        return write_labels_of(path, reference, beats, asked=asked, overwrite=True, progress=self.progress)

    def beats(self, song: Path, hearing: Hearing) -> BeatsFile:
        path, mark = self.folder / BEATS, sha256_of_file(existing_file(song))
        found = self._read(path, BeatsFile)
        if found is not None and self._fits(path, found.made_from in ("", mark)):
            return found
        made = hearing.beats(song, self.progress)
        write_file(path, made, overwrite=True)
        return made

    def plan(self, labels: Sequence[Label], keyframes: Sequence[Path], wishes: Wishes, masks: Masks) -> PlanFile:
        path = self.folder / PLAN
        found = self._read(path, PlanFile)
        same = found is not None and found.made_from == _marks_of(keyframes, masks)
        if found is not None:
            fits = (same or not found.made_from) and found.asked in ("", wishes.words)
            if self._fits(path, fits and found.labels == tuple(labels)):
                return found
        return write_plan_of(
            path, labels, keyframes, wishes=wishes, masks=masks, painted=same, overwrite=True, progress=self.progress
        )

    def _read(self, path: Path, model: type[FormT]) -> FormT | None:
        return None if self.anew or not path.is_file() else read_file(path, model)

    def _fits(self, path: Path, fits: bool) -> bool:
        """Say whether a file is used; one that is not is put aside, since a person may have worked on it."""
        if fits:
            self.progress.say(f"Using {path}; --overwrite makes it anew.")
            return True
        aside = beside(path, ".old.json")
        path.replace(aside)
        self.progress.say(f"{path} was made for something else; it is now {aside.name}.")
        return False
