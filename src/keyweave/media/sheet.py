"""Contact sheets and before/after strips: a clip at one glance, each frame with its time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import PIL.Image
from PIL.ImageDraw import ImageDraw

from keyweave.base.errors import InputError, MediaError
from keyweave.media import paper
from keyweave.media.types import Image

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from keyweave.media.source import FrameSource, Shown
    from keyweave.media.types import Frame

_CHECKS = np.array([[92, 116], [116, 92]], np.uint8)  # greys behind what is transparent
_CHECK = 8

_WIDEST_LABEL = 200

_MOST_PIXELS = 64_000_000

# Up to here, to read on costs less than to seek: a seek decodes from the key frame before.
_LEAP = Fraction(2)
_TAIL = Fraction(2)


def contact_sheet(
    source: FrameSource, *, title: str = "", columns: int = 8, count: int | None = None, cell_width: int = 240
) -> Image:
    """Lay out evenly spaced frames of a clip, the first and the last among them, each with its time.

    Args:
        source: the clip.
        title: what the heading says, for instance the name of the file.
        columns: how many frames lie side by side.
        count: how many frames; by default four rows. A clip of fewer shows each of them once.
        cell_width: pixels across a frame. Small frames are enlarged by whole numbers only, and stay crisp.
    """
    if columns < 1:
        raise InputError(f"A sheet needs 1 column or more; got {columns}.")
    count = 4 * columns if count is None else count
    _check(count, cell_width)
    items: list[Shown] = []
    for item in _on_screen(source, _evenly(_last_start(source), count)):
        if not items or item.start != items[-1].start:
            items.append(item._replace(frame=_fitted(item.frame, cell_width)))
    rows = [items[k : k + columns] for k in range(0, len(items), columns)]
    return _painted(
        title,
        f"{source.width} x {source.height} px    {paper.rate_words(source.rate)}    {paper.clock(source.duration)}",
        [_Row("", [item.frame for item in row], [paper.clock(item.start) for item in row]) for row in rows],
    )


def strip(
    rows: Sequence[tuple[str, Sequence[Frame]]],
    *,
    times: Sequence[Fraction] = (),
    title: str = "",
    cell_width: int = 240,
) -> Image:
    """Lay labelled rows of frames under one another, for instance what came in above what went out.

    Args:
        rows: for each row its label and its frames, each (H, W, 3 or 4).
        times: printed under the columns.
        title: what the heading says.
        cell_width: pixels across a frame. Small frames are enlarged by whole numbers only, and stay crisp.
    """
    _check(sum(len(frames) for _, frames in rows), cell_width)
    laid = [_Row(label, [_fitted(frame, cell_width) for frame in frames], ()) for label, frames in rows]
    laid[-1] = replace(laid[-1], captions=[paper.clock(at) for at in times])
    return _painted(title, "", laid)


def compare_sheet(
    before: FrameSource,
    after: FrameSource,
    *,
    names: tuple[str, str] = ("before", "after"),
    count: int = 8,
    title: str = "",
    cell_width: int = 240,
) -> Image:
    """Lay frames of two clips under one another, at the same evenly spaced times, as far as both go."""
    _check(2 * count, cell_width)
    times = _evenly(min(map(_last_start, (before, after))), count)
    rows = [
        (name, [_fitted(item.frame, cell_width) for item in _on_screen(source, times)])
        for name, source in zip(names, (before, after), strict=True)
    ]
    return strip(rows, times=times, title=title, cell_width=cell_width)


def _check(count: int, cell_width: int) -> None:
    if count < 1:
        raise InputError(f"A sheet needs 1 frame or more; got {count}.")
    if not 16 <= cell_width <= 4096:
        raise InputError(f"Frames on a sheet are 16 to 4096 pixels wide; got {cell_width}.")
    if count * _tallest(cell_width) * cell_width > _MOST_PIXELS:
        raise InputError(f"A sheet of {count} frames of {cell_width} pixels is too large.", "Ask for fewer or smaller.")


def _evenly(last: Fraction, count: int) -> list[Fraction]:
    """Return `count` times from 0 to the start of the last frame."""
    return [last * k / max(1, count - 1) for k in range(count)]


def _last_start(source: FrameSource) -> Fraction:
    """Tell when the last real frame begins; the stated duration may run past it."""
    for begin in (max(Fraction(0), source.duration - _TAIL), Fraction(0)):
        found = None
        for item in source.shown(begin):
            found = item.start
        if found is not None:
            return found
    raise MediaError("The clip holds no frame that can be shown.")


def _on_screen(source: FrameSource, times: Sequence[Fraction]) -> Iterator[Shown]:
    """Yield what is on screen at each of the rising times, by leaps or in one pass, whichever costs less."""
    if len(times) > 1 and times[1] - times[0] > _LEAP:
        for at in times:
            yield next(iter(source.shown(at)))
        return
    due = 0
    for item in source.shown(times[0]):
        while times[due] < item.stop:
            yield item
            due += 1
            if due == len(times):
                return


def _tallest(cell_width: int) -> int:
    return cell_width * 4 // 3


def _fitted(frame: Frame, cell_width: int) -> Frame:
    """Scale a frame to a cell: smaller smoothly, larger by whole numbers so that pixel art stays crisp."""
    height, width = frame.shape[:2]
    scale = min(Fraction(cell_width, width), Fraction(_tallest(cell_width), height))
    if scale >= 1:
        return frame.repeat(int(scale), axis=0).repeat(int(scale), axis=1)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(PIL.Image.fromarray(frame).resize(size, PIL.Image.Resampling.LANCZOS, reducing_gap=3))


@dataclass(frozen=True)
class _Row:
    """Frames side by side, each with its caption below."""

    label: str
    frames: Sequence[Frame]
    captions: Sequence[str]


def _painted(title: str, facts: str, rows: Sequence[_Row]) -> Image:
    """Paint the heading and the rows, all cells as large as the largest."""
    frames = [frame for row in rows for frame in row.frames]
    cell = max(frame.shape[1] for frame in frames), max(frame.shape[0] for frame in frames)
    labels = max(paper.length(paper.clipped(row.label, paper.LABEL, _WIDEST_LABEL), paper.LABEL) for row in rows)
    left = paper.MARGIN + (labels + 2 * paper.GAP if labels else 0)
    columns = max(len(row.frames) for row in rows)
    headed = bool(title or facts)
    width = max(left + columns * (cell[0] + paper.GAP) - paper.GAP + paper.MARGIN, paper.LEAST_WIDTH * headed)
    top = paper.MARGIN + (paper.TITLE + 2 * paper.GAP) * headed
    heights = [cell[1] + paper.GAP + (paper.CAPTION + paper.GAP) * bool(row.captions) for row in rows]
    sheet = PIL.Image.new("RGB", (width, top + sum(heights) - paper.GAP + paper.MARGIN), paper.PAPER)
    ink = ImageDraw(sheet)
    paper.head(ink, width, title, facts)
    for row, height in zip(rows, heights, strict=True):
        label = paper.clipped(row.label, paper.LABEL, _WIDEST_LABEL)
        ink.text((paper.MARGIN, top + cell[1] // 2), label, paper.INK, paper.font(paper.LABEL), anchor="lm")
        for number, frame in enumerate(row.frames):
            at = left + number * (cell[0] + paper.GAP) + (cell[0] - frame.shape[1]) // 2
            sheet.paste(PIL.Image.fromarray(over_checks(frame)), (at, top + (cell[1] - frame.shape[0]) // 2))
        below = top + cell[1] + paper.GAP // 2
        for number, caption in enumerate(row.captions):
            middle = left + number * (cell[0] + paper.GAP) + cell[0] // 2
            ink.text((middle, below), caption, paper.FAINT, paper.font(paper.CAPTION), anchor="ma")
        top += height
    return Image(np.asarray(sheet))


def over_checks(frame: Frame) -> Frame:
    """Lay a frame with alpha over a chequerboard."""
    if frame.shape[2] == 3:
        return frame
    rows, columns = (np.arange(side) // _CHECK % 2 for side in frame.shape[:2])
    checks = _CHECKS[rows[:, None], columns][:, :, None]
    alpha = frame[:, :, 3:].astype(np.float32) / 255
    return np.rint(frame[:, :, :3] * alpha + checks * (1 - alpha)).astype(np.uint8)
