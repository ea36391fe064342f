"""Where one method gains on another, by how far the actors of a pair cover their own place in the other keyframe.

    python benchmarks/by_overlap.py FOLDER/report.json [--of full] [--minus flow] [--measure swept]
                                    [--other OTHER/report.json]

The report is one of `keyweave bench inbetween` on the drawn world; with --other, the method that is subtracted comes
from another report on the same pairs, such as one of another sampling. Of each pair, the actor that covers itself least
decides: at 0 it has left its place, and flow must guess; near 1 it stays, as flowers do. The last row has all pairs.
"""

import argparse
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from keyweave.base.errors import InputError, KeyweaveError
from keyweave.bench.intervals import of_mean
from keyweave.metrics.records import table
from keyweave.recipes.scores import truth_of
from keyweave.toyworld.scenes import scene_of
from keyweave.toyworld.shots import shoot

BOUNDS = (0.0, 0.01, 0.5, 1.01)


def overlap(number: int, size: tuple[int, int]) -> float:
    """Return how much of itself an actor of a test clip covers in the other keyframe; of several, the least."""
    width, height = size
    scene = scene_of("test", number, aspect=width / height)
    first, last = truth_of(shoot(scene, frames=2, width=width, height=height, truth=True)).masks()
    pixels = np.minimum(first.sum((1, 2)), last.sum((1, 2)))  # (A,); a pair of the benchmark shows all of them twice
    return float(((first & last).sum((1, 2)) / pixels).min())


def means(path: Path, method: str, measure: str) -> tuple[tuple[int, int], dict[str, float]]:
    """Return the size of a report's clips, and what a method has in each pair, those left out that have nothing."""
    try:
        report: dict[str, Any] = json.loads(path.read_text())
        material, pairs = report["material"], report["pairs"]
        width, height = material["size"]
        found = {pair["name"]: pair["values"][method][measure] for pair in pairs}
    except (OSError, ValueError, KeyError, TypeError) as fault:
        raise InputError(
            f"{path} is no report of `keyweave bench inbetween` that has {measure} of {method} ({fault!r}).",
            "Its page, report.md, lists methods; its report.json has the names of measures.",
        ) from None
    if material["name"] != "toyworld":
        raise InputError(
            f"{path} is about {material['name']}; only of the drawn world's test clips is it known who goes where."
        )
    return (width, height), {name: float(np.mean(values)) for name, values in found.items() if None not in values}


def rows(size: tuple[int, int], gains: dict[int, float]) -> list[dict[str, object]]:
    """Return a row for each band of overlaps, and one for all, of what is gained on each test clip."""
    overlaps = {number: overlap(number, size) for number in gains}
    found: list[dict[str, object]] = []
    for low, high in (*pairwise(BOUNDS), (BOUNDS[0], BOUNDS[-1])):
        here = [number for number, covered in overlaps.items() if low <= covered < high]
        mean = of_mean(np.array([gains[number] for number in here]))
        kinds = sorted({"+".join(sorted(role.kind for role in scene_of("test", number).cast)) for number in here})
        row: dict[str, object] = {
            "covers itself": f"{low:g} to {min(high, 1):g}",
            "pairs": len(here),
            "kinds": len(kinds),
        }
        sure = f"[{mean.low:.3g}, {mean.high:.3g}]" if mean else ""
        found.append(
            row | {"gain": f"{mean.value:+.3g}" if mean else "", "95 %": sure, "such as": ", ".join(kinds[:4])}
        )
    return found


def main() -> None:
    """Read, sort, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("report", type=Path)
    parser.add_argument("--of", default="full")
    parser.add_argument("--minus", default="flow")
    parser.add_argument("--measure", default="swept")
    parser.add_argument("--other", type=Path, help="the report that has what is subtracted")
    asked = parser.parse_args()
    try:
        size, mine = means(asked.report, asked.of, asked.measure)
        _, theirs = means(asked.other or asked.report, asked.minus, asked.measure)
    except KeyweaveError as fault:
        parser.error(str(fault))
    gains = {int(name.removeprefix("test clip ")): mine[name] - theirs[name] for name in mine if name in theirs}
    if not gains:
        parser.error("the two reports have no pair in common that was measured")
    print(table(rows(size, gains)))


if __name__ == "__main__":
    main()
