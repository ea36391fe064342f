"""The journal of a training: a line of JSON for every step, and a picture of its loss."""

from __future__ import annotations

import json
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
        self.rows = [row for row in read(path) if row["step"] < done]
        with replacing(path, overwrite=True) as part:
            part.write_text("".join(_line(row) for row in self.rows), encoding="utf-8")

    def add(self, row: dict[str, Any]) -> None:
        """Write a step down."""
        self.rows.append(row)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(_line(row))

    def draw(self, path: Path, title: str) -> None:
        """Draw the loss and the learning rate over the steps."""
        if not self.rows:
            return
        losses, rates = ([float(row[name]) for row in self.rows] for name in ("loss", "rate"))
        width = max(1, -(-len(losses) // _POINTS))
        panels = [
            Panel("loss", [Curve("loss", _means(losses, width))], f"last {losses[-1]:.4g}"),
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


def _means(values: list[float], width: int) -> list[float]:
    return [float(np.mean(values[first : first + width])) for first in range(0, len(values), width)]


def _line(row: dict[str, Any]) -> str:
    return json.dumps(row) + "\n"
