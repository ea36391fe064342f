"""`keyweave dance mirror`, and the options of mirroring that other stages share with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from keyweave.cli.parser import number, seed

if TYPE_CHECKING:
    import argparse

    from keyweave.base.progress import Progress
    from keyweave.cli.parser import Parser

_PAINTED = ("by", "control", "subject", "scene", "word", "lora", "epochs", "rank", "steps", "guidance", "seed")


def add_masks(parser: Parser) -> None:
    """Let a parser take masks."""
    masks = "a folder with a mask for each keyframe, named alike (white: the subject), or sam:REF for SAM 2.1"
    parser.add_argument("--masks", metavar="FOLDER|sam:REF", help=masks)


def add_mirrored(parser: Parser) -> None:
    """Let a parser take mirrored keyframes that were made before."""
    mirrored = "a folder that `keyweave dance mirror` made of these keyframes, whoever painted in it since"
    parser.add_argument("--mirrored", type=Path, metavar="FOLDER", help=mirrored)


def add_mirroring(parser: Parser) -> None:
    """Let a parser take what says how to mirror."""
    add_masks(parser)
    add = parser.add_argument
    add("--axis", type=number, metavar="X", help="turn subjects about this line, in pixels from the left border")
    add("--keep", action="store_true", help="leave the keyframes themselves as they are")


def add_painting(parser: Parser) -> None:
    """Let a parser of `dance mirror` take the options of painting."""
    add = parser.add_argument_group(
        "painted by a text-to-image model, instead of set together from the pictures"
    ).add_argument
    add("--by", metavar="REF", help="the model, such as hub:black-forest-labs/FLUX.1-dev or hub:Qwen/Qwen-Image")
    add("--control", metavar="REF", help="what leads it by edges, such as hub:XLabs-AI/flux-controlnet-canny-diffusers")
    add("--subject", metavar="CLASS", help="what the subject is, such as marmot")
    add("--scene", metavar="WORDS", help="where it dances, such as 'with an alpine landscape as background'")
    add("--word", metavar="TOKEN", help="a word that comes to mean this very subject (default: ohwx)")
    add("--lora", type=Path, metavar="FILE", help="a subject that was learnt before; nothing is learnt then")
    add("--epochs", type=int, metavar="N", help="how often each keyframe is learnt (default: 500)")
    add("--rank", type=int, metavar="N", help="of what is learnt (default: 16)")
    add("--steps", type=int, metavar="N", help="of each painting (default: 28)")
    counts = "how much the words count (default: 3.5 for FLUX.1, 4 for Qwen-Image)"
    add("--guidance", type=number, metavar="G", help=counts)
    add("--seed", type=seed, metavar="N", help="decides all chance (default: 0)")


def mirror(args: argparse.Namespace, progress: Progress) -> dict[str, Any]:
    """Mirror keyframes, by setting them together or by painting."""
    from keyweave.app.dance_stages import read_opaque, say_old  # noqa: PLC0415
    from keyweave.systems.dance.mirror import mirror_keyframes  # noqa: PLC0415
    from keyweave.systems.dance.stages import masks_of, write_mirrored  # noqa: PLC0415

    _refuse_to_replace_inputs(args)
    if _asks_for_painting(args):
        return _painted(args, progress)
    masker = masks_of(args.masks, args.inputs, progress=progress).masker
    images = [read_opaque(path) for path in args.inputs]
    made = mirror_keyframes(images, axis=args.axis, masker=masker, keep=args.keep)
    say_old(args.output, write_mirrored(made, args.output, overwrite=args.overwrite), progress)
    return {"written": f"{args.output}: {len(made.pictures)} pictures", "notes": list(made.notes)}


def _painted(args: argparse.Namespace, progress: Progress) -> dict[str, Any]:
    """Learn the subject unless that was done before, and paint all keyframes; the training stays beside the output."""
    from keyweave.app.dance_stages import read_opaque, say_old  # noqa: PLC0415 - the help must be quick
    from keyweave.base.files import refuse_existing  # noqa: PLC0415
    from keyweave.models.subject_lora import read_subject  # noqa: PLC0415
    from keyweave.systems.dance.mirror import mirror_keyframes  # noqa: PLC0415
    from keyweave.systems.dance.painting import subject as learning  # noqa: PLC0415
    from keyweave.systems.dance.painting.families import find_painter  # noqa: PLC0415
    from keyweave.systems.dance.stages import masks_of, write_mirrored  # noqa: PLC0415

    _refuse_half_asked(args)
    refuse_existing(args.output, overwrite=args.overwrite)  # before hours are spent
    images = [read_opaque(path) for path in args.inputs]
    lora = read_subject(args.lora) if args.lora else None
    given = {name: value for name in ("steps", "seed") if (value := getattr(args, name)) is not None}
    more = {name: value for name in ("epochs", "rank") if (value := getattr(args, name)) is not None}
    word = {} if args.word is None else {"word": args.word}
    who = None if lora else learning.Subject(args.subject, args.scene, **word)
    # Who cannot be cut out is told now, not after hours.
    masker = masks_of(args.masks, args.inputs, progress=progress).masker
    plain = mirror_keyframes(images, axis=args.axis, masker=masker, keep=True)
    painter = find_painter(args.by, args.control, progress=progress)
    kept = args.output.with_name(f"{args.output.name}.training")
    if lora is None:
        assert who is not None
        with progress.part("learning", 0.9) as part:
            lora = learning.train_subject(images, painter, who, kept, **given, **more, progress=part)
    made = learning.mirror_by_painting(
        images,
        painter,
        lora,
        axis=plain.axis,
        masker=lambda _: plain.masks[: len(images)],
        guidance=args.guidance,
        **given,
        progress=progress,
    )
    say_old(args.output, write_mirrored(made, args.output, overwrite=args.overwrite), progress)
    learnt = "" if args.lora else str(kept / learning.FILE)
    return {"written": f"{args.output}: {len(made.pictures)} pictures", "learnt": learnt, "notes": list(made.notes)}


def _refuse_to_replace_inputs(args: argparse.Namespace) -> None:
    from keyweave.base.errors import InputError  # noqa: PLC0415

    folder = args.output.resolve()
    for path in args.inputs:
        if folder in path.resolve().parents:
            raise InputError(f"{path} lies in {args.output}, which would be replaced.", "Choose another folder.")


def _refuse_half_asked(args: argparse.Namespace) -> None:
    """Raise unless all that painting needs is given, and nothing that it has no use for."""
    from keyweave.base.errors import InputError  # noqa: PLC0415

    missing = [name for name in ("by", "control") if getattr(args, name) is None]
    if args.lora is None:
        missing += [name for name in ("subject", "scene") if getattr(args, name) is None]
    if missing:
        raise InputError(
            f"Painted mirrored keyframes need --{' and --'.join(missing)}.",
            "Give --by, --control, and either --subject with --scene or a --lora that was learnt before.",
        )
    useless = [name for name in ("subject", "scene", "word", "epochs", "rank") if getattr(args, name) is not None]
    if args.lora is not None and useless:
        raise InputError(
            f"--{useless[0]} says how to learn, and --lora that nothing is learnt.", "Leave one of them out."
        )
    if args.keep:
        raise InputError(
            "--keep leaves keyframes as they are, and --by paints all of them anew.", "Leave one of them out."
        )


def _asks_for_painting(args: argparse.Namespace) -> bool:
    """Tell whether any option of painting was given."""
    return any(getattr(args, name) is not None for name in _PAINTED)
