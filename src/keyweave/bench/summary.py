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
class Summary:
    """What came out.

    Args:
        findings: what it is of.
        measures: those that the material lets be measured, the Frechet distance first.
        means: by method and measure; None where too few pairs have it.
        ours: the method that the others are compared with.
        differences: by other method and measure: ours minus the other, pair by pair.
    """

    findings: Findings
    measures: tuple[Measure, ...]
    means: dict[str, dict[str, Interval | None]]
    ours: str
    differences: dict[str, dict[str, Interval | None]]

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
                    "says": one.says,
                    "options": one.options,
                    "models": {role: vars(mark) for role, mark in one.models.items()},
                    "device": one.device,
                    "dtype": one.dtype,
                    "means": _plain(self.means[one.name]),
                }
                for one in self.findings.contenders
            ],
            "differences": {
                "of": self.ours,
                "minus": {name: _plain(row) for name, row in self.differences.items()},
            },
            "pairs": [
                {"name": pair.name, "values": {name: _of_pair(row, k) for name, row in self.findings.values.items()}}
                for k, pair in enumerate(material.pairs)
            ],
        }


def summarise(findings: Findings) -> Summary:
    """Take means over pairs and seeds; of differences, those between the same pairs."""
    names = [one.name for one in findings.contenders]
    others = [name for name in names if name != REAL.name]
    ours = OURS if OURS in others else others[0]
    averaged = {name: {key: _over_seeds(grid) for key, grid in row.items()} for name, row in findings.values.items()}
    measures = tuple(one for one in MEASURES if any(np.isfinite(row[one.key]).any() for row in averaged.values()))
    means = {name: {one.key: of_mean(row[one.key]) for one in measures} for name, row in averaged.items()}
    differences = {
        name: {one.key: of_mean(averaged[ours][one.key] - averaged[name][one.key]) for one in measures}
        for name in others
        if name != ours
    }
    real, count = findings.others, len(findings.material.pairs)
    if real is not None and count >= _FEWEST and len(real) >= _FEWEST:
        measures = (FRECHET, *measures)
        drawn = {name: redrawn(count, _Distance(findings.vectors[name], real)) for name in names}
        for name in names:
            means[name][FRECHET.key] = of_redrawn(drawn[name], count)
        for name, row in differences.items():
            row[FRECHET.key] = of_redrawn(drawn[ours] - drawn[name], count)
    return Summary(findings, measures, means, ours, differences)


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


def _plain(row: dict[str, Interval | None]) -> dict[str, Any]:
    return {key: None if found is None else found.as_dict() for key, found in row.items()}


def _of_pair(row: dict[str, Floats], pair: int) -> dict[str, list[float | None]]:
    return {key: [float(value) if np.isfinite(value) else None for value in grid[pair]] for key, grid in row.items()}
