"""The dark paper that sheets, charts and curves are drawn on: its colours, its type, its measures."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from PIL.ImageFont import FreeTypeFont, ImageFont, load_default

if TYPE_CHECKING:
    from fractions import Fraction

    from PIL.ImageDraw import ImageDraw

Color = tuple[int, int, int]

PAPER, FIELD, GRID = (24, 24, 26), (31, 31, 34), (50, 50, 54)
INK, FAINT = (238, 238, 240), (152, 152, 158)
KEY = (214, 176, 84)  # keyframes
LINES = ((104, 178, 250), (244, 134, 108), (136, 208, 148))
MARGIN, GAP = 32, 12
TITLE, LABEL, CAPTION = 22, 17, 14  # sizes of type
LEAST_WIDTH = 480
FINER = 4  # lines are drawn this much larger and then reduced, which smooths them


@lru_cache
def font(size: int) -> FreeTypeFont | ImageFont:
    """Return Pillow's own typeface, so that none has to be shipped."""
    return load_default(size)


def length(text: str, size: int) -> int:
    """Tell how many pixels a text takes."""
    return round(font(size).getlength(text))


def clipped(text: str, size: int, room: int) -> str:
    """Shorten a text that is too long for its place."""
    text = " ".join(text.split())
    if length(text, size) <= room:
        return text
    while text and length(f"{text}…", size) > room:
        text = text[:-1]
    return f"{text}…"


def head(ink: ImageDraw, width: int, title: str, facts: str) -> None:
    """Write the line at the top: a title on the left, shortened where the facts on the right need its room."""
    baseline = MARGIN + TITLE * 3 // 4
    room = width - 2 * MARGIN - (length(facts, LABEL) + 2 * GAP if facts else 0)
    ink.text((MARGIN, baseline), clipped(title, TITLE, room), INK, font(TITLE), anchor="ls")
    ink.text((width - MARGIN, baseline), facts, FAINT, font(LABEL), anchor="rs")


def clock(seconds: Fraction) -> str:
    """Write a time as 0:07.040."""
    minutes, milliseconds = divmod(round(seconds * 1000), 60_000)
    hours, minutes = divmod(minutes, 60)
    rest = f"{milliseconds // 1000:02}.{milliseconds % 1000:03}"
    return f"{hours}:{minutes:02}:{rest}" if hours else f"{minutes}:{rest}"


def rate_words(rate: Fraction) -> str:
    """Write a rate as 23.976 fps."""
    return f"{float(rate):.3f}".rstrip("0").rstrip(".") + " fps"


def mixed(color: Color, share: float) -> Color:
    """Lay a colour over a field of the paper, as thinly as `share` says."""
    red, green, blue = (round(share * over + (1 - share) * under) for over, under in zip(color, FIELD, strict=True))
    return red, green, blue
