"""`keyweave sheet`: look at a clip on one picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from keyweave.cli.parser import Parser, given_rate

if TYPE_CHECKING:
    import argparse


def build(name: str) -> Parser:
    """Make the parser."""
    parser = Parser(
        name,
        "Print frames of a clip on one picture, with their times. A second clip is shown under the first.",
        usage="CLIP [OTHER] -o SHEET [options]",
    )
    add = parser.add_argument
    add("clip", type=Path, metavar="CLIP", help="a film, an animation, a folder of pictures or a pattern (%%05d.png)")
    add("other", type=Path, nargs="?", metavar="OTHER", help="a clip to compare with, at the same times")
    add("-o", "--output", type=Path, metavar="SHEET", required=True, help="the picture: .png, .jpg or .webp")
    add("--columns", type=int, default=8, metavar="N", help="frames side by side (default: 8)")
    add("--count", type=int, metavar="N", help="how many frames; without it, as many as look well")
    add("--fps", metavar="R", help="the rate of a folder of pictures (default: 25)")
    add("--salvage", action="store_true", help="of a damaged clip, take what can be read")
    add("--overwrite", action="store_true", help="replace the picture if it exists")
    return parser


def run(args: argparse.Namespace) -> int:
    """Draw the sheet and write it."""
    from keyweave.base.errors import InputError  # noqa: PLC0415 - the help must be quick
    from keyweave.base.files import refuse_existing  # noqa: PLC0415
    from keyweave.media.clips import open_frames  # noqa: PLC0415
    from keyweave.media.pictures.images import write_image  # noqa: PLC0415
    from keyweave.media.sheet import compare_sheet, contact_sheet  # noqa: PLC0415

    for flag, value in (("--columns", args.columns), ("--count", args.count)):
        if value is not None and not 1 <= value <= 1000:
            raise InputError(f"{flag} is {value}; it should be from 1 to 1000.")
    rate = given_rate(args.fps)
    refuse_existing(args.output, overwrite=args.overwrite)
    with open_frames(args.clip, salvage=args.salvage, rate=rate) as clip:
        if args.other is None:
            picture = contact_sheet(clip, columns=args.columns, count=args.count, title=args.clip.name)
        else:
            with open_frames(args.other, salvage=args.salvage, rate=rate) as other:
                names = (args.clip.name, args.other.name)
                picture = compare_sheet(clip, other, names=names, count=args.count or args.columns)
    write_image(args.output, picture, overwrite=args.overwrite)
    print(f"{args.output}: {picture.width}x{picture.height}")
    return 0
