"""Quicker ways through a network that come to the same."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from weakref import ref

from keyweave.base.errors import ModelError
from keyweave.diffusion.attention import PlainAttention
from keyweave.maths.over_time import flatten_time

if TYPE_CHECKING:
    from collections.abc import Iterator

    from diffusers.models.unets.unet_spatio_temporal_condition import UNetSpatioTemporalConditionModel
    from torch import nn

_COMPILED = "_keyweave_compiled"  # an attribute of the network: what is compiled knows it, and goes when it goes


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

    whose, ready = getattr(network, _COMPILED, (None, None))
    if whose is not None and whose() is network:  # a copy of a network would run the weights of the other
        network._compiled_call_impl = ready  # pyright: ignore[reportPrivateUsage]
    else:
        network.compile()
        setattr(network, _COMPILED, (ref(network), network._compiled_call_impl))  # pyright: ignore[reportPrivateUsage]
    try:
        yield
    except TorchDynamoException as fault:
        raise ModelError(
            f"PyTorch could not compile the network here: {str(fault).splitlines()[0]}", "Leave --compile out."
        ) from fault
    finally:
        network._compiled_call_impl = None  # pyright: ignore[reportPrivateUsage] - PyTorch has no other way back
