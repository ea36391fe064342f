"""Seams: whether a clip steps across its keyframes, and across its loop, as it does elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import inf
from statistics import median
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from keyweave.metrics.frames import opaque
from keyweave.metrics.records import Record

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from keyweave.media.types import Frame
    from keyweave.metrics.frames import Floats
    from keyweave.metrics.motion import Walk
    from keyweave.metrics.warping_error import Estimate

# How many steps to either side are its neighbours: a third of a second of film.
REACH = 8
# A step is out of the ordinary when it leaves the range of its neighbours by a quarter and a little more. The little is
# less than what a small thing adds to the mean when it moves before a still ground; of speed and colour it is what one
# would not see.
_MARGIN = 1.25
_LITTLE, _LITTLE_SPEED, _LITTLE_COLOR = 0.02, 0.25, 0.25
Kind = Literal["ordinary", "jump", "stall", "unknown"]


@dataclass(frozen=True)
class Step(Record):
    """A change across a seam beside the ordinary changes around it.

    Args:
        across: the change at the seam.
        usual: the median of its neighbours; None where there are none, since keyframes stand too close.
        least: the smallest of them.
        most: the largest.
        kind: whether the change lies within the range of its neighbours, beyond it (a jump) or short of it (a stall).
    """

    across: float
    usual: float | None
    least: float | None
    most: float | None
    kind: Kind
    derived: ClassVar = ("ratio",)

    @property
    def ratio(self) -> float | None:
        """The change over the usual one: 1 is what one would not notice."""
        if self.usual is None:
            return None
        return self.across / self.usual if self.usual else (inf if self.across else 1.0)


@dataclass(frozen=True)
class Seam(Record):
    """How a clip passes through a keyframe.

    Args:
        frame: the keyframe's.
        into: the step onto the keyframe, mean |difference| in levels.
        out: the step off it.
        speed: how much the step off differs from the step onto it, as a share of their mean: 0 is the same speed, 2/3
            twice or half the speed, 2 a start or a stop.
        color: the larger of the two steps of the mean colour, in levels.
        velocity: how much the motion off the keyframe differs from the motion onto it, direction and all, in pixels a
            frame; None unless optical flow was estimated.
    """

    frame: int
    into: Step
    out: Step
    speed: Step
    color: Step
    velocity: Step | None
    derived: ClassVar = ("faults",)

    @property
    def faults(self) -> tuple[str, ...]:
        """What is out of the ordinary, for instance "color jump"."""
        return _faults(into=self.into, out=self.out, speed=self.speed, color=self.color, velocity=self.velocity)


@dataclass(frozen=True)
class LoopSeam(Record):
    """How a clip passes from its last frame to its first.

    Args:
        step: mean |difference| in levels; a stall where the first frame is shown twice.
        color: the step of the mean colour, in levels.
    """

    step: Step
    color: Step
    derived: ClassVar = ("faults",)

    @property
    def faults(self) -> tuple[str, ...]:
        """What is out of the ordinary, for instance "step stall"."""
        return _faults(step=self.step, color=self.color)


@dataclass(frozen=True)
class EndSeam(LoopSeam):
    """How a clip between two keyframes leaves the first, or comes to the last; its parts are those of a loop's seam."""


def _faults(**steps: Step | None) -> tuple[str, ...]:
    # A change of colour or of velocity that is smaller than usual is no fault.
    return tuple(
        f"{name} {step.kind}"
        for name, step in steps.items()
        if step and (step.kind == "jump" or (step.kind == "stall" and name in ("step", "into", "out")))
    )


