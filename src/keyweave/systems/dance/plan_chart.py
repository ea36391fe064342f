"""The picture of a plan: its keyframes, the graph of them, each label's pair, and the walk over the song."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import PIL.Image
from PIL.ImageDraw import ImageDraw

from keyweave.media import paper
from keyweave.media.types import Image
from keyweave.systems.dance.drawing import LINE, blank, small, tints, write
from keyweave.systems.dance.graph_chart import graph_picture

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import ArrayLike, NDArray

    from keyweave.media.types import Frame
    from keyweave.systems.dance.assignment import Plan
    from keyweave.systems.dance.labels import Label

    Picture = PIL.Image.Image

_WIDTH = 1600
_KEYFRAME, _PAIR, _WALK = 92, 92, 64  # heights of the pictures in the three parts
_NAME = 25  # room for the name of a label
_BAND = 6  # the coloured line over what a label is danced with
_WAY, _BAR = 46, 40  # room between two segments, and the height of its longest bar


class _Part(NamedTuple):
    """A heading and what stands below it, from left to right and on as many rows as that takes."""

    heading: str
    blocks: list[Picture]
    gap: int


def plan_chart(plan: Plan, pictures: Sequence[Frame], mirror: ArrayLike, *, title: str = "") -> Image:
    """Draw a plan.

    Args:
        plan: what was planned.
        pictures: the keyframes (H, W, 3 or 4), the mirrored ones among them.
        mirror: (N,) the number of each one's mirrored keyframe.
        title: what the heading says.
    """
    used = set(plan.path)
    parts = [
        _Part(
            f"keyframes: {len(used)} of {len(pictures)} are used, mirrored ones below",
            list(_keyframe_blocks(pictures, np.asarray(mirror), used)),
            paper.GAP,
        ),
        _Part(
            "the graph: lines are motions, broken ones the ways between, numbers how far each moves; 2m is 2 mirrored",
            [graph_picture(plan, pictures, mirror, _WIDTH - 2 * paper.MARGIN)],
            0,
        ),
        _Part("labels: from keyframe > to keyframe", list(_label_blocks(plan, pictures)), 2 * paper.GAP),
        _Part(
            "the walk: bars tell how far each transition moves, from the end of a segment to the start of the next",
            list(_walk_blocks(plan, pictures)),
            0,
        ),
    ]
    return Image(np.asarray(_composed(plan, parts, title)))


def _composed(plan: Plan, parts: list[_Part], title: str) -> Picture:
    top = paper.MARGIN + paper.TITLE + paper.GAP + (LINE if plan.relaxed else 0)
    places: list[tuple[Picture, int, int]] = []
    headings: list[tuple[str, int]] = []
    for part in parts:
        headings.append((part.heading, top + 2 * paper.GAP))
        top += 2 * paper.GAP + paper.LABEL + paper.GAP
        for row in _rows(part):
            left = paper.MARGIN
            for block in row:
                places.append((block, left, top))
                left += block.width + part.gap
            top += max(block.height for block in row) + paper.GAP
    sheet = PIL.Image.new("RGB", (_WIDTH, top + paper.MARGIN - paper.GAP), paper.PAPER)
    for block, left, above in places:
        sheet.paste(block, (left, above))
    ink = ImageDraw(sheet)
    paper.head(ink, _WIDTH, title, _facts(plan))
    if plan.relaxed:
        words = paper.clipped(plan.relaxed, paper.CAPTION, _WIDTH - 2 * paper.MARGIN)
        write(ink, (paper.MARGIN, paper.MARGIN + paper.TITLE + paper.GAP), words, paper.KEY, "la")
    for heading, above in headings:
        ink.text((paper.MARGIN, above), heading, paper.FAINT, paper.font(paper.LABEL), anchor="la")
    return sheet


def _rows(part: _Part) -> Iterator[list[Picture]]:
    """Break a part's blocks into rows that fit."""
    row: list[Picture] = []
    room = _WIDTH - 2 * paper.MARGIN
    for block in part.blocks:
        if row and sum(each.width + part.gap for each in row) + block.width > room:
            yield row
            row = []
        row.append(block)
    if row:
        yield row


