"""The command of any system of the table: its pictures, its options, its film."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keyweave.app.engines import ENGINES
from keyweave.app.systems import SYSTEMS
from keyweave.base.errors import InputError
from keyweave.cli.face import show_json, size_words, watched
from keyweave.cli.parser import Parser, chosen, seed

if TYPE_CHECKING:
    import argparse

    from keyweave.app.jobs import Plan, Result

_SEAMS_SHOWN = 3
# A time holds digits, points and colons; what follows a colon and begins with a letter is the easing.
_KEY = re.compile(r"(.+)@([\d.:/]+[fs]?)(?::([a-z].*))?")


def build(name: str) -> Parser:
    """Make the parser from the system's row and its options model."""
    system = SYSTEMS[name]
    required, more = system.takes[: system.fewest], system.takes[system.fewest :]
    places = [*required, *(f"[{one} ...]" for one in more)]
    engines = "\n".join(f"  {engine:<12}{ENGINES[engine].says}" for engine in system.engines)
    parser = Parser(name, system.says, usage=f"{' '.join(places)} -o OUT [options]", epilog=f"engines:\n{engines}")
    what = ("CLIP", "the film or animation") if system.reads == "clip" else ("PICTURE", "the keyframes, in order")
    parser.add_argument("inputs", nargs="*", type=Path, metavar=what[0], help=what[1])
    add = parser.add_argument
    add("-o", "--output", type=Path, metavar="OUT", required=True, help="the film; its ending chooses the format")
    add("--engine", choices=system.engines, help=f"who draws the in-betweens (default: {system.engines[0]})")
    model = system.options_model()
    parser.add_model(model)
    if "at" in model.model_fields:
        says = (
            "a keyframe with its time, and how the way to the next is eased; in place of PICTURE and --at; repeatable"
        )
        add("--key", action="append", default=[], metavar="PATH@TIME[:EASING]", help=says)
    add("--seed", type=seed, metavar="N", help="decides all chance; drawn and recorded if not given")
    add("--overwrite", action="store_true", help="replace the output if it exists")
    if any(ENGINES[engine].model for engine in system.engines):
        says = "keep the clips that a model makes in this folder, and use those that are there already"
        add("--keep", type=Path, metavar="FOLDER", help=says)
    add("--dry-run", action="store_true", help="check everything and say what would be made, but make nothing")
    add("--json", action="store_true", help="print events as JSON lines")
    return parser


def run(args: argparse.Namespace) -> int:
    """Run the job, or only plan it."""
    from keyweave.app.fields import read_options  # noqa: PLC0415 - the help must be quick
    from keyweave.app.jobs import Job, plan_job, run_job  # noqa: PLC0415

    system = SYSTEMS[args.command]
    model, keep = system.options_model(), getattr(args, "keep", None)
    if keep and not system.pick_engine(args.engine).model:
        raise InputError("--keep is for engines that draw with a model.", "Use --engine generative, or leave it out.")
    inputs, given = args.inputs, chosen(args, model)
    if getattr(args, "key", None):
        inputs, placed = _keys(args)
        given |= placed
    job = Job(
        system=args.command,
        inputs=tuple(inputs),
        options=read_options(model, given),
        engine=args.engine,
        seed=args.seed,
        output=args.output,
        overwrite=args.overwrite,
        keep=keep,
    )
    if args.dry_run:
        _show_plan(plan_job(job), as_json=args.json)
        return 0
    with watched(args.command, as_json=args.json) as progress:
        result = run_job(job, progress)
        progress.end()
    show_result(result, as_json=args.json)
    if not args.json:
        show_seams(result)
    return 0


def _keys(args: argparse.Namespace) -> tuple[list[Path], dict[str, Any]]:
    """Read --key as pictures, their times, and an easing for each gap."""
    given = ["PICTURE"] * bool(args.inputs) + [f"--{name}" for name in ("at", "easing") if hasattr(args, name)]
    if given:
        raise InputError(f"--key takes the place of {given[0]}; both were given.", "Use one or the other.")
    found = [_KEY.fullmatch(text) for text in args.key]
    for text, match in zip(args.key, found, strict=True):
        if match is None:
            raise InputError(
                f"--key is {text!r}; it must be PATH@TIME or PATH@TIME:EASING.", "Such as a.png@1.2:ease-in."
            )
    keys = [match.groups() for match in found if match]
    easings = [easing or "linear" for _, _, easing in keys]
    gaps = easings if getattr(args, "loop", False) else easings[:-1]
    return [Path(path) for path, _, _ in keys], {"at": [at for _, at, _ in keys], "easing": gaps or easings}


def show_result(result: Result, *, as_json: bool) -> None:
    """Say what was made and how to make it again."""
    assert result.path is not None
    if as_json:
        show_json(
            {
                "event": "result",
                "output": str(result.path),
                "sidecar": str(result.sidecar),
                "recipe": json.loads(result.recipe.to_json()),
                "frames": result.frames,
                "width": result.size[0],
                "height": result.size[1],
                "fps": str(result.rate),
                "duration": float(result.duration),
                "notes": list(result.notes),
                "timings": {name: round(seconds, 3) for name, seconds in result.timings.items()},
                "seams": [seam.as_dict() for seam in result.seams],
                "loop": None if result.loop is None else result.loop.as_dict(),
            }
        )
        return
    weight = f", {size_words(result.path.stat().st_size)}" if result.path.is_file() else ""
    print(f"{result.path}: {film_words(result)}{weight}, seed {result.recipe.seed}, in {result.timings['whole']:.1f} s")


def show_seams(result: Result) -> None:
    """Say where a film passes through a keyframe, or through its loop, otherwise than it goes elsewhere."""
    odd = [f"frame {seam.frame} ({', '.join(seam.faults)})" for seam in result.seams if seam.faults]
    odd += [f"the loop ({', '.join(result.loop.faults)})"] if result.loop and result.loop.faults else []
    if odd:
        more = f" and {len(odd) - _SEAMS_SHOWN} more" if len(odd) > _SEAMS_SHOWN else ""
        told = shlex.join(["keyweave", "report", str(result.path)])
        print(f"Out of the ordinary: {', '.join(odd[:_SEAMS_SHOWN])}{more}. More of it: {told}")


def film_words(made: Result) -> str:
    """Describe a film: frames, size, length and rate."""
    width, height = made.size
    return f"{made.frames} frames, {width}x{height}, {float(made.duration):.3g} s at {float(made.rate):.5g} fps"


def _show_plan(plan: Plan, *, as_json: bool) -> None:
    film = plan.film
    width, height = film.size
    row = {
        "event": "plan",
        "output": str(plan.job.output),
        "system": plan.system.name,
        "engine": plan.recipe.engine,
        "frames": film.frame_count,
        "width": width,
        "height": height,
        "fps": str(film.rate),
        "duration": float(film.frame_count / film.rate),
        "seed": plan.recipe.seed,
        "device": plan.recipe.device,
    }
    if as_json:
        show_json(row)
        return
    print("Nothing was made; this is what would be:")
    for name, value in row.items():
        if name != "event":
            print(f"  {name:<10}{value}")
