"""How a clip between pictures is sampled; read without torch, since options are made of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from keyweave.diffusion.samplers import again_and_again, steps_down
from keyweave.diffusion.told import TOLD, Told

if TYPE_CHECKING:
    from collections.abc import Sequence

COMPARED = 2  # kinds of noise under which clips are compared; each costs a look, as does what stands under it
_DECIDED = 0.6  # of the steps, after which it is settled where things go; what is left is how they look


@dataclass(frozen=True)
class Sampling:
    """How a clip is sampled.

    Args:
        steps: levels of noise that are gone down.
        repeats: how often each of the first steps is taken again, after adding back the noise that it took away.
        share: of the steps, which are taken again.
        tries: how many clips are begun, each from noise of its own; the one on which both branches agree best goes on.
        sketch: who draws one more that takes part in that choice, under noise; nobody, or the flow engine.
        solver: who makes the steps.
        fusion: how the branches' guesses become one.
        guidance: at a branch's own picture and at its far end; 1 is none, at half the price.
        told: what the network is told besides pictures.
    """

    steps: int = 25
    repeats: int = 0
    share: float = 0.5
    tries: int = 1
    sketch: Literal["none", "flow"] = "none"
    solver: Literal["euler", "heun", "multistep"] = "euler"
    fusion: Literal["average", "linear"] = "average"
    guidance: tuple[float, float] = (1.0, 3.0)
    told: Told = TOLD

    def __post_init__(self) -> None:
        """Refuse a choice with nothing before it."""
        if self.tries > 1 and self.steps == 1:
            raise ValueError(f"tries={self.tries} needs 2 steps or more: one is chosen after the first ones")

    @property
    def proposals(self) -> int:
        """How many clips there are to choose from."""
        return self.tries + (self.sketch != "none")

    @property
    def sketched(self) -> bool:
        """Whether a sketch takes part: there is none in a single step, after which nothing is left to choose."""
        return self.sketch != "none" and self.choices > 0

    @property
    def path(self) -> list[int]:
        """The way through the levels of noise."""
        return again_and_again(self.steps, self.repeats, self.share)

    @property
    def looks(self) -> int:
        """How many evaluations of both branches it takes, guidance aside, and those by which a clip is chosen."""
        early, late = self.parted(self.path)
        down = self.tries * steps_down(early) + steps_down(late)
        return 2 * down - 1 if self.solver == "heun" else down

    @property
    def choices(self) -> int:
        """How many evaluations of both branches, with pictures alone, it takes to choose among clips."""
        early, _ = self.parted(self.path)
        return self.proposals * (1 + COMPARED) if steps_down(early) else 0

    @property
    def over_sketch(self) -> Sampling:
        """The same for a clip that begins from a sketch, which has decided where things go: nothing is chosen."""
        return replace(self, tries=1, sketch="none")

    def parts(self, path: Sequence[int]) -> int:
        """Count what is done on a path: each step down, and each clip that is compared with others."""
        early, late = self.parted(path)
        choices = self.proposals if steps_down(early) else 0
        return self.tries * steps_down(early) + choices + steps_down(late)

    def parted(self, path: Sequence[int]) -> tuple[Sequence[int], Sequence[int]]:
        """Part a path where one of several clips is chosen: at its beginning, where there is nothing to choose."""
        early = [place for place, step in enumerate(path) if step < int(_DECIDED * self.steps)]
        end = early[-1] + 1 if early and self.proposals > 1 else 0
        return path[: end + 1], path[end:]
