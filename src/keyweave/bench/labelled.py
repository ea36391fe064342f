"""The benchmark of labelling: every dance is labelled, and set beside what is right (table 7.1 of the thesis)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from keyweave.base.errors import InputError
from keyweave.base.progress import SILENT, Progress
from keyweave.base.recipe import InputMark, Recipe
from keyweave.base.version import VERSION
from keyweave.bench.intervals import Interval, of_mean
from keyweave.bench.kept import Kept
from keyweave.metrics.records import Record
from keyweave.systems.dance.agreement import agreement
from keyweave.systems.dance.labels import Label, write_labels
from keyweave.systems.dance.motions import Distances, motion_of
from keyweave.systems.dance.naming import label_segments

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from keyweave.bench.dancers import Danced
    from keyweave.bench.dances import Dances, Entry
    from keyweave.perceive.poses import JointTrack, RotationTrack
    from keyweave.systems.dance.motions import Segments

    Floats = NDArray[np.floating]
    Options = dict[str, float | None]

THRESHOLDS = tuple(round(0.02 * step, 2) for step in range(1, 41))
_MEASURED = 1  # raised when measures change, so that none of before is taken


def _measure(title: str, says: str) -> Any:
    return field(metadata={"title": title, "says": says})


@dataclass(frozen=True)
class Figures(Record):
    """How well labels agree with the right ones: `agreement.Agreement`, but NaN where there is nothing to measure."""

    rand: float = _measure("ARI", "adjusted Rand index of the labels; 0 is chance")
    information: float = _measure("NMI", "normalised mutual information of the labels")
    precision: float = _measure("precision", "of the pairs of segments that are called mirrored, how many are")
    recall: float = _measure("recall", "of the pairs of segments that are mirrored, how many are called so")
    balance: float = _measure("F1", "the harmonic mean of precision and recall")
    right: float = _measure("right", "share of dances in which every segment is right")


MEASURES = {one.name: one.metadata for one in fields(Figures)}


@dataclass(frozen=True)
class Labelled(Record):
    """A dance that was labelled.

    Args:
        clip: which one.
        truth: the right labels.
        labels: those that were found.
        figures: how well they agree.
        threshold: segments nearer than this were taken for the same motion.
        band: any threshold between these two gives the same clusters.
        rand: the adjusted Rand index for each of `THRESHOLDS`.
        balance: F1 of mirrored pairs for each.
    """

    clip: str
    truth: str
    labels: str
    figures: Figures
    threshold: float
    band: tuple[float, float]
    rand: tuple[float, ...]
    balance: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Line:
    """A line of the table.

    Args:
        entry: what it is of.
        unit: what thresholds are measured in.
        rows: the dances.
        means: by measure; None where fewer than two dances have it.
    """

    entry: Entry
    unit: str
    rows: tuple[Labelled, ...]
    means: dict[str, Interval | None]


@dataclass(frozen=True, eq=False)
class Found:
    """What came out.

    Args:
        dances: what was labelled.
        lines: of the table, those that have a dance.
        left_out: dances that could not be labelled, and why.
        options: the thresholds that were asked for; None for those that are found from each dance.
    """

    dances: Dances
    lines: tuple[Line, ...]
    left_out: tuple[str, ...]
    options: Options

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "data": self.dances.name,
            **self.options,
            "thresholds": list(THRESHOLDS),
            "lines": [
                {
                    "name": line.entry.name,
                    "says": line.entry.says,
                    "unit": line.unit,
                    "means": {key: None if one is None else one.as_dict() for key, one in line.means.items()},
                    "dances": [row.as_dict() for row in line.rows],
                }
                for line in self.lines
            ],
            "left out": list(self.left_out),
        }


def bench_dances(
    dances: Dances,
    folder: Path,
    *,
    threshold: float | None = None,
    mirror_threshold: float | None = None,
    progress: Progress = SILENT,
) -> Found:
    """Label every dance, and measure how well the labels agree with the right ones.

    Stopped at any moment, it goes on where it was: poses, beats and numbers are kept, under the checksum of all that
    decides them.

    Args:
        dances: what is labelled.
        folder: where all that is kept lies.
        threshold: see `label_segments`; found from each dance if not given.
        mirror_threshold: see `label_segments`.
        progress: a step for each dance.
    """
    kept, options = Kept(folder), {"threshold": threshold, "mirror_threshold": mirror_threshold}
    lines: list[Line] = []
    left_out = list(dances.left_out)
    with progress.part("labelling", total=sum(len(entry.clips) for entry in dances.entries)) as part:
        for entry in dances.entries:
            rows: list[Labelled] = []
            unit = ""
            for clip in entry.clips:
                try:
                    danced = clip.read(kept, part)
                    if entry.representation in danced.tracks.known:
                        unit, row = _labelled(clip.name, danced, entry.representation, options, kept)
                        rows.append(row)
                except InputError as fault:
                    left_out.append(f"{clip.name}: {fault}")
                part.step()
            if rows:
                means = {key: of_mean(np.array([getattr(row.figures, key) for row in rows])) for key in MEASURES}
                lines.append(Line(entry, unit, tuple(rows), means))
    left_out = list(dict.fromkeys(left_out))
    if not lines:
        raise InputError("No dance could be labelled.", left_out[0] if left_out else "Ask for other representations.")
    for words in left_out:
        progress.warn(f"left out: {words}")
    return Found(dances, tuple(lines), tuple(left_out), options)


def measured(labels: Sequence[Label], truth: Sequence[Label]) -> Figures:
    """Measure labels of a dance.

    The thesis does not say what it does where nothing is mirrored. To count that as right would flatter everybody, so
    precision is left out where nothing is called mirrored, recall where nothing is, F1 where neither.
    """
    agreed = agreement(labels, truth)
    called, there = _mirrors(labels), _mirrors(truth)
    return Figures(
        rand=agreed.rand,
        information=agreed.information,
        precision=agreed.precision if called else np.nan,
        recall=agreed.recall if there else np.nan,
        balance=agreed.balance if called or there else np.nan,
        right=float(min(agreed.rand, agreed.precision, agreed.recall) == 1),
    )


def _mirrors(labels: Sequence[Label]) -> bool:
    there = set(labels)
    return any(label.mirror in there for label in there)


@dataclass(frozen=True, eq=False)
class _Compared:
    """A `Motion` whose segments are compared already, so that another threshold costs next to nothing."""

    unit: str
    doubt: tuple[float, float]
    known: Distances
    gone: Floats

    def distances(self, segments: Segments) -> Distances:  # noqa: ARG002
        return self.known

    def sideways(self, segments: Segments) -> Floats:  # noqa: ARG002
        return self.gone


def _labelled(name: str, danced: Danced, representation: str, options: Options, kept: Kept) -> tuple[str, Labelled]:
    """Return the unit of distances, and what is kept of a dance or found now."""
    track = danced.tracks.by(representation)
    digest = _recipe(danced, track, representation, options).digest()
    row = kept.numbers(digest)
    if row is None:
        unit, found = _compared(name, danced, track, options)
        kept.keep_numbers(digest, {"unit": unit, **found.as_dict()})
        return unit, found
    figures = Figures(**{key: _number(row["figures"][key]) for key in MEASURES})
    low, high = row["band"]
    return row["unit"], Labelled(
        clip=name,
        truth=row["truth"],
        labels=row["labels"],
        figures=figures,
        threshold=row["threshold"],
        band=(low, np.inf if high is None else high),
        rand=tuple(map(_number, row["rand"])),
        balance=tuple(map(_number, row["balance"])),
    )


def _compared(name: str, danced: Danced, track: JointTrack | RotationTrack, options: Options) -> tuple[str, Labelled]:
    motion, segments = motion_of(track), danced.segments
    known = _Compared(motion.unit, motion.doubt, motion.distances(segments), motion.sideways(segments))
    found = label_segments(known, segments, **options)
    tried = [
        measured(label_segments(known, segments, threshold=threshold).labels, danced.labels) for threshold in THRESHOLDS
    ]
    return motion.unit, Labelled(
        clip=name,
        truth=write_labels(danced.labels),
        labels=write_labels(found.labels),
        figures=measured(found.labels, danced.labels),
        threshold=found.threshold,
        band=found.band,
        rand=tuple(figures.rand for figures in tried),
        balance=tuple(figures.balance for figures in tried),
    )


def _recipe(danced: Danced, track: JointTrack | RotationTrack, representation: str, options: Options) -> Recipe:
    """Say what decides the numbers; where the dance is from does not."""
    arrays = hashlib.sha256(b"".join(np.ascontiguousarray(value).tobytes() for value in vars(track).values()))
    return Recipe(
        system="bench dance",
        engine=representation,
        inputs=(InputMark("track", arrays.hexdigest()),),
        options={
            **options,
            "labels": write_labels(danced.labels),
            "segments": danced.segments,
            "measured": _MEASURED,
        },
        seed=0,
        version=VERSION,
    )


def _number(value: float | None) -> float:
    return np.nan if value is None else value
