"""`keyweave info`: what a file is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keyweave.cli.face import show_json
from keyweave.cli.parser import Parser

if TYPE_CHECKING:
    import argparse


def build(name: str) -> Parser:
    """Make the parser."""
    parser = Parser(name, "Tell what a file is: streams, rate, length, colour, recipe.", usage="FILE [--json]")
    parser.add_argument("file", type=Path, metavar="FILE", help="a picture, film, sound file or folder of pictures")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def run(args: argparse.Namespace) -> int:
    """Describe the file."""
    from keyweave.base.errors import InputError  # noqa: PLC0415 - the help must be quick
    from keyweave.base.recipe import Recipe  # noqa: PLC0415
    from keyweave.media.info import describe  # noqa: PLC0415

    row = describe(args.file).as_dict()
    comment = row.pop("comment", None)
    try:
        row["recipe"] = json.loads(Recipe.from_json(comment or "", str(args.file)).to_json())
    except InputError:
        row["comment"] = comment
    if args.json:
        show_json({"event": "info", **row})
    else:
        _print(row)
    return 0


def _print(row: dict[str, Any], indent: str = "") -> None:
    for name, value in row.items():
        label = f"{indent}{name.replace('_', ' ')}"
        if isinstance(value, dict):
            print(label)
            _print(value, indent + "  ")
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            for number, item in enumerate(value):
                print(f"{label} {number + 1}" if len(value) > 1 else label)
                _print(item, indent + "  ")
        elif value not in (None, [], ""):
            print(f"{label:<22}{value}")
