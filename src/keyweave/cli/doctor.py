"""`keyweave doctor`: what this installation can do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyweave.base.errors import MissingExtra
from keyweave.cli.face import show_json
from keyweave.cli.parser import Parser

if TYPE_CHECKING:
    import argparse

_SIGNS = {"ok": "ok", "absent": "--", "missing": "!!"}


def build(name: str) -> Parser:
    """Make the parser."""
    parser = Parser(name, "Tell what this installation can do, and how to add the rest.", usage="[--json]")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def run(args: argparse.Namespace) -> int:
    """Examine, print, and leave with 3 if a part of the core is missing."""
    from keyweave.app.doctor import examine  # noqa: PLC0415 - the help must be quick

    findings = examine()
    broken = any(finding.verdict == "missing" for finding in findings)
    if args.json:
        rows = [{"subject": one.subject, "verdict": one.verdict, "says": one.says} for one in findings]
        show_json({"event": "doctor", "healthy": not broken, "findings": rows})
    else:
        for one in findings:
            print(f"{_SIGNS[one.verdict]}  {one.subject:<24}{one.says}")
        if not broken:
            print(
                "\nEverything that the core needs is here. Lines with -- are extras; install them when you need them."
            )
    return MissingExtra.exit_code if broken else 0
