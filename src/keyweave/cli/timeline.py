"""`keyweave timeline`: look at a project's timing, and carry it to and from editing programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from keyweave.cli.parser import Parser

if TYPE_CHECKING:
    import argparse

_HOW = """\
verbs:
  show      draw the curves and the spacing of PROJECT as a picture (.png, .jpg, .webp)
  export    write PROJECT for editing programs (.otio, .edl), with a marker at each keyframe
  import    make a project from an editing program's timeline of pictures (.otio, .edl)"""


def build(name: str) -> Parser:
    """Make the parser."""
    says = "Look at a project's timing, and carry it to and from editing programs."
    parser = Parser(name, says, usage="{show,export,import} FILE -o OUT", epilog=_HOW)
    add = parser.add_argument
    add("verb", choices=("show", "export", "import"), help="what to do")
    add("file", type=Path, metavar="FILE", help="a keyweave project, or for import a timeline")
    add("-o", "--output", type=Path, metavar="OUT", required=True, help="what is made; its ending chooses the form")
    add("--fps", metavar="R", help="for import: the rate of an .edl, which does not tell it (default: 24)")
    add("--overwrite", action="store_true", help="replace the output if it exists")
    return parser


def run(args: argparse.Namespace) -> int:
    """Do one of the three."""
    from keyweave.base.files import refuse_existing  # noqa: PLC0415 - the help must be quick

    refuse_existing(args.output, overwrite=args.overwrite)
    if args.verb == "show":
        from keyweave.app.projects import chart_of  # noqa: PLC0415
        from keyweave.media.pictures.images import write_image  # noqa: PLC0415

        write_image(args.output, chart_of(args.file), overwrite=args.overwrite)
    else:
        from keyweave.timeline import interchange  # noqa: PLC0415
        from keyweave.timeline.project import read_project, write_project  # noqa: PLC0415

        if args.verb == "export":
            interchange.export(read_project(args.file), args.file, args.output, overwrite=args.overwrite)
        else:
            write_project(args.output, interchange.bring(args.file, args.output, args.fps), overwrite=args.overwrite)
    print(args.output)
    return 0
