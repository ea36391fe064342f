"""What a system hands to a job: something that can be drawn frame by frame, with its sound."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Protocol

import numpy as np

from keyweave.base.progress import SILENT, Progress
from keyweave.timeline.renderer import render

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keyweave.media.types import Frame, Sound
    from keyweave.protocols import Inbetweener
    from keyweave.timeline.types import Timeline


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
