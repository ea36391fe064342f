"""Quicker ways through a network that come to the same."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from keyweave.base.errors import ModelError
from keyweave.diffusion.attention import PlainAttention
from keyweave.maths.over_time import flatten_time

if TYPE_CHECKING:
    from collections.abc import Iterator

    from diffusers.models.unets.unet_spatio_temporal_condition import UNetSpatioTemporalConditionModel
    from torch import nn

_COMPILED: WeakKeyDictionary[nn.Module, Any] = WeakKeyDictionary()


def make_quick(unet: UNetSpatioTemporalConditionModel) -> None:
    """Let a network of short rows run well on a CPU: attention written out, convolutions over time as flat ones."""
    processor: Any = PlainAttention()  # the class's hints list its own processors only
    unet.set_attn_processor(processor)
    flatten_time(unet)


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
