"""What a clip between two pictures gains from more evaluations of the network, by solver: where presets come from.

    python benchmarks/samplings.py FOLDER [--pairs 24] [--method full] [--adapter REF] [--way steps=12,repeats=5 ...]
                                   [--seeds 1]

Each way of sampling fills the same pairs of the drawn world's validation split from the same noise, so that nothing is
chosen by the pairs that methods are compared on; the measures are those of `keyweave bench inbetween` (docs/bench.md).
A way is written as for `--sampling`, and changes `fast,sketch=none`. Clips are kept in FOLDER: stopped, the same
command goes on, and ways that are added are made beside those that are there. curves.png has a line for each solver,
number of tries and sketch, of ways that are led as the presets are and repeat no step, over the evaluations of the
network for one clip; samplings.md has all.
"""

import argparse
from dataclasses import replace
from pathlib import Path

from keyweave.base.files import write_text
from keyweave.bench.chart import Line, Point, growth
from keyweave.bench.contenders import Contender, Learnt, contenders
from keyweave.bench.pairs import toyworld_pairs
from keyweave.bench.run import Judge, bench_inbetween
from keyweave.bench.summary import Summary, summarise
from keyweave.cli.face import watched
from keyweave.media.pictures.images import write_image
from keyweave.metrics.records import table
from keyweave.models.finding import find
from keyweave.perceive.features import load_features
from keyweave.systems.inbetween.presets import parse_sampling
from keyweave.systems.inbetween.sampling import Sampling

SHOWN = ("frechet", "progress", "swept", "psnr", "found", "ends")
PLAIN = "fast,sketch=none"  # what a way changes
UNLED = "guidance=1"
WAYS = (
    *(f"steps={steps}" for steps in (6, 8, 12, 25, 50)),
    *(f"steps={steps},solver=multistep" for steps in (6, 12, 25)),
    *(f"steps={steps},solver=heun" for steps in (4, 6, 12)),
    "steps=12,repeats=2",
    "steps=25,repeats=5",
    *(f"steps={steps},sketch=flow" for steps in (8, 12, 25)),
    "steps=12,tries=3,sketch=flow",
    *(f"steps={steps},{UNLED}" for steps in (12, 25, 50)),
)
OTHERS = 128


def contender(method: str, way: str, given: Learnt) -> Contender:
    """Return a method that samples in one way, under that way's name."""
    (one,) = contenders([method], replace(given, sampling=_read(way)))
    return replace(one, name=way)


def rows(summary: Summary) -> list[dict[str, object]]:
    """Return a row for each way, those that cost least first."""
    ways = sorted(summary.findings.contenders, key=lambda one: one.evaluations or 0)
    found = []
    for one in ways:
        means = summary.means[one.name]
        numbers = {measure.title: mean.value if (mean := means[measure.key]) else None for measure in summary.measures}
        found.append({"way": one.name, "evaluations": one.evaluations or "", **numbers})
    return found


def lines(summary: Summary, key: str) -> list[Line]:
    """Return a line for each solver and kind of choice, of ways that are led as the presets are, without repeats."""
    dots: dict[str, list[Point]] = {}
    for one in summary.findings.contenders:
        mean = summary.means[one.name].get(key)
        if one.evaluations and mean and (sampling := _read(one.name)) and is_led_once(sampling):
            words = [sampling.solver]
            words += [f"{sampling.tries} tries"] * (sampling.tries > 1) + ["a sketch"] * (sampling.sketch != "none")
            dots.setdefault(", ".join(words), []).append(Point(one.evaluations, mean))
    return [Line(name, sorted(some, key=lambda point: point.clips)) for name, some in dots.items()]


def _read(way: str) -> Sampling:
    return parse_sampling(f"{PLAIN},{way}")


def is_led_once(sampling: Sampling) -> bool:
    """Tell whether a sampling is led as the presets are, and repeats no step."""
    return not sampling.repeats and sampling.guidance == Sampling().guidance


def main() -> None:
    """Fill, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pairs", type=int, default=24)
    parser.add_argument("--method", default="full")
    parser.add_argument("--model", default="toy-video")
    parser.add_argument("--adapter", help="that of the method full")
    parser.add_argument("--seeds", type=int, default=1, help="clips for each pair and way")
    parser.add_argument("--way", nargs="+", help=f"default: {'; '.join(WAYS)}")
    asked = parser.parse_args()
    with watched("samplings", as_json=False) as progress:
        given = Learnt(find(asked.model, "image-to-video"), Sampling(), asked.adapter)
        judge = find("toy-features", "features")
        findings = bench_inbetween(
            toyworld_pairs(asked.pairs, others=OTHERS, split="validation"),
            [contender(asked.method, way, given) for way in asked.way or WAYS],
            asked.folder / "cache",
            judge=Judge(load_features(judge), judge.mark()),
            seeds=asked.seeds,
            progress=progress,
        )
        progress.end()
    summary = summarise(findings)
    found = rows(summary)
    write_text(asked.folder / "samplings.md", table(found, style="markdown") + "\n", overwrite=True)
    panels = [(measure.title, lines(summary, measure.key)) for measure in summary.measures if measure.key in SHOWN]
    costs = sorted({point.clips for _, some in panels for line in some for point in line.points})
    if len(costs) > 1:
        picture = growth(panels, costs, title="evaluations of the network for a clip", facts=f"{asked.pairs} pairs")
        write_image(asked.folder / "curves.png", picture, overwrite=True)
    print(table(found))


if __name__ == "__main__":
    main()
