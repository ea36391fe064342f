"""How long and how fast something is trained."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Any, Literal

from keyweave.base.errors import InputError

Precision = Literal["fp32", "bf16", "fp16"]
Follower = Literal["adamw", "muon"]


@dataclass(frozen=True)
class Plan:
    """The numbers of a training.

    Args:
        steps: how often the weights are changed.
        batch: samples in each step, over all processes and pieces.
        learning_rate: its highest value; it rises to it, stays, and falls along a cosine.
        follower: what follows the gradient.
        warm_up: steps until the highest rate.
        fall: the share of the steps after that in which the rate falls; with less than 1, a training can be made longer
            while it has not begun to fall.
        end: the share of the rate that is left at the last step.
        rises: steps at which a training that was over is taken up again, at the highest rate.
        betas: of AdamW.
        weight_decay: how fast weights shrink, in learning rates.
        clip: the longest gradient that is followed whole.
        average: how slowly the averaged weights follow; they are what is used afterwards.
        pieces: how many parts a batch is worked through in, for want of memory.
        precision: of the forward and backward pass; the weights are always held in fp32.
        seed: decides all chance.
        keep_every: steps from checkpoint to checkpoint.
        validate_every: steps from validation to validation; 0 for only the last.
    """

    steps: int
    batch: int
    learning_rate: float
    follower: Follower = "adamw"
    warm_up: int = 100
    fall: float = 1.0
    end: float = 0.02
    rises: tuple[int, ...] = ()
    betas: tuple[float, float] = (0.9, 0.99)
    weight_decay: float = 0.0
    clip: float = 1.0
    average: float = 0.998
    pieces: int = 1
    precision: Precision = "fp32"
    seed: int = 0
    keep_every: int = 250
    validate_every: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "pieces", "keep_every"):
            if getattr(self, name) < 1:
                raise InputError(f"A training needs {name} of 1 or more; got {getattr(self, name)}.")
        if not 0 < self.fall <= 1:
            raise InputError(f"A learning rate falls over a share of 0 to 1 of a training; got {self.fall:g}.")
        if self.learning_rate <= 0:
            raise InputError(f"A learning rate is above 0; got {self.learning_rate:g}.")
        if any(later <= earlier for earlier, later in pairwise((0, *self.rises, self.steps))):
            raise InputError(f"A learning rate rises again at later and later steps before {self.steps}.")

    def rate(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0."""
        begin = max((rise for rise in self.rises if rise <= step), default=0)
        steps = min((rise for rise in self.rises if rise > step), default=self.steps) - begin
        step -= begin
        if step < self.warm_up:
            return self.learning_rate * (step + 1) / self.warm_up
        passed = (step - self.warm_up) / max(1, steps - 1 - self.warm_up)
        fallen = min(1.0, max(0.0, (passed - 1 + self.fall) / self.fall))
        return self.learning_rate * (self.end + (1 - self.end) * (1 + math.cos(math.pi * fallen)) / 2)

    def goes_on(self, earlier: Plan, done: int) -> bool:
        """Tell whether so many steps of an earlier plan are what this plan would have done."""
        free = ("steps", "rises", "keep_every", "validate_every")
        same = replace(earlier, **{name: getattr(self, name) for name in free})
        return same == self and all(self.rate(step) == earlier.rate(step) for step in range(done))

    def following(self, step: int) -> float:
        """Return how much of itself the average keeps at a step: little at first, so that it forgets the start."""
        return min(self.average, (1 + step) / (10 + step))

    def samples(self, step: int, rank: int = 0, ranks: int = 1, piece: int = 0) -> range:
        """Return the numbers of the samples of a process in a step; every number comes up once in a training."""
        parts = ranks * self.pieces
        if self.batch % parts:
            raise InputError(
                f"A batch of {self.batch} cannot be shared evenly by {ranks} processes in {self.pieces} pieces.",
                f"Choose a batch that {parts} divides.",
            )
        size = self.batch // parts
        first = step * self.batch + (rank * self.pieces + piece) * size
        return range(first, first + size)

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, row: dict[str, Any]) -> Plan:
        """Read what `as_dict` wrote."""
        rows: dict[str, Any] = {name: tuple(row[name]) for name in ("betas", "rises") if name in row}
        return cls(**{**row, **rows})
