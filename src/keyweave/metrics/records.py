"""Findings as plain values, and tables of them for people."""

from __future__ import annotations

from dataclasses import fields
from fractions import Fraction
from math import isfinite
from typing import TYPE_CHECKING, Any, ClassVar, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Style = Literal["text", "markdown"]
_NOTHING = "-"


class Record:
    """What a frozen dataclass of findings can do: tell itself in plain values.

    `derived` names the properties that are told after the fields.
    """

    derived: ClassVar[tuple[str, ...]] = ()

    def as_row(self) -> dict[str, Any]:
        """Return the findings by their names, in reading order, for a table."""
        names = [*(field.name for field in fields(self)), *self.derived]  # pyright: ignore[reportArgumentType]
        return {name: getattr(self, name) for name in names}

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON, in reading order; what is infinite or unknown becomes None."""
        return {name: _plain(value) for name, value in self.as_row().items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Record):
        return value.as_dict()
    if isinstance(value, (tuple, list)):
        return [_plain(one) for one in value]
    if isinstance(value, Fraction):
        return float(value)
    return None if isinstance(value, float) and not isfinite(value) else value


def table(rows: Sequence[Mapping[str, Any]], *, style: Style = "text") -> str:
    """Lay rows of the same names out under one another, numbers to the right; both styles can be read as they are.

    Args:
        rows: at least one; names become the headings.
        style: spaces between the columns, or Markdown.
    """
    names = list(rows[0])
    cells = [[name.replace("_", " ") for name in names], *([_cell(row[name]) for name in names] for row in rows)]
    is_text = [all(isinstance(row[name], str) for row in rows) for name in names]
    widths = [max(len(line[column]) for line in cells) for column in range(len(names))]
    lines = [
        [
            cell.ljust(width) if left else cell.rjust(width)
            for cell, width, left in zip(line, widths, is_text, strict=True)
        ]
        for line in cells
    ]
    if style == "text":
        return "\n".join("  ".join(line).rstrip() for line in lines)
    rule = [
        "-" * width if left else "-" * (max(width, 2) - 1) + ":" for width, left in zip(widths, is_text, strict=True)
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in [lines[0], rule, *lines[1:]])


def _cell(value: Any) -> str:
    if value is None:
        return _NOTHING
    if isinstance(value, (float, Fraction)):
        return f"{float(value):.4g}"
    return str(value).replace("|", "/")
