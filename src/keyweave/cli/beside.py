"""`keyweave beside`: films side by side."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from keyweave.cli.face import show_json, watched
from keyweave.cli.parser import Parser, given_rate

if TYPE_CHECKING:
    import argparse


def build(name: str) -> Parser:
    """Make the parser."""
    parser = Parser(
        name,
        "Show films beside one another in one film, each under its name, to see which is better.",
        usage="CLIP CLIP [CLIP ...] -o FILM [options]",
    )
    add = parser.add_argument
    add("clips", nargs="+", type=Path, metavar="CLIP", help="films, animations, folders of pictures or patterns")
    add("-o", "--output", type=Path, metavar="FILM", required=True, help="the film; its ending chooses the format")
    add("--names", metavar="A,B", help="what each is called (default: its file's name)")
    add("--height", type=int, metavar="N", help="of each film, in pixels (default: the tallest; small ones enlarged)")
    add("--fps", metavar="R", help="the rate of a folder of pictures (default: 25)")
    add("--salvage", action="store_true", help="of a damaged clip, take what can be read")
    add("--overwrite", action="store_true", help="replace the output if it exists")
    add("--json", action="store_true", help="print events as JSON lines")
    return parser


def run(args: argparse.Namespace) -> int:
    """Write the film."""
    from keyweave.app.inputs import refuse_to_replace  # noqa: PLC0415 - the help must be quick
    from keyweave.base.errors import InputError  # noqa: PLC0415
    from keyweave.media.beside import beside  # noqa: PLC0415
    from keyweave.media.clips import open_frames, open_sound  # noqa: PLC0415
    from keyweave.media.writers import check_free, write_clip  # noqa: PLC0415

    names = [name.strip() for name in args.names.split(",")] if args.names else [clip.name for clip in args.clips]
    if len(names) != len(args.clips):
        raise InputError(f"--names has {len(names)} names for {len(args.clips)} films.", "Give one for each.")
    rate = given_rate(args.fps)
    refuse_to_replace(args.clips, args.output)
    check_free(args.output, overwrite=args.overwrite)
    with ExitStack() as opened, watched(args.command, as_json=args.json) as progress:
        sources = [opened.enter_context(open_frames(clip, salvage=args.salvage, rate=rate)) for clip in args.clips]
        count = round(max(source.duration for source in sources) * sources[0].rate)
        frames = progress.each(beside(sources, names, height=args.height), "laying out", total=count)
        made = write_clip(
            args.output, frames, sources[0].rate, sound=open_sound(args.clips[0]), overwrite=args.overwrite
        )
        progress.end()
    if args.json:
        show_json({"event": "result", "output": str(args.output), "frames": made.frames, "notes": list(made.notes)})
    else:
        print(f"{args.output}: {made.frames} frames, {made.width}x{made.height}")
    return 0
