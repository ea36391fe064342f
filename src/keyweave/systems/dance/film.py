"""The film of a dance: keyframes on their beats, each way between two of them drawn once, and the song."""

from __future__ import annotations

import hashlib
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

_GRAIN = 16  # steps that a way has in a preview, so that one that is danced again is mostly drawn already


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
            once = _Once(engine, _asked(self.timeline, self.rate, self._grain), store, seed, self._grain)
            yield from super().frames(once, seed=seed, progress=progress, reach=reach)

    @property
    def _grain(self) -> int:
        return _GRAIN if self.preview else 0


def _asked(timeline: Timeline, rate: Fraction, grain: int) -> dict[Way, Counter[Fraction]]:
    """Return what will be asked of each way between two pictures: how far along, and how often."""
    asked: dict[Way, Counter[Fraction]] = defaultdict(Counter)
    for span, (first, after) in zip(timeline.spans, pairwise(timeline.ticks(rate)), strict=True):
        shares = {span.progress_at(timeline.start + tick / rate) for tick in range(first + 1, after)}
        asked[_way(span)].update(share for share in _on_grain(sorted(shares), grain) if 0 < share < 1)
    return asked


def _on_grain(shares: Sequence[Fraction], grain: int) -> list[Fraction]:
    """Round shares of a way to its steps, of which the ends are the pictures; 0 steps leave them as they are."""
    return [Fraction(round(share * grain), grain) for share in shares] if grain else list(shares)


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
        seed: decides all chance, another for each way: the same wherever in a film it is danced.
        grain: steps that a way has; 0 for as many as are asked for.
    """

    engine: Inbetweener
    asked: dict[Way, Counter[Fraction]]
    store: IO[bytes]
    seed: int
    grain: int = 0
    _places: dict[tuple[Way, Fraction], int] = field(default_factory=dict)
    _drawn: set[Way] = field(default_factory=set)

    def __call__(
        self, first: Image, last: Image, times: Sequence[Fraction], *, seed: int, progress: Progress
    ) -> Iterator[Frame]:
        del seed  # of a span; a way has its own, wherever it is danced
        way = (id(first.pixels), id(last.pixels))
        shape = first.pixels.shape
        times = _on_grain(times, self.grain)
        if way not in self._drawn:
            self._drawn.add(way)
            needed, chance = self.asked[way], derive(self.seed, "way", *_shown(first, last))
            if list(needed) == list(needed.elements()) == times:  # it is danced only once, and asked nothing twice
                yield from self.engine(first, last, times, seed=chance, progress=progress)
                return
            with progress.part("ahead", 0.0, len(needed)) as part:
                times_ahead = sorted(needed)
                drawn = self.engine(first, last, times_ahead, seed=chance, progress=part)
                self._keep(way, times_ahead, drawn, shape)
        ends = {Fraction(0): first.pixels, Fraction(1): last.pixels}
        for time in times:
            yield ends[time] if time in ends else self._kept(way, time, shape)
            progress.step()

    def _kept(self, way: Way, time: Fraction, shape: tuple[int, ...]) -> Frame:
        self.store.seek(self._places[way, time])
        return np.frombuffer(self.store.read(int(np.prod(shape))), np.uint8).reshape(shape)

    def _keep(self, way: Way, times: Sequence[Fraction], drawn: Iterable[Frame], shape: tuple[int, ...]) -> None:
        frames = iter(drawn)
        for time in times:
            frame = checked(next(frames, None), shape)
            self._places[way, time] = self.store.seek(0, 2)
            self.store.write(np.ascontiguousarray(frame).tobytes())


def _shown(*pictures: Image) -> list[str]:
    return [hashlib.sha256(np.ascontiguousarray(picture.pixels).tobytes()).hexdigest() for picture in pictures]
