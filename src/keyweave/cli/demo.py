"""`keyweave demo`: first films, from pictures that keyweave draws itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from keyweave.cli.face import show_json, watched
from keyweave.cli.parser import Parser

if TYPE_CHECKING:
    import argparse


def build(name: str) -> Parser:
    """Make the parser."""
    says = "Make first films from pictures that keyweave draws itself."
    parser = Parser(name, says, usage="[dance] [-o FOLDER] [options]")
    add = parser.add_argument
    add("which", nargs="?", choices=("films", "dance"), default="films", help="films, or a dance (default: films)")
    add("-o", "--output", type=Path, default=Path("keyweave-demo"), metavar="FOLDER", help="default: keyweave-demo")
    add("--overwrite", action="store_true", help="replace an earlier demo")
    add("--json", action="store_true", help="print events as JSON lines")
    return parser


def run(args: argparse.Namespace) -> int:
    """Draw the keyframes, make the films and their contact sheets, and say what to try next."""
    if args.which == "dance":
        return _dance(args)
    from keyweave.app.demo import make_demo  # noqa: PLC0415 - the help must be quick
    from keyweave.app.demo_beside import can_compare, make_comparison  # noqa: PLC0415
    from keyweave.base.extras import install_line  # noqa: PLC0415
    from keyweave.cli.system import film_words  # noqa: PLC0415

    with watched(args.command, as_json=args.json) as progress:
        both = can_compare()
        with progress.part("films", 0.6 if both else 1) as part:
            films = make_demo(args.output, overwrite=args.overwrite, progress=part)
        compared = None
        if both:
            with progress.part("two engines", 0.4) as part:
                compared = make_comparison(args.output, overwrite=args.overwrite, progress=part)
        progress.end()
    lacking = f"The engine generative is not shown: it needs {install_line('generate')}"
    if args.json:
        rows = [{"output": str(made.film.path), "sheet": str(made.sheet)} for made in films]
        rows += [{"output": str(compared.path), "sheet": str(compared.sheet)}] if compared else []
        show_json({"event": "result", "films": rows, "notes": [] if compared else [lacking]})
        return 0
    for made in films:
        print(f"The film is here:  {made.film.path}  ({film_words(made.film)}, engine {made.film.recipe.engine})")
        print(f"A look at it:      {made.sheet}")
    if compared:
        print(f"Two engines:       {compared.path}  (flow, the toy video model, and what happened in the drawn world)")
        print(f"A look at it:      {compared.sheet}")
    else:
        print(lacking)
    boat, day = films
    first, last = day.keyframes[0], day.keyframes[-1]
    print(
        f"""\
Their keyframes:   {first.parent}

Try next:
  keyweave info {boat.film.path}
  keyweave rerun {boat.film.path}
  keyweave inbetween {first} {last} -o {args.output / "mine.gif"} --duration 2 --fps 12 --easing ease-in-out
  keyweave inbetween --help"""
    )
    return 0


def _dance(args: argparse.Namespace) -> int:
    from keyweave.app.demo_dance import SEED, make_dance_demo  # noqa: PLC0415
    from keyweave.cli.system import film_words  # noqa: PLC0415
    from keyweave.systems.dance.labels import write_labels  # noqa: PLC0415

    with watched(args.command, as_json=args.json) as progress:
        made = make_dance_demo(args.output, overwrite=args.overwrite, progress=progress)
        progress.end()
    labels = write_labels(made.labels)
    if args.json:
        show_json({"event": "result", "output": str(made.result.path), "labels": labels, "kept": str(made.folder)})
        return 0
    print(
        f"""\
The dance is here:   {made.result.path}  ({film_words(made.result)}, with its song)
Its choreography:    {labels}, found in {args.output / "dancer"}
How it was planned:  {made.folder / "plan.png"}, {made.folder / "choreography.png"}

Try next:
  edit {made.folder / "choreography.json"}, remove {made.result.path}, and run
  keyweave dance {args.output}/pose-*.png --reference {args.output}/dancer/*/clip.mp4 \\
    --poses {args.output}/dancer/*/truth.npz --seed {SEED} -o {made.result.path}"""
    )
    return 0
