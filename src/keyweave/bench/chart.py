"""Means with their intervals, as dots with whiskers, drawn in the manner of the contact sheets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import PIL.Image
from PIL.ImageDraw import ImageDraw

from keyweave.media import paper
from keyweave.media.types import Image

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keyweave.bench.intervals import Interval

    Rows = Sequence[tuple[str, Interval | None]]

_WIDTH, _COLUMNS = 1280, 2
_LINE = 22  # from row to row
_NAMES, _NUMBERS = 130, 70  # room at the left, and at the right


def whiskers(panels: Sequence[tuple[str, Rows]], *, title: str, facts: str = "") -> Image:
    """Draw a panel for each measure, in it a dot for each method's mean, and a line for its interval.

    Args:
        panels: a measure's name, and the methods with what was found; all with the same number of methods.
        title: what the heading says at the left.
        facts: what it says at the right.
    """
    tall = max((len(rows) for _, rows in panels), default=0) * _LINE
    each = paper.LABEL + 2 * paper.GAP + tall + paper.GAP
    top = paper.MARGIN + paper.TITLE + paper.GAP
    height = top + -(-len(panels) // _COLUMNS) * each + paper.MARGIN
    wide = (_WIDTH - 2 * paper.MARGIN - (_COLUMNS - 1) * 2 * paper.GAP) // _COLUMNS
    corners = [
        (paper.MARGIN + number % _COLUMNS * (wide + 2 * paper.GAP), top + number // _COLUMNS * each)
        for number in range(len(panels))
    ]
    fine = PIL.Image.new("RGB", (_WIDTH * paper.FINER, height * paper.FINER), paper.PAPER)
    for (left, above), (_, rows) in zip(corners, panels, strict=True):
        _draw(ImageDraw(fine), left + _NAMES, above + each - tall - paper.GAP, wide - _NAMES - _NUMBERS, rows)
    picture = fine.reduce(paper.FINER)
    ink = ImageDraw(picture)
    paper.head(ink, _WIDTH, title, facts)
    for (left, above), (name, rows) in zip(corners, panels, strict=True):
        ink.text((left, above + paper.GAP), name, paper.INK, paper.font(paper.LABEL), anchor="la")
        for number, (method, found) in enumerate(rows):
            middle = above + each - tall - paper.GAP + number * _LINE + _LINE // 2
            ink.text((left, middle), method, paper.FAINT, paper.font(paper.CAPTION), anchor="lm")
            words = "-" if found is None else f"{found.value:.3g}"
            ink.text((left + wide, middle), words, paper.INK, paper.font(paper.CAPTION), anchor="rm")
    return Image(np.asarray(picture))


def _draw(ink: ImageDraw, left: int, top: int, wide: int, rows: Rows) -> None:
    """Draw the dots and lines of a panel, at the finer scale."""

    def fine(*places: float) -> list[float]:
        return [place * paper.FINER for place in places]

    known = [found for _, found in rows if found is not None]
    low, high = min((one.low for one in known), default=0), max((one.high for one in known), default=1)
    span = (high - low) or 1.0
    ink.rounded_rectangle(fine(left, top, left + wide, top + len(rows) * _LINE), 4 * paper.FINER, paper.FIELD)
    room = wide - 2 * paper.GAP
    for number, (_, found) in enumerate(rows):
        if found is None:
            continue
        y = top + number * _LINE + _LINE / 2
        x, start, stop = (
            left + paper.GAP + room * (value - low) / span for value in (found.value, found.low, found.high)
        )
        ink.line(fine(start, y, stop, y), paper.LINES[0], 2 * paper.FINER)
        ink.circle(tuple(fine(x, y)), 4 * paper.FINER, paper.LINES[0])
