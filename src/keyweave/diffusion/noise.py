"""Noise that depends on its seed and its name alone, neither on the device nor on what else is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from keyweave.base.errors import InputError
from keyweave.base.seeds import derive

if TYPE_CHECKING:
    from torch import Tensor

Seeds = int | Sequence[int]  # of a batch: one seed, which tells members apart by their places, or one for each


def gaussian(shape: tuple[int, ...], seed: int, *names: str | int) -> Tensor:
    """Draw normal noise (shape) on the CPU."""
    generator = torch.Generator().manual_seed(derive(seed, *names))
    return torch.randn(shape, generator=generator)


def noise_like(batch: Tensor, seed: Seeds, *names: str | int) -> Tensor:
    """Draw normal noise for a batch (B, ...) of any precision, in float32 where the batch is.

    A member with a seed of its own gets what it would get alone, whatever its place and whoever is beside it.
    """
    if isinstance(seed, int):
        chances = [(seed, place) for place in range(len(batch))]
    elif len(seed) == len(batch):
        chances = [(own, 0) for own in seed]
    else:
        raise InputError(f"There are {len(seed)} seeds for {len(batch)} clips.", "Give one for all, or one for each.")
    shape = tuple(batch.shape[1:])
    return torch.stack([gaussian(shape, own, *names, place) for own, place in chances]).to(batch.device)
