"""How beats are found: options of the song that is heard, and in `keyweave dance` of its reference apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from keyweave.base.errors import InputError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from keyweave.cli.parser import Parser

_NAMES = ("tempo", "offset", "parity", "meter")
_REFERENCE = "reference-"


def add_hearing(parser: Parser) -> None:
    """Let a parser take how one song is heard."""
    _add(parser.add_argument, "")
    _add_who(parser.add_argument)


def add_hearings(parser: Parser) -> None:
    """Let a parser take how the song is heard, and how the reference is where that is another song."""
    song = parser.add_argument_group("how the song is heard: that of --music, or that of the reference without it")
    _add(song.add_argument, "")
    _add_who(song.add_argument)
    says = "how the song of the reference is heard, where --music is another; it tells when motions begin there"
    _add(parser.add_argument_group(says).add_argument, _REFERENCE)


def refuse_hearing(args: argparse.Namespace) -> None:
    """Raise if it is told how to hear a song whose beats are given."""
    given = [name for name in _NAMES if getattr(args, name) is not None]
    given += ["beats-by"] if args.beats_by is not None else []
    if given:
        raise InputError(f"--{given[0]} is for beats that are heard, and --beats gives them.", "Leave one of them out.")


def _add(add: Callable[..., Any], of: str) -> None:
    add(f"--{of}tempo", choices=("x1", "x2", "x0.5"), help="take as many beats, twice or half as many (default: x1)")
    later = "seconds by which all beats come later; may be below 0 (default: 0)"
    add(f"--{of}offset", metavar="S", help=later)
    add(f"--{of}parity", choices=("0", "1", "2"), help="the number of the first strong beat (default: as heard)")
    add(f"--{of}meter", choices=("4/4", "3/4"), help="how many beats a bar has (default: 4/4)")


def _add_who(add: Callable[..., Any]) -> None:
    who = "who finds beats: librosa, or Beat This! with its checkpoint (default: librosa)"
    add("--beats-by", metavar="librosa|beat-this:FILE", help=who)
