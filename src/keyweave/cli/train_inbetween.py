"""`keyweave train inbetween`: teach a model's backward branch on people's own clips."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from keyweave.cli.face import show_json, size_words, watched
from keyweave.cli.parser import Parser, chosen

if TYPE_CHECKING:
    import argparse

    from keyweave.systems.inbetween.tune import Measured

NAME = "inbetween"
_HOW = """\
Fifty to a hundred clips in which something moves are enough. They are encoded once and kept; the folder also keeps
checkpoints, a journal, pictures of the loss and of in-betweens on the way, and in the end adapter/. Stopped at any
moment, even killed, the same command goes on where it was.

examples:
  keyweave train inbetween --videos clips --model ./svd -o runs/mine --precision bf16 --checkpointing --dry-run
  keyweave train inbetween --videos toyworld --minutes 30 -o runs/toy"""


def build(command: str) -> Parser:
    """Make the parser."""
    from keyweave.systems.inbetween.tuning import TuneOptions  # noqa: PLC0415 - pydantic is slow to import

    says = "Fine-tune the backward branch of generative in-betweening on your own clips."
    parser = Parser(f"{command} {NAME}", says, usage="--videos DIR -o FOLDER [options]", epilog=_HOW)
    parser.set_defaults(recipe=NAME)
    parser.add_argument("-o", "--output", type=Path, metavar="FOLDER", required=True, help="where everything is kept")
    parser.add_model(TuneOptions)
    parser.add_argument("--dry-run", action="store_true", help="measure, say what would be done, and do nothing")
    parser.add_argument("--json", action="store_true", help="print events as JSON lines")
    return parser


def run(args: argparse.Namespace) -> int:
    """Measure, or train."""
    from keyweave.app.fields import read_options  # noqa: PLC0415 - the help must be quick
    from keyweave.base.errors import InputError  # noqa: PLC0415
    from keyweave.base.extras import need  # noqa: PLC0415
    from keyweave.systems.inbetween.tuning import TuneOptions  # noqa: PLC0415

    given = chosen(args, TuneOptions)
    if "videos" not in given:
        raise InputError("Fine-tuning needs clips.", "Name a folder of them with --videos, or write --videos toyworld.")
    options = read_options(TuneOptions, given)
    for package in ("diffusers", "transformers", "accelerate"):
        need(package, "training")
    from keyweave.systems.inbetween.tune import measured, tune  # noqa: PLC0415

    with watched(args.command, as_json=args.json) as progress:
        if args.dry_run:
            _tell(measured(options, progress), as_json=args.json)
            return 0
        card = tune(options, args.output, progress)
        progress.end()
    if not args.json:
        before, after = card.scores["loss, before"], card.scores["loss, after"]
        plural = "s" if card.steps > 1 else ""
        print(
            f"\n{args.output / 'adapter'}: {card.steps:,} step{plural}; "
            f"the error on held-out clips went from {before:g} to {after:g}"
        )
    return 0


def _tell(found: Measured, *, as_json: bool) -> None:
    if as_json:
        show_json({"event": "planned", **vars(found)})
        return
    share = found.trained / found.whole
    print(
        f"learns: {_count(found.trained)} of {_count(found.whole)} weights, {100 * share:.1f} %",
        f"time: {found.seconds:.3g} s a step, {found.steps:,} steps in {_duration(found.seconds * found.steps)}",
        f"memory: about {size_words(found.bytes)}",
        f"clips: {found.clips:,} found",
        sep="\n",
    )


def _count(weights: int) -> str:
    """Write a number of weights as people say it: 24.8 M, 1.52 G."""
    for size, unit in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if weights >= size:
            return f"{weights / size:.3g} {unit}"
    return str(weights)


def _duration(seconds: float) -> str:
    minutes = max(1, round(seconds / 60))
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
