"""From a clip to the same clip in another time: the story of `keyweave retime` in one screen."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from keyweave.base.errors import InputError, MediaError
from keyweave.base.progress import SILENT, Progress
from keyweave.base.seeds import derive
from keyweave.media.clips import open_frames, open_sound
from keyweave.media.sound.stretch import stretched
from keyweave.media.types import Image
from keyweave.perceive.cuts import CutFinder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from keyweave.media.source import Shown
    from keyweave.media.types import Frame, Sound
    from keyweave.protocols import Inbetweener
    from keyweave.systems.retime.options import RetimeOptions

MOST_FRAMES = 10_000_000
# A picture that stands longer than this was meant to stand: a slide, a title. Nothing is moved across it.
_STANDS = Fraction(3, 10)


def retime(path: Path, options: RetimeOptions) -> RetimedFilm:
    """Lay out a clip anew; its frames are read and drawn as they are asked for."""
    with open_frames(path) as source:
        rate = options.fps or source.rate
        long = source.duration
        film = RetimedFilm(path, options, rate, (source.width, source.height), long, long / options.speed)
    if options.duration is not None:
        film = RetimedFilm(path, options, rate, film.size, long, options.duration)
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
        sound = None if self.options.sound == "drop" else open_sound(self.path)
        if sound is None or (self.length == self.source_length and self.options.easing is None):
            return sound
        samples = round(self.frame_count / self.rate * sound.rate)
        return stretched(sound, self._heard_at, samples)

    def _heard_at(self, seconds: float) -> float:
        if self.options.easing is None:
            return seconds * float(self.source_length / self.length)
        return float(self.source_time(Fraction(min(seconds, float(self.length)))))

    def frames(
        self, engine: Inbetweener, *, seed: int, progress: Progress = SILENT, reach: Fraction = Fraction(0)
    ) -> Iterator[Frame]:
        """Draw the frames (H, W, C); of the clip, two are held at a time."""
        del reach  # time never runs beyond the clip
        due = [self.source_time(tick / self.rate) for tick in range(self.frame_count)]
        with open_frames(self.path) as source, progress.part("drawing", total=len(due)) as part:
            for frame in _walk(source.shown(), due, engine, seed):
                yield frame
                part.step()


def _walk(shown: Iterable[Shown], due: Sequence[Fraction], engine: Inbetweener, seed: int) -> Iterator[Frame]:
    """Yield what is due at rising times: a frame of the clip where one begins, and what lies between elsewhere."""
    cuts = CutFinder()
    before: Shown | None = None
    done = 0
    for number, item in enumerate(shown):
        is_cut = cuts.is_cut(item.frame)
        first = done
        while done < len(due) and due[done] < item.start:
            done += 1
        times = due[first:done]
        if before is None:
            yield from (item.frame for _ in times)  # the clip begins late
        elif times:
            yield from _between(before, item, times, engine, derive(seed, "pair", number), is_cut=is_cut)
        before = item
        if done == len(due):
            return
    if before is None:
        raise MediaError("The clip holds no frame that can be shown.")
    for _ in due[done:]:
        yield before.frame


def _between(
    before: Shown, after: Shown, times: Sequence[Fraction], engine: Inbetweener, seed: int, *, is_cut: bool
) -> Iterator[Frame]:
    """Yield the way from one frame of the clip to the next; where there is none, the earlier one stands."""
    gap = after.start - before.start
    shares = [max(Fraction(0), at - before.start) / gap for at in times]
    if is_cut or gap > _STANDS or np.array_equal(before.frame, after.frame):
        shares = [Fraction(0)] * len(shares)
    moving = [share for share in shares if share]
    drawn = iter(engine(Image(before.frame), Image(after.frame), moving, seed=seed, progress=SILENT) if moving else ())
    standing = (before.frame for _ in range(len(shares) - len(moving)))
    # Shares rise, so those that are 0 come first.
    yield from chain(standing, drawn)