def seams(
    seen: Walk, keyframes: Collection[int], turns: Mapping[int, float] | None = None, *, reach: int = REACH
) -> tuple[Seam, ...]:
    """Report how a clip passes through each keyframe that lies within it.

    Its neighbours are up to `reach` steps to either side that touch no keyframe.

    Args:
        seen: the clip.
        keyframes: the frames at which keyframes are shown, counted from 0; the clip's two ends are no seams.
        turns: the change of motion at frames, as `noting_turns` finds it.
        reach: how far neighbours may be.
    """
    steps = dict(enumerate(seen.steps))
    colors = dict(enumerate(_color_steps(seen)))
    bends = {number + 1: _bend(before, after) for number, (before, after) in enumerate(pairwise(seen.steps))}
    touching = {step for frame in keyframes for step in (frame - 1, frame)}
    return tuple(
        Seam(
            frame,
            into=_beside(steps, [frame - 1], touching, reach, _LITTLE),
            out=_beside(steps, [frame], touching, reach, _LITTLE),
            speed=_beside(bends, [frame], _close_to(keyframes), reach, _LITTLE_SPEED),
            color=_beside(colors, [frame - 1, frame], touching, reach, _LITTLE_COLOR),
            velocity=_beside(turns, [frame], _close_to(keyframes), reach, _LITTLE) if turns else None,
        )
        for frame in sorted(keyframes)
        if 0 < frame < len(seen) - 1
    )


def end_seams(seen: Walk, *, reach: int = REACH) -> tuple[EndSeam, EndSeam]:
    """Report how a clip of 2 frames or more, keyframes at both ends, leaves the first and comes to the last.

    Their neighbours are up to `reach` steps away, and touch no keyframe.
    """
    steps, colors = dict(enumerate(seen.steps)), dict(enumerate(_color_steps(seen)))
    last = len(seen) - 2
    first, second = (
        EndSeam(
            _beside(steps, [step], (0, last), reach, _LITTLE), _beside(colors, [step], (0, last), reach, _LITTLE_COLOR)
        )
        for step in (0, last)
    )
    return first, second


def loop_seam(seen: Walk, *, reach: int = REACH) -> LoopSeam:
    """Report how a clip that is shown in a loop passes from its last frame to its first.

    Its neighbours are the last and the first `reach` steps of the clip.
    """
    closing = float(np.linalg.norm(seen.colors[0] - seen.colors[-1]))
    return LoopSeam(
        _beside(_around(seen.steps, seen.closing, reach), [-1], (), reach, _LITTLE),
        _beside(_around(_color_steps(seen), closing, reach), [-1], (), reach, _LITTLE_COLOR),
    )


def noting_turns(
    frames: Iterator[Frame], keyframes: Collection[int], estimate: Estimate, found: dict[int, float], reach: int = REACH
) -> Iterator[Frame]:
    """Pass frames on, and note in `found` how motion changes at keyframes and at their neighbours, in pixels.

    A turn is the mean length of F + B, with F the flow from a frame to the next and B that to the one before it: of
    steady motion nothing, of a change from v to w |w - v|.
    """
    wanted = {frame + away for frame in keyframes for away in range(-reach, reach + 1)}
    before = here = None
    for number, frame in enumerate(frames):
        after = opaque(frame)
        if before is not None and here is not None and number - 1 in wanted:
            turn = estimate(here, after) + estimate(here, before)
            found[number - 1] = float(np.linalg.norm(turn, axis=-1).mean())
        before, here = here, after
        yield frame


def _bend(before: float, after: float) -> float:
    return abs(after - before) / ((after + before) / 2) if after + before else 0.0


def _beside(
    values: Mapping[int, float], across: Sequence[int], barred: Collection[int], reach: int, little: float
) -> Step:
    """Set the largest of the values at `across` beside those around it that are not barred."""
    around = range(min(across) - reach, max(across) + reach + 1)
    near = [float(values[place]) for place in around if place in values and place not in (*barred, *across)]
    change = float(max(values[place] for place in across))
    if not near:
        return Step(change, None, None, None, "unknown")
    least, most = min(near), max(near)
    is_jump, is_stall = change > most * _MARGIN + little, change * _MARGIN + little < least
    return Step(change, median(near), least, most, "jump" if is_jump else "stall" if is_stall else "ordinary")


def _close_to(keyframes: Collection[int]) -> set[int]:
    return {frame + away for frame in keyframes for away in (-1, 0, 1)}


def _color_steps(seen: Walk) -> Floats:
    return np.linalg.norm(np.diff(seen.colors, axis=0), axis=1)


def _around(steps: Floats, closing: float, reach: int) -> dict[int, float]:
    """Number the steps around the end of a loop: -1 is the one that closes it."""
    first = dict(enumerate(steps[:reach]))
    last = {-2 - back: step for back, step in enumerate(steps[::-1][:reach])}
    return {**first, **last, -1: closing}
