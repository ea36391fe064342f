"""Training what moves: the network of `toy-video`, on latents of the drawn world.

The image encoder stays as it is. Trained along, it forgot which way looks point (`looks.py`), since most of the errors
that are measured here are of other things.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from keyweave.base.seeds import derive
from keyweave.diffusion.denoisers import Condition, velocity
from keyweave.diffusion.noise import gaussian
from keyweave.diffusion.quick import make_quick
from keyweave.diffusion.told import AUGMENTATION, BUCKET, FPS
from keyweave.recipes.autoencoder import CHANNELS
from keyweave.recipes.looks import TOLD
from keyweave.training.order import Order

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from diffusers.models.unets.unet_spatio_temporal_condition import UNetSpatioTemporalConditionModel
    from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler
    from torch import Tensor
FRAMES = 14
NOISE = (1.2, 1.6)  # mean and spread of its logarithm; where things go is decided at much
_UNTOLD = 0.1  # how often the network is told nothing, so that guidance can lead away from it
_STILL = 0.25  # what a place counts that stays as it is; one that changes by the spread of latents counts 1 more, or so
_PLACES = 12  # by which it is told how clearly an actor stands out
_USUAL, _HELD = 1.4, (0.4, 1.6)  # how much those change, and between what that is held
_MEASURED, _TOGETHER = 96, 16
_LEVELS = (0.3, 1.0, 3.0, 10.0, 30.0)  # of noise at which it is measured


def fresh_network(seed: int = 0) -> UNetSpatioTemporalConditionModel:
    """Make an untrained network of the class that the released models have."""
    from diffusers.models.unets.unet_spatio_temporal_condition import (  # noqa: PLC0415 - slow to import, and an extra
        UNetSpatioTemporalConditionModel,
    )

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(seed, "network"))
        unet = UNetSpatioTemporalConditionModel(
            sample_size=8,
            in_channels=2 * CHANNELS,
            out_channels=CHANNELS,
            down_block_types=("CrossAttnDownBlockSpatioTemporal",) * 2,
            up_block_types=("CrossAttnUpBlockSpatioTemporal",) * 2,
            block_out_channels=(96, 128),
            layers_per_block=1,
            cross_attention_dim=TOLD,
            num_attention_heads=(3, 4),
            addition_time_embed_dim=32,
            projection_class_embeddings_input_dim=96,
            num_frames=FRAMES,
        )
        nn.init.zeros_(unet.conv_out.weight)
        assert unet.conv_out.bias is not None
        nn.init.zeros_(unet.conv_out.bias)
    return unet


def family_scheduler() -> EulerDiscreteScheduler:
    """Make the scheduler that all released models have."""
    from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler  # noqa: PLC0415

    return EulerDiscreteScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type="v_prediction",
        interpolation_type="linear",
        use_karras_sigmas=True,
        timestep_spacing="leading",
        timestep_type="continuous",
        steps_offset=1,
        sigma_min=0.002,
        sigma_max=700.0,
    )


class VideoTask:
    """Learn how things move, from the first frame on (Karras et al. 2022, as velocities).

    Args:
        unet: the network.
        latents: (N, F, C, h, w) of clips, unscaled.
        seen: (N, D) what the image encoder says of their first frames.
        scale: brings latents to a spread of 1.
        held_out: the same two of clips that are never trained on.
        noise: mean and spread of the logarithm of the noise that it learns at.
        seed: decides all chance.
    """

    def __init__(
        self,
        unet: UNetSpatioTemporalConditionModel,
        *,
        latents: Tensor,
        seen: Tensor,
        scale: float,
        held_out: tuple[Tensor, Tensor],
        noise: tuple[float, float] = NOISE,
        seed: int = 0,
    ) -> None:
        self._unet = unet
        make_quick(unet)
        self._clips = (latents, seen)
        self._held_out = held_out
        self._scale = scale
        self._noise = noise
        self._seed = seed
        self._order = Order(len(latents), seed)

    @property
    def model(self) -> nn.Module:
        """What is trained."""
        return self._unet

    def loss(self, samples: Sequence[int]) -> tuple[Tensor, dict[str, float]]:
        """Return the mean error of the velocities."""
        rows = [self._order.row(number) for number in samples]
        latents, seen = (part[rows] for part in self._clips)
        # Consecutive samples get noise levels that are spread evenly: a golden ratio apart.
        even = np.array([(0.5 + 0.6180339887498949 * number) % 1 for number in samples])
        mean, spread = self._noise
        sigma = torch.exp(mean + spread * torch.special.ndtri(torch.from_numpy(even).float().clamp(1e-4, 1 - 1e-4)))
        noise = torch.stack([gaussian(tuple(latents.shape[1:]), self._seed, "training", k) for k in samples])
        chances = [np.random.default_rng(derive(self._seed, "untold", number)).random() for number in samples]
        told = torch.tensor([chance >= _UNTOLD for chance in chances])
        faults = self._faults(latents, seen, sigma, noise, told, weighed=True)
        return faults.mean(), {}

    @torch.no_grad()
    def validate(self, folder: Path, step: int) -> dict[str, float]:
        """Measure on clips that are never trained on, at fixed levels of noise."""
        del folder, step
        latents, seen = (part[:_MEASURED] for part in self._held_out)
        noise = torch.stack([gaussian(tuple(latents.shape[1:]), 0, "validation", k) for k in range(len(latents))])
        found = {}
        for level in _LEVELS:
            faults = []
            for part in range(0, len(latents), _TOGETHER):
                few = slice(part, part + _TOGETHER)
                same = torch.full((len(latents[few]),), level)
                faults.append(self._faults(latents[few], seen[few], same, noise[few], same > 0))
            found[f"at {level:g}"] = float(torch.cat(faults).mean())
        return {"loss": sum(found.values()) / len(found), **found}

    def _faults(
        self, latents: Tensor, seen: Tensor, sigma: Tensor, noise: Tensor, told: Tensor, *, weighed: bool = False
    ) -> Tensor:
        device = self._unet.device
        first = latents[:, :1].float().to(device)
        clean = latents.float().to(device) * self._scale
        sigma, noise, told = sigma.to(device), noise.to(device), told.to(device)
        ids = torch.tensor([[FPS - 1, BUCKET, AUGMENTATION]], device=device)
        condition = Condition(
            latents=(first * told[:, None, None, None, None]).expand_as(clean),
            embedding=(seen.to(device) * told[:, None])[:, None],
            ids=ids.expand(len(clean), -1),
        )
        wide = sigma[:, None, None, None, None]
        target = (noise - wide * clean) / (wide**2 + 1).sqrt()
        made = velocity(self._unet, clean + wide * noise, sigma, condition)
        faults = (made - target).square()
        if weighed:
            faults = faults * emphasis(clean)
        return faults.mean(dim=(1, 2, 3, 4))


def emphasis(clean: Tensor) -> Tensor:  # (B, F, C, h, w) -> (B, 1, 1, h, w)
    """Return what each place of a clip counts: the more, the more it ever changes there.

    Actors take up little of a picture, and are what is hard to learn. A place counts the same in all frames, so that
    nobody is drawn into a frame rather than another. A pale actor changes little, and its faults are small as well; so
    change is seen beside that of the places of its clip that change most, and the clip counts the more, the less those
    do. It is 1 on average where they change as usual.
    """
    change = (clean - clean[:, :1]).abs().mean(2).amax(1)
    most = change.flatten(1).topk(_PLACES).values.mean(1).clamp(*_HELD)
    stronger = (_USUAL / most)[:, None, None]
    weight = _STILL + change * stronger
    return (weight / weight.mean((1, 2), keepdim=True) * stronger)[:, None, None]
