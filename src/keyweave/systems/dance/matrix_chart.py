"""The picture of how labels were found: how far apart all segments are, in the order of time and in that of labels."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
import PIL.Image
from PIL.ImageDraw import ImageDraw

from keyweave.media import paper
from keyweave.media.types import Image
from keyweave.systems.dance.naming import RATHER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from keyweave.media.types import Frame
    from keyweave.systems.dance.naming import Labelling

    Floats = NDArray[np.floating]

_SIDE, _LARGEST, _SMALLEST = 560, 48, 1  # pixels of a matrix, about; and of a cell
_NAMES = 34  # room for labels at the left
_SQUARE = 14  # of the legend
_SAME, _MIRRORED, _FAR = paper.LINES[0], paper.LINES[1], (132, 132, 140)
_FAINTEST = 0.35  # of a colour, where something only just belongs to it
_FAR_MOST = 0.5
_LEGEND = ((_SAME, "the same motion"), (_MIRRORED, "its mirror image"), (_FAR, "neither"))


def matrix_chart(found: Labelling, *, title: str = "") -> Image:
    """Draw how far apart segments are: blue where they are the same motion, red where one is the other's mirror image.

    The brighter, the nearer. What is blue outside the blocks of one label, or grey inside, is doubtful; where two
    blocks are blue together, the dancer goes this way in one and that way in the other.

    Args:
        found: the labels, and how they were found.
        title: what the heading says.
    """
    by_time = list(range(len(found.labels)))
    by_label = sorted(by_time, key=lambda segment: (found.labels[segment], segment))
    colors = distance_colors(found)
    cell = max(_SMALLEST, min(_LARGEST, _SIDE // len(by_time)))
    side = max(cell * len(by_time), _SIDE // 2)
    top = paper.MARGIN + paper.TITLE + 2 * paper.GAP + paper.LABEL + paper.CAPTION + paper.GAP
    width = 2 * paper.MARGIN + 2 * (_NAMES + side) + 2 * paper.GAP
    foot = top + cell * len(by_time) + paper.GAP
    sheet = PIL.Image.new("RGB", (width, foot + _SQUARE + paper.MARGIN), paper.PAPER)
    ink = ImageDraw(sheet)
    paper.head(ink, width, title, _facts(found))
    for number, (heading, order) in enumerate((("in order of time", by_time), ("in order of labels", by_label))):
        left = paper.MARGIN + _NAMES + number * (side + _NAMES + 2 * paper.GAP)
        cells = colors[np.ix_(order, order)].repeat(cell, axis=0).repeat(cell, axis=1)
        sheet.paste(PIL.Image.fromarray(cells), (left, top))
        above = top - paper.CAPTION - 2 * paper.GAP
        ink.text((left, above), heading, paper.INK, paper.font(paper.LABEL), anchor="ls")
        _name(ink, [str(found.labels[segment]) for segment in order], cell, (left, top))
    left = paper.MARGIN + _NAMES
    for color, words in _LEGEND:
        ink.rectangle((left, foot, left + _SQUARE - 1, foot + _SQUARE - 1), color)
        ink.text((left + _SQUARE + 6, foot + _SQUARE // 2), words, paper.FAINT, paper.font(paper.CAPTION), anchor="lm")
        left += _SQUARE + 6 + paper.length(words, paper.CAPTION) + 2 * paper.GAP
    return Image(np.asarray(sheet))


def distance_colors(
    found: Labelling,
) -> Frame:  # (S, S, 3)
    """Give each pair of segments its colour."""
    direct, mirrored = found.distances.direct, found.distances.mirrored
    same = direct < found.threshold
    turned = ~same & (mirrored < found.mirror_threshold) & (mirrored < RATHER * direct)
    far = float(direct.max(initial=found.threshold))
    away = (direct - found.threshold) / max(far - found.threshold, 1e-9)
    shares = np.select(
        [same, turned],
        [_bright(direct / found.threshold), _bright(mirrored / found.mirror_threshold)],
        _FAR_MOST * (1 - np.clip(away, 0, 1)),
    )[..., None]
    over = np.select([same[..., None], turned[..., None]], [np.array(_SAME), np.array(_MIRRORED)], np.array(_FAR))
    return np.rint(shares * over + (1 - shares) * np.array(paper.FIELD)).astype(np.uint8)


def _bright(share: Floats) -> Floats:
    return 1 - (1 - _FAINTEST) * np.clip(share, 0, 1)


def _facts(found: Labelling) -> str:
    low, high = found.band
    until = "" if np.isinf(high) else f" to {high:.2f}"
    return f"same motion below {found.threshold:.2f}, and so from {low:.2f}{until}"


def _name(ink: ImageDraw, labels: Sequence[str], cell: int, corner: tuple[int, int]) -> None:
    """Write labels above and at the left, one for each run of the same, where there is room; and part the runs."""
    left, top = corner
    at, end = 0, cell * len(labels)
    for label, run in groupby(labels):
        long = cell * len(list(run))
        middle = at + long // 2
        if long > paper.length(label, paper.CAPTION):
            ink.text((left + middle, top - 4), label, paper.FAINT, paper.font(paper.CAPTION), anchor="ms")
        if long >= paper.CAPTION:
            ink.text((left - 6, top + middle), label, paper.FAINT, paper.font(paper.CAPTION), anchor="rm")
        at += long
        if at < end:
            ink.line((left + at, top, left + at, top + end - 1), paper.PAPER)
            ink.line((left, top + at, left + end - 1, top + at), paper.PAPER)
