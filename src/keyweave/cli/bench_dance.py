"""`keyweave bench dance`: dances are labelled, and the labels set beside the right ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from keyweave.cli.face import show_json, watched
from keyweave.cli.parser import Parser, seed

if TYPE_CHECKING:
    import argparse

    from keyweave.bench.dances import Dances

NAME = "dance"
_TOYWORLD, _CLIPS = "toyworld", 50
_HOW = """\
data:
  toyworld    the drawn dancer, whose joints are known in the picture (the default)
  bodies      bodies of 22 joints, whose rotations are known: rotations as in the paper, space, picture
  DIR         films that you annotated: dance.txt beside dance.mp4, with a line such as A-A'-B-C; or poses (.npz)

conditions of invented dances:
  true        true poses, each motion danced the same each time
  tempo       beats too long and too short, motions rushed and delayed
  noise       that, each motion danced a little otherwise each time, and a tracker's noise
  double      twice as much of all of that

The folder keeps poses and numbers: stopped at any moment, the same command goes on where it was. report.md is the page
to read."""


def build(command: str) -> Parser:
    """Make the parser."""
    says = "Label dances whose labels are known, and measure how well that goes."
    parser = Parser(f"{command} {NAME}", says, usage="-o FOLDER [options]", epilog=_HOW)
    parser.set_defaults(command=command, table=NAME)
    add = parser.add_argument
    add("-o", "--output", type=Path, metavar="FOLDER", required=True, help="where everything is kept")
    add("--data", default=_TOYWORLD, metavar="DIR", help="toyworld (the default), bodies, or a folder of dances")
    add("--clips", type=int, metavar="N", help=f"how many dances to invent (default: {_CLIPS})")
    add("--seed", type=seed, metavar="N", help="other dances (default: 0)")
    add("--representation", default="", metavar="A,B", help="rotations, space, picture (default: all that there are)")
    add("--conditions", default="", metavar="A,B", help="of invented dances (default: all four)")
    add("--threshold", type=float, metavar="D", help="motions nearer than this are the same (default: found)")
    add("--mirror-threshold", type=float, metavar="D", help="the same for mirror images (default: 1.15 as much)")
    add("--json", action="store_true", help="print events as JSON lines")
    return parser


def run(args: argparse.Namespace) -> int:
    """Label, measure, write and print."""
    from keyweave.bench.dance_table import mean_rows, write_dance_report  # noqa: PLC0415 - the help must be quick
    from keyweave.bench.labelled import bench_dances  # noqa: PLC0415
    from keyweave.metrics.records import table  # noqa: PLC0415

    check_folder(args.output)
    dances = _dances(args)
    with watched(args.command, as_json=args.json) as progress:
        found = bench_dances(
            dances,
            args.output / "cache",
            threshold=args.threshold,
            mirror_threshold=args.mirror_threshold,
            progress=progress,
        )
        written = write_dance_report(args.output, found)
        progress.end()
    if args.json:
        show_json({"event": "benchmarked", "report": str(written), **found.as_dict()})
    else:
        print(f"{table(mean_rows(found))}\n\n{written}")
    return 0


def check_folder(path: Path) -> None:
    """Refuse a file where the report is to be."""
    from keyweave.base.errors import InputError  # noqa: PLC0415

    if path.exists() and not path.is_dir():
        raise InputError(f"{path} is a file; the report is a folder.", "Choose another name with -o.")


def _dances(args: argparse.Namespace) -> Dances:
    from keyweave.base.errors import InputError  # noqa: PLC0415
    from keyweave.bench.dances import DRAWN, folder_dances, invented_dances  # noqa: PLC0415

    for flag in ("threshold", "mirror_threshold"):
        value = getattr(args, flag)
        if value is not None and not 0 < value < float("inf"):
            raise InputError(f"--{flag.replace('_', '-')} is {value:g}; it should be above 0.")
    asked, conditions = _names(args.representation), _names(args.conditions)
    if args.data in DRAWN:
        count = _CLIPS if args.clips is None else args.clips
        return invented_dances(args.data, count, seed=args.seed or 0, representations=asked, conditions=conditions)
    for flag, value in (("--clips", args.clips), ("--seed", args.seed), ("--conditions", conditions or None)):
        if value is not None:
            raise InputError(f"{flag} is for dances that are invented; of a folder all are taken.", "Leave it out.")
    return folder_dances(Path(args.data), representations=asked)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())
