"""Films beside one another in one film, each under its name, to be looked at together."""

from __future__ import annotations

from fractions import Fraction
from itertools import zip_longest
from typing import TYPE_CHECKING

import numpy as np
import PIL.Image
from PIL.ImageDraw import ImageDraw

from keyweave.base.errors import InputError
from keyweave.media import paper
from keyweave.media.fit import fit
from keyweave.media.sheet import over_checks
from keyweave.media.types import Image

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from keyweave.media.source import FrameSource
    from keyweave.media.types import Frame

MOST = 8  # films
HEIGHT = 360  # what small films are enlarged towards, by whole numbers: their pixels stay crisp
_TALLEST = 4096
_BAND = 42  # above each film, for its name; even, as the height of the whole


def beside(sources: Sequence[FrameSource], names: Sequence[str], *, height: int | None = None) -> Iterator[Frame]:
    """Yield frames (H, W, 3) that show films side by side, at the first one's rate; one that ends holds its last frame.

    Args:
        sources: the films.
        names: what each is called.
        height: of every film, in pixels; that of the tallest without, and small ones are enlarged.
    """
    if not 2 <= len(sources) <= MOST:
        raise InputError(f"2 to {MOST} films can lie beside one another; got {len(sources)}.")
    if height is not None and not 16 <= height <= _TALLEST:
        raise InputError(f"Films beside one another are 16 to {_TALLEST} pixels high; got {height}.")
    sizes = _sizes([(source.width, source.height) for source in sources], height)
    sheet, places = _laid_out(sizes, names)
    last: list[Frame | None] = [None] * len(sources)
    for frames in zip_longest(*(source.frames(rate=sources[0].rate) for source in sources)):
        picture = sheet.copy()
        for number, (frame, size, (left, top)) in enumerate(zip(frames, sizes, places, strict=True)):
            if frame is not None:
                last[number] = _brought_to(frame, size)
            shown = last[number]
            if shown is not None:
                picture[top : top + size[1], left : left + size[0]] = shown
        yield picture


def _sizes(sizes: Sequence[tuple[int, int]], height: int | None) -> list[tuple[int, int]]:
    """Return the width and height of each film as it is shown: all of one height."""
    tallest = max(size[1] for size in sizes)
    shown = height or tallest * max(1, HEIGHT // tallest)
    return [(max(1, round(Fraction(width * shown, tall))), shown) for width, tall in sizes]


def _laid_out(sizes: Sequence[tuple[int, int]], names: Sequence[str]) -> tuple[Frame, list[tuple[int, int]]]:
    """Paint the paper with its names; return it and the upper left corner of each film."""
    width = sum(size[0] for size in sizes) + (len(sizes) - 1) * paper.GAP
    height = _BAND + sizes[0][1]
    sheet = PIL.Image.new("RGB", (width + width % 2, height + height % 2), paper.PAPER)  # as films want it
    ink, places, left = ImageDraw(sheet), list[tuple[int, int]](), 0
    for size, name in zip(sizes, names, strict=True):
        text = paper.clipped(name, paper.LABEL, size[0])
        ink.text((left + size[0] // 2, _BAND // 2), text, paper.INK, paper.font(paper.LABEL), anchor="mm")
        places.append((left, _BAND))
        left += size[0] + paper.GAP
    return np.asarray(sheet), places


def _brought_to(frame: Frame, size: tuple[int, int]) -> Frame:
    opaque = over_checks(frame)
    whole = size[1] // opaque.shape[0]
    if (opaque.shape[1] * whole, opaque.shape[0] * whole) == size:
        return opaque.repeat(whole, axis=0).repeat(whole, axis=1)
    return fit(Image(opaque), size, "stretch").pixels
