"""Parsers built from the declarations of options; their complaints are our errors, in one sentence."""

from __future__ import annotations

import argparse
import difflib
import math
import re
from typing import TYPE_CHECKING, Any, NoReturn

from keyweave.base.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

    from pydantic import BaseModel

MOST_SEED = 2**63 - 1


class Parser(argparse.ArgumentParser):
    """An argument parser that raises InputError instead of leaving the program."""

    def __init__(self, command: str, says: str, *, usage: str, epilog: str | None = None) -> None:
        super().__init__(
            prog=f"keyweave {command}",
            description=says,
            usage=f"keyweave {command} {usage}",
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        self.set_defaults(command=command)

    def error(self, message: str) -> NoReturn:
        """Say what does not fit, and where the options are listed."""
        raise InputError(f"{message[0].upper()}{message[1:].rstrip('.')}.", f"See {self.prog} --help.")

    def read(self, argv: Sequence[str]) -> argparse.Namespace:
        """Parse, and guess at misspelt options."""
        args, unknown = self.parse_known_args(argv)
        if unknown:
            flag = unknown[0].split("=")[0]
            near = difflib.get_close_matches(flag, self.flags(), 1)
            hint = f"Did you mean {near[0]}?" if near else f"See {self.prog} --help."
            raise InputError(f"{self.prog} does not know {unknown[0]!r}.", hint)
        return args

    def flags(self) -> list[str]:
        """List every option as one would type it."""
        return [flag for action in self._actions for flag in action.option_strings]

    def choices(self) -> dict[str, tuple[str, ...]]:
        """List what may follow an option, or stand as a command's first word, where there is a choice."""
        return {
            flag: tuple(action.choices)
            for action in self._actions
            if action.choices
            for flag in action.option_strings or [self.prog.split()[-1]]
        }

    def add_model(self, model: type[BaseModel], *, without: Sequence[str] = ()) -> None:
        """Add an option for each field of an options model; what is not typed stays out of the namespace."""
        from keyweave.app.fields import option_rows  # noqa: PLC0415 - pydantic is slow to import

        for row in (row for row in option_rows(model) if row.name not in without):
            default = f" (default: {row.default})" if row.default is not None else ""
            says = (row.says + default).replace("%", "%%")
            common: dict[str, Any] = {"dest": row.name, "default": argparse.SUPPRESS, "help": says}
            if row.is_switch:
                self.add_argument(row.flag, action="store_true", **common)
            else:
                self.add_argument(row.flag, metavar=row.metavar, choices=row.choices or None, **common)


def seed(text: str) -> int:
    """Read a seed."""
    if not re.fullmatch(r"\d{1,19}", text) or int(text) > MOST_SEED:
        raise argparse.ArgumentTypeError(f"{text!r} is not a seed; write a whole number from 0 to {MOST_SEED}")
    return int(text)


def number(text: str) -> float:
    """Read a number that is one: neither nan nor infinite."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number")
    return value


def given_rate(text: str | None) -> Fraction | None:
    """Read what was typed for --fps, the rate of a folder of pictures."""
    from keyweave.timeline.times import parse_rate  # noqa: PLC0415 - the help must be quick

    try:
        return parse_rate(text) if text else None
    except ValueError as fault:
        raise InputError(f"--fps: {fault}.") from None


def chosen(args: argparse.Namespace, model: type[BaseModel]) -> dict[str, Any]:
    """Return what was typed for the fields of a model."""
    return {name: value for name, value in vars(args).items() if name in model.model_fields}
