"""What the parts of a plan's picture share: small keyframes, words, and a colour for each motion."""

from __future__ import annotations

from typing import TYPE_CHECKING

import PIL.Image

from keyweave.media import paper

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

    from keyweave.media.types import Frame
    from keyweave.systems.dance.assignment import Plan

    Picture = PIL.Image.Image

LINE = paper.CAPTION + 6  # room for a line of small type
_DIM = 0.3  # of a keyframe that the plan does not use
_WIDEST = 1.8  # widths of a picture to its height
_TINTS = (*paper.LINES, (188, 150, 240), (236, 146, 196), (104, 204, 204), (222, 206, 120), (176, 184, 196))


def tints(plan: Plan) -> dict[str, paper.Color]:
    """Give each name of a label a colour, which its mirrored one has too."""
    names = dict.fromkeys(label.name for label in plan.labels)
    return {name: _TINTS[number % len(_TINTS)] for number, name in enumerate(names)}


def small(frame: Frame, height: int, *, dim: bool = False) -> Picture:
    """Return a picture at a height, what is transparent on the colour of the paper; the middle of one that is wide."""
    picture = PIL.Image.fromarray(frame)
    if picture.mode == "RGBA":
        picture = PIL.Image.alpha_composite(PIL.Image.new("RGBA", picture.size, (*paper.FIELD, 255)), picture)
    width = max(1, round(picture.width * height / picture.height))
    picture = picture.convert("RGB").resize((width, height), PIL.Image.Resampling.LANCZOS)
    beyond = max(0, width - round(_WIDEST * height))
    picture = picture.crop((beyond // 2, 0, width - (beyond - beyond // 2), height))
    return PIL.Image.blend(blank(*picture.size), picture, _DIM) if dim else picture


def blank(width: int, height: int) -> Picture:
    """Return a piece of paper."""
    return PIL.Image.new("RGB", (width, height), paper.PAPER)


def write(
    ink: ImageDraw, at: tuple[int, int], words: str, color: paper.Color, anchor: str, *, size: int = paper.CAPTION
) -> None:
    """Write a line of small type."""
    ink.text(at, words, color, paper.font(size), anchor=anchor)
