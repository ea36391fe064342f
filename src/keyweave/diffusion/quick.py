"""Quicker ways through a network that come to the same."""

from __future__ import annotations

from contextlib import contextmanager
from types import MethodType
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from torch import nn
from torch.nn import functional

from keyweave.base.errors import ModelError
from keyweave.diffusion.attention import PlainAttention

if TYPE_CHECKING:
    from collections.abc import Iterator

    from diffusers.models.unets.unet_spatio_temporal_condition import UNetSpatioTemporalConditionModel
    from torch import Tensor

_COMPILED: WeakKeyDictionary[nn.Module, Any] = WeakKeyDictionary()


def make_quick(unet: UNetSpatioTemporalConditionModel) -> None:
    """Let a network of short rows run well on a CPU: attention written out, convolutions over time as flat ones."""
    processor: Any = PlainAttention()  # the class's hints list its own processors only
    unet.set_attn_processor(processor)
    for part in unet.modules():
        if isinstance(part, nn.Conv3d) and part.kernel_size == (3, 1, 1) and part.padding == (1, 0, 0):
            part.forward = MethodType(_along_time, part)


@contextmanager
def compiled(network: nn.Module) -> Iterator[None]:
    """Let PyTorch compile a network when it is first called; outside of the context it is as it was.

    What was compiled is kept for the next time, as long as the program runs.
    """
    from torch._dynamo.exc import TorchDynamoException  # noqa: PLC0415 - slow to import, and rarely wanted

    if network in _COMPILED:
        network._compiled_call_impl = _COMPILED[network]  # pyright: ignore[reportPrivateUsage]
    else:
        network.compile()
        _COMPILED[network] = network._compiled_call_impl  # pyright: ignore[reportPrivateUsage]
    try:
        yield
    except TorchDynamoException as fault:
        raise ModelError(
            f"PyTorch could not compile the network here: {str(fault).splitlines()[0]}", "Leave --compile out."
        ) from fault
    finally:
        network._compiled_call_impl = None  # pyright: ignore[reportPrivateUsage] - PyTorch has no other way back


def _along_time(conv: nn.Conv3d, x: Tensor) -> Tensor:  # (B, C, F, H, W) -> (B, C', F, H, W)
    flat = functional.conv2d(x.flatten(3), conv.weight[..., 0], conv.bias, padding=(1, 0))
    return flat.unflatten(3, x.shape[3:])
