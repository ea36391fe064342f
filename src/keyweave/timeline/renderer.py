"""The one renderer: it walks a timeline and streams its frames.

Keyframes are pinned here, for every engine: where a source stands exactly at its beginning or end, the frame *is* the
keyframe, bit for bit; engines are asked only for what lies strictly between.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from keyweave.base.progress import SILENT, Progress
from keyweave.base.seeds import derive

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from keyweave.media.types import Frame
    from keyweave.protocols import Inbetweener
    from keyweave.timeline.types import Span, Timeline


def render(
    timeline: Timeline,
    rate: Fraction,
    engine: Inbetweener,
    *,
    seed: int,
    progress: Progress = SILENT,
    reach: Fraction = Fraction(0),
) -> Iterator[Frame]:
    """Yield `timeline.frame_count(rate)` frames (H, W, C), holding no more of them than the engine does.

    `reach` is how far beyond its two pictures the engine can go; an easing that overshoots more is held there.
    """
    ticks = timeline.ticks(rate)
    total = timeline.frame_count(rate)
    for number, (span, (first, after)) in enumerate(zip(timeline.spans, pairwise(ticks), strict=True)):
        # The last frame of all belongs to the last span.
        times = [timeline.start + tick / rate for tick in range(first + 1, after)]
        reached = [Fraction(0), *(min(max(span.progress_at(at), -reach), 1 + reach) for at in times)]
        if number == len(timeline.spans) - 1 and not timeline.loop:
            reached.append(Fraction(1))
        name = "drawing" if len(timeline.spans) == 1 else f"drawing span {number + 1} of {len(timeline.spans)}"
        with progress.part(name, len(reached) / total, len(reached)) as part:
            way = number if span.back_over is None else span.back_over
            yield from _render_span(span, reached, engine, derive(seed, "span", way), part)


def _render_span(
    span: Span, reached: Sequence[Fraction], engine: Inbetweener, seed: int, progress: Progress
) -> Iterator[Frame]:
    first, last = span.source.first, span.source.last
    still = span.source.is_still
    # A warp that holds still asks for the same again: what is equal in a row is drawn once.
    moved = [come for before, come in pairwise([Fraction(-1), *reached]) if come != before]
    asked = [come for come in moved if come not in (0, 1) and not still]
    ends = first, last
    if span.back_over is not None:
        ends, asked = (last, first), [1 - come for come in asked]
    drawn = iter(engine(*ends, asked, seed=seed, progress=progress) if asked else ())
    shown_at: Fraction | None = None
    frame = first.pixels
    for come in reached:
        if still or come in (0, 1):
            frame = last.pixels if come == 1 else first.pixels
            progress.step()
        elif come != shown_at:
            frame = checked(next(drawn, None), first.pixels.shape)
        shown_at = come
        yield frame
    if next(drawn, None) is not None:
        raise ValueError("the engine drew more frames than it was asked for")


def checked(frame: Frame | None, shape: tuple[int, ...]) -> Frame:
    """Hold an engine to its promise; a breach is a bug of the engine, not the user's."""
    if frame is None:
        raise ValueError("the engine drew fewer frames than it was asked for")
    if frame.shape != shape or frame.dtype != np.uint8:
        raise ValueError(f"the engine drew {frame.dtype} {frame.shape}; uint8 {shape} was asked for")
    return frame
