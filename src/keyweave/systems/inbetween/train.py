"""Learning to look backward in time (thesis, chapter 5, algorithm 1): only values and outputs of temporal attention.

The frozen network looks at a noisy clip forward in time and leaves its maps. The learning branch sees the clip
backward, is told its last frame, and takes the maps turned by 180 degrees.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from keyweave.base.seeds import derive
from keyweave.diffusion.denoisers import Condition, velocity
from keyweave.diffusion.exchange import AttentionExchange, Giving, Taking, temporal_layers
from keyweave.diffusion.noise import gaussian
from keyweave.training.order import Order

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from diffusers.models.unets.unet_spatio_temporal_condition import UNetSpatioTemporalConditionModel
    from torch import Tensor

VALUES: tuple[str, ...] = ("to_v", "to_out.0")
ALL: tuple[str, ...] = ("to_q", "to_k", *VALUES)
PARTS = {"vo": VALUES, "qkvo": ALL}  # as --trainable names them
_LEVELS = (0.3, 1.0, 3.0, 10.0, 30.0)  # of noise at which it is measured


class Branch(nn.Module):
    """Matrices of temporal attention that learn, beginning as those of the network.

    Args:
        network: stays as it is.
        parts: which projections of each layer.
        device: where they learn, if that is not where the network is now.
    """

    def __init__(
        self, network: nn.Module, parts: Sequence[str] = VALUES, device: torch.device | str | None = None
    ) -> None:
        super().__init__()
        self._base = {layer: network.get_submodule(layer) for layer in temporal_layers(network)}
        self._names = [(layer, part) for layer in self._base for part in parts]
        self.matrices = nn.ParameterList(
            nn.Parameter(self._own(layer, part).float().to(device, copy=True)) for layer, part in self._names
        )

    @property
    def weights(self) -> dict[str, dict[str, Tensor]]:
        """The matrices, by layer and projection."""
        found: dict[str, dict[str, Tensor]] = {}
        for (layer, part), matrix in zip(self._names, self.matrices, strict=True):
            found.setdefault(layer, {})[part] = matrix
        return found

    @torch.no_grad()
    def begin_with(self, differences: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Go on from differences that were learnt before, of the very same matrices."""
        for (layer, part), matrix in zip(self._names, self.matrices, strict=True):
            matrix.copy_(self._own(layer, part).to(matrix) + differences[layer][part].to(matrix))

    @torch.no_grad()
    def rounded(self) -> dict[str, dict[str, Tensor]]:
        """Bring the matrices to where they will be when their differences have been stored in half precision."""
        half = {layer: {part: one.half() for part, one in row.items()} for layer, row in self.differences().items()}
        for (layer, part), matrix in zip(self._names, self.matrices, strict=True):
            matrix.copy_(self._own(layer, part).to(matrix) + half[layer][part].float())
        return half

    def differences(self) -> dict[str, dict[str, Tensor]]:
        """Return how far they have come from the network's."""
        return {
            layer: {part: matrix.detach() - self._own(layer, part).to(matrix) for part, matrix in row.items()}
            for layer, row in self.weights.items()
        }

    def _own(self, layer: str, part: str) -> Tensor:
        """Return a matrix of the network, wherever that is now."""
        weight: Any = self._base[layer].get_submodule(part).weight
        return weight.detach()


@dataclass(frozen=True, eq=False)
class Clips:
    """What is learnt from.

    Args:
        latents: (N, F, C, h, w) unscaled.
        firsts: (N, D) what the image encoder says of first frames.
        lasts: (N, D) the same of last frames.
        starts: (N, C, h, w) latents of first frames with the noise that a network of the family is told of; those of
            the clip without.
        stops: (N, C, h, w) the same of last frames.
    """

    latents: Tensor
    firsts: Tensor
    lasts: Tensor
    starts: Tensor | None = None
    stops: Tensor | None = None

    def take(self, rows: Sequence[int]) -> Clips:
        """Return some of them."""
        starts, stops = (None if part is None else part[rows] for part in (self.starts, self.stops))
        return Clips(self.latents[rows], self.firsts[rows], self.lasts[rows], starts, stops)


@dataclass(frozen=True)
class Noising:
    """Which noise is trained on.

    Args:
        mean: of the logarithm of its spread.
        spread: of that logarithm.
        untold: how often the branch is told nothing; the official code never does this.
        levels: of noise, of which each is as likely as any other, as the paper has it; without them, the logarithm of
            the noise is normal, as the official code has it.
    """

    mean: float = 0.7
    spread: float = 1.6
    untold: float = 0.0
    levels: tuple[float, ...] = ()

    def sigma(self, even: Tensor) -> Tensor:
        """Return the noise that numbers (B,), evenly spread from 0 to 1, stand for."""
        if self.levels:
            levels = torch.tensor(self.levels, dtype=even.dtype)
            return levels[(even * len(levels)).long().clamp(0, len(levels) - 1)]
        return torch.exp(self.mean + self.spread * torch.special.ndtri(even.clamp(1e-4, 1 - 1e-4)))


OFFICIAL = Noising()


