"""`keyweave models`: which models there are, what each is, whether its files are whole, and more from the hub."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from keyweave.cli.face import show_json, size_words, watched
from keyweave.cli.parser import Parser

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from keyweave.models.finding import Found

_HOW = """\
verbs:
  list      the models that come with keyweave
  show      the card of one: what it was trained on, its scores, what it cannot do
  verify    compare the files of one, or of all that come with keyweave, with the checksums on its card
  pull      download one from the hub, so that it works offline from then on; or people, the networks that see
            poses, faces and outlines of people, which pip fetches (36 MB)
  convert-adapter
            take from the checkpoint of Generative Inbetweening's authors, a folder, what sets it apart from the model
            that it was tuned from (--base), and write that as an adapter (-o); it says that it is for that model and
            for those that --fits names, and is doubted on any other

names:
  toy-video, toy-features    models that come with keyweave; list names all
  ./mine, /models/mine       a folder that diffusers wrote
  mine.safetensors           for show: an adapter
  hub:owner/name@revision    a model of the hub; the revision is a branch, a tag or a commit"""
_CONVERT = "convert-adapter"
_ENDING = ".safetensors"


def build(name: str) -> Parser:
    """Make the parser."""
    says = "List, inspect, check and download the models that draw."
    parser = Parser(name, says, usage=f"{{{','.join(_VERBS)}}} [NAME] [options]", epilog=_HOW)
    parser.add_argument("verb", choices=tuple(_VERBS), help="what to do")
    parser.add_argument("name", nargs="?", metavar="NAME", help="which model; see below")
    parser.add_argument("--base", metavar="REF", help=f"for {_CONVERT}: the model that was tuned")
    says = f"for {_CONVERT}: other models that it is for (default: the authors' own of 25 frames)"
    parser.add_argument("--fits", nargs="+", metavar="NAME", help=says)
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help=f"for {_CONVERT}: what is made, a {_ENDING}")
    parser.add_argument("--overwrite", action="store_true", help=f"for {_CONVERT}: replace FILE if it exists")
    parser.add_argument(
        "--from", dest="given", type=Path, metavar="PATH", help="for pull people: a folder or wheel that has them"
    )
    parser.add_argument("--json", action="store_true", help="print JSON, one object per line")
    return parser


def run(args: argparse.Namespace) -> int:
    """Do what the verb says."""
    from keyweave.base.errors import InputError  # noqa: PLC0415 - the help must be quick

    typed = (("--base", args.base), ("--fits", args.fits), ("-o", args.output))
    given = [flag for flag, value in typed if value is not None]
    given += ["--overwrite"] * args.overwrite
    if args.verb != _CONVERT and given:
        raise InputError(f"keyweave models {args.verb} takes no {given[0]}.", f"keyweave models {_CONVERT} does.")
    if args.given is not None and (args.verb, args.name) != ("pull", "people"):
        raise InputError("Only keyweave models pull people takes --from.", "Leave it out.")
    if args.verb in ("show", "pull") and args.name is None:
        raise InputError(f"keyweave models {args.verb} needs the NAME of a model.", "See keyweave models list.")
    if args.verb == "list" and args.name is not None:
        raise InputError(
            f"keyweave models list takes no name; got {args.name!r}.", "keyweave models show tells of one."
        )
    return _VERBS[args.verb](args)


def _list(args: argparse.Namespace) -> int:
    from keyweave.base.errors import KeyweaveError  # noqa: PLC0415
    from keyweave.models.finding import embedded, find  # noqa: PLC0415

    rows: list[dict[str, Any]] = []
    for name in embedded():
        try:
            rows.append(_row(find(name)))
        except KeyweaveError as fault:  # one damaged model must not hide the others
            rows.append({"name": name, "fault": fault.message})
    if args.json:
        show_json({"event": "models", "models": rows})
        return 0
    for row in rows:
        says = row.get("fault") or row.get("card", {}).get("says", "")
        print(f"{row['name']:<16}{row.get('kind', 'damaged'):<16}{size_words(row.get('bytes', 0)):>8}  {says}")
    print(f"{'' if rows else 'No model comes with this keyweave. '}Others: ./FOLDER or hub:OWNER/NAME@REVISION.")
    return 0


def _show(args: argparse.Namespace) -> int:
    row = _adapter_row(args.name) if args.name.endswith(_ENDING) else _row(_found(args))
    if args.json:
        show_json({"event": "model", **row})
        return 0
    card = row.pop("card", {})
    scores = card.pop("scores", {})
    for name in ("keyweave model", "files", "name", "kind"):
        card.pop(name, None)
    told = {name: value for name, value in (row | card | scores).items() if value is not None}
    width = max(22, *(len(name) + 2 for name in told))
    for name, value in told.items():
        print(f"{name.replace('_', ' '):<{width}}{_words(name, value)}")
    return 0


def _words(name: str, value: Any) -> Any:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return size_words(value) if name == "bytes" else ("no", "yes")[value] if isinstance(value, bool) else value


def _verify(args: argparse.Namespace) -> int:
    from keyweave.base.errors import ModelError  # noqa: PLC0415
    from keyweave.models.card import find_card, verify  # noqa: PLC0415
    from keyweave.models.finding import HUB, embedded, folder_of  # noqa: PLC0415

    names = [args.name] if args.name else embedded()
    whole = True
    for name in names:
        folder = _found(args).folder if name.startswith(HUB) else folder_of(name)
        carded, differences = find_card(folder) is not None, verify(folder)
        whole = whole and not differences
        if args.json:
            row = {"event": "verified", "name": name, "whole": not differences, "checksums": carded}
            show_json({**row, "differences": differences})
        else:
            how = "as its card says" if carded else "whole, by their lengths; it has no card with checksums"
            print("\n".join(differences) if differences else f"{name}: all files are {how}.")
    return 0 if whole else ModelError.exit_code


def _pull(args: argparse.Namespace) -> int:
    from keyweave.base.errors import InputError  # noqa: PLC0415
    from keyweave.models.finding import HUB  # noqa: PLC0415
    from keyweave.models.people import PEOPLE  # noqa: PLC0415

    if args.name == PEOPLE:
        row = _people_row(args)
    elif args.name.startswith(HUB):
        row = _row(_found(args))
    else:
        raise InputError(
            f"{args.name!r} is not a model of the hub.",
            f"Write hub:OWNER/NAME or hub:OWNER/NAME@REVISION, or {PEOPLE} for the networks that see people.",
        )
    if args.json:
        show_json({"event": "pulled", **row})
    else:
        print(f"{row['ref']}: {row['kind']}, {size_words(row['bytes'])}, in {row['folder']}")
    return 0


def _convert(args: argparse.Namespace) -> int:
    import shlex  # noqa: PLC0415

    from keyweave.base.errors import InputError  # noqa: PLC0415
    from keyweave.base.files import refuse_existing  # noqa: PLC0415
    from keyweave.models.finding import find  # noqa: PLC0415

    if None in (args.name, args.base, args.output):
        raise InputError(
            f"keyweave models {_CONVERT} needs the folder of the authors' checkpoint, --base REF and -o FILE.",
            "The base is the model of 14 frames: hub:stabilityai/stable-video-diffusion-img2vid.",
        )
    if args.output.suffix != _ENDING:
        raise InputError(f"{args.output} is no name for an adapter.", f"Let it end in {_ENDING}.")
    from keyweave.models.adapters import check_fits  # noqa: PLC0415

    check_fits(args.fits or ())
    refuse_existing(args.output, overwrite=args.overwrite)  # before gigabytes are downloaded
    from keyweave.models.official import OF_MORE_FRAMES, convert_official  # noqa: PLC0415 - torch is slow to import

    fits = args.fits or OF_MORE_FRAMES
    with watched(args.command, as_json=args.json) as progress:
        base = find(args.base, "image-to-video", progress=progress)
        convert_official(Path(args.name), base, args.output, fits=fits, overwrite=args.overwrite, progress=progress)
        progress.end()
    row = _adapter_row(str(args.output))
    if args.json:
        show_json({"event": "converted", **row})
        return 0
    words = [args.base, str(args.output)]
    use = "keyweave inbetween A B --engine generative --model {} --adapter {}".format(*map(shlex.quote, words))
    print(f"{args.output}: {row['tensors']} tensors of {row['layers']} layers, {size_words(row['bytes'])}")
    print(f"Use it with: {use}\nBesides {base.name}, it says that it is for {', '.join(fits)}.")
    return 0


def _found(args: argparse.Namespace) -> Found:
    """Find the model; it is said if it must be downloaded."""
    from keyweave.models.finding import find  # noqa: PLC0415

    with watched(args.command, as_json=args.json) as progress:
        return find(args.name, progress=progress)


def _row(found: Found) -> dict[str, Any]:
    """Return what is known about a model as plain values."""
    from keyweave.models.card import files_of  # noqa: PLC0415
    from keyweave.models.licences import licence_of  # noqa: PLC0415

    row: dict[str, Any] = {
        "name": found.name,
        "ref": found.ref,
        "kind": found.kind,
        "folder": str(found.folder),
        "bytes": sum((found.folder / name).stat().st_size for name in files_of(found.folder)),
    }
    if found.card:
        row["card"] = found.card.model_dump(mode="json", by_alias=True)
    elif licence := licence_of(found.folder):
        row["license"] = licence
    return row


def _people_row(args: argparse.Namespace) -> dict[str, Any]:
    """Fetch the networks that see people, and return what is known about them as plain values."""
    from keyweave.models.people import FILES, LICENCE, PEOPLE, pull_people  # noqa: PLC0415

    with watched(args.command, as_json=args.json) as progress:
        folder = pull_people(args.given, progress=progress)
        progress.end()
    size = sum(entry.size for entry in FILES.values())
    row = {"name": PEOPLE, "ref": PEOPLE, "kind": "people", "folder": str(folder), "bytes": size}
    return {**row, "files": sorted(FILES), "license": LICENCE}


def _adapter_row(name: str) -> dict[str, Any]:
    """Return what is known about an adapter as plain values."""
    from keyweave.models.adapters import find_adapter, read_adapter  # noqa: PLC0415

    file = find_adapter(name)
    adapter = read_adapter(file)
    return {
        "name": adapter.card.name,
        "kind": adapter.card.kind,
        "file": str(file),
        "bytes": file.stat().st_size,
        "tensors": sum(map(len, adapter.differences.values())),
        "layers": len(adapter.differences),
        "fits": list(adapter.fits),
        "card": adapter.card.model_dump(mode="json", by_alias=True),
    }


_VERBS: dict[str, Callable[[argparse.Namespace], int]] = {
    "list": _list,
    "show": _show,
    "verify": _verify,
    "pull": _pull,
    _CONVERT: _convert,
}
