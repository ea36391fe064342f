"""Convolutions over time, as flat ones: the same numbers, two to three times faster on a processor."""

from __future__ import annotations

from types import MethodType
from typing import TYPE_CHECKING

from torch import nn
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor


def flatten_time(network: nn.Module) -> None:
    """Let a network's convolutions that reach over three frames, and no pixels, run as convolutions of pictures."""
    for part in network.modules():
        if isinstance(part, nn.Conv3d) and part.kernel_size == (3, 1, 1) and part.padding == (1, 0, 0):
            part.forward = MethodType(_along_time, part)


def _along_time(conv: nn.Conv3d, x: Tensor) -> Tensor:  # (B, C, F, H, W) -> (B, C', F, H, W)
    flat = functional.conv2d(x.flatten(3), conv.weight[..., 0], conv.bias, padding=(1, 0))
    return flat.unflatten(3, x.shape[3:])
