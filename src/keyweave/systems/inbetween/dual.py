"""A denoiser that looks both ways: forward in time from the first keyframe, and backward from the last.

Both branches are one network in one batch. The backward branch sees time flipped, and takes the forward branch's maps
of temporal attention turned by 180 degrees, so that both tell of one motion (thesis, chapter 5, algorithm 2).
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from keyweave.diffusion.denoisers import by_frame, clean_from_velocity, led, velocity
from keyweave.diffusion.exchange import AttentionExchange, BothWays, Giving, Taking, temporal_layers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from diffusers.models.unets.unet_spatio_temporal_condition import UNetSpatioTemporalConditionModel
    from torch import Tensor

    from keyweave.diffusion.denoisers import Condition

    Pair = tuple[Tensor, Tensor]
    _Look = Callable[[Tensor, Tensor, Condition, Condition], Pair]


@dataclass(frozen=True, eq=False)
class Fusion:
    """How the guesses of both branches become one; all (F,), in the time of the film.

    Args:
        ahead: the share of the forward branch.
        guidance: how far the forward branch is led towards its picture; 1 is not at all.
        guidance_back: the same of the backward branch.
    """

    ahead: Tensor
    guidance: Tensor
    guidance_back: Tensor

    @property
    def guided(self) -> bool:
        """Whether a look without pictures is needed: it doubles the cost."""
        return bool((self.guidance != 1).any() or (self.guidance_back != 1).any())


def average(frames: int, guidance: tuple[float, float]) -> Fusion:
    """Trust both branches alike; the guidance is a ramp averaged with its mirror image, the same for all frames."""
    ramp = torch.linspace(*guidance, frames)
    level = (ramp + ramp.flip(0)) / 2
    return Fusion(torch.full((frames,), 0.5), level, level)


def linear(frames: int, guidance: tuple[float, float]) -> Fusion:
    """Trust each branch near its own picture; the guidance is a ramp in each branch's own time."""
    ramp = torch.linspace(*guidance, frames)
    return Fusion(torch.linspace(1, 0, frames), ramp, ramp.flip(0))


FUSIONS: dict[str, Callable[[int, tuple[float, float]], Fusion]] = {"average": average, "linear": linear}


@dataclass(frozen=True, eq=False)
class Backward:
    """What sets the backward branch apart.

    Args:
        rotated: names of the layers that take the forward branch's map, turned.
        weights: matrices of its own, by layer and projection; it shares all others.
    """

    rotated: tuple[str, ...] = ()
    weights: Mapping[str, Mapping[str, Tensor]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class TwoWays:
    """A denoiser of clips between pictures.

    Args:
        look: gives both branches' guesses of the clean clip, in the time of the film.
        first: what the forward branch is told, of B pairs.
        last: what the backward branch is told.
        fusion: how both guesses become one.
    """

    look: _Look
    first: Condition
    last: Condition
    fusion: Fusion

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Return the clean guess (B, F, C, h, w)."""
        ahead, back = self.look(x, sigma, self.first, self.last)
        if self.fusion.guided:
            pair = self.look(x, sigma, self.first.without_picture(), self.last.without_picture())
            ahead = led(pair[0], ahead, self.fusion.guidance)
            back = led(pair[1], back, self.fusion.guidance_back)
        return self._fused(ahead, back)

    def apart(self, x: Tensor, sigma: Tensor, noises: Sequence[Tensor]) -> Tensor:
        """Return how far apart both branches' guesses of a clip lie, (B,): the mean square, guidance aside.

        What the clip stands for is put under other noise first, as much as it had: with the same `noises`, (B, F, C, h,
        w) of spread 1, clips can be compared, where one that brings its own noise is judged by that as well.
        """
        clean = self._fused(*self.look(x, sigma, self.first, self.last))
        found: list[Tensor] = []
        for noise in noises:
            ahead, back = self.look(clean + noise * sigma, sigma, self.first, self.last)
            found.append((ahead.float() - back.float()).square().mean(dim=(1, 2, 3, 4)))
        return torch.stack(found).mean(0)

    def _fused(self, ahead: Tensor, back: Tensor) -> Tensor:
        share = by_frame(self.fusion.ahead, ahead)
        return share * ahead + (1 - share) * back


@contextmanager
def two_ways(
    unet: UNetSpatioTemporalConditionModel,
    first: Condition,
    last: Condition,
    fusion: Fusion,
    backward: Backward,
    *,
    in_turn: bool = False,
) -> Iterator[TwoWays]:
    """Yield a denoiser of clips between pictures; the network is as it was when the context is left.

    Args:
        unet: for both branches.
        first: what the forward branch is told, of B pairs.
        last: what the backward branch is told.
        fusion: how both guesses become one.
        backward: what sets the backward branch apart.
        in_turn: one branch after the other, with maps kept between: slower, in little more than half of the memory.
    """
    if in_turn:
        yield TwoWays(_in_turn(unet, backward), first, last, fusion)
        return
    layers = {
        name: BothWays(rotated=name in backward.rotated, weights=backward.weights.get(name, {}))
        for name in temporal_layers(unet)
        if name in backward.rotated or name in backward.weights
    }
    with AttentionExchange(unet, layers):
        yield TwoWays(_together(unet), first, last, fusion)


def _together(unet: UNetSpatioTemporalConditionModel) -> _Look:
    def look(x: Tensor, sigma: Tensor, first: Condition, last: Condition) -> Pair:
        both = torch.cat([x, x.flip(1)])
        clean = clean_from_velocity(both, velocity(unet, both, sigma, first.beside(last)), sigma)
        ahead, back = clean.chunk(2)
        return ahead, back.flip(1)

    return look


def _in_turn(unet: UNetSpatioTemporalConditionModel, backward: Backward) -> _Look:
    maps: dict[str, Tensor] = {}
    giving = {name: Giving(maps, name) for name in backward.rotated}
    taking = {
        name: Taking(maps if name in backward.rotated else None, name, backward.weights.get(name, {}))
        for name in temporal_layers(unet)
        if name in backward.rotated or name in backward.weights
    }

    def look(x: Tensor, sigma: Tensor, first: Condition, last: Condition) -> Pair:
        try:
            with AttentionExchange(unet, giving):
                ahead = clean_from_velocity(x, velocity(unet, x, sigma, first), sigma)
            flipped = x.flip(1)
            with AttentionExchange(unet, taking):
                back = clean_from_velocity(flipped, velocity(unet, flipped, sigma, last), sigma)
        finally:
            maps.clear()
        return ahead, back.flip(1)

    return look
