"""ViBiDSampler (Yang, Kwon, Ye; ICLR 2025, arXiv 2410.05651): one way after the other instead of both at once.

At each level of noise, a step forward in time from the first picture is taken, the noise that it took away is added
back, and a step backward in time from the last picture is taken. Nothing is averaged, so a clip stays among what the
network knows.

Each step is led in two ways. CFG++: noise is put back in the direction of the guess without a picture. DDS: the clean
guess is led towards the picture at the other end, by conjugate gradients. What is measured there is the last frame
itself, so they arrive in one iteration: that frame becomes the picture's latents.

Facts come from the paper's abstract, notes on it and the authors' published code (MIT), which was read and not copied;
the paper itself was not at hand. Their code has a guidance of 1 as its default, which is what is done here: the clean
guess is the one with the picture, and the ramp of guidance of the other methods has no place. Of the latents of a
picture they draw a sample, and the likeliest is taken here. Which settings made the tables of the paper could not be
determined. One solver, Euler's, is described.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from keyweave.base.progress import SILENT, Progress
from keyweave.diffusion.denoisers import Denoiser, sigmas_of, video_denoiser
from keyweave.diffusion.image_to_video import latents_of, pictures_of
from keyweave.diffusion.noise import noise_like
from keyweave.systems.inbetween.generate import ends_of

if TYPE_CHECKING:
    from keyweave.diffusion.denoisers import Condition
    from keyweave.diffusion.image_to_video import VideoParts
    from keyweave.diffusion.noise import Seeds
    from keyweave.systems.inbetween.sampling import Sampling

Turn = Callable[[Tensor, Tensor, Tensor], Tensor]  # x, now, then: down from a level of noise to the next


@dataclass(frozen=True, eq=False)
class End:
    """One end of clips.

    Args:
        told: guesses the clips that begin with its picture.
        untold: guesses without.
        latents: (B, C, h, w) of the picture, scaled.
    """

    told: Denoiser
    untold: Denoiser
    latents: Tensor


Turns = Callable[[End, End, float], list[Turn]]  # of the first end, the last, and how far through the steps it is


def both_ways(first: End, last: End, done: float) -> list[Turn]:
    """Go forward from the first picture, then backward from the last."""
    del done
    return [_away(first, last.latents), _backward(_away(last, first.latents))]


@torch.no_grad()
def alternate(
    model: VideoParts,
    firsts: Tensor,
    lasts: Tensor,
    *,
    seed: Seeds,
    sampling: Sampling,
    turns: Turns = both_ways,
    frames: int | None = None,
    chunk: int | None = None,
    progress: Progress = SILENT,
) -> Tensor:
    """Generate clips by taking turns at each level of noise; return (B, F, 3, H, W) in [-1, 1].

    Args:
        model: as for `between`, and so are all arguments that are not named here.
        firsts: first pictures.
        lasts: last ones.
        seed: decides the noise.
        sampling: its steps and what is told count; solver, fusion, guidance and repeats have no place here.
        turns: which are taken at a level; noise is added back after all but the last.
        frames: how many.
        chunk: frames that are decoded at once.
        progress: a step for each turn.
    """
    conditions = ends_of(model, firsts, lasts, frames, seed=seed, told=sampling.told)
    first, last = (_end(model, *pair) for pair in zip(conditions, (firsts, lasts), strict=True))
    like = conditions[0].latents
    sigmas = sigmas_of(model.scheduler, sampling.steps).to(like.device)
    x = noise_like(like, seed, "latents") * (sigmas[0] ** 2 + 1).sqrt()
    ups = 0
    for step, (now, then) in enumerate(pairwise(sigmas)):
        *others, final = turns(first, last, step / sampling.steps)
        for turn in others:
            x = turn(x, now, then) + (now**2 - then**2).sqrt() * noise_like(like, seed, "again", ups)
            ups += 1
            progress.step()
        x = final(x, now, then)
        progress.step()
    return pictures_of(model.vae, x, chunk=chunk)


def go_on(end: End, clean: Tensor, x: Tensor, now: Tensor, then: Tensor) -> Tensor:
    """Return a clean guess with as much noise as there is next, in the direction of the guess without a picture."""
    return clean + (x - end.untold(x, now)) * (then / now)


def _away(end: End, goal: Tensor) -> Turn:  # goal: (B, C, h, w), where the clips that begin with `end` are to arrive
    def turn(x: Tensor, now: Tensor, then: Tensor) -> Tensor:
        clean = end.told(x, now)
        clean[:, -1] = goal
        return go_on(end, clean, x, now, then)

    return turn


def _backward(turn: Turn) -> Turn:
    return lambda x, now, then: turn(x.flip(1), now, then).flip(1)


def _end(model: VideoParts, condition: Condition, pictures: Tensor) -> End:
    latents = latents_of(model.vae, pictures)
    told, untold = (video_denoiser(model.unet, each) for each in (condition, condition.without_picture()))
    return End(told, untold, latents.float())
