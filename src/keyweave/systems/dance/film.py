"""The film of a dance: keyframes on their beats, each way between two of them drawn once, and the song."""

from __future__ import annotations

import tempfile
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import IO, TYPE_CHECKING

import numpy as np

from keyweave.base.progress import SILENT, Progress
from keyweave.base.seeds import derive
from keyweave.media.sound.audio import stream_audio
from keyweave.timeline.film import KeyframeFilm
from keyweave.timeline.renderer import checked

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from keyweave.media.types import Frame, Image, Sound
    from keyweave.protocols import Inbetweener
    from keyweave.timeline.types import Span, Timeline

    Way = tuple[int, int]  # two pictures, by their identity


@dataclass(frozen=True)
class DanceFilm(KeyframeFilm):
    """Keyframes on the beats of a song.

    Args:
        timeline: in which every picture that comes again is the very same object.
        rate: frames per second.
        song: the file that is heard.
        preview: whether it is only a small one to look at.
    """

    song: Path
    preview: bool = False

    def doubts(self) -> Iterator[str]:
        """Say so if nothing will move, and if this is not the film itself."""
        yield from super().doubts()
        if self.preview:
            width, height = self.size
            yield f"This is a preview of {width}x{height}; without --preview the film has its full size."

    def sound(self) -> Sound | None:
        """Return the song, as long as the frames."""
        return stream_audio(self.song, stop=self.frame_count / self.rate)

    def frames(
        self, engine: Inbetweener, *, seed: int, progress: Progress = SILENT, reach: Fraction = Fraction(0)
    ) -> Iterator[Frame]:
        """Draw the frames by the one renderer; a way that is danced again is not drawn again."""
        with tempfile.TemporaryFile() as store:
            once = _Once(engine, _asked(self.timeline, self.rate), store, seed)
            yield from super().frames(once, seed=seed, progress=progress, reach=reach)


def _asked(timeline: Timeline, rate: Fraction) -> dict[Way, Counter[Fraction]]:
    """Return what will be asked of each way between two pictures: how far along, and how often."""
    asked: dict[Way, Counter[Fraction]] = defaultdict(Counter)
    for span, (first, after) in zip(timeline.spans, pairwise(timeline.ticks(rate)), strict=True):
        shares = {span.progress_at(timeline.start + tick / rate) for tick in range(first + 1, after)}
        asked[_way(span)].update(share for share in shares if 0 < share < 1)
    return asked


def _way(span: Span) -> Way:
    return id(span.source.first.pixels), id(span.source.last.pixels)


@dataclass
class _Once:
    """An engine that asks another for all that it will ever need of a way, when it is first danced.

    Frames that are needed later lie in a file that vanishes with the film.

    Args:
        engine: who draws.
        asked: how far along each way, and how often.
        store: an empty file.
        seed: decides all chance, another for each way.
    """

    engine: Inbetweener
    asked: dict[Way, Counter[Fraction]]
    store: IO[bytes]
    seed: int
    _places: dict[tuple[Way, Fraction], int] = field(default_factory=dict)
    _numbers: dict[Way, int] = field(default_factory=dict)

    def __call__(
        self, first: Image, last: Image, times: Sequence[Fraction], *, seed: int, progress: Progress
    ) -> Iterator[Frame]:
        del seed  # of a span; a way has its own, wherever it is danced
        way = (id(first.pixels), id(last.pixels))
        shape = first.pixels.shape
        if way not in self._numbers:
            number = self._numbers[way] = len(self._numbers)
            needed = self.asked[way]
            if sum(needed.values()) == len(times):  # it is danced only once
                yield from self.engine(first, last, times, seed=derive(self.seed, "way", number), progress=progress)
                return
            with progress.part("ahead", 0.0, len(needed)) as part:
                times_ahead = sorted(needed)
                drawn = self.engine(first, last, times_ahead, seed=derive(self.seed, "way", number), progress=part)
                self._keep(way, times_ahead, drawn, shape)
        for time in times:
            self.store.seek(self._places[way, time])
            yield np.frombuffer(self.store.read(int(np.prod(shape))), np.uint8).reshape(shape)
            progress.step()

    def _keep(self, way: Way, times: Sequence[Fraction], drawn: Iterable[Frame], shape: tuple[int, ...]) -> None:
        frames = iter(drawn)
        for time in times:
            frame = checked(next(frames, None), shape)
            self._places[way, time] = self.store.seek(0, 2)
            self.store.write(np.ascontiguousarray(frame).tobytes())
