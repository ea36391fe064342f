"""The picture of a plan: the keyframes, each label's pair of them, and the walk over the song with its transitions."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import PIL.Image
from PIL.ImageDraw import ImageDraw

from keyweave.media import paper
from keyweave.media.types import Image

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import ArrayLike, NDArray

    from keyweave.media.types import Frame
    from keyweave.systems.dance.assignment import Plan
    from keyweave.systems.dance.labels import Label

    Picture = PIL.Image.Image

_WIDTH = 1600
_KEYFRAME, _PAIR, _WALK = 92, 92, 64  # heights of the pictures in the three parts
_LINE = paper.CAPTION + 6
_NAME = 25  # room for the name of a label
_BAND = 6  # the coloured line over what a label is danced with
_WAY, _BAR = 46, 40  # room between two segments, and the height of its longest bar
_DIM = 0.3  # of a keyframe that the plan does not use
_WIDEST = 1.8  # widths of a picture to its height
_TINTS = (*paper.LINES, (188, 150, 240), (236, 146, 196), (104, 204, 204), (222, 206, 120), (176, 184, 196))


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
        _Part("labels: from keyframe > to keyframe", list(_label_blocks(plan, pictures)), 2 * paper.GAP),
        _Part(
            "the walk: bars tell how far each transition moves, from the end of a segment to the start of the next",
            list(_walk_blocks(plan, pictures)),
            0,
        ),
    ]
    return Image(np.asarray(_composed(plan, parts, title)))


def _composed(plan: Plan, parts: list[_Part], title: str) -> Picture:
    top = paper.MARGIN + paper.TITLE + paper.GAP + (_LINE if plan.relaxed else 0)
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
        _write(ink, (paper.MARGIN, paper.MARGIN + paper.TITLE + paper.GAP), words, paper.KEY, "la")
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
        small = [_small(pictures[each], _KEYFRAME) for each in stack]
        block = _blank(max(each.width for each in small), len(stack) * (_KEYFRAME + _LINE))
        for row, (each, picture) in enumerate(zip(stack, small, strict=True)):
            above = row * (_KEYFRAME + _LINE)
            shown = picture if each in used else PIL.Image.blend(_blank(*picture.size), picture, _DIM)
            block.paste(shown, ((block.width - shown.width) // 2, above))
            color = paper.KEY if each in used else paper.FAINT
            _write(ImageDraw(block), (block.width // 2, above + _KEYFRAME + 3), str(each + 1), color, "ma")
        yield block


def _label_blocks(plan: Plan, pictures: Sequence[Frame]) -> Iterator[Picture]:
    """Yield for each label its name, its two keyframes, and how often it is danced."""
    tints = _tints(plan)
    for label in plan.pairs:
        block = _segment(label, plan, pictures, _PAIR, tints)
        times = plan.labels.count(label)
        words = "once" if times == 1 else f"{times} times"
        _write(ImageDraw(block), (block.width, _BAND + 3), words, paper.FAINT, "ra")
        yield block


def _walk_blocks(plan: Plan, pictures: Sequence[Frame]) -> Iterator[Picture]:
    """Yield each segment and its number, with the bar of the transition that follows it."""
    tints = _tints(plan)
    longest = max(plan.steps, default=0) or 1.0
    for number, (label, step) in enumerate(zip_longest(plan.labels, plan.steps), start=1):
        segment = _segment(label, plan, pictures, _WALK, tints)
        _write(ImageDraw(segment), (segment.width, _BAND + 3), str(number), paper.FAINT, "ra")
        block = _blank(segment.width + _WAY, segment.height)
        block.paste(segment, (0, 0))
        if step is not None:
            ink, middle = ImageDraw(block), segment.width + _WAY // 2
            foot = _BAND + _NAME + _WALK
            ink.rectangle((middle - 6, foot - max(1, round(_BAR * step / longest)), middle + 5, foot - 1), paper.KEY)
            _write(ink, (middle, foot + 3), f"{step:.0f}", paper.KEY, "ma")
        yield block


def _segment(
    label: Label, plan: Plan, pictures: Sequence[Frame], height: int, tints: dict[str, paper.Color]
) -> Picture:
    """Draw a label's two keyframes side by side under its colour, its name above and their numbers below."""
    pair = plan.pairs[label]
    first, last = (_small(pictures[keyframe], height) for keyframe in pair)
    width = first.width + 2 + last.width
    block = _blank(width, _BAND + _NAME + height + _LINE)
    ink = ImageDraw(block)
    ink.rectangle((0, 0, width - 1, _BAND - 3), tints[label.name])
    _write(ink, (0, _BAND), str(label), tints[label.name], "la", size=paper.LABEL)
    block.paste(first, (0, _BAND + _NAME))
    block.paste(last, (first.width + 2, _BAND + _NAME))
    _write(ink, (width // 2, _BAND + _NAME + height + 3), f"{pair[0] + 1} > {pair[1] + 1}", paper.INK, "ma")
    return block


def _tints(plan: Plan) -> dict[str, paper.Color]:
    """Give each name of a label a colour, which its mirrored one has too."""
    names = dict.fromkeys(label.name for label in plan.labels)
    return {name: _TINTS[number % len(_TINTS)] for number, name in enumerate(names)}


def _small(frame: Frame, height: int) -> Picture:
    """Return a picture at a height, what is transparent on the colour of the paper; the middle of one that is wide."""
    picture = PIL.Image.fromarray(frame)
    if picture.mode == "RGBA":
        picture = PIL.Image.alpha_composite(PIL.Image.new("RGBA", picture.size, (*paper.FIELD, 255)), picture)
    width = max(1, round(picture.width * height / picture.height))
    picture = picture.convert("RGB").resize((width, height), PIL.Image.Resampling.LANCZOS)
    beyond = max(0, width - round(_WIDEST * height))
    return picture.crop((beyond // 2, 0, width - (beyond - beyond // 2), height))


def _blank(width: int, height: int) -> Picture:
    return PIL.Image.new("RGB", (width, height), paper.PAPER)


def _write(
    ink: ImageDraw, at: tuple[int, int], words: str, color: paper.Color, anchor: str, *, size: int = paper.CAPTION
) -> None:
    ink.text(at, words, color, paper.font(size), anchor=anchor)
