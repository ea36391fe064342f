"""Clips between pictures, generated: the story of generative in-betweening in one screen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch

from keyweave.base.progress import SILENT, Progress
from keyweave.diffusion.denoisers import sigmas_of
from keyweave.diffusion.image_to_video import TOLD, Told, condition_on, pictures_of
from keyweave.diffusion.noise import gaussian
from keyweave.diffusion.samplers import SOLVERS, again_and_again, steps_down, walk
from keyweave.systems.inbetween.dual import FUSIONS, Backward, two_ways

if TYPE_CHECKING:
    from torch import Tensor

    from keyweave.diffusion.image_to_video import VideoParts

PLAIN = Backward()


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


@torch.no_grad()
def between(
    model: VideoParts,
    firsts: Tensor,
    lasts: Tensor,
    *,
    seed: int,
    sampling: Sampling,
    backward: Backward = PLAIN,
    frames: int | None = None,
    in_turn: bool = False,
    chunk: int | None = None,
    progress: Progress = SILENT,
) -> Tensor:
    """Generate clips from first pictures to last ones, (B, 3, H, W) in [-1, 1] each; return (B, F, 3, H, W).

    The pictures come back about as they were, at both ends; whoever wants them exactly puts them there.

    Args:
        model: an image-to-video model.
        firsts: sides that 8 divides.
        lasts: of the same size.
        seed: decides the noise; each pair has its own, whatever the others are and however often steps are repeated.
        sampling: how it is done.
        backward: what sets the backward branch apart; without it, this is time reversal fusion without jumps.
        frames: how many; what the model was made for without.
        in_turn: branches one after the other, where memory is short.
        chunk: frames that are decoded at once; all without.
        progress: a step for each step of the sampler.
    """
    frames = frames or int(model.unet.config["num_frames"])
    first, last = (condition_on(model, pictures, frames, seed=seed, told=sampling.told) for pictures in (firsts, lasts))
    sigmas = sigmas_of(model.scheduler, sampling.steps).to(firsts.device)

    def draw(*name: str | int) -> Tensor:
        shape = tuple(first.latents.shape[1:])
        return torch.stack([gaussian(shape, seed, *name, pair) for pair in range(len(firsts))]).to(sigmas)

    fusion = FUSIONS[sampling.fusion](frames, sampling.guidance)
    with two_ways(model.unet, first, last, fusion, backward, in_turn=in_turn) as denoise:
        made = walk(
            denoise,
            draw("latents") * (sigmas[0] ** 2 + 1).sqrt(),
            sigmas,
            sampling.path,
            noise=lambda number, _: draw("again", number),
            solver=SOLVERS[sampling.solver](),
            progress=progress,
        )
    return pictures_of(model.vae, made, chunk=chunk)
