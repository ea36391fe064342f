"""What a benchmark comes to: a mean for each method and measure, and how sure the differences are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from keyweave.bench.intervals import Interval, of_mean, of_redrawn, redrawn
from keyweave.bench.measures import MEASURES, Measure
from keyweave.bench.run import REAL
from keyweave.metrics.frechet import frechet_distance

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from keyweave.bench.run import Findings

    Floats = NDArray[np.floating]

FRECHET = Measure(
    "frechet",
    "Frechet (toy-features)",
    False,
    "Frechet video distance on the vectors of toy-features, from real clips that no pair is from",
    True,
)
_FEWEST = 4  # films whose spread can be told
OURS = "full"


@dataclass(frozen=True)
class Group:
    """A method, in all its trainings from as many clips.

    Args:
        name: what tables call it.
        method: what it is.
        clips: how many it learnt from, for this benchmark.
        members: the names of those that took part, one for each seed of training.
    """

    name: str
    method: str
    clips: int | None
    members: tuple[str, ...]


@dataclass(frozen=True)
class Difference:
    """One group minus another, pair by pair.

    Args:
        ours: the one.
        other: the other.
        measures: by measure; pairs are averaged over seeds and trainings first.
        each: by measure, of each training by itself; empty where there is one.
    """

    ours: str
    other: str
    measures: dict[str, Interval | None]
    each: dict[str, list[float]]


@dataclass(frozen=True)
class Summary:
    """What came out.

    Args:
        findings: what it is of.
        measures: those that the material lets be measured, the Frechet distance first.
        groups: the real clips first.
        means: by group and measure; None where too few pairs have it.
        each: by one who took part and measure, the mean of that one.
        ours: the method that the others are compared with.
        differences: ours minus each other method, of as many clips where both learn.
    """

    findings: Findings
    measures: tuple[Measure, ...]
    groups: tuple[Group, ...]
    means: dict[str, dict[str, Interval | None]]
    each: dict[str, dict[str, float]]
    ours: str
    differences: tuple[Difference, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        material = self.findings.material
        return {
            "material": {
                "name": material.name,
                "pairs": len(material.pairs),
                "frames": material.frames,
                "size": list(material.size),
                "real clips beside": len(material.others),
            },
            "seeds": self.findings.seeds,
            "methods": [
                {
                    "name": one.name,
                    "group": one.group,
                    "says": one.says,
                    "options": one.options,
                    "models": {role: vars(mark) for role, mark in one.models.items()},
                    "device": one.device,
                    "dtype": one.dtype,
                    "evaluations": one.evaluations,
                    "remark": one.remark,
                    "means": {key: _known(value) for key, value in self.each[one.name].items()},
                }
                for one in self.findings.contenders
            ],
            "groups": [
                {"name": group.name, "methods": list(group.members), "clips": group.clips, "means": _plain(row)}
                for group in self.groups
                for row in [self.means[group.name]]
            ],
            "differences": [
                {
                    "of": one.ours,
                    "minus": one.other,
                    "measures": _plain(one.measures),
                    "each training": {key: [_known(value) for value in row] for key, row in one.each.items()},
                }
                for one in self.differences
            ],
            "pairs": [
                {"name": pair.name, "values": {name: _of_pair(row, k) for name, row in self.findings.values.items()}}
                for k, pair in enumerate(material.pairs)
            ],
        }


def summarise(findings: Findings) -> Summary:
    """Take means over pairs, seeds and trainings; of differences, those between the same pairs."""
    groups = _groups(findings)
    rows = {
        group.name: {
            one.key: _over_seeds(np.hstack([findings.values[name][one.key] for name in group.members]))
            for one in MEASURES
        }
        for group in groups
    }
    alone = {name: {key: _over_seeds(grid) for key, grid in row.items()} for name, row in findings.values.items()}
    measures = tuple(one for one in MEASURES if any(np.isfinite(row[one.key]).any() for row in rows.values()))
    means = {name: {one.key: of_mean(row[one.key]) for one in measures} for name, row in rows.items()}
    each = {name: {one.key: _mean(row[one.key]) for one in measures} for name, row in alone.items()}
    ours = _ours(groups)
    compared = []
    for a, b in _compared(groups, ours):
        apart = {one.key: of_mean(rows[a.name][one.key] - rows[b.name][one.key]) for one in measures}
        trainings = {
            one.key: [_mean(alone[mine][one.key] - alone[theirs][one.key]) for mine, theirs in _trainings(a, b)]
            for one in measures
        }
        compared.append(Difference(a.name, b.name, apart, trainings))
    real, count = findings.others, len(findings.material.pairs)
    if real is not None and count >= _FEWEST and len(real) >= _FEWEST:
        measures = (FRECHET, *measures)
        vectors = {group.name: np.concatenate([findings.vectors[one] for one in group.members]) for group in groups}
        drawn = {name: redrawn(count, _Distance(films, real)) for name, films in vectors.items()}
        for name, row in means.items():
            row[FRECHET.key] = of_redrawn(drawn[name], count)
        for name, values in each.items():
            values[FRECHET.key] = _Distance(findings.vectors[name], real)(np.arange(count))
        by_name = {group.name: group for group in groups}
        for one in compared:
            one.measures[FRECHET.key] = of_redrawn(drawn[one.ours] - drawn[one.other], count)
            one.each[FRECHET.key] = [
                each[mine][FRECHET.key] - each[theirs][FRECHET.key]
                for mine, theirs in _trainings(by_name[one.ours], by_name[one.other])
            ]
    return Summary(findings, measures, groups, means, each, ours, tuple(compared))


def _groups(findings: Findings) -> tuple[Group, ...]:
    found: dict[str, Group] = {}
    for one in findings.contenders:
        members = found[one.group].members if one.group in found else ()
        found[one.group] = Group(one.group, one.method or one.name, one.clips, (*members, one.name))
    return tuple(found.values())


def _ours(groups: Sequence[Group]) -> str:
    """Choose the method to compare: ours, or the first that learns here, or the first."""
    methods = [group.method for group in groups if group.name != REAL.name]
    learnt = [group.method for group in groups if group.clips is not None]
    return OURS if OURS in methods else (learnt or methods)[0]


def _compared(groups: Sequence[Group], ours: str) -> list[tuple[Group, Group]]:
    """Pair ours with each other method; those that learn from as many clips."""
    return [
        (a, b)
        for a in groups
        for b in groups
        if a.method == ours and b.method not in (ours, REAL.name) and (None in (a.clips, b.clips) or a.clips == b.clips)
    ]


def _trainings(a: Group, b: Group) -> list[tuple[str, str]]:
    """Return who is compared in each training: those of the same seed, or all with the one that has no other."""
    count = max(len(a.members), len(b.members))
    if count == 1:
        return []
    mine, theirs = (group.members * (count if len(group.members) == 1 else 1) for group in (a, b))
    return list(zip(mine, theirs, strict=True))


def _mean(values: Floats) -> float:
    return float(values[np.isfinite(values)].mean()) if np.isfinite(values).any() else float("nan")


@dataclass(frozen=True, eq=False)
class _Distance:
    """The Frechet distance of drawn pairs' films, each seed's by itself: more films at once would come out lower."""

    vectors: Floats  # (S, P, V)
    real: Floats

    def __call__(self, rows: NDArray[np.intp]) -> float:
        return float(np.mean([frechet_distance(films[rows], self.real) for films in self.vectors]))


def _over_seeds(grid: Floats) -> Floats:  # (P, S) -> (P,)
    """Return the mean over those seeds that could be measured; NaN where none could."""
    known = np.isfinite(grid)
    total = np.where(known, grid, 0).sum(axis=1)
    return np.divide(total, known.sum(axis=1), out=np.full(len(grid), np.nan), where=known.any(axis=1))


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _plain(row: dict[str, Interval | None]) -> dict[str, Any]:
    return {key: None if found is None else found.as_dict() for key, found in row.items()}


def _of_pair(row: dict[str, Floats], pair: int) -> dict[str, list[float | None]]:
    return {key: [float(value) if np.isfinite(value) else None for value in grid[pair]] for key, grid in row.items()}
