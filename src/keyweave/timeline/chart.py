"""The chart of a timeline: its keyframes, the curve of each span, and the spacing of its frames.

The curve tells how far the way to the next keyframe has come over time. Below it stands the spacing chart that
animators draw beside a keyframe: a tick for every frame where it falls between the two poses; dense ticks are slow
motion, sparse ones fast.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import PIL.Image
from PIL.ImageDraw import ImageDraw

from keyweave.media import paper
from keyweave.media.types import Image

if TYPE_CHECKING:
    from keyweave.timeline.types import Span, Timeline

_WIDEST, _NARROWEST_SPAN = 1600, 150
_PER_SECOND = 220
_PICTURE = 84  # height of a keyframe's picture
_CURVE, _SPACING = 190, 34  # heights
_BEYOND = Fraction(3, 20)  # room above and below the curve for easings that overshoot
_DRAWN_POINTS = 240
_FEWEST_PIXELS = 5  # between two frames, for each to have its dot


class _Panel(NamedTuple):
    """Where a span stands on the paper."""

    span: Span
    left: int
    right: int
    frames: int  # between its two keyframes, the second included


def chart(timeline: Timeline, rate: Fraction, *, title: str = "") -> Image:
    """Draw the timeline at a frame rate."""
    panels = _panels(timeline, rate)
    top = paper.MARGIN + paper.TITLE + 2 * paper.GAP
    curve_top = top + _PICTURE + 2 * paper.GAP + paper.CAPTION
    spacing_top = curve_top + _CURVE + paper.GAP
    height = spacing_top + _SPACING + paper.GAP + paper.CAPTION + paper.MARGIN
    width = panels[-1].right + paper.MARGIN + _PICTURE // 2
    sheet = _lines(panels, (width, height), curve_top, spacing_top)
    ink = ImageDraw(sheet)
    _write(ink, timeline, rate, title, width)
    for panel in panels:
        _label(ink, panel, curve_top, spacing_top)
    _keyframes(sheet, ink, panels, top)
    return Image(np.asarray(sheet))


def _panels(timeline: Timeline, rate: Fraction) -> list[_Panel]:
    """Give every span a width by its length, within what can be read."""
    ticks = timeline.ticks(rate)
    lengths = [float(span.stop - span.start) for span in timeline.spans]
    scale = min(_PER_SECOND, _WIDEST / sum(lengths))
    panels: list[_Panel] = []
    left = paper.MARGIN + _PICTURE // 2
    for span, seconds, (first, after) in zip(timeline.spans, lengths, pairwise(ticks), strict=True):
        right = left + max(_NARROWEST_SPAN, round(seconds * scale))
        panels.append(_Panel(span, left, right, after - first))
        left = right
    return panels


def _lines(panels: list[_Panel], size: tuple[int, int], curve_top: int, spacing_top: int) -> PIL.Image.Image:
    """Draw all that must be smooth on larger paper, and reduce it."""
    fine = paper.FINER
    large = PIL.Image.new("RGB", (size[0] * fine, size[1] * fine), paper.PAPER)
    ink = ImageDraw(large)
    for panel in panels:  # all fields first, so that none cuts off its neighbour's dots
        left, right = panel.left * fine, panel.right * fine
        ink.rectangle((left, curve_top * fine, right, (curve_top + _CURVE) * fine), paper.FIELD)
        for level in (0, 1):
            y = _height(Fraction(level), curve_top) * fine
            ink.line((left, y, right, y), paper.GRID, fine)
        ink.line((right, curve_top * fine, right, (curve_top + _CURVE) * fine), paper.GRID, fine)
    for panel in panels:
        path = [_point(panel, Fraction(k, _DRAWN_POINTS), curve_top) for k in range(_DRAWN_POINTS + 1)]
        ink.line([(x * fine, y * fine) for x, y in path], paper.LINES[0], 2 * fine, joint="curve")
        shares = [Fraction(k, panel.frames) for k in range(panel.frames + 1)]
        if (panel.right - panel.left) / panel.frames >= _FEWEST_PIXELS:
            for x, y in (_point(panel, share, curve_top) for share in shares):
                ink.ellipse(((x - 2.5) * fine, (y - 2.5) * fine, (x + 2.5) * fine, (y + 2.5) * fine), paper.INK)
        _spacing(ink, panel, shares, spacing_top)
    return large.resize(size, PIL.Image.Resampling.LANCZOS)


def _spacing(ink: ImageDraw, panel: _Panel, shares: list[Fraction], top: int) -> None:
    """Draw a tick for every frame where it falls on the way from the left keyframe to the right one."""
    if _is_held(panel.span):
        return
    fine = paper.FINER
    middle = (top + _SPACING // 2) * fine
    inset = paper.GAP
    left, right = panel.left + inset, panel.right - inset
    ink.line((left * fine, middle, right * fine, middle), paper.GRID, fine)
    for share in shares:
        come = float(_come(panel.span, share))
        x = (left + (right - left) * come) * fine
        is_key = share in (0, 1)
        half = (_SPACING / 2 if is_key else _SPACING / 3.2) * fine
        ink.line((x, middle - half, x, middle + half), paper.KEY if is_key else paper.INK, round(1.5 * fine))


def _is_held(span: Span) -> bool:
    return span.source.first is span.source.last


def _come(span: Span, share: Fraction) -> Fraction:
    """Tell how far a span has come; a picture that is held has arrived."""
    if _is_held(span):
        return Fraction(1)
    return span.progress_at(span.start + share * (span.stop - span.start))


def _point(panel: _Panel, share: Fraction, top: int) -> tuple[float, float]:
    return panel.left + float(share) * (panel.right - panel.left), _height(_come(panel.span, share), top)


def _height(come: Fraction, top: int) -> float:
    room = _CURVE / float(1 + 2 * _BEYOND)
    return top + min(max(room * float(1 + _BEYOND - come), 0), _CURVE)


def _write(ink: ImageDraw, timeline: Timeline, rate: Fraction, title: str, width: int) -> None:
    count = timeline.frame_count(rate)
    facts = f"{count} frames    {paper.rate_words(rate)}    {paper.clock(count / rate)}"
    facts += "    loop" if timeline.loop else ""
    base = paper.MARGIN + paper.TITLE * 3 // 4
    room = width - 2 * paper.MARGIN - paper.length(facts, paper.LABEL) - 2 * paper.GAP
    name = paper.clipped(title, paper.TITLE, max(room, 0))
    ink.text((paper.MARGIN, base), name, paper.INK, paper.font(paper.TITLE), anchor="ls")
    ink.text((width - paper.MARGIN, base), facts, paper.FAINT, paper.font(paper.LABEL), anchor="rs")


def _label(ink: ImageDraw, panel: _Panel, curve_top: int, spacing_top: int) -> None:
    spelling = "held" if _is_held(panel.span) else str(panel.span.warp)
    middle = (panel.left + panel.right) // 2
    words = paper.clipped(spelling, paper.CAPTION, panel.right - panel.left - paper.GAP)
    font = paper.font(paper.CAPTION)
    ink.text((middle, spacing_top + _SPACING + paper.GAP), words, paper.FAINT, font, anchor="ma")
    frames = f"{panel.frames - 1} between"
    ink.text((panel.right - 6, curve_top + _CURVE - 6), frames, paper.FAINT, font, anchor="rs")


def _keyframes(sheet: PIL.Image.Image, ink: ImageDraw, panels: list[_Panel], top: int) -> None:
    """Paste each keyframe's picture above its time; where they would overlap, only those that fit."""
    marks = [(panel.left, panel.span.source.first, panel.span.start) for panel in panels]
    marks.append((panels[-1].right, panels[-1].span.source.last, panels[-1].span.stop))
    free = 0
    for x, image, at in marks:
        picture = PIL.Image.fromarray(image.pixels).convert("RGB")
        picture.thumbnail((_NARROWEST_SPAN - paper.GAP, _PICTURE), PIL.Image.Resampling.LANCZOS)
        left = min(max(x - picture.width // 2, paper.GAP), sheet.width - picture.width - paper.GAP)
        if left >= free:
            sheet.paste(picture, (left, top + _PICTURE - picture.height))
            free = left + picture.width + paper.GAP // 2
        label = paper.clock(at)
        ink.text((x, top + _PICTURE + paper.GAP // 2), label, paper.KEY, paper.font(paper.CAPTION), anchor="ma")
