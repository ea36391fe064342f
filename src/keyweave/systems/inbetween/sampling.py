"""How a clip between pictures is sampled; read without torch, since options are made of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from keyweave.diffusion.samplers import again_and_again, steps_down
from keyweave.diffusion.told import TOLD, Told


@dataclass(frozen=True)
class Sampling:
    """How a clip is sampled.

    Args:
        steps: levels of noise that are gone down.
        repeats: how often each of the first steps is taken again, after adding back the noise that it took away.
        share: of the steps, which are taken again.
        solver: who makes the steps.
        fusion: how the branches' guesses become one.
        guidance: at a branch's own picture and at its far end; 1 is none, at half the price.
        told: what the network is told besides pictures.
    """

    steps: int = 25
    repeats: int = 0
    share: float = 0.5
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
        down = steps_down(self.path)
        return 2 * down - 1 if self.solver == "heun" else down
