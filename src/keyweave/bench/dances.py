"""Dances to be labelled, whose right labels are known: drawn ones, posed bodies, and films that people annotated."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from keyweave.base.errors import InputError
from keyweave.base.recipe import sha256_of_file
from keyweave.base.seeds import derive
from keyweave.base.version import VERSION
from keyweave.bench.annotations import BEATS, Annotation, annotation_of, read_annotation
from keyweave.bench.bodies import body_dance
from keyweave.bench.dancers import CLEAN, Danced, Noise, Tracks, drawn_dance
from keyweave.models.people import find_people
from keyweave.perceive.poses import JointTrack
from keyweave.perceive.tracks import ENDING, read_track, write_track
from keyweave.systems.dance.files import BeatsFile, read_file
from keyweave.systems.dance.stages import beats_of, track_dancer

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

    from keyweave.base.progress import Progress
    from keyweave.bench.kept import Kept
    from keyweave.perceive.poses import RotationTrack

REPRESENTATIONS = {
    "rotations": "rotations of 22 joints, as the paper compares them",
    "space": "directions of bones in space",
    "picture": "directions of bones in the picture",
}
CONDITIONS = {
    "true": (CLEAN, "true poses, each motion danced the same each time"),
    "tempo": (
        Noise(0.0, 0.0, 0.0),
        f"true poses; beats up to {Noise.tempo:.0%} too long or short, motions rushed and delayed between them",
    ),
    "noise": (
        Noise(),
        f"tempo as there; joints {Noise.style:.0%} otherwise each time, {100 * Noise.landmarks:g} cm off in each frame",
    ),
    "double": (Noise().times(2), "twice as much of all of that"),
}
DRAWN: dict[str, tuple[Callable[[int, Noise], Danced], tuple[str, ...], str]] = {
    "toyworld": (drawn_dance, ("picture",), "the drawn dancer"),
    "bodies": (body_dance, tuple(REPRESENTATIONS), "a body of 22 joints, posed by angles"),
}
_FILMS = (".mp4", ".mov", ".mkv", ".webm", ".avi")


@dataclass(frozen=True, eq=False)
class Clip:
    """A dance whose labels are known.

    Args:
        name: where it is from.
        read: looks at it; what takes minutes is kept.
    """

    name: str
    read: Callable[[Kept, Progress], Danced]


@dataclass(frozen=True, eq=False)
class Entry:
    """A line of the table: clips that are looked at in one way.

    Args:
        name: such as "picture, noise".
        says: what that means.
        representation: which of what trackers tell is compared.
        clips: in a fixed order.
    """

    name: str
    says: str
    representation: str
    clips: tuple[Clip, ...]


@dataclass(frozen=True, eq=False)
class Dances:
    """What is to be labelled.

    Args:
        name: of the set.
        entries: the lines of the table.
        left_out: clips that cannot be used, and why.
    """

    name: str
    entries: tuple[Entry, ...]
    left_out: tuple[str, ...] = ()


def invented_dances(
    kind: str, count: int, *, seed: int = 0, representations: Sequence[str] = (), conditions: Sequence[str] = ()
) -> Dances:
    """Invent dances, each under all conditions.

    Args:
        kind: toyworld or bodies.
        count: of dances.
        seed: decides them.
        representations: what is compared; all that there are if empty.
        conditions: names of `CONDITIONS`; all if empty.
    """
    if count < 1:
        raise InputError(f"A benchmark needs 1 dance or more; got {count}.")
    dance, there, who = DRAWN[kind]
    asked = _chosen(representations or there, REPRESENTATIONS, "representation")
    if missing := [name for name in asked if name not in there]:
        raise InputError(f"Of {who} only {' and '.join(there)} is known, not {missing[0]}.", "Add --data bodies.")
    entries = [
        Entry(
            f"{name}, {condition}",
            f"{who}; {REPRESENTATIONS[name]}; {CONDITIONS[condition][1]}",
            name,
            tuple(
                Clip(
                    f"dance {number}",
                    partial(_invented, dance, derive(seed, kind, number, bits=31), CONDITIONS[condition][0]),
                )
                for number in range(count)
            ),
        )
        for name in asked
        for condition in _chosen(conditions or tuple(CONDITIONS), CONDITIONS, "condition")
    ]
    return Dances(kind, tuple(entries))


def folder_dances(folder: Path, *, representations: Sequence[str] = ()) -> Dances:
    """Take films of dances, or poses, that a person annotated; see `annotations`.

    Args:
        folder: holds them, and what was written of them.
        representations: what is compared; all that there are if empty.
    """
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}.", f"Name a folder of dances, or {' or '.join(DRAWN)}.")
    asked = _chosen(representations or tuple(REPRESENTATIONS), REPRESENTATIONS, "representation")
    clips, left_out = [], []
    inside = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    filmed = {path.stem: path for path in inside if path.suffix.lower() in _FILMS}
    posed = {path.stem: path for path in inside if path.suffix == ENDING}
    for name in sorted(filmed.keys() | posed):
        clip = filmed.get(name) or posed[name]
        written = annotation_of(clip)
        if written is None:
            left_out.append(f"{clip.name}: nobody annotated it; there is neither {name}.txt nor {name}.json")
        else:
            annotated = _Annotated(filmed.get(name), posed.get(name), read_annotation(written))
            clips.append(Clip(name, annotated.read))
    if not clips:
        raise InputError(
            f"{folder} holds no dance that is annotated.",
            "Lay the right labels beside each film: dance.txt beside dance.mp4, with a line such as A-A'-B-C.",
        )
    entries = [Entry(name, REPRESENTATIONS[name], name, tuple(clips)) for name in asked]
    return Dances(folder.name, tuple(entries), tuple(left_out))


def _chosen(names: Sequence[str], there: Collection[str], what: str) -> tuple[str, ...]:
    for name in names:
        if name not in there:
            raise InputError(f"There is no {what} {name!r}.", f"Choose from: {', '.join(there)}.")
    return tuple(dict.fromkeys(names))


def _invented(
    dance: Callable[[int, Noise], Danced], seed: int, noise: Noise, _kept: Kept, _progress: Progress
) -> Danced:
    return dance(seed, noise)


@dataclass(frozen=True)
class _Annotated:
    """A dance on a film, or the poses that somebody else found in it, or both."""

    film: Path | None
    poses: Path | None
    written: Annotation

    @property
    def clip(self) -> Path:
        clip = self.film or self.poses
        assert clip is not None
        return clip

    def read(self, kept: Kept, progress: Progress) -> Danced:
        found, labels = self._beats(kept, progress).segments(), self.written.labels
        if len(found) != len(labels):
            raise InputError(
                f"{len(found)} pairs of beats and {len(labels)} labels.",
                f"Lay the right beats beside it as {self.clip.stem}{BEATS}, or tell parity or tempo in its annotation.",
            )
        track = self._track(kept, progress) if self.poses is None else read_track(self.poses)
        tracks = Tracks(joints=track) if isinstance(track, JointTrack) else Tracks(turns=track)
        return Danced(labels, tuple((float(one.start), float(one.stop)) for one in found), tracks)

    def _beats(self, kept: Kept, progress: Progress) -> BeatsFile:
        beside, written = self.clip.with_name(f"{self.clip.stem}{BEATS}"), self.written
        if beside.is_file():
            return read_file(beside, BeatsFile)
        if self.film is None:
            raise InputError("poses tell no beats.", f"Lay {beside.name} beside them, or the film.")
        digest = _digest("beats", sha256_of_file(self.film), written.tempo, written.parity, written.meter)
        row = kept.numbers(digest)
        if row is None:
            heard = beats_of(
                self.film, tempo=written.tempo, parity=written.parity, meter=written.meter, progress=progress
            )
            row = heard.model_dump(mode="json", by_alias=True)
            kept.keep_numbers(digest, row)
        return BeatsFile.model_validate(row)

    def _track(self, kept: Kept, progress: Progress) -> JointTrack | RotationTrack:
        from keyweave.perceive.blazepose.tracker import pose_tracker  # noqa: PLC0415 - an extra

        film, written = self.clip, self.written
        path = kept.path(_digest("poses", sha256_of_file(film), written.crop, written.dancer), ENDING[1:])
        if path.is_file():
            return read_track(path)
        tracker = pose_tracker(find_people(), at=written.dancer)
        track = track_dancer(film, tracker, crop=written.crop, progress=progress)
        write_track(path, track, overwrite=True)
        return track


def _digest(*words: object) -> str:
    return hashlib.sha256(" ".join(map(str, (*words, VERSION))).encode()).hexdigest()
