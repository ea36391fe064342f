"""Attention exchanged between branches of one network, by the names of its layers.

diffusers lets every attention layer have a processor; this is the only thing that is ever changed, and only inside a
`with`. Nothing counts layers, nothing is left behind when a network fails half way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Mapping

    from diffusers.models.unets.unet_spatio_temporal_condition import UNetSpatioTemporalConditionModel
    from torch import Tensor, nn

_INTO = ("to_q", "to_k", "to_v")


class AttentionExchange:
    """Gives some layers of a network other processors for a while.

    Args:
        network: it has `attn_processors` and `set_attn_processor`.
        processors: by the name of the layer.
    """

    def __init__(self, network: UNetSpatioTemporalConditionModel, processors: Mapping[str, Any]) -> None:
        self._network = network
        self._processors = {f"{name}.processor": processor for name, processor in processors.items()}
        self._before: dict[str, Any] = {}

    def __enter__(self) -> Self:
        self._before = dict(self._network.attn_processors)
        unknown = self._processors.keys() - self._before.keys()
        assert not unknown, f"no such layers: {unknown}"
        # The network empties the dict that it is handed.
        self._network.set_attn_processor({**self._before, **self._processors})
        return self

    def __exit__(self, *_: object) -> None:
        self._network.set_attn_processor(self._before)


def temporal_layers(network: nn.Module) -> tuple[str, ...]:
    """Return the names of the layers in which frames attend to one another, in the order of the network."""
    return tuple(
        name
        for name, _ in network.named_modules()
        if ".temporal_transformer_blocks." in name and name.endswith("attn1")
    )


class BothWays:
    """A layer that sees two branches in one batch: first a clip forward in time, then one backward in time.

    Args:
        rotated: the backward branch takes the forward branch's map turned by 180 degrees, instead of a map of its own.
        weights: matrices of the backward branch, by projection; it shares those that are not there.
    """

    def __init__(self, *, rotated: bool, weights: Mapping[str, Tensor]) -> None:
        self._rotated = rotated
        self._weights = weights

    def __call__(self, attn: Any, hidden_states: Tensor, *_: Any, **__: Any) -> Tensor:  # (2 B, F, D) -> (2 B, F, D)
        """Let frames attend to one another in both branches."""
        ahead, back = hidden_states.chunk(2)
        query, key, value = (_heads(attn, _project(attn, {}, name, ahead)) for name in _INTO)
        value_back = _heads(attn, _project(attn, self._weights, "to_v", back))
        if self._rotated:
            made, made_back = attend_both_ways(query, key, value, value_back)
        else:
            query_back, key_back = (_heads(attn, _project(attn, self._weights, name, back)) for name in _INTO[:2])
            made, made_back = attend(query, key, value), attend(query_back, key_back, value_back)
        out = _project(attn, {}, "to_out.0", _joined(made))
        return torch.cat([out, _project(attn, self._weights, "to_out.0", _joined(made_back))])


class Giving:
    """A layer of the forward branch by itself, which keeps its map for `Taking`.

    Args:
        maps: where maps (B, H, F, F) are kept, by the name of the layer, as precise as the values that they weigh.
        name: of the layer.
    """

    def __init__(self, maps: dict[str, Tensor], name: str) -> None:
        self._maps = maps
        self._name = name

    def __call__(self, attn: Any, hidden_states: Tensor, *_: Any, **__: Any) -> Tensor:
        """Let (B, F, D) attend to itself, and keep how."""
        query, key, value = (_heads(attn, _project(attn, {}, name, hidden_states)) for name in _INTO)
        weights = _map(query, key)
        # Autocast may make them more precise than what they weigh; they are rounded for that in any case.
        self._maps[self._name] = weights.to(value.dtype)
        return _project(attn, {}, "to_out.0", _joined(weights @ value))


class Taking:
    """A layer of the backward branch by itself.

    Args:
        maps: where the forward branch kept its maps, which are taken turned by 180 degrees; None for maps of its own.
        name: of the layer.
        weights: as in `BothWays`.
    """

    def __init__(self, maps: dict[str, Tensor] | None, name: str, weights: Mapping[str, Tensor]) -> None:
        self._maps = maps
        self._name = name
        self._weights = weights

    def __call__(self, attn: Any, hidden_states: Tensor, *_: Any, **__: Any) -> Tensor:
        """Let (B, F, D), which runs backward in time, attend to itself."""
        value = _heads(attn, _project(attn, self._weights, "to_v", hidden_states))
        if self._maps is None:
            query, key = (_heads(attn, _project(attn, self._weights, name, hidden_states)) for name in _INTO[:2])
            made = attend(query, key, value)
        else:
            made = self._maps[self._name].flip((2, 3)) @ value
        return _project(attn, self._weights, "to_out.0", _joined(made))


def fuses(x: Tensor) -> bool:
    """Tell whether PyTorch's own attention is used, which never makes a map: on a GPU; a CPU is quicker by hand."""
    return x.is_cuda


def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Return softmax(q k^T / sqrt(d)) v of (B, H, F, d)."""
    if fuses(query):
        return functional.scaled_dot_product_attention(query, key, value)
    return _map(query, key) @ value


def attend_both_ways(query: Tensor, key: Tensor, value: Tensor, value_back: Tensor) -> tuple[Tensor, Tensor]:
    """Return A v and rot180(A) v' for the map A = softmax(q k^T / sqrt(d)), all (B, H, F, d).

    No map is turned: rot180(A) v' = flip(A flip(v')), and where the map itself is never made, rot180(A) is the map of
    q and k both flipped in time.
    """
    if fuses(query):
        queries, keys = (torch.cat([x, x.flip(2)]) for x in (query, key))
        made, back = functional.scaled_dot_product_attention(queries, keys, torch.cat([value, value_back])).chunk(2)
        return made, back
    made, back = (_map(query, key) @ torch.cat([value, value_back.flip(2)], dim=3)).chunk(2, dim=3)
    return made, back.flip(2)


def _map(query: Tensor, key: Tensor) -> Tensor:
    # Scaled before the product, which may be beyond the largest number of float16.
    return ((query * query.shape[3] ** -0.5) @ key.transpose(2, 3)).softmax(dim=3)


def _heads(attn: Any, x: Tensor) -> Tensor:  # (B, F, H d) -> (B, H, F, d)
    return x.unflatten(2, (attn.heads, -1)).transpose(1, 2)


def _joined(x: Tensor) -> Tensor:  # (B, H, F, d) -> (B, F, H d)
    return x.transpose(1, 2).flatten(2)


def _project(attn: Any, weights: Mapping[str, Tensor], name: str, x: Tensor) -> Tensor:
    """Apply a projection of a layer, with another matrix if there is one."""
    part, weight = attn.get_submodule(name), weights.get(name)
    return part(x) if weight is None else functional.linear(x, weight.to(x.dtype), part.bias)
