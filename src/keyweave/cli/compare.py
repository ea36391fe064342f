"""`keyweave compare`: how near a made clip comes to the real one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from keyweave.cli.face import show_json, show_picture, watched
from keyweave.cli.parser import Parser, given_rate

if TYPE_CHECKING:
    import argparse

    from keyweave.metrics.compare import Comparison


def build(name: str) -> Parser:
    """Make the parser."""
    parser = Parser(
        name,
        "Measure a made clip against the real one: PSNR and SSIM, frame by frame.",
        usage="MADE REAL [options]",
    )
    add = parser.add_argument
    add("made", type=Path, metavar="MADE", help="a film, an animation, a folder of pictures or a pattern (%%05d.png)")
    add("real", type=Path, metavar="REAL", help="what it should be, of the same size")
    add(
        "--pair-by",
        choices=("frame", "time"),
        help="set frames side by side by number or by time (default: by number, unless rate and count both differ)",
    )
    add("--each", action="store_true", help="print a line for each frame")
    add("--markdown", action="store_true", help="print the table as Markdown")
    add("--plot", type=Path, metavar="CURVES", help="draw the curves as a picture: .png, .jpg or .webp")
    add("--fps", metavar="R", help="the rate of a folder of pictures (default: 25)")
    add("--salvage", action="store_true", help="of a damaged clip, take what can be read")
    add("--overwrite", action="store_true", help="replace the picture if it exists")
    add("--json", action="store_true", help="print events as JSON lines")
    return parser


def run(args: argparse.Namespace) -> int:
    """Compare, print, and draw if asked to."""
    from keyweave.base.files import refuse_existing  # noqa: PLC0415
    from keyweave.media.clips import open_frames  # noqa: PLC0415
    from keyweave.metrics.compare import compare  # noqa: PLC0415

    rate = given_rate(args.fps)
    if args.plot:
        refuse_existing(args.plot, overwrite=args.overwrite)
    with (
        open_frames(args.made, salvage=args.salvage, rate=rate) as made,
        open_frames(args.real, salvage=args.salvage, rate=rate) as real,
        watched(args.command, as_json=args.json) as progress,
    ):
        count = round(min(made.duration, real.duration) * made.rate)
        with progress.part("comparing", total=count) as part:
            comparison = compare(made, real, pair_by=args.pair_by, progress=part)
        progress.end()
    # The numbers first: they may have taken long, and the picture may yet be refused.
    _show(args, comparison)
    if args.plot:
        _draw(args, comparison)
    return 0


def _show(args: argparse.Namespace, comparison: Comparison) -> None:
    if args.json:
        show_json({"event": "compared", "made": str(args.made), "real": str(args.real), **comparison.as_dict()})
        return
    print(comparison.table("markdown" if args.markdown else "text", each=args.each))
    if comparison.goes_on:
        longer = {"made": args.made, "real": args.real}[comparison.goes_on]
        print(f"\n{longer} goes on after the {len(comparison.rows)} frames compared.")


def _draw(args: argparse.Namespace, comparison: Comparison) -> None:
    from keyweave.media.curves import curves_picture  # noqa: PLC0415
    from keyweave.media.pictures.images import write_image  # noqa: PLC0415
    from keyweave.metrics.panels import comparison_panels  # noqa: PLC0415

    psnr, ssim, _ = comparison.summary
    picture = curves_picture(
        comparison_panels(comparison),
        title=f"{args.made.name} beside {args.real.name}",
        facts=f"{len(comparison.rows)} frames    {psnr.mean:.2f} dB    SSIM {ssim.mean:.4f}",
    )
    write_image(args.plot, picture, overwrite=args.overwrite)
    show_picture(args.plot, picture, as_json=args.json)
