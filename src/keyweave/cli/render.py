"""`keyweave render`: make the film of a project file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from keyweave.cli.face import watched
from keyweave.cli.parser import Parser, chosen, seed

if TYPE_CHECKING:
    import argparse


def build(name: str) -> Parser:
    """Make the parser."""
    from keyweave.timeline.options import FilmOptions  # noqa: PLC0415 - pydantic is slow to import

    parser = Parser(name, "Make the film of a project file.", usage="PROJECT -o OUT [options]")
    add = parser.add_argument
    add("project", type=Path, metavar="PROJECT", help="a keyweave project (.json)")
    add("-o", "--output", type=Path, metavar="OUT", required=True, help="the film; its ending chooses the format")
    add("--engine", metavar="NAME", help="another engine than the project's")
    parser.add_model(FilmOptions)
    add("--seed", type=seed, metavar="N", help="another seed than the project's")
    add("--overwrite", action="store_true", help="replace the output if it exists")
    add("--json", action="store_true", help="print events as JSON lines")
    return parser


def run(args: argparse.Namespace) -> int:
    """Read the project and run it as a job."""
    from keyweave.app.jobs import run_job  # noqa: PLC0415 - the help must be quick
    from keyweave.app.projects import job_of  # noqa: PLC0415
    from keyweave.cli.system import show_result, show_seams  # noqa: PLC0415
    from keyweave.timeline.options import FilmOptions  # noqa: PLC0415

    job = job_of(args.project, args.output, over=chosen(args, FilmOptions), overwrite=args.overwrite)
    job = replace(job, engine=args.engine or job.engine, seed=job.seed if args.seed is None else args.seed)
    with watched(args.command, as_json=args.json) as progress:
        result = run_job(job, progress)
        progress.end()
    show_result(result, as_json=args.json)
    if not args.json:
        show_seams(result)
    return 0
