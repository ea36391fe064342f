"""Painters: text-to-image models that follow edges, whatever their family.

All of them are flows: at `sigma` the picture is (1 - sigma) x + sigma noise, and the network tells the velocity
noise - x.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

import torch

from keyweave.base.seeds import derive

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor, nn

    Size = tuple[int, int]  # width and height, in pixels
    Words = tuple[Tensor, ...]  # what text encoders say of a prompt, one row each


@dataclass(frozen=True, eq=False)
class Wish:
    """What is to be painted.

    Args:
        words: what the painter says of the prompt.
        hints: (N, ...) what it says of the edges.
        size: of the picture.
        guidance: how much words count; at 1 they are followed as they are.
    """

    words: Words
    hints: Tensor
    size: Size
    guidance: float


class Painter(Protocol):
    """A model that paints what words say, along edges."""

    @property
    def refs(self) -> tuple[str, ...]:
        """The models, by what names them for good."""
        ...

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        """Those that learn a subject."""
        ...

    @property
    def device(self) -> str:
        """Where they compute."""
        ...

    @property
    def step(self) -> int:
        """Both sides of a picture are multiples of it."""
        ...

    @property
    def guidance(self) -> float:
        """How much words count when it paints, where nobody says otherwise."""
        ...

    def words(self, prompt: str) -> Words:
        """Read a prompt."""
        ...

    def latents(self, pictures: Tensor) -> Tensor:
        """Encode pictures (N, 3, H, W) to tokens (N, L, C)."""
        ...

    def hints(self, drawings: Tensor) -> Tensor:
        """Make of edges (N, 3, H, W) what the controlling network takes, (N, ...)."""
        ...

    def velocity(self, x: Tensor, sigma: Tensor, wish: Wish) -> Tensor:
        """Tell the velocity of tokens (N, L, C) at levels of noise (N,)."""
        ...

    def sigmas(self, steps: int, size: Size) -> Tensor:
        """Return the levels of noise that a picture passes, from 1 to 0: (steps + 1,)."""
        ...

    def shape(self, size: Size) -> tuple[int, int]:
        """Return how many tokens a picture has, and how many channels these: L and C."""
        ...

    def pictures(self, latents: Tensor, size: Size) -> Tensor:
        """Decode tokens (N, L, C) to pictures (N, 3, H, W)."""
        ...


@torch.no_grad()
def paint(painter: Painter, wish: Wish, *, seed: int, steps: int) -> Tensor:  # (N, 3, H, W)
    """Paint along Euler's straight steps; one seed begins every picture with the same noise."""
    chance = torch.Generator().manual_seed(derive(seed, "painting"))
    x = torch.randn(1, *painter.shape(wish.size), generator=chance).to(painter.device)
    x = x.repeat(len(wish.hints), 1, 1)
    for now, then in pairwise(painter.sigmas(steps, wish.size).tolist()):
        x = x + (then - now) * painter.velocity(x, x.new_full((len(x),), now), wish).float()
    return painter.pictures(x, wish.size)
