"""`keyweave report`: how faithfully and how smoothly a film passes through its keyframes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from keyweave.cli.face import show_json, show_picture, watched
from keyweave.cli.parser import Parser

if TYPE_CHECKING:
    import argparse

    from keyweave.app.reports import Reported


def build(name: str) -> Parser:
    """Make the parser."""
    parser = Parser(
        name,
        "Measure a film made by keyweave against its own keyframes: how faithful they are, how the film passes through "
        "them and through its loop, and how steadily and sharply it goes from one to the next.",
        usage="FILM [--plot CURVES] [--inputs PATH ...]",
    )
    add = parser.add_argument
    add("film", type=Path, metavar="FILM", help="a film, a folder of pictures, or the .json beside it")
    add("--inputs", type=Path, nargs="+", default=(), metavar="PATH", help="where the keyframes are now, if they moved")
    add("--markdown", action="store_true", help="print the tables as Markdown")
    add("--plot", type=Path, metavar="CURVES", help="draw the curves as a picture: .png, .jpg or .webp")
    add("--overwrite", action="store_true", help="replace the picture if it exists")
    add("--json", action="store_true", help="print events as JSON lines")
    return parser


def run(args: argparse.Namespace) -> int:
    """Measure, print, and draw if asked to."""
    from keyweave.app.reports import report_on  # noqa: PLC0415 - the help must be quick
    from keyweave.base.files import refuse_existing  # noqa: PLC0415

    if args.plot:
        refuse_existing(args.plot, overwrite=args.overwrite)
    with watched(args.command, as_json=args.json) as progress:
        reported = report_on(args.film, inputs=args.inputs, progress=progress)
        progress.end()
    if args.json:
        show_json({"event": "measured", "film": str(reported.film), **reported.report.as_dict()})
    else:
        print(reported.report.tables("markdown" if args.markdown else "text"))
    if args.plot:
        _draw(args, reported)
    return 0


def _draw(args: argparse.Namespace, reported: Reported) -> None:
    from keyweave.media.curves import curves_picture  # noqa: PLC0415
    from keyweave.media.pictures.images import write_image  # noqa: PLC0415
    from keyweave.metrics.panels import report_panels  # noqa: PLC0415

    measured = reported.report
    picture = curves_picture(
        report_panels(measured),
        title=reported.film.name,
        facts=f"{measured.frames} frames    engine {reported.recipe.engine}    flicker {measured.flicker:.2f}",
        keyframes=reported.keyframes,
    )
    write_image(args.plot, picture, overwrite=args.overwrite)
    show_picture(args.plot, picture, as_json=args.json)
