"""The report of one clip against its keyframes: faithfulness, seams, the way between."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from keyweave.base.errors import InputError
from keyweave.metrics.motion import (
    KeyframeError,
    Trace,
    evenness,
    flicker,
    glance,
    monotony,
    noting_errors,
    positions,
    sharpness,
    sharpness_ratios,
    trace,
)
from keyweave.metrics.records import Record, Style, table
from keyweave.metrics.seams import LoopSeam, Seam, loop_seam, noting_turns, seams

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from keyweave.media.types import Frame
    from keyweave.metrics.warping_error import Estimate


@dataclass(frozen=True)
class Way(Record):
    """How a clip goes from one keyframe to the next.

    Args:
        start: the frame of the first.
        stop: the frame of the last.
        monotony: how steadily, in (0, 1]; 1 is never a step back. None for keyframes that look alike.
        evenness: how evenly change is spread over the steps, in (0, 1]; 1 is all the same.
        softest: the frame that is softest beside its keyframes.
        sharpness: that frame's sharpness over theirs; 1 is as sharp, 0.71 the middle of a plain cross-fade.
    """

    start: int
    stop: int
    monotony: float | None
    evenness: float
    softest: int
    sharpness: float


@dataclass(frozen=True)
class Report(Record):
    """What can be said of a clip whose keyframes are known.

    Args:
        frames: how many it has.
        flicker: how much brightness and colour swing from frame to frame, in levels.
        keyframes: how faithfully each is shown.
        seams: how the clip passes through those within it.
        ways: how it goes from each to the next.
        loop: how it passes from its last frame to its first; None unless it is a loop.
        curves: its steps and its sharpness, frame by frame.
    """

    frames: int
    flicker: float
    keyframes: tuple[KeyframeError, ...]
    seams: tuple[Seam, ...]
    ways: tuple[Way, ...]
    loop: LoopSeam | None
    curves: Trace

    def tables(self, style: Style = "text") -> str:
        """Write the report for people, a table for each of its parts."""
        parts = [table([one.as_row() for one in part], style=style) for part in (self.keyframes, self.ways) if part]
        if self.seams:
            parts.append(table([_seam_row(str(seam.frame), seam) for seam in self.seams], style=style))
        if self.loop:
            parts.append(table([_seam_row("loop", self.loop)], style=style))
        parts.append(table([{"frames": self.frames, "flicker": self.flicker}], style=style))
        return "\n\n".join(parts)


def report(
    frames: Iterable[Frame],
    keyframes: Mapping[int, Frame],
    *,
    estimate: Estimate | None = None,
    loop: bool = False,
) -> Report:
    """Walk through a clip once and measure it against its keyframes.

    Args:
        frames: the clip, (H, W, 3 or 4) each; of them only the first and the latest few are held.
        keyframes: the keyframes by the number of the frame, counted from 0, at which they must be shown.
        estimate: the optical flow from its first frame to its second; with it, seams tell the step of velocity.
        loop: whether the clip is to be shown in a loop.
    """
    if not keyframes:
        raise InputError("A report needs at least 1 keyframe.")
    errors: list[KeyframeError] = []
    turns: dict[int, float] = {}
    passing = noting_errors(frames, keyframes, errors)
    seen = trace(noting_turns(passing, keyframes, estimate, turns) if estimate else passing)
    return Report(
        len(seen),
        flicker(seen.glances),
        tuple(errors),
        seams(seen, keyframes, turns),
        tuple(_way(seen, pair, (keyframes[pair[0]], keyframes[pair[1]])) for pair in pairwise(sorted(keyframes))),
        loop_seam(seen) if loop else None,
        seen,
    )


def _way(seen: Trace, ends: tuple[int, int], pictures: tuple[Frame, Frame]) -> Way:
    start, stop = ends
    places = positions(seen.glances[start : stop + 1], *map(glance, pictures))
    ratios = sharpness_ratios(seen.sharpness[start : stop + 1], *map(sharpness, pictures))
    softest = int(np.argmin(ratios))
    return Way(
        start,
        stop,
        None if places is None else monotony(places),
        evenness(seen.steps[start:stop]),
        start + softest,
        float(ratios[softest]),
    )


def _seam_row(name: str, seam: Seam | LoopSeam) -> dict[str, object]:
    """Write a seam as ratios to what is usual around it."""
    steps = {key: value for key, value in vars(seam).items() if key != "frame"}
    ratios = {key: None if step is None else step.ratio for key, step in steps.items()}
    return {"seam": name, **ratios, "out of the ordinary": ", ".join(seam.faults) or "nothing"}
