"""Where one method gains on another, by how far the actors of a pair cover their own place in the other keyframe.

    python benchmarks/by_overlap.py FOLDER/report.json [--of full] [--minus flow] [--measure swept]

The report is one of `keyweave bench inbetween` on the drawn world. Of each pair, the actor that covers itself least
decides: at 0 it has left its place, and flow must guess; near 1 it stays, as flowers do.
"""

import argparse
import json
from itertools import pairwise
from pathlib import Path

import numpy as np

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


def main() -> None:
    """Read, sort, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("report", type=Path)
    parser.add_argument("--of", default="full")
    parser.add_argument("--minus", default="flow")
    parser.add_argument("--measure", default="swept")
    asked = parser.parse_args()
    try:
        report = json.loads(asked.report.read_text())
        size, name = tuple(report["material"]["size"]), report["material"]["name"]
        known = [set(report["pairs"][0]["values"][method]) for method in (asked.of, asked.minus)]
    except (OSError, ValueError, KeyError, IndexError, TypeError) as fault:
        parser.error(f"{asked.report}: no report of `keyweave bench inbetween` that has both methods ({fault!r})")
    if name != "toyworld":
        parser.error(f"{asked.report} is about {name}; only of the drawn world's test clips is it known who goes where")
    if not all(asked.measure in measures for measures in known):
        parser.error(f"--measure: there is no {asked.measure}; choose from {', '.join(sorted(set.union(*known)))}")
    overlaps, gains, kinds = [], [], []
    for pair in report["pairs"]:
        number = int(pair["name"].removeprefix("test clip "))
        mine, theirs = (np.mean(pair["values"][name][asked.measure]) for name in (asked.of, asked.minus))
        overlaps.append(overlap(number, size))
        gains.append(mine - theirs)
        kinds.append("+".join(sorted(role.kind for role in scene_of("test", number).cast)))
    rows = []
    for low, high in pairwise(BOUNDS):
        here = [number for number, covered in enumerate(overlaps) if low <= covered < high]
        found = of_mean(np.array([gains[number] for number in here]))
        sure = f"[{found.low:.2f}, {found.high:.2f}]" if found else ""
        who = sorted({kinds[number] for number in here})
        row = {"covers itself": f"{low:g} to {min(high, 1):g}", "pairs": len(here), "kinds": len(who)}
        rows.append(row | {"gain": f"{found.value:+.2f}" if found else "", "95 %": sure, "such as": ", ".join(who[:4])})
    print(table(rows))


if __name__ == "__main__":
    main()
