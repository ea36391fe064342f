"""Noise that depends on its seed and its name alone, neither on the device nor on what else is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from keyweave.base.seeds import derive

if TYPE_CHECKING:
    from torch import Tensor


def gaussian(shape: tuple[int, ...], seed: int, *names: str | int) -> Tensor:
    """Draw normal noise (shape) on the CPU."""
    generator = torch.Generator().manual_seed(derive(seed, *names))
    return torch.randn(shape, generator=generator)
