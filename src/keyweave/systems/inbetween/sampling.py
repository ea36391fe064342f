"""How a clip between pictures is sampled; read without torch, since options are made of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from keyweave.diffusion.samplers import again_and_again, steps_down
from keyweave.diffusion.told import TOLD, Told

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Sampling:
    """How a clip is sampled.

    Args:
        steps: levels of noise that are gone down.
        repeats: how often each of the first steps is taken again, after adding back the noise that it took away.
        share: of the steps, which are taken again.
        tries: how many noises are looked at; a clip begins from the one on which both branches agree best.
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
        down = steps_down(self.path)
        return 2 * down - 1 if self.solver == "heun" else down

    def parts(self, path: Sequence[int]) -> int:
        """Count what is done on a path: each step down, and each look at a noise to begin with."""
        return steps_down(path) + (self.tries if self.chooses(path) else 0)

    def chooses(self, path: Sequence[int]) -> bool:
        """Tell whether there is a choice: not where only the end of the way is gone, since all is settled there."""
        return self.tries > 1 and path[0] == 0
