"""What tests of networks whose weights people bring share."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import pytest
import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor


@pytest.fixture(scope="session")
def by_chance() -> Callable[[Mapping[str, tuple[int, ...]]], dict[str, Tensor]]:
    """Draw weights, of the shapes named, under which no signal dies away, or grows, and norms matter."""

    def draw(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
        chance = torch.Generator().manual_seed(0)
        found = {}
        for name, shape in shapes.items():
            noise = torch.randn(shape, generator=chance)
            if len(shape) > 1:
                found[name] = noise * (2 / prod(shape[1:])) ** 0.5
            else:
                found[name] = noise / 5 if name.endswith(("bias", "mean")) else 0.7 + noise.abs() / 2
        return found

    return draw
