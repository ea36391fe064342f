"""The one renderer: it walks a timeline and streams its frames.

Keyframes are pinned here, for every engine: where a source stands exactly at its beginning or end, the frame *is* the
keyframe, bit for bit; engines are asked only for what lies strictly between.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from keyweave.base.progress import SILENT, Progress
from keyweave.base.seeds import derive

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from fractions import Fraction

    from keyweave.media.types import Frame
    from keyweave.protocols import Inbetweener
    from keyweave.timeline.types import Span, Timeline


def render(
    timeline: Timeline, rate: Fraction, engine: Inbetweener, *, seed: int, progress: Progress = SILENT
) -> Iterator[Frame]:
    """Yield `timeline.frame_count(rate)` frames (H, W, C), holding no more of them than the engine does."""
    ticks = _ticks_by_span(timeline, rate)
    total = timeline.frame_count(rate)
    for number, (span, times) in enumerate(ticks):
        name = "drawing" if len(ticks) == 1 else f"drawing span {number + 1} of {len(ticks)}"
        if times:
            with progress.part(name, len(times) / total, len(times)) as part:
                yield from _render_span(span, times, engine, derive(seed, "span", number), part)


def _ticks_by_span(timeline: Timeline, rate: Fraction) -> list[tuple[Span, list[Fraction]]]:
    """Share the frame times out; a time at a joint belongs to the span that begins there, the last to the last."""
    shares: list[tuple[Span, list[Fraction]]] = [(span, []) for span in timeline.spans]
    current = 0
    for tick in range(timeline.frame_count(rate)):
        at = timeline.start + tick / rate
        while at >= timeline.spans[current].stop and current < len(shares) - 1:
            current += 1
        shares[current][1].append(at)
    return shares


def _render_span(
    span: Span, times: Sequence[Fraction], engine: Inbetweener, seed: int, progress: Progress
) -> Iterator[Frame]:
    reached = [span.progress_at(at) for at in times]
    first, last = span.source.first, span.source.last
    # A warp may hold still: what is asked for twice is drawn once.
    asked = sorted({come for come in reached if 0 < come < 1})
    drawn = iter(engine(first, last, asked, seed=seed, progress=progress) if asked else ())
    shown_at: Fraction | None = None
    frame = first.pixels
    for come in reached:
        if come in (0, 1):
            frame = first.pixels if come == 0 else last.pixels
            progress.step()
        elif come != shown_at:
            frame = _checked(next(drawn, None), first.pixels.shape)
        shown_at = come
        yield frame
    if next(drawn, None) is not None:
        raise ValueError("the engine drew more frames than it was asked for")


def _checked(frame: Frame | None, shape: tuple[int, ...]) -> Frame:
    """Hold an engine to its promise; a breach is a bug of the engine, not the user's."""
    if frame is None:
        raise ValueError("the engine drew fewer frames than it was asked for")
    if frame.shape != shape or frame.dtype != np.uint8:
        raise ValueError(f"the engine drew {frame.dtype} {frame.shape}; uint8 {shape} was asked for")
    return frame
