"""What stops a training that has gone astray, before its weights do."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING

from keyweave.base.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from keyweave.training.plan import Plan

_LEFT_OUT = 20  # steps in a row, while half precision seeks its scale


@dataclass
class Guard:
    """Looks at every step before it is taken.

    Args:
        plan: the numbers of the training.
        last: its newest checkpoint.
        done: how many steps that holds at first.
        scaled: whether steps without a finite gradient are left out, as in fp16; some of them are as it should be.
        left_out: how many have been, in a row.
    """

    plan: Plan
    last: Path
    done: int
    scaled: bool
    left_out: int = 0

    def look(self, step: int, loss: float, norm: float) -> None:
        """Raise where the loss or the gradient's length is infinite or no number.

        Processes that share a training know the same of both, so that all of them stop here, or none.
        """
        if isfinite(loss) and isfinite(norm):
            self.left_out = 0
            return
        self.left_out += 1
        if self.scaled and self.left_out < _LEFT_OUT:
            return
        what = f"its gradient's length is {norm:g}" if isfinite(loss) else f"its loss is {loss:g}"
        often = f" for {self.left_out} steps in a row" if self.scaled else ""
        kept = max(self.done, step - step % self.plan.keep_every)
        again = f"{self.last} still holds step {kept}, from which the same command goes on; should that stop too, take"
        other = "a lower learning rate," if self.plan.precision == "fp32" else "a lower learning rate, or fp32,"
        raise InputError(
            f"The training stopped at step {step + 1} of {self.plan.steps}: {what}{often}.",
            f"{again if kept else 'Take'} {other} in a new folder.",
        )
