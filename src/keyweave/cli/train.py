"""`keyweave train`: make an embedded model again, from nothing but the drawn world."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from keyweave.cli.face import show_json, size_words, watched
from keyweave.cli.parser import Parser, seed

if TYPE_CHECKING:
    import argparse

    from keyweave.recipes.toy_video import Budget

_HOW = """\
The folder keeps everything: checkpoints, a journal, pictures of the loss and of what is learnt. Stopped at any moment,
even killed, the same command goes on where it was; --minutes and --seed are then those of the beginning.

recipes:
  toy-video    image-to-video in the drawn world: 14 frames of 64x64"""
_MOST_MINUTES = 10_000


def build(name: str) -> Parser:
    """Make the parser."""
    says = "Train one of the models that come with keyweave again."
    parser = Parser(name, says, usage="RECIPE -o FOLDER [options]", epilog=_HOW)
    add = parser.add_argument
    add("recipe", choices=("toy-video",), help="what to train")
    add("-o", "--output", type=Path, metavar="FOLDER", required=True, help="where everything is kept")
    add("--minutes", type=float, default=180.0, metavar="M", help="how long it may take (default: 180)")
    add("--processes", type=int, metavar="N", help="how many share the work (default: one for each core)")
    add("--seed", type=seed, default=0, metavar="N", help="another world and another chance (default: 0)")
    add("--dry-run", action="store_true", help="measure, say what would be done, and do nothing")
    add("--json", action="store_true", help="print events as JSON lines")
    return parser


def run(args: argparse.Namespace) -> int:
    """Plan, and train."""
    from keyweave.base.errors import InputError  # noqa: PLC0415 - the help must be quick
    from keyweave.base.extras import need  # noqa: PLC0415

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    processes = args.processes or min(cores, 4)
    if not 0 < args.minutes <= _MOST_MINUTES:
        raise InputError(f"--minutes is {args.minutes:g}; it should be above 0, up to {_MOST_MINUTES:,}.")
    if processes not in (1, 2, 4):
        raise InputError(f"--processes is {processes}; batches can be shared by 1, 2 or 4.")
    for package in ("diffusers", "transformers", "accelerate"):
        need(package, "training")
    from keyweave.recipes.toy_video import assemble, read_budget, write_budget  # noqa: PLC0415
    from keyweave.training.processes import run_together  # noqa: PLC0415

    with watched(args.command, as_json=args.json) as progress:
        budget = read_budget(args.output)
        if budget is None or args.dry_run:
            progress.say("Measuring how fast this machine is.")
            budget = _measured(args, processes)
            if args.dry_run:
                return 0
            write_budget(args.output, budget)
        run_together("keyweave.recipes", [str(args.output)], processes, args.output / "logs", progress)
        assemble(args.output, budget, args.output / "model")
        progress.end()
    if not args.json:
        print(f"\n{args.output / 'model'}: use it as --model {args.output / 'model'}")
    return 0


def _measured(args: argparse.Namespace, processes: int) -> Budget:
    from keyweave.recipes.budgets import measure  # noqa: PLC0415

    found = measure(args.seed)
    budget = found.budget(args.minutes, processes, args.seed)
    row = {**vars(budget), "processes": processes, "bytes": found.bytes}
    if args.json:
        show_json({"event": "planned", **row})
    elif args.dry_run:
        print(f"autoencoder: {budget.squares} steps on squares, {budget.frames} on whole frames")
        print(f"clips encoded: {budget.clips:,}")
        print(f"motion: {budget.motion} steps of 24 clips")
        print(f"{args.minutes:g} minutes with {processes} processes of about {size_words(2 * found.bytes)} each")
    return budget
