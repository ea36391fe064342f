"""`keyweave rerun`: make an output again, and say whether it is the same to the byte."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from keyweave.cli.face import show_json, watched
from keyweave.cli.parser import Parser

if TYPE_CHECKING:
    import argparse


def build(name: str) -> Parser:
    """Make the parser."""
    parser = Parser(
        name,
        "Make an output again from the recipe that it carries, and compare the two.",
        usage="FILE [-o OUT] [--inputs PATH ...]",
    )
    add = parser.add_argument
    add("file", type=Path, metavar="FILE", help="a film, a folder of pictures, or the .json beside it")
    add("-o", "--output", type=Path, metavar="OUT", help="where it goes (default: film.rerun.mp4 beside film.mp4)")
    add("--inputs", type=Path, nargs="+", default=(), metavar="PATH", help="where the inputs are now, if they moved")
    add("--overwrite", action="store_true", help="replace the output if it exists")
    add("--json", action="store_true", help="print events as JSON lines")
    return parser


def run(args: argparse.Namespace) -> int:
    """Find the recipe, run it, compare."""
    from keyweave.app.rerun import rerun  # noqa: PLC0415 - the help must be quick
    from keyweave.cli.system import show_result  # noqa: PLC0415

    with watched(args.command, as_json=args.json) as progress:
        again = rerun(args.file, inputs=args.inputs, output=args.output, overwrite=args.overwrite, progress=progress)
        progress.end()
    if args.json:
        show_json({"event": "compared", "same_bytes": again.same, "differences": list(again.differences)})
    else:
        for difference in again.differences:
            print(f"differs: {difference}")
        print(_VERDICT[again.same])
    show_result(again.result, as_json=args.json)
    return 0


_VERDICT = {
    True: "The same bytes as before.",
    False: "Not the same bytes as before.",
    None: "The earlier output is not there to compare with.",
}
