"""A made clip beside the real one, frame by frame."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from statistics import fmean
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from keyweave.base.errors import InputError
from keyweave.base.progress import SILENT, Progress
from keyweave.metrics.fidelity import error_of, psnr, psnr_of, ssim
from keyweave.metrics.frames import mean_difference, opaque_pair
from keyweave.metrics.records import Record, Style, table

if TYPE_CHECKING:
    from fractions import Fraction

    from keyweave.media.source import FrameSource
    from keyweave.media.types import Frame

Pairing = Literal["frame", "time"]


@dataclass(frozen=True)
class Row(Record):
    """What one frame comes to.

    Args:
        frame: its number, counted from 0.
        at: its time in the made clip, in seconds.
        psnr: the peak signal-to-noise ratio in decibels; infinite, None in plain values, where the frames are the same.
        ssim: the structural similarity, the mean over red, green and blue.
        ssim_luma: that of the brightness alone.
        made_step: mean |difference| to the frame before in the made clip, in levels; None for the first.
        real_step: the same in the real clip.
    """

    frame: int
    at: Fraction
    psnr: float
    ssim: float
    ssim_luma: float
    made_step: float | None
    real_step: float | None


@dataclass(frozen=True)
class Measure(Record):
    """One number over a whole comparison.

    Args:
        measure: which.
        mean: over all frames; of PSNR that of the mean squared error, since frames that are the same have no number.
        worst: the lowest.
        at_frame: where that is.
    """

    measure: str
    mean: float
    worst: float
    at_frame: int


@dataclass(frozen=True)
class Comparison(Record):
    """Two clips side by side.

    Args:
        rows: one for each frame that both have.
        paired_by: whether frames were paired by number or by time.
        goes_on: which of the clips has more frames than were compared.
    """

    rows: tuple[Row, ...]
    paired_by: Pairing
    goes_on: Literal["made", "real"] | None
    derived: ClassVar = ("summary",)

    @property
    def summary(self) -> tuple[Measure, ...]:
        """The measures over all frames."""
        return self._measure("psnr"), self._measure("ssim"), self._measure("ssim_luma")

    def _measure(self, name: str) -> Measure:
        values = [getattr(row, name) for row in self.rows]
        mean = psnr_of(fmean(map(error_of, values))) if name == "psnr" else fmean(values)
        at = int(np.argmin(values))
        return Measure(name, mean, values[at], self.rows[at].frame)

    def table(self, style: Style = "text", *, each: bool = False) -> str:
        """Write the summary for people, or a line for each frame."""
        return table([one.as_row() for one in (self.rows if each else self.summary)], style=style)


def compare(
    made: FrameSource, real: FrameSource, *, pair_by: Pairing | None = None, progress: Progress = SILENT
) -> Comparison:
    """Measure a made clip against the real one, two frames of each in memory at a time.

    Args:
        made: the clip to judge.
        real: what it should be; the same size.
        pair_by: "frame" sets the n-th frame beside the n-th; "time" each made frame beside what the real clip shows at
            its time. Unless given, it is by time only if the clips differ both in rate and in the number of frames.
        progress: a step a frame.
    """
    if (made.width, made.height) != (real.width, real.height):
        raise InputError(
            f"The made clip is {made.width} x {made.height}, the real one {real.width} x {real.height}.",
            "Bring both to one size first.",
        )
    by = pair_by or _pairing(made, real)
    rows: list[Row] = []
    before: tuple[Frame, Frame] | None = None
    goes_on: Literal["made", "real"] | None = None
    theirs = real.frames() if by == "frame" else real.frames(rate=made.rate)
    for number, (mine, other) in enumerate(zip_longest(made.frames(), theirs)):
        if mine is None or other is None:
            goes_on = "made" if other is None else "real"
            break
        here = opaque_pair(mine, other)
        rows.append(_row(number, number / made.rate, before, here))
        before = here
        progress.step()
    if not rows:
        raise InputError("There is no frame that both clips have.", "Check that neither is empty.")
    return Comparison(tuple(rows), by, goes_on)


def _pairing(made: FrameSource, real: FrameSource) -> Pairing:
    counts = {round(source.duration * source.rate) for source in (made, real)}
    return "frame" if made.rate == real.rate or len(counts) == 1 else "time"


def _row(number: int, at: Fraction, before: tuple[Frame, Frame] | None, here: tuple[Frame, Frame]) -> Row:
    steps = [mean_difference(*pair) for pair in zip(before, here, strict=True)] if before else [None, None]
    return Row(number, at, psnr(*here), ssim(*here), ssim(*here, on="luma"), *steps)
