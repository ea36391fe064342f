"""Clips between pictures, generated: the story of generative in-betweening in one screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from keyweave.base.errors import InputError
from keyweave.base.progress import SILENT, Progress
from keyweave.diffusion.denoisers import sigmas_of
from keyweave.diffusion.image_to_video import condition_on, pictures_of
from keyweave.diffusion.noise import noise_like
from keyweave.diffusion.samplers import SOLVERS, walk
from keyweave.systems.inbetween.dual import FUSIONS, Backward, two_ways
from keyweave.systems.inbetween.sampling import COMPARED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torch import Tensor

    from keyweave.diffusion.denoisers import Condition, Denoiser
    from keyweave.diffusion.image_to_video import VideoParts
    from keyweave.diffusion.noise import Seeds
    from keyweave.diffusion.told import Told
    from keyweave.systems.inbetween.sampling import Sampling

PLAIN = Backward()


@torch.no_grad()
def between(
    model: VideoParts,
    firsts: Tensor,
    lasts: Tensor,
    *,
    seed: Seeds,
    sampling: Sampling,
    backward: Backward = PLAIN,
    frames: int | None = None,
    in_turn: bool = False,
    chunk: int | None = None,
    path: Sequence[int] | None = None,
    proposal: Tensor | None = None,
    progress: Progress = SILENT,
) -> Tensor:
    """Generate clips from first pictures to last ones, (B, 3, H, W) in [-1, 1] each; return (B, F, 3, H, W).

    The pictures come back about as they were, at both ends; whoever wants them exactly puts them there.

    Args:
        model: an image-to-video model.
        firsts: sides that 8 divides.
        lasts: of the same size.
        seed: decides the noise, however often steps are repeated; one for all, which tells pairs apart by their places,
            or one for each pair, which gets with it what it would get alone.
        sampling: how it is done.
        backward: what sets the backward branch apart; without it, this is time reversal fusion without jumps.
        frames: how many; what the model was made for without.
        in_turn: branches one after the other, where memory is short.
        chunk: frames that are decoded at once; all without.
        path: the way through the levels of noise, where it is not the sampling's own.
        proposal: clean latents (B, F, C, h, w) as the network takes them, of clips that another has drawn between these
            pictures, where the sampling asks for such a sketch.
        progress: a step for each step of the sampler, and for each clip that is compared with others.
    """
    ends = ends_of(model, firsts, lasts, frames, seed=seed, told=sampling.told)
    return between_ends(
        model,
        *ends,
        seed=seed,
        sampling=sampling,
        backward=backward,
        in_turn=in_turn,
        chunk=chunk,
        path=path,
        proposal=proposal,
        progress=progress,
    )


@torch.no_grad()
def between_ends(
    model: VideoParts,
    first: Condition,
    last: Condition,
    *,
    seed: Seeds,
    sampling: Sampling,
    backward: Backward = PLAIN,
    in_turn: bool = False,
    chunk: int | None = None,
    path: Sequence[int] | None = None,
    sketch: Tensor | None = None,
    proposal: Tensor | None = None,
    progress: Progress = SILENT,
) -> Tensor:
    """Do the same from what the network is told about both ends, where pictures were encoded before.

    With a `sketch`, of the shape of a proposal, all clips begin from that instead of from nothing: from the level of
    noise at which the path begins, which hides of it what the model is to draw.
    """
    fusion = FUSIONS[sampling.fusion](first.latents.shape[1], sampling.guidance)
    with two_ways(model.unet, first, last, fusion, backward, in_turn=in_turn) as denoise:
        made = follow(
            model,
            denoise,
            first.latents,
            seed=seed,
            sampling=sampling,
            path=path,
            sketch=sketch,
            proposal=proposal,
            apart=denoise.apart,
            progress=progress,
        )
    return pictures_of(model.vae, made, chunk=chunk)


def ends_of(
    model: VideoParts, firsts: Tensor, lasts: Tensor, frames: int | None, *, seed: Seeds, told: Told
) -> tuple[Condition, Condition]:
    """Return what the network is told about both ends of clips."""
    if firsts.shape != lasts.shape:
        sizes = " and ".join(f"{picture.shape[3]}x{picture.shape[2]}" for picture in (firsts, lasts))
        raise InputError(f"The two ends differ in size: {sizes}.", "Fit both pictures to one size.")
    frames = frames or int(model.unet.config["num_frames"])
    first, last = (condition_on(model, pictures, frames, seed=seed, told=told) for pictures in (firsts, lasts))
    return first, last


def follow(
    model: VideoParts,
    denoise: Denoiser,
    latents: Tensor,
    *,
    seed: Seeds,
    sampling: Sampling,
    path: Sequence[int] | None = None,
    sketch: Tensor | None = None,
    proposal: Tensor | None = None,
    apart: Callable[[Tensor, Tensor, Sequence[Tensor]], Tensor] | None = None,
    progress: Progress = SILENT,
) -> Tensor:
    """Follow a denoiser from noise, or a sketch under it, to clean latents, (B, F, C, h, w) as those given are.

    Of several tries, and a proposal that joins them under as much noise as they have left, the one goes on that is best
    by `apart`, which tells of each clip (B,) how far two branches are from agreeing on it under the same noises; a
    denoiser of one branch is tried once.
    """
    sigmas = sigmas_of(model.scheduler, sampling.steps).to(latents.device)
    early, late = sampling.parted(sampling.path if path is None else path)

    def begin(number: int) -> Tensor:
        noise = noise_like(latents, seed, *_of_try(number), "latents")
        if sketch is not None:
            return sketch.to(noise) + noise * sigmas[early[0]]
        return noise * (sigmas[0] ** 2 + 1).sqrt()

    def go(x: Tensor, part: Sequence[int], number: int) -> Tensor:
        def again(up: int, _: Tensor) -> Tensor:
            return noise_like(latents, seed, *_of_try(number), "again", up)

        return walk(denoise, x, sigmas, part, noise=again, solver=SOLVERS[sampling.solver](), progress=progress)

    if len(early) == 1:
        return go(begin(0), late, 0)
    assert apart is not None, "one of several clips is chosen by how far branches are apart"
    if proposal is None and sampling.sketch != "none":
        raise ValueError(f"the sampling asks for a sketch by {sampling.sketch}: hand it as the proposal")
    level = sigmas[late[0]]
    noises = [noise_like(latents, seed, "compared", number) for number in range(COMPARED)]

    def begun() -> Iterator[Tensor]:
        yield from (go(begin(number), early, number) for number in range(sampling.tries))
        if proposal is not None and sampling.sketch != "none":
            noise = noise_like(latents, seed, "sketch", "latents")
            yield proposal.to(noise) + noise * level

    clips: list[Tensor] = []
    distances: list[Tensor] = []
    for clip in begun():  # one by one: a network at work takes much more memory than these
        clips.append(clip)
        distances.append(apart(clip, level, noises))
        progress.step()
    nearest = torch.stack(distances).argmin(0)  # (B,)
    chosen = torch.stack(clips)[nearest, torch.arange(len(latents), device=nearest.device)]
    return go(chosen, late, sampling.tries)


def _of_try(number: int) -> tuple[str | int, ...]:
    """Return what names the noise of a try; the first one has what it would have alone."""
    return ("try", number) if number else ()


def path_below(model: VideoParts, sampling: Sampling, level: float) -> list[int]:
    """Return what is left of a sampling's way from the first level of noise that is no higher than this.

    One step is always left.
    """
    sigmas = sigmas_of(model.scheduler, sampling.steps)
    begin = min(int((sigmas > level).sum()), sampling.steps - 1)
    before = [number for number, step in enumerate(sampling.path) if step < begin]
    return sampling.path[before[-1] + 1 :] if before else sampling.path
