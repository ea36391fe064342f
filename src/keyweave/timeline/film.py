"""What a system hands to a job: something that can be drawn frame by frame, with its sound."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

import numpy as np

from keyweave.base.progress import SILENT, Progress
from keyweave.timeline.renderer import render

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from keyweave.media.types import Frame, Sound
    from keyweave.protocols import Inbetweener
    from keyweave.timeline.types import Span, Timeline


class Film(Protocol):
    """A film that was laid out, with nothing drawn yet."""

    @property
    def rate(self) -> Fraction:
        """Frames per second."""
        ...

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of every frame."""
        ...

    @property
    def frame_count(self) -> int:
        """How many frames it will have."""
        ...

    def doubts(self) -> Iterator[str]:
        """Say what may not be what was wanted, before anything is drawn."""
        ...

    def sound(self) -> Sound | None:
        """Return what is heard, as long as the frames are."""
        ...

    def frames(
        self, engine: Inbetweener, *, seed: int, progress: Progress = SILENT, reach: Fraction = Fraction(0)
    ) -> Iterator[Frame]:
        """Draw the frames (H, W, C), one after another; `reach` is how far beyond its pictures the engine can go."""
        ...


@dataclass(frozen=True)
class KeyframeFilm:
    """A timeline at a rate, without sound; a `Film`."""

    timeline: Timeline
    rate: Fraction

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of every frame."""
        return self.timeline.size

    @property
    def frame_count(self) -> int:
        """How many frames it will have."""
        return self.timeline.frame_count(self.rate)

    def to_draw(self) -> Iterator[Span]:
        """Yield the spans that an engine is needed for: some frame in them is neither of their two pictures."""
        yield from (span for span, drawn in self._drawn() if any(True for _ in drawn))

    def nearest(self, shares: Sequence[Fraction]) -> set[int]:
        """Return the frames that come closest to these shares of the way, in every span that is drawn."""
        spans = [frames for _, drawn in self._drawn() if (frames := dict(drawn))] if shares else []
        return {min(frames, key=lambda tick: abs(frames[tick] - share)) for frames in spans for share in shares}

    def _drawn(self) -> Iterator[tuple[Span, Iterator[tuple[int, Fraction]]]]:
        """Yield the spans that move, with those of their frames that an engine draws and their shares of the way."""
        for span, (first, after) in zip(self.timeline.spans, pairwise(self.timeline.ticks(self.rate)), strict=True):
            if not span.source.is_still:
                yield span, self._shares(span, range(first + 1, after))

    def _shares(self, span: Span, frames: range) -> Iterator[tuple[int, Fraction]]:
        """Yield those of a span's frames that show neither of its pictures, with their shares of the way."""
        for tick in frames:
            share = span.progress_at(self.timeline.start + tick / self.rate)
            if share not in (0, 1):
                yield tick, share

    def keyframes(self) -> dict[int, Frame]:
        """Return the keyframes by the number of the frame that shows them."""
        ends = zip(self.timeline.ticks(self.rate), [*self.timeline.spans, None], strict=True)
        last = self.timeline.spans[-1].source.last
        found = {tick: (span.source.first if span else last).pixels for tick, span in ends}
        if self.timeline.loop:
            found.pop(max(found))  # it is the first frame again, and not shown twice
        return found

    def doubts(self) -> Iterator[str]:
        """Say so if nothing will move."""
        pictures = [span.source for span in self.timeline.spans]
        if all(np.array_equal(one.first.pixels, one.last.pixels) for one in pictures):
            yield "All keyframes show the same picture; the film will stand still."

    def sound(self) -> Sound | None:
        """Return nothing: keyframes are silent."""
        return None

    def frames(
        self, engine: Inbetweener, *, seed: int, progress: Progress = SILENT, reach: Fraction = Fraction(0)
    ) -> Iterator[Frame]:
        """Draw the frames by the one renderer."""
        return render(self.timeline, self.rate, engine, seed=seed, progress=progress, reach=reach)
