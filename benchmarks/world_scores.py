"""How good an image-to-video model of the drawn world is, on more clips than its card has: the same scores, by blocks.

    python benchmarks/world_scores.py FOLDER [--model toy-video] [--blocks 5] [--clips 200]

A block is so many clips of the test split, after those of the block before it; the first is the card's own. What is
measured is told in docs/train.md. Whole blocks are kept in FOLDER: stopped, the same command goes on after the last of
them. The last row has all blocks together: shares of all their clips or frames, and the mean of all else.
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from keyweave.base.files import write_text
from keyweave.base.progress import Progress
from keyweave.cli.face import watched
from keyweave.metrics.records import table
from keyweave.models.finding import find
from keyweave.models.loading import load
from keyweave.perceive.features import load_features
from keyweave.recipes.scores import COUNT, video_scores

WHOSE = ("real", "autoencoder", "made")
LEAST = 40
OF = {  # what each share is a share of
    "forward": "clips",
    "right way": "movers",
    "kind": "frames with a clear actor",
    "color": "frames with a clear actor",
    "color told": "frames of an actor told",
}


def block(kept: Path, model: str, begin: int, count: int, progress: Progress) -> dict[str, float]:
    """Return the scores of some clips, measured now or before."""
    found, judge = find(model, "image-to-video"), find("toy-features", "features")
    asked = {"model": asdict(found.mark()), "judge": asdict(judge.mark()), "begin": begin, "clips": count}
    if kept.is_file() and (before := json.loads(kept.read_text()))["asked"] == asked:
        return before["scores"]
    parts, features = load(found, device="cpu", dtype="float32"), load_features(judge, device="cpu")
    scores = video_scores(parts, features, count, progress=progress, begin=begin)
    write_text(kept, json.dumps({"asked": asked, "scores": scores}, indent=1) + "\n", overwrite=True)
    return scores


def together(blocks: list[dict[str, float]]) -> dict[str, float]:
    """Return the scores of all blocks as one."""
    found = {name: float(np.mean([one[name] for one in blocks])) for name in blocks[0]}
    for name, of in OF.items():
        weights = [one[of] for one in blocks]
        for whose in WHOSE:
            shares = [one[f"{name}, {whose}"] for one in blocks]
            found[f"{name}, {whose}"] = float(np.average(shares, weights=weights))
    return found | {of: sum(one[of] for one in blocks) for of in OF.values()}


def rows(blocks: dict[str, dict[str, float]], names: list[str]) -> str:
    """Return a table of some scores."""
    return table(
        [{"from clip": begin, **{name: round(one[name], 4) for name in names}} for begin, one in blocks.items()]
    )


def main() -> None:
    """Measure, write, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="toy-video")
    parser.add_argument("--blocks", type=int, default=5)
    parser.add_argument("--clips", type=int, default=COUNT, help="of a block")
    asked = parser.parse_args()
    if asked.blocks < 1:
        parser.error("--blocks: at least 1")
    if asked.clips < LEAST:
        parser.error(f"--clips: fewer than {LEAST} may have no mover, or nobody in full view")
    with watched("scores", as_json=False) as progress, progress.part("blocks", total=asked.blocks) as part:
        blocks: dict[str, dict[str, float]] = {}
        for begin in range(0, asked.blocks * asked.clips, asked.clips):
            blocks[str(begin)] = block(asked.folder / f"{begin}.json", asked.model, begin, asked.clips, part)
            part.step()
    shown = blocks | {"all": together([*blocks.values()])}
    for whose in WHOSE:
        print(f"\n{rows(shown, [f'{name}, {whose}' for name in (*OF, 'distance')])}")
    print(f"\n{rows(shown, [*dict.fromkeys(OF.values()), 'autoencoder, dB', 'colors kept', 'distance, floor'])}")


if __name__ == "__main__":
    main()
