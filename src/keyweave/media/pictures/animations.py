"""Animated pictures as a source of frames: GIF, APNG, WebP and AVIF, one frame in memory at a time."""

from __future__ import annotations

import logging
from fractions import Fraction
from typing import TYPE_CHECKING, Self

import numpy as np

from keyweave.media.limits import Limits
from keyweave.media.pictures.picture_file import Broken, PictureFile
from keyweave.media.pictures.reels import reel_in
from keyweave.media.rates import rate_for
from keyweave.media.source import Shown, at_constant_rate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from keyweave.media.types import Frame

_log = logging.getLogger(__name__)


class AnimationReader:
    """An animated GIF, APNG, WebP or AVIF, read in order; a `FrameSource`.

    Delays are exact, and known without decoding. A still picture is one frame of 1/25 second.

    Args:
        path: the file; told by its content, not its name.
        limits: what is refused before it is decoded; from the environment unless given.
        salvage: of a file that is cut off or damaged, take the frames before that place instead of refusing it.
    """

    def __init__(self, path: Path, *, limits: Limits | None = None, salvage: bool = False) -> None:
        self._salvage = salvage
        self._file = PictureFile(path, limits or Limits.from_environment())
        try:
            self._reel = reel_in(self._file, salvage=salvage)
        except BaseException:
            self.close()
            raise
        self._rate = rate_for(self._reel.delays, self._reel.unit)
        self._duration = sum(self._reel.delays, Fraction(0))

    @property
    def width(self) -> int:
        """Columns of the canvas."""
        return self._reel.size[0]

    @property
    def height(self) -> int:
        """Rows of the canvas."""
        return self._reel.size[1]

    @property
    def has_alpha(self) -> bool:
        """Whether frames have a fourth channel: unless the file says enough to be certain that all are opaque."""
        return self._reel.has_alpha

    @property
    def rate(self) -> Fraction:
        """The constant rate that shows every frame; `rates.rate_for` tells how it is chosen."""
        return self._rate.rate

    @property
    def slack(self) -> Fraction:
        """By how much rounding moved frames off the grid of the rate."""
        return self._rate.slack

    @property
    def duration(self) -> Fraction:
        """Seconds of one play."""
        return self._duration

    @property
    def plays(self) -> int:
        """How often the file asks to be played; 0 is for ever."""
        return self._reel.plays

    def shown(self, start: Fraction = Fraction(0), stop: Fraction | None = None) -> Iterator[Shown]:
        """Yield the frames on screen during [start, stop), with their own exact times; the first may begin before."""
        mode = "RGBA" if self.has_alpha else "RGB"
        pictures = self._reel.pictures()
        at = Fraction(0)
        for delay in self._reel.delays:
            if stop is not None and at >= stop:
                return
            try:
                picture = next(pictures)
            except Broken as fault:
                if not (self._salvage and at):
                    raise
                _log.warning("%s Its first %.2f seconds are taken.", fault.message, at)
                return
            if at + delay > start:
                yield Shown(at, at + delay, np.array(picture.convert(mode)))
            at += delay

    def frames(
        self, start: Fraction = Fraction(0), stop: Fraction | None = None, rate: Fraction | None = None
    ) -> Iterator[Frame]:
        """Yield the frame on screen at start, start + 1/rate, ... before stop: the nearest earlier one."""
        late = self._rate.lateness
        shown = self.shown(start, None if stop is None else stop + late)
        return at_constant_rate(shown, rate or self.rate, start, stop, tolerance=late)

    def close(self) -> None:
        """Let the file go."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
