"""Networks that take turns on a device whose memory is short."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from accelerate.hooks import ModelHook, add_hook_to_module
from accelerate.utils import send_to_device
from accelerate.utils.memory import clear_device_cache

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn


def take_turns(networks: Sequence[nn.Module], device: str) -> None:
    """Let networks come to a device when they are called, where each finds none of the others, in whatever order.

    Hooks of accelerate's own know one network that went before. But a picture that was met before is not looked at
    again, so what is called before a network is not always the same.
    """
    for network in networks:
        others = [one for one in networks if one is not network]
        add_hook_to_module(network, _Turn(torch.device(device), others))


class _Turn(ModelHook):
    """Brings a network to its device; diffusers' autoencoders ask it as well where they encode or decode.

    Args:
        device: where it computes.
        others: they leave first.
    """

    def __init__(self, device: torch.device, others: Sequence[nn.Module]) -> None:
        self._device = device
        self._others = others

    def init_hook(self, module: nn.Module) -> nn.Module:
        """Begin with everything away."""
        return module.to("cpu")

    @torch.compiler.disable  # a compiled network comes and goes as well
    def pre_forward(  # pyright: ignore[reportIncompatibleMethodOverride] - the decorator hides what it takes
        self, module: nn.Module, *args: Any, **kwargs: Any
    ) -> tuple[Any, Any]:
        """Change places, and bring what the network is called with after it."""
        there = [one for one in self._others if _place(one) != "cpu"]
        for one in there:
            one.to("cpu")
        if there:
            clear_device_cache()
        if _place(module) != self._device.type:
            module.to(self._device)
        return send_to_device(args, self._device), send_to_device(kwargs, self._device)


def _place(network: nn.Module) -> str:
    return next(network.parameters()).device.type