class BackwardTask:
    """Train the backward branch of a network.

    Args:
        network: frozen; its gradients are switched off.
        clips: to learn from.
        held_out: never trained on.
        scale: brings latents to a spread of 1.
        ids: (3,) what the network is told about speed and motion.
        parts: the projections that learn.
        rotated: whether the branch takes turned maps; if not, it makes its own (the paper's ablation without them).
        noising: which noise is trained on.
        checkpointing: half of the memory for a third more time: what lies between is computed again on the way back.
        together: clips that are measured at once.
        device: where the network computes, if that is not where it is now: it may come only when it is called.
        seed: decides all chance.
    """

    def __init__(
        self,
        network: UNetSpatioTemporalConditionModel,
        clips: Clips,
        held_out: Clips,
        *,
        scale: float,
        ids: Sequence[float],
        parts: Sequence[str] = VALUES,
        rotated: bool = True,
        noising: Noising = OFFICIAL,
        checkpointing: bool = False,
        together: int = 4,
        device: torch.device | str | None = None,
        seed: int = 0,
    ) -> None:
        assert not (rotated and set(parts) - set(VALUES)), "who takes maps has no use for queries and keys"
        self._network = network.requires_grad_(False).eval()
        self._device = torch.device(network.device if device is None else device)
        self._branch = Branch(network, parts, self._device)
        self._together = together
        self._clips, self._held_out = clips, held_out
        self._scale, self._ids = scale, ids
        self._rotated = rotated
        self._noising = noising
        # diffusers computes convolutions and attention in space again, never the layers that are exchanged here.
        network.enable_gradient_checkpointing() if checkpointing else network.disable_gradient_checkpointing()
        self._seed = seed
        self._order = Order(len(clips.latents), seed)

    @property
    def model(self) -> nn.Module:
        """What is trained."""
        return self._branch

    @property
    def rotated(self) -> tuple[str, ...]:
        """The layers that take turned maps."""
        return tuple(self._branch.weights) if self._rotated else ()

    @property
    def branch(self) -> Branch:
        """The same, with its names."""
        return self._branch

    def loss(self, samples: Sequence[int]) -> tuple[Tensor, dict[str, float]]:
        """Return the mean error of the velocities of reversed clips."""
        rows = [self._order.row(number) for number in samples]
        chances = np.array([np.random.default_rng(derive(self._seed, "noising", k)).random(2) for k in samples])
        sigma = self._noising.sigma(torch.from_numpy(chances[:, 0]).float())
        noise = torch.stack([gaussian(tuple(self._clips.latents.shape[1:]), self._seed, "noise", k) for k in samples])
        told = torch.from_numpy(chances[:, 1] >= self._noising.untold)
        return self._faults(self._clips.take(rows), sigma, noise, told).mean(), {}

    @torch.no_grad()
    def validate(self, folder: Path, step: int) -> dict[str, float]:
        """Measure on clips that are never trained on, at fixed levels of noise."""
        del folder, step
        return self.measured()

    @torch.no_grad()
    def measured(self) -> dict[str, float]:
        """Return the error on held-out clips at fixed levels of noise, and its mean."""
        latents = self._held_out.latents
        noise = torch.stack([gaussian(tuple(latents.shape[1:]), 0, "validation", k) for k in range(len(latents))])
        found = {}
        for level in _LEVELS:
            faults = []
            for first in range(0, len(latents), self._together):
                rows = list(range(first, min(first + self._together, len(latents))))
                same = torch.full((len(rows),), level)
                faults.append(self._faults(self._held_out.take(rows), same, noise[rows], same > 0))
            found[f"at {level:g}"] = float(torch.cat(faults).mean())
        return {"loss": sum(found.values()) / len(found), **found}

    def _faults(self, clips: Clips, sigma: Tensor, noise: Tensor, told: Tensor) -> Tensor:
        device, dtype = self._device, self._network.dtype
        raw = clips.latents.float().to(device)
        clean, sigma, noise = raw * self._scale, sigma.to(device), noise.to(device)
        noisy = clean + sigma[:, None, None, None, None] * noise
        shown = told.to(device)[:, None, None, None, None]
        ids = torch.tensor([list(self._ids)], device=device, dtype=dtype).expand(len(clean), -1)

        def condition(picture: Tensor | None, frame: Tensor, seen: Tensor) -> Condition:
            latents = frame if picture is None else picture.float().to(device)
            embedding = seen.to(device) * told.to(device)[:, None]
            return Condition((latents[:, None] * shown).expand_as(clean).to(dtype), embedding[:, None].to(dtype), ids)

        ahead = condition(clips.starts, raw[:, 0], clips.firsts)
        back = condition(clips.stops, raw[:, -1], clips.lasts)
        maps: dict[str, Tensor] = {}
        if self._rotated:
            giving = {layer: Giving(maps, layer) for layer in self._branch.weights}
            with torch.no_grad(), AttentionExchange(self._network, giving):
                velocity(self._network, noisy, sigma, ahead)
        taking = {
            layer: Taking(maps if self._rotated else None, layer, row) for layer, row in self._branch.weights.items()
        }
        wide = sigma[:, None, None, None, None]
        target = ((noise - wide * clean) / (wide**2 + 1).sqrt()).flip(1)
        with AttentionExchange(self._network, taking):
            made = velocity(self._network, noisy.flip(1), sigma, back)
        return (made - target).square().mean(dim=(1, 2, 3, 4))
