"""Quicker ways come to the same, forward and backward, and change nothing that is stored."""

import copy
import gc
from typing import Any
from weakref import ref

import pytest
import torch
from torch import nn

from keyweave.base.errors import ModelError
from keyweave.diffusion.quick import compiled, make_quick


def asked(unet: Any, x: torch.Tensor, told: torch.Tensor) -> torch.Tensor:
    ids = torch.tensor([[6.0, 127.0, 0.02]]).expand(2, -1)
    return unet(x, torch.tensor([0.3, -0.7]), told, ids, return_dict=False)[0]


def test_quick_is_the_same(tiny: Any):
    plain = copy.deepcopy(tiny.unet).requires_grad_(requires_grad=True)
    quick = copy.deepcopy(plain)
    make_quick(quick)
    x, told = torch.randn(2, 4, 8, 16, 16), torch.randn(2, 1, 32)
    made, real = asked(quick, x, told), asked(plain, x, told)
    torch.testing.assert_close(made, real, rtol=1e-4, atol=1e-5)
    for network, out in ((quick, made), (plain, real)):
        network.zero_grad()
        out.square().sum().backward()
    for (name, mine), theirs in zip(quick.named_parameters(), plain.parameters(), strict=True):
        if theirs.grad is None or theirs.grad.abs().max() < 1e-3:
            continue  # with one key, queries and keys of cross-attention decide nothing but rounding
        assert mine.grad is not None, name
        torch.testing.assert_close(mine.grad, theirs.grad, rtol=1e-3, atol=1e-4 * float(theirs.grad.abs().max()))
    assert quick.state_dict().keys() == plain.state_dict().keys()


def test_several_keys_are_weighed(tiny: Any):
    plain, quick = tiny.unet, copy.deepcopy(tiny.unet)
    make_quick(quick)
    x, told = torch.randn(2, 4, 8, 16, 16), torch.randn(2, 3, 32)
    torch.testing.assert_close(asked(quick, x, told), asked(plain, x, told), rtol=1e-4, atol=1e-5)


class Doubling(nn.Module):
    """A network that PyTorch compiles in no time."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 2 * x


def test_a_network_is_compiled_for_a_while(monkeypatch: pytest.MonkeyPatch):
    plain, calls = torch.compile, []

    def watched(call: Any, **_: Any) -> Any:
        calls.append(call)
        return plain(call, backend="eager")

    monkeypatch.setattr(torch, "compile", watched)
    network, x = Doubling(), torch.ones(3)
    with compiled(network):
        assert torch.equal(network(x), 2 * x)
        assert len(calls) == 1
        assert network._compiled_call_impl is not None
    assert network._compiled_call_impl is None
    assert torch.equal(network(x), 2 * x)
    with compiled(network):  # is not compiled again
        assert torch.equal(network(x), 2 * x)
    assert len(calls) == 1
    other = copy.deepcopy(network)
    with compiled(other):  # is another, with weights of its own
        assert torch.equal(other(x), 2 * x)
    assert len(calls) == 2
    gone = ref(network)
    calls.clear()
    del network
    gc.collect()
    assert gone() is None


def test_what_cannot_be_compiled_is_said_in_one_sentence(monkeypatch: pytest.MonkeyPatch):
    def broken(*_: Any, **__: Any) -> Any:
        raise OSError("no compiler\nand more")

    plain = torch.compile
    monkeypatch.setattr(torch, "compile", lambda call, **_: plain(call, backend=broken))
    network = Doubling()
    with (
        pytest.raises(ModelError, match=r"could not compile the network here: .* Leave --compile out\.$") as caught,
        compiled(network),
    ):
        network(torch.ones(3))
    assert "\n" not in str(caught.value)
    assert network._compiled_call_impl is None
