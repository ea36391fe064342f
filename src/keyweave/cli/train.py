"""`keyweave train`: make an embedded model again from nothing but the drawn world, or fine-tune one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keyweave.cli import train_inbetween
from keyweave.cli.face import show_json, size_words, watched
from keyweave.cli.parser import Parser, seed

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from keyweave.base.progress import Progress
    from keyweave.recipes.features import FeaturesBudget
    from keyweave.recipes.toy_video import Budget

_HOW = """\
The folder keeps everything: checkpoints, a journal, pictures of the loss and of what is learnt. Stopped at any moment,
even killed, the same command goes on where it was; --minutes and --seed are then those of the beginning.

recipes:
  toy-video     image-to-video in the drawn world: 14 frames of 64x64
  toy-features  a judge of such videos: who is seen, of what colour, and which way does time run?
  inbetween     the backward branch of a model, on clips of your own; see keyweave train inbetween --help"""
_MINUTES = {"toy-video": 180.0, "toy-features": 40.0}
_MOST_MINUTES = 10_000
_COMMAND = "train"


class _Parser(Parser):
    """Hands over to the parser of `inbetween`, which has options of its own."""

    def read(self, argv: Sequence[str]) -> argparse.Namespace:
        """Parse what belongs to the recipe that is named first."""
        from keyweave.base.errors import InputError  # noqa: PLC0415

        own = train_inbetween.NAME
        if argv and argv[0] == own:
            return train_inbetween.build(_COMMAND).read(argv[1:])
        if own in argv and not set(argv) & _MINUTES.keys():
            raise InputError(f"The recipe stands first: keyweave train {own} ...", f"See keyweave train {own} --help.")
        mine, flags = self.flags(), [word.split("=")[0] for word in argv]
        for flag in flags:
            if flag.startswith("--") and flag not in mine and flag in train_inbetween.build(_COMMAND).flags():
                raise InputError(f"{flag} is an option of `keyweave train {own}` alone.", "Leave it out.")
        return super().read(argv)


def build(name: str) -> Parser:
    """Make the parser."""
    says = "Train one of the models that come with keyweave again, or fine-tune one on your own clips."
    parser = _Parser(name, says, usage="RECIPE -o FOLDER [options]", epilog=_HOW)
    add = parser.add_argument
    add("recipe", choices=(*_MINUTES, train_inbetween.NAME), help="what to train")
    add("-o", "--output", type=Path, metavar="FOLDER", required=True, help="where everything is kept")
    add("--minutes", type=float, metavar="M", help="how long it may take (default: 180; toy-features: 40)")
    add("--from", dest="begun", metavar="MODEL", help="go on from a toy-video that was made before, on other clips")
    add("--processes", type=int, metavar="N", help="how many share toy-video's work (default: one for each core)")
    add("--seed", type=seed, default=0, metavar="N", help="another world and another chance (default: 0)")
    add("--dry-run", action="store_true", help="measure, say what would be done, and do nothing")
    add("--json", action="store_true", help="print events as JSON lines")
    return parser


def run(args: argparse.Namespace) -> int:
    """Plan, and train."""
    if args.recipe == train_inbetween.NAME:
        return train_inbetween.run(args)
    from keyweave.base.errors import InputError  # noqa: PLC0415 - the help must be quick
    from keyweave.base.extras import need  # noqa: PLC0415

    if args.minutes is None:
        args.minutes = _MINUTES[args.recipe]
    if not 0 < args.minutes <= _MOST_MINUTES:
        raise InputError(f"--minutes is {args.minutes:g}; it should be above 0, up to {_MOST_MINUTES:,}.")
    for package in ("diffusers", "transformers", "accelerate"):
        need(package, "training")
    with watched(args.command, as_json=args.json) as progress:
        done = (_train_video if args.recipe == "toy-video" else _train_features)(args, progress)
        if done:
            progress.end()
    if done and not args.json:
        print(f"\n{args.output / 'model'}: `keyweave models show {shown(args.output / 'model')}` tells how good it is")
    return 0


def shown(folder: Path) -> str:
    """Return a folder as `keyweave models` wants it: not to be mistaken for an embedded name."""
    return str(folder) if folder.is_absolute() or str(folder).startswith((".", "~")) else f"./{folder}"


def _train_video(args: argparse.Namespace, progress: Progress) -> bool:
    from keyweave.base.errors import InputError  # noqa: PLC0415
    from keyweave.models.finding import find  # noqa: PLC0415
    from keyweave.perceive.features import load_features  # noqa: PLC0415
    from keyweave.recipes.begun import begin_with, begun, refuse_other  # noqa: PLC0415
    from keyweave.recipes.kept import keep_budget, kept_budget  # noqa: PLC0415
    from keyweave.recipes.toy_video import Budget, finish  # noqa: PLC0415
    from keyweave.training.processes import run_together  # noqa: PLC0415

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    processes = args.processes or (4 if cores >= 4 else 2 if cores >= 2 else 1)
    if processes not in (1, 2, 4):
        raise InputError(f"--processes is {processes}; batches can be shared by 1, 2 or 4.")
    judge = load_features(find("toy-features", "features"), device="cpu")
    before = find(args.begun, "image-to-video") if args.begun else None
    budget = None if args.dry_run else kept_budget(args.output, Budget)
    if budget is None:
        if not before and begun(args.output):  # and stopped before its plan was written
            raise InputError(f"{args.output} was begun with --from.", "Give it again, or name a new folder.")
        budget = _plan_video(args, processes, progress)
        if args.dry_run:
            return False
        if before:
            begin_with(args.output, before)
        keep_budget(args.output, budget)
    else:
        refuse_other(args.output, before)
    run_together("keyweave.recipes", [str(args.output)], processes, args.output / "logs", progress)
    finish(args.output, budget, judge, progress)
    return True


def _plan_video(args: argparse.Namespace, processes: int, progress: Progress) -> Budget:
    from keyweave.recipes.budgets import measure  # noqa: PLC0415

    progress.say("Measuring how fast this machine is.")
    found = measure(args.seed)
    budget = found.budget(args.minutes, processes, args.seed, going_on=args.begun is not None)
    autoencoder = f"autoencoder: {budget.squares} steps on squares, {budget.frames} on whole frames"
    first = () if args.begun else (autoencoder, f"image encoder: {budget.looks} steps of 128 first frames")
    _tell(
        args,
        {**vars(budget), "processes": processes, "bytes": found.bytes},
        *first,
        f"clips encoded: {budget.clips:,}",
        f"decoder alone: {budget.details} steps of 8 frames",
        f"motion: {budget.motion} steps of 24 clips",
        f"{args.minutes:g} minutes with {processes} processes of about {size_words(2 * found.bytes)} each",
    )
    return budget


def _train_features(args: argparse.Namespace, progress: Progress) -> bool:
    from keyweave.base.errors import InputError  # noqa: PLC0415
    from keyweave.recipes.features import FeaturesBudget, make_features  # noqa: PLC0415
    from keyweave.recipes.kept import keep_budget, kept_budget  # noqa: PLC0415

    if args.begun:
        raise InputError("--from is for toy-video alone; toy-features is trained from nothing.", "Leave it out.")
    if args.processes not in (None, 1):
        raise InputError(f"--processes is {args.processes}; toy-features is so small that one process trains it.")
    budget = None if args.dry_run else kept_budget(args.output, FeaturesBudget)
    if budget is None:
        budget = _plan_features(args, progress)
        if args.dry_run:
            return False
        keep_budget(args.output, budget)
    make_features(args.output, budget.steps, budget.seed, progress)
    return True


def _plan_features(args: argparse.Namespace, progress: Progress) -> FeaturesBudget:
    from keyweave.recipes.features import FeaturesBudget, measured_features  # noqa: PLC0415

    progress.say("Measuring how fast this machine is.")
    found = measured_features(args.seed)
    budget = FeaturesBudget(max(1, int(60 * args.minutes / found.seconds)), args.seed)
    size = size_words(2 * found.bytes)
    _tell(args, {**vars(budget), "bytes": found.bytes}, f"{budget.steps} steps, {args.minutes:g} minutes, {size}")
    return budget


def _tell(args: argparse.Namespace, row: dict[str, Any], *lines: str) -> None:
    if args.json:
        show_json({"event": "planned", **row})
    elif args.dry_run:
        print(*lines, sep="\n")
