"""Films, read by span with exact presentation times; memory does not grow with their length."""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Self

import numpy as np
from av.error import FFmpegError

from keyweave.base.errors import InputError, MediaError
from keyweave.media.containers import av_faults, open_container, picture_stream
from keyweave.media.films.decoding import SLACK, Damaged, Facts, packet_spans, pictures
from keyweave.media.films.develop import Developer, look_of, warn_of
from keyweave.media.films.pace import MILLISECOND, Pace, contradicts, judge
from keyweave.media.limits import Limits
from keyweave.media.source import Shown, at_constant_rate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from av.container import InputContainer

    from keyweave.media.films.decoding import Picture
    from keyweave.media.films.develop import Look
    from keyweave.media.types import Frame

_ENOUGH_FOR_PACE = 256
_TAIL = 2  # seconds
_JITTER = 1  # second by which a clock may go back
# Frames are stored out of order: among the times of the last packets read there may be holes.
_OUT_OF_ORDER = 32


class VideoReader:
    """A film as a source of frames.

    Every reading opens the file anew and closes it when it ends, so several may go on side by side.

    Args:
        path: the film.
        limits: how large it may be.
        salvage: whether a damaged film simply ends where the damage begins, instead of raising.
    """

    def __init__(self, path: Path, *, limits: Limits | None = None, salvage: bool = False) -> None:
        self.path = path
        self._limits = limits or Limits.from_environment()
        self._salvage = salvage
        with open_container(path, limits=self._limits) as container, av_faults(path):
            self._facts = facts = Facts.of(container)
            self._check_size(container)
            self._pace = self._judge(container, _ENOUGH_FOR_PACE)
        if contradicts(self._pace, facts.rates[0]):
            with open_container(path, limits=self._limits) as container, av_faults(path):
                self._pace = self._judge(container, self._limits.frames)
        first = self._first_picture()
        self._first_at = first.at
        self._look = look_of(first.frame, facts.aspect)
        self._limits.check(str(path), "pixels", self.width * self.height)
        warn_of(first.frame, str(path))

    @property
    def width(self) -> int:
        """Columns as displayed: after rotation and for square pixels."""
        return self._look.shown_size[0]

    @property
    def height(self) -> int:
        """Rows as displayed."""
        return self._look.shown_size[1]

    @property
    def has_alpha(self) -> bool:
        """Whether frames have a fourth channel."""
        return self._look.has_alpha

    @property
    def rate(self) -> Fraction:
        """The film's own rate; where that varies, one at which hardly a frame is lost."""
        return self._pace.rate

    @property
    def look(self) -> Look:
        """How stored frames are turned and stretched to be shown."""
        return self._look

    @property
    def first_at(self) -> Fraction:
        """When the first frame begins on the clock of the file, in seconds."""
        return self._first_at

    @property
    def is_variable(self) -> bool:
        """Whether the frames last unequally long."""
        return not self._pace.constant

    @property
    def slack(self) -> Fraction:
        """A millisecond, or a tick of the container's clock where that is coarser."""
        return max(self._facts.tick, MILLISECOND)

    @property
    def duration(self) -> Fraction:
        """When the last frame ends, as its packet says; for a cut-off film, as the header promised."""
        return self._duration

    def shown(self, start: Fraction = Fraction(0), stop: Fraction | None = None) -> Iterator[Shown]:
        """Yield the frames on screen during [start, stop), with their own exact times; the first may begin before."""
        if start < 0 or (stop is not None and stop < start):
            raise InputError(f"A span from {start} s to {stop} s of {self.path} was asked for.", "Start at 0 or later.")
        return self._shown(start, stop)

    def frames(
        self, start: Fraction = Fraction(0), stop: Fraction | None = None, rate: Fraction | None = None
    ) -> Iterator[Frame]:
        """Yield the frame on screen at start, start + 1/rate, ... before stop: the nearest earlier one.

        A frame that begins up to a millisecond (or a tick of the container's clock) after such an instant counts as
        begun, since clocks are rounded; but never more than a quarter of the time from one instant to the next.
        """
        rate = self.rate if rate is None else rate
        if rate <= 0:
            raise InputError(f"A frame rate must be above 0; got {rate}.")
        tolerance = min(self.slack, 1 / (4 * rate))
        # Before the first frame the first one is held, so it is needed even where the span ends before it.
        reach = None if stop is None else max(stop, self._first_at + self._facts.tick)
        return at_constant_rate(self.shown(start, reach), rate, start, stop, tolerance)

    def close(self) -> None:
        """Do nothing: each reading closes its file itself."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _check_size(self, container: InputContainer) -> None:
        stream = picture_stream(container)
        self._limits.check(str(self.path), "pixels", stream.width * stream.height)
        for end in (self._facts.whole, self._facts.end):
            self._limits.check(str(self.path), "seconds", float(end or 0))

    @cached_property
    def _duration(self) -> Fraction:
        facts = self._facts
        if facts.demuxer == "avi" and facts.end:
            return facts.end
        # Headers count by the order of decoding, so their end is not quite that of the last frame shown.
        tail = facts.end - _TAIL if facts.end and facts.can_seek else Fraction(0)
        reached = self._first_at + 1 / self.rate
        with open_container(self.path, limits=self._limits) as container, suppress(FFmpegError):
            for span in packet_spans(container, facts, self._limits.frames, tail if tail > 0 else None):
                reached = max(reached, span.stop if span.stop > span.start else span.start + 1 / self.rate)
        return facts.end if facts.end and facts.end - reached > SLACK else reached

    def _judge(self, container: InputContainer, most: int) -> Pace:
        spans = list(packet_spans(container, self._facts, most))
        # What a broadcast holds before its first key frame is not shown, and its times may be guesses.
        keys = (span.start for span in spans if span.is_key)
        first = next(keys, None) if self._facts.begins_anywhere else None
        starts = sorted({span.start for span in spans if first is None or span.start >= first})
        if len(spans) > most - _OUT_OF_ORDER:
            starts = starts[:-_OUT_OF_ORDER]
        return judge(np.array(starts, dtype=np.float64), self._facts.tick, self._facts.rates)

    def _first_picture(self) -> Picture:
        try:
            with open_container(self.path, limits=self._limits) as container:
                return next(pictures(container, self._limits))
        except Damaged:
            raise self._damage(Fraction(0)) from None

    def _shown(self, start: Fraction, stop: Fraction | None) -> Iterator[Shown]:
        develop = Developer(self._look, str(self.path))
        waiting: Picture | None = None
        damaged = False
        try:
            for count, picture in enumerate(self._pictures_around(start), 1):
                self._limits.check(str(self.path), "frames", count)
                self._limits.check(str(self.path), "seconds", float(picture.at))
                if waiting and waiting.at - picture.at > _JITTER:
                    damaged = True  # two recordings in one file, each with a clock of its own
                    break
                if waiting and picture.at <= waiting.at:
                    continue
                if waiting and picture.at > start:
                    yield Shown(waiting.at, picture.at, develop(waiting.frame))
                if stop is not None and picture.at >= stop:
                    return
                waiting = picture
        except Damaged:
            damaged = True
        end = start
        if waiting:
            end = waiting.at + (waiting.length or 1 / self.rate)
            if end > start:
                yield Shown(waiting.at, end, develop(waiting.frame))
        if damaged and not self._salvage:
            raise self._damage(end)

    def _pictures_around(self, start: Fraction) -> Iterator[Picture]:
        """Decode from a key frame that comes before `start`, or from the very first frame."""
        back = Fraction(0)
        while self._facts.can_seek and start - back > self._first_at:
            with open_container(self.path, limits=self._limits) as container:
                found = pictures(container, self._limits, since=start - back)
                try:
                    first = next(found)
                except Damaged:
                    first = None
                if first and first.at <= start:
                    yield first
                    yield from found
                    return
            # The index goes by the order of decoding, and may name a key frame that is shown only later.
            back = 4 * back + 1
        with open_container(self.path, limits=self._limits) as container:
            yield from pictures(container, self._limits)

    def _damage(self, end: Fraction) -> MediaError:
        promised = f" of {float(self._facts.end):.2f} s" if self._facts.end and self._facts.end > end else ""
        if end <= 0:
            return MediaError(f"{self.path} is damaged: not one frame can be decoded.", "Copy or download it again.")
        return MediaError(
            f"{self.path} is damaged: it decodes up to {float(end):.2f} s{promised}.",
            "Pass --salvage to use what is there.",
        )