def _facts(plan: Plan) -> str:
    quality = "no plan is smoother" if plan.proved else f"a plan may be {plan.gap:.0%} smoother"
    return f"{len(plan.labels)} segments    transitions move {plan.cost:.0f} px in all    {quality}"


def _keyframe_blocks(pictures: Sequence[Frame], mirror: NDArray[np.intp], used: set[int]) -> Iterator[Picture]:
    """Yield each keyframe with its mirrored one below it; the unused ones dimmed."""
    for number, other in enumerate(mirror.tolist()):
        if other < number:
            continue
        stack = [number] if other == number else [number, other]
        shown = [small(pictures[each], _KEYFRAME, dim=each not in used) for each in stack]
        block = blank(max(each.width for each in shown), len(stack) * (_KEYFRAME + LINE))
        for row, (each, picture) in enumerate(zip(stack, shown, strict=True)):
            above = row * (_KEYFRAME + LINE)
            block.paste(picture, ((block.width - picture.width) // 2, above))
            color = paper.KEY if each in used else paper.FAINT
            write(ImageDraw(block), (block.width // 2, above + _KEYFRAME + 3), str(each + 1), color, "ma")
        yield block


def _label_blocks(plan: Plan, pictures: Sequence[Frame]) -> Iterator[Picture]:
    """Yield for each label its name, its two keyframes, and how often it is danced."""
    colors = tints(plan)
    for label in plan.pairs:
        block = _segment(label, plan, pictures, _PAIR, colors)
        times = plan.labels.count(label)
        words = "once" if times == 1 else f"{times} times"
        write(ImageDraw(block), (block.width, _BAND + 3), words, paper.FAINT, "ra")
        yield block


def _walk_blocks(plan: Plan, pictures: Sequence[Frame]) -> Iterator[Picture]:
    """Yield each segment and its number, with the bar of the transition that follows it."""
    colors = tints(plan)
    longest = max(plan.steps, default=0) or 1.0
    for number, (label, step) in enumerate(zip_longest(plan.labels, plan.steps), start=1):
        segment = _segment(label, plan, pictures, _WALK, colors)
        write(ImageDraw(segment), (segment.width, _BAND + 3), str(number), paper.FAINT, "ra")
        block = blank(segment.width + _WAY, segment.height)
        block.paste(segment, (0, 0))
        if step is not None:
            ink, middle = ImageDraw(block), segment.width + _WAY // 2
            foot = _BAND + _NAME + _WALK
            ink.rectangle((middle - 6, foot - max(1, round(_BAR * step / longest)), middle + 5, foot - 1), paper.KEY)
            write(ink, (middle, foot + 3), f"{step:.0f}", paper.KEY, "ma")
        yield block


def _segment(
    label: Label, plan: Plan, pictures: Sequence[Frame], height: int, colors: dict[str, paper.Color]
) -> Picture:
    """Draw a label's two keyframes side by side under its colour, its name above and their numbers below."""
    pair = plan.pairs[label]
    first, last = (small(pictures[keyframe], height) for keyframe in pair)
    width = first.width + 2 + last.width
    block = blank(width, _BAND + _NAME + height + LINE)
    ink = ImageDraw(block)
    ink.rectangle((0, 0, width - 1, _BAND - 3), colors[label.name])
    write(ink, (0, _BAND), str(label), colors[label.name], "la", size=paper.LABEL)
    block.paste(first, (0, _BAND + _NAME))
    block.paste(last, (first.width + 2, _BAND + _NAME))
    write(ink, (width // 2, _BAND + _NAME + height + 3), f"{pair[0] + 1} > {pair[1] + 1}", paper.INK, "ma")
    return block
