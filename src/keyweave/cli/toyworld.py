"""`keyweave toyworld`: look at the drawn world, or carry clips of it elsewhere with the truth about them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from keyweave.cli.face import show_picture, watched
from keyweave.cli.parser import Parser, seed

if TYPE_CHECKING:
    import argparse

_HOW = """\
verbs:
  show      draw a contact sheet of clips: OUT is a picture (.png, .jpg, .webp)
  export    write clips, keyframe pairs, masks, poses and optical flow: OUT is a folder"""


def build(name: str) -> Parser:
    """Make the parser."""
    says = "Look at the world that keyweave draws to train and test on, or carry clips of it elsewhere."
    parser = Parser(name, says, usage="{show,export} -o OUT [options]", epilog=_HOW)
    add = parser.add_argument
    add("verb", choices=("show", "export"), help="what to do")
    add("-o", "--output", type=Path, metavar="OUT", required=True, help="the picture or the folder")
    add("--split", choices=("train", "validation", "test"), default="test", help="which clips (default: test)")
    add("--count", type=int, default=16, metavar="N", help="how many (default: 16)")
    add("--cast", metavar="CAST", default="actors", help="actors, creature, dancer or face (default: actors)")
    add("--kind", metavar="KIND", help="only this kind of actor, such as fish")
    add("--frames", type=int, metavar="N", help="frames of each clip (default: 14; dancer and face: as their sound)")
    add("--size", default="64x64", metavar="WxH", help="width x height (default: 64x64)")
    add("--seed", type=seed, default=0, metavar="N", help="another world (default: 0)")
    add("--overwrite", action="store_true", help="replace the output if it exists")
    add("--json", action="store_true", help="print events as JSON lines")
    return parser


def run(args: argparse.Namespace) -> int:
    """Draw, and write."""
    from keyweave.base.errors import InputError  # noqa: PLC0415 - the help must be quick
    from keyweave.base.files import refuse_existing  # noqa: PLC0415
    from keyweave.media.pictures.images import write_image  # noqa: PLC0415
    from keyweave.timeline.times import parse_size  # noqa: PLC0415
    from keyweave.toyworld.export import CASTS, export, sheet, shots  # noqa: PLC0415
    from keyweave.toyworld.scenes import KINDS  # noqa: PLC0415

    most = 64 if args.verb == "show" else 100_000
    for flag, value, top in (("--count", args.count, most), ("--frames", args.frames, 1000)):
        if value is not None and not 1 <= value <= top:
            raise InputError(f"{flag} is {value}; it should be from 1 to {top:,}.")
    if args.cast not in CASTS:
        raise InputError(f"--cast: {args.cast!r} is not known.", f"Choose from: {', '.join(CASTS)}.")
    if args.kind is not None and args.kind not in KINDS:
        raise InputError(f"--kind: {args.kind!r} is no actor of the toy world.", f"Choose from: {', '.join(KINDS)}.")
    try:
        size = parse_size(args.size)
    except ValueError as fault:
        raise InputError(f"--size: {fault}.") from None
    drawn = shots(
        args.split,
        args.count,
        cast=args.cast,
        seed=args.seed,
        kind=args.kind,
        size=size,
        frames=args.frames,
        truth=args.verb == "export",
    )
    title = f"toy world, {args.split}"
    if args.verb == "show":
        refuse_existing(args.output, overwrite=args.overwrite)
    with watched(args.command, as_json=args.json) as progress:
        if args.verb == "export":
            export(args.output, drawn, args.count, title=title, overwrite=args.overwrite, progress=progress)
        else:
            picture = sheet(list(progress.each(drawn, "clips", total=args.count)), title=title)
            write_image(args.output, picture, overwrite=args.overwrite)
            show_picture(args.output, picture, as_json=args.json)
        progress.end()
    if args.verb == "export" and not args.json:
        print(f"{args.output}: {args.count} clips")
    return 0
