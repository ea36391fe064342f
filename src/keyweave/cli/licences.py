"""Licences that must be agreed to before a model is used: on the command line, or by an answer at the terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from keyweave.base.errors import InputError
from keyweave.models.licences import ACCEPT, LicenceNotAcceptedError, accept

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence


def accepted_in(argv: Sequence[str]) -> tuple[list[str], set[str]]:
    """Return a command line without what it agrees to, and the names of models in that: any command may use some."""
    rest: list[str] = []
    names: set[str] = set()
    words = iter(argv)
    for word in words:
        flag, is_given, name = word.partition("=")
        if flag != ACCEPT:
            rest.append(word)
            continue
        name = (name if is_given else next(words, "")).removeprefix("hub:").partition("@")[0]
        if "/" not in name:
            raise InputError(f"{ACCEPT} needs the name of a model.", f"Write {ACCEPT} OWNER/NAME, after a command.")
        names.add(name)
    return rest, names


def with_licences(run: Callable[[], int], accepted: Collection[str], *, ask: bool) -> int:
    """Run a command; where a licence must be agreed to, find out whether it is, remember that, and begin again.

    It is refused by whoever finds a model, wherever that is in the command, and asked for only here: no bar is drawn
    any more, and nothing waits with its work half done.

    Args:
        run: the command.
        accepted: models whose licences the command line agrees to.
        ask: whether a person may be asked.
    """
    while True:
        try:
            return run()
        except LicenceNotAcceptedError as fault:
            if fault.repo not in accepted:
                if not (ask and sys.stdin.isatty() and sys.stderr.isatty()):
                    raise
                _ask(fault)
            accept(fault.repo, fault.licence)


def _ask(fault: LicenceNotAcceptedError) -> None:
    """Ask whether a person agrees to a licence; raise if not."""
    sys.stderr.write(f"{fault.message}\nDo you agree to it? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise InputError(f"{fault.repo} is not used, since you did not agree to its licence.")
