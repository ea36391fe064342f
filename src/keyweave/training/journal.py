"""The journal of a training: a line of JSON for every step, and a picture of its loss.

In half precision a gradient overflows now and then, and its norm is no number; JSON has none such, so it is null there.
"""

from __future__ import annotations

import json
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from keyweave.base.files import replacing
from keyweave.media.curves import Curve, Panel, curves_picture
from keyweave.media.pictures.images import write_image

if TYPE_CHECKING:
    from pathlib import Path

_POINTS = 400  # along the picture


class Journal:
    """Lines for the steps so far, in a file that grows."""

    def __init__(self, path: Path, done: int) -> None:
        """Open the journal of a training that has done so many steps; what it wrote beyond them is undone."""
        self.path = path
        self.rows = [_known(row) for row in read(path) if row["step"] < done]
        with replacing(path, overwrite=True) as part:
            part.write_text("".join(_line(row) for row in self.rows), encoding="utf-8")

    def add(self, row: dict[str, Any]) -> None:
        """Write a step down."""
        self.rows.append(_known(row))
        with self.path.open("a", encoding="utf-8") as file:
            file.write(_line(self.rows[-1]))

    def draw(self, path: Path, title: str) -> None:
        """Draw the loss and the learning rate over the steps; where the loss is no number, its line has a gap."""
        if not self.rows:
            return
        losses, rates = ([row[name] for row in self.rows] for name in ("loss", "rate"))
        width = max(1, -(-len(losses) // _POINTS))
        last = "no number" if losses[-1] is None else f"{losses[-1]:.4g}"
        panels = [
            Panel("loss", [Curve("loss", _means(losses, width))], f"last {last}"),
            Panel("learning rate", [Curve("rate", _means(rates, width))], floor=0),
        ]
        axis = "step" if width == 1 else f"x{width} steps"
        picture = curves_picture(panels, title=title, facts=f"{len(losses)} steps", axis=axis)
        write_image(path, picture, overwrite=True)


def read(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a journal; one that was being written when the power went is left out."""
    if not path.is_file():
        return []
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:
            break
    return rows


def _means(values: list[float | None], width: int) -> list[float | None]:
    """Return the mean of each so many values, as far as they are known."""
    parts = (values[first : first + width] for first in range(0, len(values), width))
    known = ([value for value in part if value is not None] for part in parts)
    return [float(np.mean(part)) if part else None for part in known]


def _known(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row with None for what is infinite or no number."""
    return {name: None if isinstance(value, float) and not isfinite(value) else value for name, value in row.items()}


def _line(row: dict[str, Any]) -> str:
    return json.dumps(row, allow_nan=False) + "\n"
