"""`keyweave models`: which models there are, what each is, whether its files are whole, and more from the hub."""

from __future__ import annotations

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
  pull      download one from the hub, so that it works offline from then on

names:
  toy-features               a model that comes with keyweave
  ./mine, /models/mine       a folder that diffusers wrote
  hub:owner/name@revision    a model of the hub; the revision is a branch, a tag or a commit"""


def build(name: str) -> Parser:
    """Make the parser."""
    says = "List, inspect, check and download the models that draw."
    parser = Parser(name, says, usage="{list,show,verify,pull} [NAME] [--json]", epilog=_HOW)
    parser.add_argument("verb", choices=tuple(_VERBS), help="what to do")
    parser.add_argument("name", nargs="?", metavar="NAME", help="which model; see below")
    parser.add_argument("--json", action="store_true", help="print JSON, one object per line")
    return parser


def run(args: argparse.Namespace) -> int:
    """Do what the verb says."""
    from keyweave.base.errors import InputError  # noqa: PLC0415 - the help must be quick

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
    row = _row(_found(args))
    if args.json:
        show_json({"event": "model", **row})
        return 0
    card = row.pop("card", {})
    scores = card.pop("scores", {})
    for name in ("keyweave model", "files", "name", "kind"):
        card.pop(name, None)
    for name, value in (row | card | scores).items():
        if value is not None:
            words = size_words(value) if name == "bytes" else ("no", "yes")[value] if isinstance(value, bool) else value
            print(f"{name.replace('_', ' '):<22}{words}")
    return 0


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

    if not args.name.startswith(HUB):
        raise InputError(
            f"{args.name!r} is not a model of the hub.", "Write hub:OWNER/NAME or hub:OWNER/NAME@REVISION."
        )
    row = _row(_found(args))
    if args.json:
        show_json({"event": "pulled", **row})
    else:
        print(f"{row['ref']}: {row['kind']}, {size_words(row['bytes'])}, in {row['folder']}")
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


_VERBS: dict[str, Callable[[argparse.Namespace], int]] = {
    "list": _list,
    "show": _show,
    "verify": _verify,
    "pull": _pull,
}
