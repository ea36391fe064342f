"""Branches that exchange attention, against networks apart with their maps written out."""

from collections.abc import Callable
from copy import deepcopy
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional

from keyweave.diffusion import exchange
from keyweave.diffusion.exchange import (
    AttentionExchange,
    BothWays,
    Giving,
    Taking,
    attend,
    attend_both_ways,
    fuses,
    temporal_layers,
)
from keyweave.diffusion.quick import make_quick

PARTS = ("to_q", "to_k", "to_v", "to_out.0")


@pytest.fixture(scope="module")
def unet(tiny: Any) -> Any:
    """Its frames attend to one another: in the fresh network that part is almost nothing."""
    unet = deepcopy(tiny.unet)
    for part in unet.modules():
        if type(part).__name__ == "AlphaBlender":
            part.mix_factor.data.fill_(0.0)
    return unet


@pytest.fixture(scope="module")
def given() -> dict[str, Tensor]:
    chance = torch.Generator().manual_seed(5)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=chance)

    return {
        "ahead": draw(1, 4, 8, 16, 16),
        "back": draw(1, 4, 8, 16, 16),
        "told": draw(1, 1, 32),
        "told_back": draw(1, 1, 32),
    }


@pytest.fixture(params=["written out", "fused"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways in which attention is computed; a GPU's runs on a CPU too, where it is but slower."""
    monkeypatch.setattr(exchange, "fuses", lambda _: request.param == "fused")
    return request.param


def changed(unet: Any, parts: tuple[str, ...]) -> dict[str, dict[str, Tensor]]:
    """Matrices of a backward branch, by layer and projection."""
    chance = torch.Generator().manual_seed(6)
    found = {}
    for name in temporal_layers(unet):
        layer = unet.get_submodule(name)
        found[name] = {}
        for part in parts:
            weight = layer.get_submodule(part).weight.detach()
            found[name][part] = weight + 0.1 * weight.std() * torch.randn(weight.shape, generator=chance)
    return found


class WrittenOut:
    """Attention step by step; keeps its map or uses one that was kept, turned."""

    def __init__(self, kept: dict[int, Tensor], take: bool) -> None:
        self.kept, self.take = kept, take

    def __call__(self, attn: Any, x: Tensor, *_: Any, **__: Any) -> Tensor:
        heads, wide = attn.heads, attn.to_q.out_features // attn.heads
        out = torch.zeros(x.shape[0], x.shape[1], heads * wide, dtype=x.dtype)
        maps = []
        for head in range(heads):
            part = slice(head * wide, (head + 1) * wide)
            q, k, v = (f(x)[..., part] for f in (attn.to_q, attn.to_k, attn.to_v))
            weights = torch.softmax(torch.einsum("bid,bjd->bij", q, k) / wide**0.5, dim=-1)
            if self.take:
                weights = torch.rot90(self.kept[attn.number][head], 2, (1, 2))
            maps.append(weights)
            out[..., part] = torch.einsum("bij,bjd->bid", weights, v)
        if not self.take:
            self.kept[attn.number] = torch.stack(maps)
        return attn.to_out[0](out)


def apart(
    unet: Any, given: dict[str, Tensor], weights: dict[str, dict[str, Tensor]], rotated: tuple[str, ...]
) -> tuple[Tensor, Tensor]:
    """Two whole networks, one after the other."""
    kept: dict[int, Tensor] = {}
    results = []
    for back in (False, True):
        network = deepcopy(unet)
        for number, name in enumerate(temporal_layers(network)):
            layer = network.get_submodule(name)
            layer.number = number
            if back:
                for part, weight in weights.get(name, {}).items():
                    layer.get_submodule(part).weight.data = weight.clone()
            layer.set_processor(WrittenOut(kept, take=back and name in rotated))
        x, told = (given["back"], given["told_back"]) if back else (given["ahead"], given["told"])
        results.append(network(x, torch.tensor(0.3), told, torch.tensor([[6.0, 127, 0.02]]), return_dict=False)[0])
    return results[0], results[1]


def together(unet: Any, given: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    x, told = torch.cat([given["ahead"], given["back"]]), torch.cat([given["told"], given["told_back"]])
    ids = torch.tensor([[6.0, 127, 0.02]]).expand(2, -1)
    return unet(x, torch.tensor(0.3), told, ids, return_dict=False)[0].chunk(2)


def in_turn(unet: Any, given: dict[str, Tensor], first: Any, second: Any) -> tuple[Tensor, Tensor]:
    ids = torch.tensor([[6.0, 127, 0.02]])
    with AttentionExchange(unet, first):
        ahead = unet(given["ahead"], torch.tensor(0.3), given["told"], ids, return_dict=False)[0]
    with AttentionExchange(unet, second):
        back = unet(given["back"], torch.tensor(0.3), given["told_back"], ids, return_dict=False)[0]
    return ahead, back


def error(made: Tensor, expected: Tensor) -> float:
    return float((made - expected).norm() / expected.norm())


# A layer without weights of its own: what it is given is its query, key and value.
PLAIN = SimpleNamespace(heads=2, get_submodule=lambda _: nn.Identity())


def drawn(dtype: torch.dtype = torch.float32) -> list[Tensor]:
    """Queries, keys, and the values of both branches, (B, H, F, d) each."""
    chance = torch.Generator().manual_seed(1)
    return [torch.randn(3, 2, 7, 4, generator=chance).to(dtype) for _ in range(4)]


def by_hand(q: Tensor, k: Tensor, v: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
    weights = torch.softmax(q @ k.mT / q.shape[3] ** 0.5, dim=3)
    return weights @ v, torch.rot90(weights, 2, (2, 3)) @ w


def test_a_turned_map_is_a_map_of_turned_queries_and_keys(way: str):
    q, k, v, w = drawn()
    ahead, back = by_hand(q, k, v, w)
    for made in (attend_both_ways(q, k, v, w), (attend(q, k, v), attend(q.flip(2), k.flip(2), w))):
        assert error(made[0], ahead) <= 1e-6
        assert error(made[1], back) <= 1e-6


def test_ways_differ_in_who_computes_them(way: str, monkeypatch: pytest.MonkeyPatch):
    calls = []
    real = functional.scaled_dot_product_attention
    monkeypatch.setattr(functional, "scaled_dot_product_attention", lambda *x: calls.append(len(x[0])) or real(*x))
    q, k, v, w = drawn()
    attend(q, k, v)
    attend_both_ways(q, k, v, w)
    assert calls == ([3, 6] if way == "fused" else [])


def test_half_precision_does_not_overflow(way: str):
    """Where q k^T is beyond the largest number of float16, and q k^T / sqrt(d) is not."""
    q = torch.full((1, 1, 5, 64), 40.0, dtype=torch.float16)
    v = torch.randn(1, 1, 5, 64, generator=torch.Generator().manual_seed(1)).half()
    mean = v.float().mean(2, keepdim=True).expand_as(v)
    for made in (attend(q, q, v), *attend_both_ways(q, q, v, v)):
        assert error(made.float(), mean) <= 2e-3


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_on_a_gpu_attention_is_fused_and_maps_are_as_precise_as_what_they_weigh(dtype: torch.dtype):
    """A fake tensor stands for one on a card: it has all that a tensor has, but for its numbers."""
    with FakeTensorMode():
        x = torch.zeros(3, 7, 8, device="cuda", dtype=dtype)
        maps: dict[str, Tensor] = {}
        made = Giving(maps, "a")(PLAIN, x), Taking(maps, "a", {})(PLAIN, x)
        assert fuses(x)
        assert {one.dtype for one in (*made, maps["a"])} == {dtype}
    assert not fuses(torch.zeros(1))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 1e-5), (torch.bfloat16, 2e-2), (torch.float16, 5e-3)])
def test_a_card_computes_the_same(dtype: torch.dtype, bound: float):
    expected = by_hand(*drawn(torch.float64))
    q, k, v, w = (x.to("cuda", dtype) for x in drawn())
    for made in (attend_both_ways(q, k, v, w), (attend(q, k, v), attend(q.flip(2), k.flip(2), w))):
        for one, right in zip(made, expected, strict=True):
            assert one.is_cuda
            assert error(one.double().cpu(), right) <= bound
    x, maps = torch.randn(3, 7, 8, device="cuda", dtype=dtype), dict[str, Tensor]()
    apart = torch.cat([Giving(maps, "a")(PLAIN, x), Taking(maps, "a", {})(PLAIN, x.flip(1))])
    both = BothWays(rotated=True, weights={})(PLAIN, torch.cat([x, x.flip(1)]))
    assert error(apart.double(), both.double()) <= bound
    if dtype is not torch.float32:
        with torch.autocast("cuda", dtype):  # which makes maps in float32, and rounds them where they are used
            Giving(maps, "a")(PLAIN, x)
        assert maps["a"].dtype == dtype


@pytest.mark.parametrize("parts", [(), ("to_v", "to_out.0"), PARTS])
@pytest.mark.parametrize("which", ["all", "up", "none"])
@pytest.mark.usefixtures("way")
@torch.no_grad()
def test_one_batch_is_two_networks_apart(unet: Any, given: dict[str, Tensor], parts: tuple[str, ...], which: str):
    layers = temporal_layers(unet)
    rotated = {"all": layers, "none": (), "up": tuple(name for name in layers if name.startswith("up"))}[which]
    weights = changed(unet, parts) if parts else {}
    expected = apart(unet, given, weights, rotated)
    both = {name: BothWays(rotated=name in rotated, weights=weights.get(name, {})) for name in layers}
    with AttentionExchange(unet, both):
        made = together(unet, given)
    maps: dict[str, Tensor] = {}
    turns = in_turn(
        unet,
        given,
        {name: Giving(maps, name) for name in rotated},
        {name: Taking(maps if name in rotated else None, name, weights.get(name, {})) for name in layers},
    )
    for one, other, right in zip(made, turns, expected, strict=True):
        assert error(one, right) <= 1e-5
        assert error(other, right) <= 1e-5
    if which == "all" and not parts:
        plain = apart(unet, given, {}, ())
        assert error(expected[1], plain[1]) > 1e-3  # it makes a difference


@pytest.mark.usefixtures("way")
def test_gradients_are_those_of_two_networks_apart(unet: Any, given: dict[str, Tensor]):
    layers = temporal_layers(unet)
    weights = changed(unet, ("to_v", "to_out.0"))
    learnt = {name: {part: w.clone().requires_grad_() for part, w in row.items()} for name, row in weights.items()}
    for parameter in unet.parameters():
        parameter.requires_grad_(False)
    with AttentionExchange(unet, {name: BothWays(rotated=True, weights=learnt[name]) for name in layers}):
        together(unet, given)[1].square().sum().backward()
    network, kept = deepcopy(unet), dict[int, Tensor]()
    for number, name in enumerate(layers):
        layer = network.get_submodule(name)
        layer.number = number
        layer.set_processor(WrittenOut(kept, take=False))
    ids = torch.tensor([[6.0, 127, 0.02]])
    network(given["ahead"], torch.tensor(0.3), given["told"], ids)
    for name in layers:
        layer = network.get_submodule(name)
        layer.set_processor(WrittenOut(kept, take=True))
        for part, weight in weights[name].items():
            layer.get_submodule(part).weight.data = weight.clone()
            layer.get_submodule(part).weight.requires_grad_(True)
    network(given["back"], torch.tensor(0.3), given["told_back"], ids, return_dict=False)[0].square().sum().backward()
    for name in layers:
        for part, weight in learnt[name].items():
            assert weight.grad is not None
            expected = network.get_submodule(name).get_submodule(part).weight.grad
            assert error(weight.grad, expected) <= 1e-5


@pytest.mark.parametrize("prepare", [lambda _: None, make_quick])
def test_leaving_restores_the_network_even_after_a_fault(
    unet: Any, given: dict[str, Tensor], prepare: Callable[[Any], None]
):
    network = deepcopy(unet)
    prepare(network)
    before = {name: type(processor) for name, processor in network.attn_processors.items()}
    layers = temporal_layers(network)
    exchange = AttentionExchange(network, {name: Giving({}, name) for name in layers})
    with pytest.raises(RuntimeError), exchange:
        assert {network.attn_processors[f"{name}.processor"].__class__ for name in layers} == {Giving}
        network(given["ahead"], torch.tensor(0.3), given["told"][..., :5], torch.zeros(1, 3))
    assert {name: type(processor) for name, processor in network.attn_processors.items()} == before


def test_layers_are_those_where_frames_meet(unet: Any):
    layers = temporal_layers(unet)
    assert len(layers) == 4  # one down, one in the middle, two up
    assert all("temporal_transformer_blocks.0.attn1" in name for name in layers)
