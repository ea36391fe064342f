"""The method, its ablations and its rivals behind one door, for benchmarks.

| method | which row of the paper's table, or which paper |
|---|---|
| full | Ours |
| full-linear | none: the method, fused by nearness as TRF does |
| no-rotation | Ours w/o RA |
| no-tuning | Ours w/o FT |
| trf | TRF: Feng et al., ECCV 2024 |
| trf-repeats | none: its fusion with the method's way of looking again, so that both look equally often |
| average | none: the pipeline of the method, with the base network for both branches |
| image-to-video | the bottom row of figure 5.5: the first picture alone |
| vibid | none: ViBiDSampler, arXiv 2410.05651 |
| mpd | none: Motion Prior Distillation, arXiv 2602.12679 |

FILM and DynamiCrafter, the other rows, are networks of their own and not to be made from an image-to-video model; the
benchmark takes what they made elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import torch

from keyweave.base.errors import InputError
from keyweave.base.progress import SILENT, Progress
from keyweave.diffusion.exchange import temporal_layers
from keyweave.diffusion.image_to_video import condition_on, denoiser_for, pictures_of
from keyweave.diffusion.samplers import jumps
from keyweave.systems.inbetween.dual import Backward
from keyweave.systems.inbetween.generate import PLAIN, between, follow
from keyweave.systems.inbetween.mpd import with_one_motion
from keyweave.systems.inbetween.sampling import Sampling
from keyweave.systems.inbetween.vibid import alternate

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from keyweave.diffusion.image_to_video import VideoParts
    from keyweave.diffusion.noise import Seeds

Needs = Literal["none", "rotated adapter", "unrotated adapter"]
SAMPLING = Sampling()


@dataclass(frozen=True)
class Method:
    """A way to make clips between pictures with an image-to-video model.

    Args:
        name: what people type.
        says: what it does, in one line.
        needs: which kind of adapter sets its backward branch apart; one that needs none takes none.
        run: as `make`, but for the name; `backward` is handed only to those that need an adapter.
        really: what it makes of the sampling that is asked for; see `accounts` for what is left of that.
    """

    name: str
    says: str
    needs: Needs
    run: Callable[..., Tensor] = field(repr=False)
    really: Callable[[Sampling], Sampling] = field(repr=False)


def make(
    method: str,
    model: VideoParts,
    firsts: Tensor,
    lasts: Tensor,
    *,
    seed: Seeds,
    sampling: Sampling = SAMPLING,
    backward: Backward = PLAIN,
    frames: int | None = None,
    in_turn: bool = False,
    chunk: int | None = None,
    proposal: Tensor | None = None,
    progress: Progress = SILENT,
) -> Tensor:
    """Generate clips from first pictures to last ones, (B, 3, H, W) in [-1, 1] each; return (B, F, 3, H, W).

    Args:
        method: a name in `METHODS`.
        model: an image-to-video model.
        firsts: sides that 8 divides.
        lasts: of the same size.
        seed: decides the noise, as for `between`; each pair has its own, and all methods begin with the same.
        sampling: as for `between`; what makes a method what it is, such as its fusion, stands whatever is given here.
        backward: the adapter, for methods that need one.
        frames: how many; what the model was made for without.
        in_turn: branches one after the other, where memory is short and a method has two at once.
        chunk: frames that are decoded at once; all without.
        proposal: as for `between`, where what the method makes of the sampling asks for a sketch.
        progress: a step for each step of the sampler.
    """
    if method not in METHODS:
        raise InputError(f"There is no method {method!r}.", f"There are: {', '.join(METHODS)}.")
    chosen = METHODS[method]
    given = _kind(backward)
    if given != chosen.needs:
        raise InputError(
            f"The method {method} takes {_AN_ADAPTER[chosen.needs]}; it was given {_AN_ADAPTER[given]}.",
            "`keyweave train inbetween` makes adapters of both kinds." if chosen.needs != "none" else None,
        )
    adapter = {} if given == "none" else {"backward": backward}
    return chosen.run(
        model,
        firsts,
        lasts,
        seed=seed,
        sampling=chosen.really(sampling),
        frames=frames,
        **({"in_turn": in_turn, "proposal": proposal} if chosen.run in _TWO_AT_ONCE else {}),
        chunk=chunk,
        progress=progress,
        **adapter,
    )


_AN_ADAPTER: dict[Needs, str] = {
    "none": "no adapter",
    "rotated adapter": "an adapter with rotated maps",
    "unrotated adapter": "an adapter without rotated maps",
}


def _kind(backward: Backward) -> Needs:
    if backward.rotated:
        return "rotated adapter"
    return "unrotated adapter" if backward.weights else "none"


def _both_ways(*ends: Any, **rest: Any) -> Tensor:
    """Go both ways at once."""
    return between(*ends, **rest)


def _untuned(model: VideoParts, *pictures: Tensor, **rest: Any) -> Tensor:
    """Turn maps in the up blocks alone; with more of them and nothing learnt, the paper found pictures worse still."""
    up = tuple(name for name in temporal_layers(model.unet) if name.startswith("up_blocks."))
    return between(model, *pictures, backward=Backward(up), **rest)


def _reversed_in_time(*ends: Any, sampling: Sampling, **rest: Any) -> Tensor:
    """Do Time Reversal Fusion as its authors code it, with two exceptions.

    Frames are fused by how near they are to each picture, guidance is a ramp in each branch's own time, and in the
    first fifth of the steps it goes back up over the last five after each five; never to the beginning, so it takes 50
    steps for the first such jump. The authors go up one step at a time, by somewhat less noise than was taken away
    (0.95 of its spread); here it goes up at once, by the exact amount, so that what the network sees is as noisy as it
    is told. And their first look after a jump is told the level before the jump, which is mended here.
    """
    return between(*ends, sampling=sampling, path=path_of_trf(sampling.steps), **rest)


def path_of_trf(steps: int) -> list[int]:
    """Return the way of time reversal fusion through the levels of noise."""
    return jumps(steps, length=5, times=1, share=0.2)


@torch.no_grad()
def _onward(
    model: VideoParts,
    firsts: Tensor,
    lasts: Tensor,
    *,
    seed: Seeds,
    sampling: Sampling,
    frames: int | None,
    chunk: int | None,
    progress: Progress,
) -> Tensor:
    """Go on from the first picture, whatever the last one is."""
    del lasts
    frames = frames or int(model.unet.config["num_frames"])
    condition = condition_on(model, firsts, frames, seed=seed, told=sampling.told)
    denoise = denoiser_for(model, condition, sampling.guidance)
    made = follow(model, denoise, condition.latents, seed=seed, sampling=sampling, progress=progress)
    return pictures_of(model.vae, made, chunk=chunk)


_TWO_AT_ONCE = (_both_ways, _untuned, _reversed_in_time)


def _averaged(sampling: Sampling) -> Sampling:
    return replace(sampling, fusion="average")  # as the paper does


def _by_nearness(sampling: Sampling) -> Sampling:
    return replace(sampling, fusion="linear")


def _once(sampling: Sampling) -> Sampling:
    return replace(sampling, repeats=0)


def _one_way(sampling: Sampling) -> Sampling:
    return replace(sampling, repeats=0, tries=1, sketch="none")  # there is no other branch to agree with


def _in_turns(sampling: Sampling) -> Sampling:
    return replace(_one_way(sampling), solver="euler", guidance=(1.0, 1.0))


def _trf(sampling: Sampling) -> Sampling:
    return _once(_by_nearness(sampling))


_TUNED_TURNED = "backward branch tuned, with the forward branch's maps turned"
_TUNED_FUSED = "the same, fused by nearness in place of averaged"
_TUNED = "backward branch tuned, with maps of its own"
_TURNED = "maps turned in the up blocks, nothing learnt"
_FUSED = "Time Reversal Fusion: one model both ways, fused by nearness"
_FUSED_AGAIN = "the same fusion, with the method's repeats in place of jumps"
_AHEAD = "on from the first picture; the last one is not looked at"
_VIBID = "ViBiDSampler: one way after the other at each level of noise"
_MPD = "the same after early steps by the forward motion alone"

METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method("full", _TUNED_TURNED, "rotated adapter", _both_ways, _averaged),
        Method("full-linear", _TUNED_FUSED, "rotated adapter", _both_ways, _by_nearness),
        Method("no-rotation", _TUNED, "unrotated adapter", _both_ways, _averaged),
        Method("no-tuning", _TURNED, "none", _untuned, _averaged),
        Method("trf", _FUSED, "none", _reversed_in_time, _trf),
        Method("trf-repeats", _FUSED_AGAIN, "none", _both_ways, _by_nearness),
        Method("average", "one model both ways, averaged", "none", _both_ways, _averaged),
        Method("image-to-video", _AHEAD, "none", _onward, _one_way),
        Method("vibid", _VIBID, "none", alternate, _in_turns),
        Method("mpd", _MPD, "none", partial(alternate, turns=with_one_motion), _in_turns),
    )
}
