"""From a clip to the same clip in another time: the story of `keyweave retime` in one screen."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from keyweave.base.errors import InputError, MediaError
from keyweave.base.progress import SILENT, Progress
from keyweave.base.seeds import derive
from keyweave.media.clips import open_frames, open_sound
from keyweave.media.sound.stretch import stretched
from keyweave.media.sound.track import sample_at
from keyweave.perceive.cuts import CutFinder
from keyweave.timeline.grid import between_frames

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from keyweave.media.source import FrameSource, Shown
    from keyweave.media.types import Frame, Sound
    from keyweave.protocols import Inbetweener
    from keyweave.systems.retime.options import RetimeOptions

MOST_FRAMES = 10_000_000
# A picture that stands longer than this, in seconds and in frames, was meant to: a slide, a title. Nothing is moved
# across it.
_STANDS, _STANDS_FRAMES = Fraction(3, 10), 3
# What is due so near to a frame of the clip, as a share of the way to its neighbour, may be taken for that frame.
_NEAREST = Fraction(1, 8)


def retime(path: Path, options: RetimeOptions) -> RetimedFilm:
    """Lay out a clip anew; its frames are read and drawn as they are asked for."""
    with open_frames(path) as source:
        rate = options.fps or source.rate
        long = source.duration
        length = options.duration or long / options.speed
        film = RetimedFilm(path, options, rate, (source.width, source.height), long, length)
    if film.frame_count > MOST_FRAMES:
        raise InputError(f"A film has at most {MOST_FRAMES:,} frames; {film.frame_count:,} were asked for.")
    return film


@dataclass(frozen=True)
class RetimedFilm:
    """A clip in another time; a `timeline.film.Film`.

    Args:
        path: the clip.
        options: what was asked.
        rate: frames per second that come out.
        size: width and height.
        source_length: how long the clip is, in seconds.
        length: how long it becomes.
    """

    path: Path
    options: RetimeOptions
    rate: Fraction
    size: tuple[int, int]
    source_length: Fraction
    length: Fraction

    @property
    def frame_count(self) -> int:
        """How many frames it will have."""
        return max(1, round(self.length * self.rate))

    def source_time(self, at: Fraction) -> Fraction:
        """Return which moment of the clip is due at a time, in seconds of either."""
        passed = at / self.length
        if self.options.easing is not None:
            passed = self.options.easing(min(passed, Fraction(1)))
        return passed * self.source_length

    def doubts(self) -> Iterator[str]:
        """Say so if nothing changes."""
        if self.length == self.source_length and self.options.easing is None:
            with open_frames(self.path) as source:
                if self.rate == source.rate:
                    yield "Neither speed nor rate change; only the compression is new. Give --speed or --fps."

    def sound(self) -> Sound | None:
        """Return the sound in the new time, its pitch kept."""
        if self.options.sound == "drop":
            return None
        end = self.frame_count / self.rate
        if self.length == self.source_length and self.options.easing is None:
            return open_sound(self.path, end)
        sound = open_sound(self.path)
        return sound and stretched(sound, self._heard_at, sample_at(end, sound.rate))

    def _heard_at(self, seconds: float) -> float:
        if self.options.easing is None:
            return seconds * float(self.source_length / self.length)
        return float(self.source_time(Fraction(min(seconds, float(self.length)))))

    def frames(
        self, engine: Inbetweener, *, seed: int, progress: Progress = SILENT, reach: Fraction = Fraction(0)
    ) -> Iterator[Frame]:
        """Draw the frames (H, W, C); of the clip, two are held at a time."""
        del reach  # time never runs beyond the clip
        due = (self.source_time(tick / self.rate) for tick in range(self.frame_count))
        with open_frames(self.path) as source, progress.part("drawing", total=self.frame_count) as part:
            for frame in _walk(source, due, engine, seed):
                yield frame
                part.step()


def _walk(source: FrameSource, due: Iterator[Fraction], engine: Inbetweener, seed: int) -> Iterator[Frame]:
    """Yield what is due at rising times: a frame of the clip where one begins, and what lies between elsewhere."""
    cuts = CutFinder()
    stands = max(_STANDS, _STANDS_FRAMES / source.rate)
    before: Shown | None = None
    following = next(due, None)
    for number, item in enumerate(source.shown()):
        gap = Fraction(0) if before is None else item.start - before.start
        slack = min(source.slack, gap * _NEAREST)
        times = []
        while following is not None and following < item.start - slack:
            times.append(following)
            following = next(due, None)
        is_cut = cuts.is_cut(item.frame)
        if before is None:
            yield from (item.frame for _ in times)  # the clip begins late
        elif is_cut or gap > stands:
            yield from (before.frame for _ in times)
        elif times:
            shares = [(at - before.start) / gap if at > before.start + slack else Fraction(0) for at in times]
            yield from between_frames(before.frame, item.frame, shares, engine, derive(seed, "pair", number))
        before = item
        if following is None:
            return
    if before is None:
        raise MediaError("The clip holds no frame that can be shown.")
    while following is not None:
        yield before.frame
        following = next(due, None)
