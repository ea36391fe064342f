"""From keyframes, a song and a reference dance to a film: the stages one after another, all kept beside it."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keyweave.app.dance_stages import (
    Hearing,
    Reference,
    job_of,
    marks_of,
    read_keyframes,
    say_old,
    write_labels_of,
    write_plan_of,
)
from keyweave.app.fields import read_options
from keyweave.app.inputs import refuse_to_replace
from keyweave.app.jobs import Result, check_output, run_job
from keyweave.base.errors import InputError
from keyweave.base.files import existing_file, explain
from keyweave.base.progress import SILENT, Progress
from keyweave.base.recipe import sha256_of_file
from keyweave.media.writers import is_numbered
from keyweave.models.people import find_people
from keyweave.systems.dance.files import (
    BeatsFile,
    ChoreographyFile,
    FormT,
    PlanFile,
    read_file,
    write_file,
)
from keyweave.systems.dance.options import PLANNED, DanceOptions
from keyweave.systems.dance.stages import (
    Masks,
    Wishes,
    masks_of,
    mirrored_in,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from keyweave.systems.dance.labels import Label

BEATS, CHOREOGRAPHY, PLAN = "beats.json", "choreography.json", "plan.json"


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
    """Name the folder that keeps what a dance was made of: film.dance beside film.mp4, or beside film/%05d.png."""
    one = film.parent if is_numbered(film) else film.with_suffix("")
    return one.with_name(f"{one.name}.dance")


def make_dance(
    keyframes: Sequence[Path],
    reference: Reference,
    output: Path,
    *,
    song: Path | None = None,
    hearing: Hearing | None = None,
    reference_hearing: Hearing | None = None,
    wishes: Wishes | None = None,
    masks: str | None = None,
    mirrored: Path | None = None,
    given: Mapping[str, Any] | None = None,
    engine: str | None = None,
    seed: int | None = None,
    overwrite: bool = False,
    progress: Progress = SILENT,
) -> Danced:
    """Make a dance from nothing but keyframes, a reference and perhaps another song.

    What lies in the folder beside the film, from an earlier try or edited by a person, is used as it is, unless it was
    made from other files or is to be overwritten.

    Args:
        keyframes: pictures of one subject.
        reference: the dance to follow.
        output: the film.
        song: what is danced to; that of the reference without.
        hearing: how the beats of the song are found.
        reference_hearing: how those of the reference are, where there is another song; as usual without.
        wishes: what is asked of the plan.
        masks: see `masks_of`; of the mirrored keyframes too where these are given.
        mirrored: a folder that `keyweave dance mirror` made of these keyframes.
        given: options of the film.
        engine: who draws the in-betweens.
        seed: decides all chance.
        overwrite: whether what exists may be replaced.
        progress: a part for each stage.
    """
    hearing = hearing or Hearing()
    followed = hearing if song is None else reference_hearing or Hearing()
    # What cannot be is refused before minutes of work.
    check_output(output, overwrite=overwrite)
    _check_film(given or {})
    read_keyframes(keyframes)
    (wishes or Wishes()).check()
    others = [] if mirrored is None else mirrored_in(mirrored, len(keyframes))
    drawn = Path(masks) if masks and Path(masks).is_dir() else None
    refuse_to_replace([*keyframes, *others, *filter(None, (reference.film, reference.poses, song, drawn))], output)
    cut_by = masks_of(masks, others or keyframes, progress=progress)
    folder = folder_beside(output)
    with _not_left_empty(folder), progress.part("planning", 0.5) as part:
        kept = _Kept(folder, anew=overwrite, progress=part)
        known = kept.choreography(reference, followed)
        heard = None if song is None else kept.beats(song, hearing)  # which is quicker than to follow a dancer
        choreography = known or kept.label(reference, followed)
        plan = kept.plan(choreography.labels, keyframes, wishes or Wishes(), cut_by, others)
    job, notes = job_of(
        folder / PLAN,
        heard or choreography,
        song or reference.film,
        given=given or {},
        engine=engine,
        seed=seed,
        output=output,
        overwrite=overwrite,
    )
    with progress.part("film", 0.5) as part:
        result = run_job(job, part)
    told = [*choreography.notes, *(heard.notes if heard else ()), *plan.notes, plan.relaxed, *notes]
    return Danced(result, folder, choreography.labels, tuple(dict.fromkeys(filter(None, told))))


def _check_film(given: Mapping[str, Any]) -> None:
    """Refuse options of the film that cannot be, or that its plan and its beats say."""
    for name in PLANNED:
        if name in given:
            raise InputError(
                f"A dance finds out by itself what --{name.replace('_', '-')} says.",
                f"Edit {CHOREOGRAPHY}, {BEATS} or {PLAN} in the folder beside the film.",
            )
    read_options(DanceOptions, {**given, "walk": (1, 2), "beats": ("0", "1")})


@contextmanager
def _not_left_empty(folder: Path) -> Iterator[None]:
    """Make a folder and those above it, and take away again those into which nothing came."""
    try:
        if folder.exists() and not folder.is_dir():
            raise InputError(
                f"{folder}, which is to hold what the dance is made of, is a file.",
                "Move it away, or choose another name with -o.",
            )
        missing = [place for place in (folder, *folder.parents) if not place.exists()]
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise explain(fault, folder, "write") from fault
    try:
        yield
    finally:
        for place in missing:
            if any(place.iterdir()):
                break
            place.rmdir()


@dataclass(frozen=True)
class _Kept:
    """The files of a dance, used where they fit what is asked and made where they do not."""

    folder: Path
    anew: bool
    progress: Progress

    def choreography(self, reference: Reference, hearing: Hearing) -> ChoreographyFile | None:
        """Return what is there and fits; None if it must be made, and can be."""
        path, mark = self.folder / CHOREOGRAPHY, sha256_of_file(existing_file(reference.film))
        found = self._read(path, ChoreographyFile)
        asked = _asked(reference, hearing)
        if found is not None and self._fits(path, found.made_from in ("", mark) and found.asked in ("", asked)):
            return found
        if reference.poses is None:
            find_people()  # that they are not there is better said before a song is listened to
        return None

    def label(self, reference: Reference, hearing: Hearing) -> ChoreographyFile:
        """Make the choreography."""
        path, asked = self.folder / CHOREOGRAPHY, _asked(reference, hearing)
        with self.progress.part("choreography", 0.5) as part:
            with part.part("beats", 0.3) as heard:
                beats = hearing.beats(reference.film, heard)
            with part.part("labels", 0.7) as seen:
                return write_labels_of(path, reference, beats, asked=asked, overwrite=True, aside=True, progress=seen)

    def beats(self, song: Path, hearing: Hearing) -> BeatsFile:
        path, mark = self.folder / BEATS, sha256_of_file(existing_file(song))
        found = self._read(path, BeatsFile)
        if found is not None and self._fits(path, found.made_from in ("", mark) and found.asked in ("", hearing.words)):
            return found
        with self.progress.part("beats", 0.1) as part:
            made = hearing.beats(song, part)
        say_old(path, write_file(path, made, overwrite=True, aside=True), self.progress)
        return made

    def plan(
        self,
        labels: Sequence[Label],
        keyframes: Sequence[Path],
        wishes: Wishes,
        masks: Masks,
        mirrored: Sequence[Path],
    ) -> PlanFile:
        path = self.folder / PLAN
        found = self._read(path, PlanFile)
        same = found is not None and found.made_from == marks_of([*keyframes, *mirrored], masks)
        if found is not None:
            fits = (same or not found.made_from) and found.asked in ("", wishes.words)
            if self._fits(path, fits and found.labels == tuple(labels)):
                return found
        with self.progress.part("plan", 0.4) as part:
            return write_plan_of(
                path,
                labels,
                keyframes,
                wishes=wishes,
                masks=masks,
                mirrored=mirrored,
                painted=same,
                overwrite=True,
                aside=True,
                progress=part,
            )

    def _read(self, path: Path, model: type[FormT]) -> FormT | None:
        return None if self.anew or not path.is_file() else read_file(path, model)

    def _fits(self, path: Path, fits: bool) -> bool:
        """Say whether a file is used; one that is not stays until another takes its place, and by another name then."""
        self.progress.say(
            f"Using {path}; --overwrite makes it anew." if fits else f"{path} was made for something else."
        )
        return fits


def _asked(reference: Reference, hearing: Hearing) -> str:
    return f"{hearing.words} {reference.words}"
