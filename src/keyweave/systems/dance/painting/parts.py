"""What painters of all families share: tokens of latents, levels of noise, and which networks go together."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from keyweave.base.errors import ModelError

if TYPE_CHECKING:
    from torch import Tensor

    from keyweave.models.loading import PartModel, PictureModel


def refuse_stranger(model: PictureModel, control: PartModel, wanted: str, names: tuple[str, ...]) -> None:
    """Raise unless a network can control a model.

    Args:
        model: what paints.
        control: what should control it.
        wanted: the class of those that can.
        names: of the settings that both must have alike.
    """
    network: Any = control.network
    if type(network).__name__ != wanted:
        raise ModelError(f"{control.ref} is a {type(network).__name__}; here a {wanted} is needed.")
    ours: Any = model.transformer
    for name in names:
        if network.config[name] != ours.config[name]:
            raise ModelError(
                f"{control.ref} cannot control {model.ref}: its {name} is {network.config[name]}, and there "
                f"{ours.config[name]}."
            )
    if network.inner_dim != ours.inner_dim:
        raise ModelError(
            f"{control.ref} cannot control {model.ref}: it is {network.inner_dim} wide, not {ours.inner_dim}."
        )


def noise_levels(scheduler: Any, steps: int, tokens: int) -> Tensor:  # (steps + 1,)
    """Ask a scheduler: the more tokens a picture has, the longer it stays where there is much noise."""
    if steps == 1:  # all the way at once; a scheduler that stretches its levels would divide by nothing
        return torch.tensor([1.0, 0.0])
    own, facts = deepcopy(scheduler), scheduler.config
    slope = (facts.max_shift - facts.base_shift) / (facts.max_image_seq_len - facts.base_image_seq_len)
    shift = facts.base_shift + slope * (tokens - facts.base_image_seq_len)
    own.set_timesteps(sigmas=np.linspace(1, 1 / steps, steps), mu=shift)
    return own.sigmas


def packed(latents: Tensor) -> Tensor:  # (N, C, 2 h, 2 w) -> (N, h w, 4 C)
    """Make one token of two by two latents."""
    return pixel_unshuffle(latents, 2).flatten(2).mT


def unpacked(tokens: Tensor, rows: int) -> Tensor:  # (N, h w, 4 C) -> (N, C, 2 h, 2 w)
    """Undo `packed`."""
    return pixel_shuffle(tokens.mT.unflatten(2, (rows, -1)), 2)
