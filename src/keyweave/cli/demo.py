"""`keyweave demo`: a first film, from pictures that keyweave draws itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from keyweave.cli.face import show_json, watched
from keyweave.cli.parser import Parser

if TYPE_CHECKING:
    import argparse


def build(name: str) -> Parser:
    """Make the parser."""
    parser = Parser(name, "Make a first film from pictures that keyweave draws itself.", usage="[-o FOLDER] [options]")
    add = parser.add_argument
    add("-o", "--output", type=Path, default=Path("keyweave-demo"), metavar="FOLDER", help="default: keyweave-demo")
    add("--overwrite", action="store_true", help="replace an earlier demo")
    add("--json", action="store_true", help="print events as JSON lines")
    return parser


def run(args: argparse.Namespace) -> int:
    """Draw the keyframes, make the film and its contact sheet, and say what to try next."""
    from keyweave.app.demo import make_demo  # noqa: PLC0415 - the help must be quick
    from keyweave.cli.system import film_words  # noqa: PLC0415

    with watched(args.command, as_json=args.json) as progress:
        made = make_demo(args.output, overwrite=args.overwrite, progress=progress)
        progress.end()
    assert made.film.path is not None
    if args.json:
        show_json({"event": "result", "output": str(made.film.path), "sheet": str(made.sheet)})
        return 0
    first, last = made.keyframes[0], made.keyframes[-1]
    print(
        f"""\
The film is here:  {made.film.path}  ({film_words(made.film)})
A look at it:      {made.sheet}
Its keyframes:     {first.parent}

Try next:
  keyweave info {made.film.path}
  keyweave rerun {made.film.path}
  keyweave inbetween {first} {last} -o {args.output / "mine.gif"} --duration 2 --fps 12
  keyweave inbetween --help"""
    )
    return 0
