"""How a clip between pictures is sampled; read without torch, since options are made of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from keyweave.diffusion.samplers import again_and_again, steps_down
from keyweave.diffusion.told import TOLD, Told

if TYPE_CHECKING:
    from collections.abc import Sequence

_DECIDED = 0.6  # of the steps: after them it is settled where things go, and what is left is how they look


@dataclass(frozen=True)
class Sampling:
    """How a clip is sampled.

    Args:
        steps: levels of noise that are gone down.
        repeats: how often each of the first steps is taken again, after adding back the noise that it took away.
        share: of the steps, which are taken again.
        tries: how many clips are begun, each from noise of its own; the one on which both branches agree best goes on.
        solver: who makes the steps.
        fusion: how the branches' guesses become one.
        guidance: at a branch's own picture and at its far end; 1 is none, at half the price.
        told: what the network is told besides pictures.
    """

    steps: int = 25
    repeats: int = 0
    share: float = 0.5
    tries: int = 1
    solver: Literal["euler", "heun", "multistep"] = "euler"
    fusion: Literal["average", "linear"] = "average"
    guidance: tuple[float, float] = (1.0, 3.0)
    told: Told = TOLD

    @property
    def path(self) -> list[int]:
        """The way through the levels of noise."""
        return again_and_again(self.steps, self.repeats, self.share)

    @property
    def looks(self) -> int:
        """How many evaluations of both branches it takes, guidance aside."""
        down = self.downs(self.path)
        if self.solver != "heun":
            return down
        _, late = self.parted(self.path)
        return 2 * down - (self.tries if len(late) == 1 else 1)  # the last step, down to no noise, looks once

    def downs(self, path: Sequence[int]) -> int:
        """Count the steps down along a path, those of every try."""
        early, late = self.parted(path)
        return self.tries * steps_down(early) + steps_down(late)

    def parted(self, path: Sequence[int]) -> tuple[Sequence[int], Sequence[int]]:
        """Part a path where one of several tries is chosen; where there is only one, or no choice is left, at once."""
        early = [place for place, step in enumerate(path) if step < max(1, int(_DECIDED * self.steps))]
        chosen = early[-1] + 1 if early and self.tries > 1 else 0
        return path[: chosen + 1], path[chosen:]
