"""What a benchmark comes to: a mean for each method and measure, and how sure the differences are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from keyweave.base.progress import SILENT, Progress
from keyweave.bench.intervals import Interval, of_mean, of_redrawn, redrawn
from keyweave.bench.measures import MEASURES, Measure
from keyweave.bench.names import method_of
from keyweave.bench.run import REAL
from keyweave.bench.standard import FEWEST
from keyweave.metrics.frechet import FrechetDraws, frechet_distance

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
_SHORT = 128  # numbers of a vector: of longer ones, what draws share is computed once
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
        measures: those that the material lets be measured, Frechet distances first.
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
                "gap": material.gap,
                "exact": material.is_exact,
                "real clips beside": len(material.others),
            },
            "seeds": self.findings.seeds,
            **({"standard": _standard(self.findings)} if self.findings.sights else {}),
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
                    "measures": {
                        key: None if found is None else {**found.as_dict(), "zero": found.zero}
                        for key, found in one.measures.items()
                    },
                    "each training": {key: [_known(value) for value in row] for key, row in one.each.items()},
                }
                for one in self.differences
            ],
            "pairs": [
                {"name": pair.name, "values": {name: _of_pair(row, k) for name, row in self.findings.values.items()}}
                for k, pair in enumerate(material.pairs)
            ],
        }


def summarise(findings: Findings, *, progress: Progress = SILENT) -> Summary:
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
    distances = _distances(findings)
    for one in distances:
        _add(one, groups, means, each, compared, progress=progress)
    measures = (*(one.measure for one in distances), *measures)
    return Summary(findings, measures, groups, means, each, ours, tuple(compared))


def _groups(findings: Findings) -> tuple[Group, ...]:
    found: dict[str, Group] = {}
    for one in findings.contenders:
        members = found[one.group].members if one.group in found else ()
        found[one.group] = Group(one.group, one.method or one.name, one.clips, (*members, one.name))
    return tuple(found.values())


def _ours(groups: Sequence[Group]) -> str:
    """Choose the method to compare: ours, best as all sample, or the first that learns here, or the first."""
    methods = [group.method for group in groups if group.name != REAL.name]
    learnt = [group.method for group in groups if group.clips is not None]
    own = sorted((name for name in methods if method_of(name) == OURS), key=lambda name: name != OURS)
    return (own or learnt or methods)[0]


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
    """A Frechet distance from real clips, for everybody.

    Args:
        measure: its column.
        vectors: (S, P, K, V) by one who took part.
        real: (N, V).
        own: whether these are of the pairs' own clips, from which the row of those has none.
    """

    measure: Measure
    vectors: dict[str, Floats]
    real: Floats
    own: bool = False

    def of(self, films: Floats, rows: NDArray[np.intp]) -> float:  # (S, P, K, V)
        """Return that of drawn pairs' films, each seed's by itself: more films at once would come out lower."""
        return float(np.mean([frechet_distance(one[rows].reshape(-1, one.shape[-1]), self.real) for one in films]))

    def redrawn(self, films: Floats, progress: Progress) -> Floats:
        """Return it for the pairs as they are, and then as these are drawn again."""
        _, count, each, width = films.shape
        if width <= _SHORT:
            return redrawn(count, lambda rows: self.of(films, rows))
        draws = [FrechetDraws(one.reshape(-1, width), self.real) for one in films]

        def of_drawn(pairs: NDArray[np.intp]) -> float:
            progress.check()
            rows = (pairs[:, None] * each + np.arange(each)).ravel()
            return float(np.mean([draw(rows) for draw in draws]))

        found = redrawn(count, of_drawn)
        found[0] = self.of(films, np.arange(count))  # the number that is told is exact
        return found


def _distances(findings: Findings) -> list[_Distance]:
    """Return those that can be told of so many pairs."""
    if len(findings.material.pairs) < FEWEST:
        return []
    found = [_Distance(one.standard.kind.measure, one.vectors, one.real, not one.apart) for one in findings.sights]
    if findings.others is None or len(findings.others) < FEWEST:
        return found
    return [
        _Distance(FRECHET, {name: films[:, :, None] for name, films in findings.vectors.items()}, findings.others),
        *found,
    ]


def _add(
    distance: _Distance,
    groups: Sequence[Group],
    means: dict[str, dict[str, Interval | None]],
    each: dict[str, dict[str, float]],
    compared: Sequence[Difference],
    *,
    progress: Progress,
) -> None:
    """Lay a distance beside the measures that each pair has by itself."""
    key, films = distance.measure.key, distance.vectors
    every = np.arange(next(iter(films.values())).shape[1])
    by_name = {group.name: group for group in groups}
    drawn: dict[str, Floats] = {}
    for group in groups:
        known = not (distance.own and group.name == REAL.name)
        if known:
            drawn[group.name] = distance.redrawn(np.concatenate([films[one] for one in group.members]), progress)
        means[group.name][key] = of_redrawn(drawn[group.name], len(every)) if known else None
        for one in group.members:
            each[one][key] = distance.of(films[one], every) if known else float("nan")
    for one in compared:
        one.measures[key] = of_redrawn(drawn[one.ours] - drawn[one.other], len(every))
        trainings = _trainings(by_name[one.ours], by_name[one.other])
        one.each[key] = [each[mine][key] - each[theirs][key] for mine, theirs in trainings]


def _standard(findings: Findings) -> dict[str, Any]:
    return {one.standard.kind.measure.key: one.as_dict() for one in findings.sights}


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
