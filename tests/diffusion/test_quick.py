"""Quicker ways come to the same, forward and backward, and change nothing that is stored."""

import copy
from typing import Any

import torch

from keyweave.diffusion.quick import make_quick


def asked(unet: Any, x: torch.Tensor, told: torch.Tensor) -> torch.Tensor:
    ids = torch.tensor([[6.0, 127.0, 0.02]]).expand(2, -1)
    return unet(x, torch.tensor([0.3, -0.7]), told, ids, return_dict=False)[0]


def test_quick_is_the_same(tiny: Any):
    plain = copy.deepcopy(tiny.unet)
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
