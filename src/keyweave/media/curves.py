"""Curves over frames or steps, drawn as a picture in the manner of the contact sheets."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from math import ceil, floor, isfinite, log10
from typing import TYPE_CHECKING

import numpy as np
import PIL.Image
from PIL.ImageDraw import ImageDraw

from keyweave.base.errors import InputError
from keyweave.media import paper
from keyweave.media.types import Image

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

_AXIS = 56  # room for the numbers at the left
_CLEAR = 8  # between a heading and the topmost number
_FIELD_HEIGHT = 180
_DOTS_FROM = 9  # pixels between frames from which each has a dot


@dataclass(frozen=True)
class Curve:
    """A line.

    Args:
        name: for the legend.
        values: one for each frame; where one is infinite or missing the line has a gap, and a tick at the top if it is
            infinite.
        start: where the first value stands, in frames; a step from one frame to the next stands halfway.
    """

    name: str
    values: Sequence[float | None]
    start: float = 0


@dataclass(frozen=True)
class Panel:
    """Curves of one unit over one axis.

    Args:
        title: what is shown, and in what unit.
        curves: one to three.
        note: what else to say of it, beside the title.
        floor: where the axis begins; by default just below the lowest value.
        ceiling: where it ends; by default just above the highest.
    """

    title: str
    curves: Sequence[Curve]
    note: str = ""
    floor: float | None = None
    ceiling: float | None = None


def curves_picture(
    panels: Sequence[Panel],
    *,
    title: str = "",
    facts: str = "",
    keyframes: Collection[int] = (),
    width: int = 1280,
    axis: str = "frame",
) -> Image:
    """Draw panels under one another over one axis of frames.

    Args:
        panels: from the top down.
        title: what the heading says at the left.
        facts: what it says at the right.
        keyframes: the frames to mark.
        width: pixels across the picture.
        axis: what is counted from left to right.
    """
    if width < paper.LEAST_WIDTH:
        raise InputError(f"A picture of curves is at least {paper.LEAST_WIDTH} pixels wide; got {width}.")
    fields = _laid_out(panels, width, paper.MARGIN + (paper.TITLE + paper.GAP if title or facts else 0))
    height = fields[-1].bottom + paper.GAP // 2 + paper.CAPTION + paper.MARGIN
    fine = PIL.Image.new("RGB", (width * paper.FINER, height * paper.FINER), paper.PAPER)
    for field in fields:
        _draw_lines(ImageDraw(fine), field, keyframes)
    picture = fine.reduce(paper.FINER)
    ink = ImageDraw(picture)
    paper.head(ink, width, title, facts)
    for field in fields:
        _write_words(ink, field)
    _number(ink, fields[-1], axis)
    return Image(np.asarray(picture))


@dataclass(frozen=True)
class _Field:
    """Where a panel lies on the picture, and how values become places."""

    panel: Panel
    left: int
    top: int
    right: int
    last: float  # frames from left to right
    ticks: Sequence[float]

    @property
    def bottom(self) -> int:
        return self.top + _FIELD_HEIGHT

    def x(self, frame: float) -> float:
        inset = paper.GAP  # the first and the last dot stand free of the border
        return self.left + inset + (self.right - self.left - 2 * inset) * frame / max(self.last, 1)

    def y(self, value: float) -> float:
        low, high = self.ticks[0], self.ticks[-1]
        return self.bottom - _FIELD_HEIGHT * (value - low) / (high - low)


def _laid_out(panels: Sequence[Panel], width: int, top: int) -> list[_Field]:
    last = max(curve.start * 2 + len(curve.values) - 1 for panel in panels for curve in panel.curves)
    fields: list[_Field] = []
    for panel in panels:
        top += paper.LABEL + paper.GAP + _CLEAR
        fields.append(_Field(panel, paper.MARGIN + _AXIS, top, width - paper.MARGIN, last, _range(panel)))
        top += _FIELD_HEIGHT + 2 * paper.GAP
    return fields


def _range(panel: Panel) -> list[float]:
    """Choose the ticks of an axis; the first and the last are its ends."""
    values = [value for curve in panel.curves for value in curve.values if value is not None and isfinite(value)]
    low = panel.floor if panel.floor is not None else min(values, default=0.0)
    high = panel.ceiling if panel.ceiling is not None else max(values, default=1.0)
    if high - low < 1e-6:
        low, high = (low, low + 1) if panel.ceiling is None else (high - 0.1, high)
    return _ticks(low, high, 4)


def _ticks(low: float, high: float, about: int) -> list[float]:
    """Return some `about` round numbers, evenly spaced, that hold low and high between them."""
    rough = (high - low) / about
    power = 10.0 ** floor(log10(rough))
    step = next(power * round_number for round_number in (1, 2, 2.5, 5, 10) if power * round_number >= rough * 0.999)
    first, after = floor(low / step + 1e-6), ceil(high / step - 1e-6)
    return [number * step for number in range(first, after + 1)]


def _draw_lines(ink: ImageDraw, field: _Field, keyframes: Collection[int]) -> None:
    """Draw all but the words, at the finer scale."""

    def fine(*places: float) -> list[float]:
        return [place * paper.FINER for place in places]

    ink.rounded_rectangle(fine(field.left, field.top, field.right, field.bottom), 4 * paper.FINER, paper.FIELD)
    for tick in field.ticks[1:-1]:
        ink.line(fine(field.left, field.y(tick), field.right, field.y(tick)), paper.GRID, paper.FINER)
    for frame in keyframes:
        x, top = field.x(frame), field.top
        ink.line(fine(x, top, x, field.bottom), paper.mixed(paper.KEY, 0.45), paper.FINER)
        ink.polygon(fine(x - 5, top, x, top - 5, x + 5, top, x, top + 5), paper.KEY)
    has_dots = field.x(1) - field.x(0) >= _DOTS_FROM
    for curve, color in reversed(list(zip(field.panel.curves, paper.LINES, strict=False))):
        for points in _pieces(field, curve):
            places = [tuple(fine(*point)) for point in points]
            if len(places) > 1:
                ink.line(places, color, 2 * paper.FINER, joint="curve")
            for x, y in places if has_dots or len(places) == 1 else ():
                ink.circle((x, y), 3 * paper.FINER, color)
        for number, value in enumerate(curve.values):
            if value is not None and value == float("inf"):
                x, y = field.x(curve.start + number), field.top + 3
                ink.polygon(fine(x - 4, y + 7, x, y, x + 4, y + 7), color)


def _pieces(field: _Field, curve: Curve) -> list[list[tuple[float, float]]]:
    """Cut a curve where it has no finite value, into runs of points on the picture."""
    points = [
        (field.x(curve.start + number), field.y(value)) if value is not None and isfinite(value) else None
        for number, value in enumerate(curve.values)
    ]
    runs = ([point for point in run if point] for _, run in groupby(points, key=lambda point: point is None))
    return [run for run in runs if run]


def _write_words(ink: ImageDraw, field: _Field) -> None:
    """Write the heading, the legend and the numbers of the axis."""
    above = field.top - paper.GAP - _CLEAR // 2
    ink.text((paper.MARGIN, above), field.panel.title, paper.INK, paper.font(paper.LABEL), anchor="ls")
    beside = paper.MARGIN + round(paper.font(paper.LABEL).getlength(field.panel.title)) + 2 * paper.GAP
    ink.text((beside, above), field.panel.note, paper.FAINT, paper.font(paper.CAPTION), anchor="ls")
    x = field.right
    for curve, color in reversed(list(zip(field.panel.curves, paper.LINES, strict=False))):
        if len(field.panel.curves) == 1:
            break
        ink.text((x, above), curve.name, color, paper.font(paper.CAPTION), anchor="rs")
        x -= round(paper.font(paper.CAPTION).getlength(curve.name)) + 2 * paper.GAP
    places = max(len(f"{tick:.10f}".rstrip("0").split(".")[1]) for tick in field.ticks)
    for tick in field.ticks:
        words = f"{tick:.{places}f}"
        ink.text(
            (field.left - paper.GAP, round(field.y(tick))), words, paper.FAINT, paper.font(paper.CAPTION), anchor="rm"
        )


def _number(ink: ImageDraw, field: _Field, axis: str) -> None:
    """Number the frames or steps under the lowest panel."""
    below = field.bottom + paper.GAP // 2
    ink.text((paper.MARGIN, below), axis, paper.FAINT, paper.font(paper.CAPTION), anchor="la")
    step = max(1, round(_ticks(0, max(field.last, 1), 10)[1]))
    for frame in range(0, floor(field.last) + 1, step):
        ink.text((round(field.x(frame)), below), str(frame), paper.FAINT, paper.font(paper.CAPTION), anchor="ma")
