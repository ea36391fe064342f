"""Means with their intervals, as dots with whiskers, one under another or over numbers of clips."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, log
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
_NAMES, _NUMBERS = 170, 70  # room at the left, and at the right
_TALL, _ASIDE = 150, 5  # of a panel of lines; pixels from one line's whiskers to the next one's


@dataclass(frozen=True)
class Point:
    """What came out after learning from so many clips.

    Args:
        clips: how many.
        found: the mean and its interval.
        alone: means of single trainings.
    """

    clips: int
    found: Interval
    alone: Sequence[float] = ()


@dataclass(frozen=True)
class Line:
    """A method, over numbers of clips, which rise."""

    name: str
    points: Sequence[Point]


def whiskers(panels: Sequence[tuple[str, Rows]], *, title: str, facts: str = "") -> Image:
    """Draw a panel for each measure, in it a dot for each method's mean, and a line for its interval.

    Args:
        panels: a measure's name, and the methods with what was found; all with the same number of methods.
        title: what the heading says at the left.
        facts: what it says at the right.
    """
    tall = max((len(rows) for _, rows in panels), default=0) * _LINE
    each = paper.LABEL + 2 * paper.GAP + tall + paper.GAP
    corners, wide, height = _laid_out(len(panels), each)
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


def growth(panels: Sequence[tuple[str, Sequence[Line]]], sizes: Sequence[int], *, title: str, facts: str = "") -> Image:
    """Draw a panel for each measure, in it a line for each method over the numbers of clips, evenly by their ratio.

    Args:
        panels: a measure's name and its lines, three at most.
        sizes: the numbers of clips, two or more, which rise.
        title: what the heading says at the left.
        facts: what it says at the right.
    """
    above, below = paper.LABEL + 2 * paper.GAP, paper.CAPTION + 2 * paper.GAP
    corners, wide, height = _laid_out(len(panels), above + _TALL + below)
    fine = PIL.Image.new("RGB", (_WIDTH * paper.FINER, height * paper.FINER), paper.PAPER)
    room = wide - _NUMBERS
    places = {size: _NUMBERS + room * (0.1 + 0.8 * log(size / sizes[0]) / log(sizes[-1] / sizes[0])) for size in sizes}
    for (left, top), (_, lines) in zip(corners, panels, strict=True):
        _draw_lines(ImageDraw(fine), (left + _NUMBERS, top + above, room), lines, {k: left + places[k] for k in sizes})
    picture = fine.reduce(paper.FINER)
    ink = ImageDraw(picture)
    paper.head(ink, _WIDTH, title, facts)
    for (left, top), (name, lines) in zip(corners, panels, strict=True):
        ink.text((left, top + paper.GAP), name, paper.INK, paper.font(paper.LABEL), anchor="la")
        x = left + wide
        for line, color in reversed(list(zip(lines, paper.LINES, strict=False))):
            ink.text((x, top + paper.GAP), line.name, color, paper.font(paper.CAPTION), anchor="ra")
            x -= paper.length(line.name, paper.CAPTION) + 2 * paper.GAP
        for value, y in zip(_ends(lines), (_TALL - paper.GAP, paper.GAP), strict=True):
            words, at = f"{value:.3g}", (left + _NUMBERS - paper.GAP, top + above + y)
            ink.text(at, words, paper.FAINT, paper.font(paper.CAPTION), anchor="rm")
        for size in sizes:
            at = (left + places[size], top + above + _TALL + paper.GAP // 2)
            ink.text(at, f"{size:,}", paper.FAINT, paper.font(paper.CAPTION), anchor="ma")
    return Image(np.asarray(picture))


def _laid_out(count: int, each: int) -> tuple[list[tuple[int, int]], int, int]:
    """Return the corners of so many panels, their width, and the height of the picture."""
    top = paper.MARGIN + paper.TITLE + paper.GAP
    wide = (_WIDTH - 2 * paper.MARGIN - (_COLUMNS - 1) * 2 * paper.GAP) // _COLUMNS
    corners = [
        (paper.MARGIN + number % _COLUMNS * (wide + 2 * paper.GAP), top + number // _COLUMNS * each)
        for number in range(count)
    ]
    return corners, wide, top + -(-count // _COLUMNS) * each + paper.MARGIN


def _ends(lines: Sequence[Line]) -> tuple[float, float]:
    """Return the lowest and the highest number of a panel."""
    points = [point for line in lines for point in line.points]
    numbers = [n for point in points for n in (point.found.low, point.found.high, *point.alone) if isfinite(n)]
    return min(numbers, default=0.0), max(numbers, default=1.0)


def _draw_lines(ink: ImageDraw, field: tuple[int, int, int], lines: Sequence[Line], places: dict[int, float]) -> None:
    """Draw the lines, dots and whiskers of a panel, at the finer scale; `field` is its left, top and width."""

    def fine(*values: float) -> list[float]:
        return [value * paper.FINER for value in values]

    left, top, wide = field
    low, high = _ends(lines)

    def y(value: float) -> float:
        return top + _TALL - paper.GAP - (_TALL - 2 * paper.GAP) * (value - low) / ((high - low) or 1.0)

    ink.rounded_rectangle(fine(left, top, left + wide, top + _TALL), 4 * paper.FINER, paper.FIELD)
    for number, (line, color) in enumerate(zip(lines, paper.LINES, strict=False)):
        aside = _ASIDE * (number - (len(lines) - 1) / 2)
        dots = [(places[point.clips] + aside, point) for point in line.points]
        ink.line([tuple(fine(x, y(point.found.value))) for x, point in dots], color, 2 * paper.FINER, joint="curve")
        for x, point in dots:
            ink.line(fine(x, y(point.found.low), x, y(point.found.high)), paper.mixed(color, 0.6), 2 * paper.FINER)
            ink.circle(tuple(fine(x, y(point.found.value))), 4 * paper.FINER, color)
            for value in filter(isfinite, point.alone):
                ink.circle(tuple(fine(x, y(value))), 2 * paper.FINER, paper.INK)


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
