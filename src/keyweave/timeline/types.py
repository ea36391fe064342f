"""Keyframes at exact times, and the spans between them."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

from keyweave.base.errors import InputError
from keyweave.timeline.easing import LINEAR, Easing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keyweave.media.types import Image


@dataclass(frozen=True)
class Keyframe:
    """A picture that must be on screen at an exact time.

    Args:
        image: the picture.
        at: seconds from the beginning of the film.
        easing: how the way to the next keyframe is spread over its time.
    """

    image: Image
    at: Fraction
    easing: Easing = LINEAR


@dataclass(frozen=True)
class Warp:
    """A map of time that never runs backward: straight lines through exact knots, from (0, 0) to (1, 1).

    The first number of a knot is how much of a span's time has passed, the second how far its source has come. A flat
    piece holds still; a steep one hurries.
    """

    knots: tuple[tuple[Fraction, Fraction], ...] = ((Fraction(0), Fraction(0)), (Fraction(1), Fraction(1)))

    def __post_init__(self) -> None:
        passed, come = zip(*self.knots, strict=True)
        ends_right = self.knots[0] == (0, 0) and self.knots[-1] == (1, 1)
        if not ends_right or any(a >= b for a, b in pairwise(passed)) or any(a > b for a, b in pairwise(come)):
            knots = ", ".join(f"({a}, {b})" for a, b in self.knots)
            raise InputError(
                f"A warp must run from (0, 0) to (1, 1) with rising times and never backward; got {knots}."
            )

    def __call__(self, passed: Fraction) -> Fraction:
        """Tell how far the source has come when the share `passed` of the span's time has passed, both in [0, 1]."""
        after = min(bisect_right(self.knots, passed, key=lambda knot: knot[0]), len(self.knots) - 1)
        (t0, s0), (t1, s1) = self.knots[after - 1], self.knots[after]
        return s0 + (passed - t0) * (s1 - s0) / (t1 - t0)


STEADY = Warp()


@dataclass(frozen=True)
class Between:
    """A source that an engine must draw: the way from one picture to the next."""

    first: Image
    last: Image

    def __post_init__(self) -> None:
        if self.first.pixels.shape != self.last.pixels.shape:
            raise InputError(
                f"Two keyframes of one span must have the same size and channels; got {_shape_words(self.first)} and "
                f"{_shape_words(self.last)}.",
                "Fit them to one size first.",
            )

    @property
    def is_still(self) -> bool:
        """Whether there is nothing to draw: a picture is held, or was given twice."""
        return self.first.pixels is self.last.pixels

    @property
    def is_transparent(self) -> bool:
        """Whether something shows through one of the pictures: an alpha channel alone says nothing."""
        return any(one.has_alpha and bool((one.pixels[..., 3] < 255).any()) for one in (self.first, self.last))


@dataclass(frozen=True)
class Span:
    """A stretch of the timeline and what fills it.

    Args:
        source: what is drawn.
        start: seconds.
        stop: seconds.
        warp: how its time is spread.
        back_over: the number of the span that it walks back: what was drawn there is shown again, in turned order.
    """

    source: Between
    start: Fraction
    stop: Fraction
    warp: Warp | Easing = STEADY
    back_over: int | None = None

    def __post_init__(self) -> None:
        if self.start >= self.stop:
            raise InputError(f"A span must stop after it starts; got {self.start} s to {self.stop} s.")

    def progress_at(self, at: Fraction) -> Fraction:
        """Tell how far the source has come at a time within the span; an easing may go beyond 0 to 1."""
        return self.warp((at - self.start) / (self.stop - self.start))


@dataclass(frozen=True)
class Timeline:
    """Spans that follow one another without a gap.

    Args:
        spans: in order; where two meet there is a keyframe.
        loop: whether the end is the beginning again; it is then not shown twice.
    """

    spans: tuple[Span, ...]
    loop: bool = False

    def __post_init__(self) -> None:
        if not self.spans:
            raise InputError("A timeline needs at least one span.", "Give at least two keyframes.")
        for before, after in pairwise(self.spans):
            if before.stop != after.start:
                raise InputError(
                    f"Spans must follow one another; one stops at {before.stop} s, the next starts at {after.start} s."
                )
            if before.source.last.pixels.shape != after.source.first.pixels.shape:
                raise InputError(
                    f"All keyframes of a timeline must have the same size and channels; got "
                    f"{_shape_words(before.source.last)} and {_shape_words(after.source.first)}.",
                    "Fit them to one size first.",
                )
        for number, span in enumerate(self.spans):
            if span.back_over is not None and not self._leads_back(span, range(number), span.back_over):
                raise InputError(f"Span {number + 1} walks back another that does not lead there.")

    def _leads_back(self, span: Span, before: range, over: int) -> bool:
        if over not in before:
            return False
        there = self.spans[over]
        ends = span.source.last is there.source.first and span.source.first is there.source.last
        return ends and there.back_over is None

    @classmethod
    def through(
        cls,
        keyframes: Sequence[Keyframe],
        *,
        until: Fraction | None = None,
        loop: bool = False,
        there_and_back: bool = False,
    ) -> Timeline:
        """Lay a timeline through keyframes at rising times.

        The first picture is held from 0 to its time, the last from its time to `until`. Of a way there and back, the
        keyframes of both are given, and every gap of the way back shows what was drawn on the way there.
        """
        if len(keyframes) < 2:
            raise InputError(f"A timeline needs two keyframes or more; got {len(keyframes)}.", "Give one more picture.")
        for before, after in pairwise(keyframes):
            if before.at >= after.at:
                raise InputError(
                    f"Keyframes must come at rising times; got one at {before.at} s before one at {after.at} s."
                )
        first, last = keyframes[0], keyframes[-1]
        gaps, before = len(keyframes) - 1, int(first.at > 0)
        spans = [
            Span(
                Between(a.image, b.image),
                a.at,
                b.at,
                a.easing,
                back_over=before + gaps - 1 - gap if there_and_back and 2 * gap >= gaps else None,
            )
            for gap, (a, b) in enumerate(pairwise(keyframes))
        ]
        if first.at > 0:
            spans.insert(0, Span(Between(first.image, first.image), Fraction(0), first.at))
        if until is not None and until > last.at:
            spans.append(Span(Between(last.image, last.image), last.at, until))
        return cls(tuple(spans), loop)

    @property
    def start(self) -> Fraction:
        """When the first frame is shown."""
        return self.spans[0].start

    @property
    def stop(self) -> Fraction:
        """The time of the end, which is a keyframe's."""
        return self.spans[-1].stop

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of every frame."""
        return self.spans[0].source.first.size

    def ticks(self, rate: Fraction) -> list[int]:
        """Return the frame on which each span begins, and last the one on which the end falls.

        A keyframe between two frames goes to the nearer one, so that it is shown as it is at every rate.
        """
        times = [*(span.start for span in self.spans), self.stop]
        ticks = [round((at - self.start) * rate) for at in times]
        for tick, (before, after) in zip(pairwise(ticks), pairwise(times), strict=True):
            if tick[0] == tick[1]:
                raise InputError(
                    f"Keyframes at {float(before):.3f} s and {float(after):.3f} s fall on one frame at "
                    f"{float(rate):g} frames per second.",
                    "Ask for a higher rate, or move them apart.",
                )
        return ticks

    def frame_count(self, rate: Fraction) -> int:
        """Count the frames at a constant rate: both ends are shown, but the end of a loop is its beginning."""
        return round((self.stop - self.start) * rate) + (not self.loop)


def _shape_words(image: Image) -> str:
    return f"{image.width}x{image.height} with {image.pixels.shape[2]} channels"
