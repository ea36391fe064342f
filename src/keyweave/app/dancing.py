"""From keyframes, a song and a reference dance to a film: the stages one after another, all kept beside it."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
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
from keyweave.app.jobs import Result, check_output, run_job
from keyweave.base.files import existing_file
from keyweave.base.progress import SILENT, Progress
from keyweave.base.recipe import sha256_of_file
from keyweave.models.people import find_people
from keyweave.systems.dance.files import (
    BeatsFile,
    ChoreographyFile,
    FormT,
    PlanFile,
    read_file,
    write_file,
)
from keyweave.systems.dance.options import DanceOptions
from keyweave.systems.dance.stages import (
    Masks,
    Wishes,
    masks_of,
    mirrored_in,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

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
    """Name the folder that keeps what a dance was made of: film.dance beside film.mp4."""
    return film.with_name(f"{film.stem}.dance")


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
    folder = folder_beside(output)
    check_output(output, overwrite=overwrite)
    read_options(DanceOptions, {**(given or {}), "walk": (1, 2), "beats": ("0", "1")})  # before minutes of work
    read_keyframes(keyframes)
    (wishes or Wishes()).check()
    others = [] if mirrored is None else mirrored_in(mirrored, len(keyframes))
    cut_by = masks_of(masks, others or keyframes, progress=progress)
    with _not_left_empty(folder), progress.part("planning", 0.5) as part:
        kept = _Kept(folder, anew=overwrite, progress=part)
        choreography = kept.choreography(reference, followed)
        heard = choreography if song is None else kept.beats(song, hearing)
        plan = kept.plan(choreography.labels, keyframes, wishes or Wishes(), cut_by, others)
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
    with progress.part("film", 0.5) as part:
        result = run_job(job, part)
    told = [*choreography.notes, *(heard.notes if song else ()), *plan.notes, plan.relaxed, *notes]
    return Danced(result, folder, choreography.labels, tuple(dict.fromkeys(filter(None, told))))


@contextmanager
def _not_left_empty(folder: Path) -> Iterator[None]:
    """Make a folder, and take it away again if nothing came into it."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        if not any(folder.iterdir()):
            folder.rmdir()


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
