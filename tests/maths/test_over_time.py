"""Convolutions over time as flat ones: the same as PyTorch's own, and only those that reach over time alone."""

import copy

import pytest
import torch
from torch import nn

from keyweave.maths.over_time import flatten_time


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(1, 6, 1, 5, 4), (2, 6, 2, 1, 3), (3, 6, 7, 4, 4)])
def test_flat_is_the_same_forward_and_backward(shape: tuple[int, ...], *, bias: bool):
    plain = nn.Conv3d(6, 4, (3, 1, 1), padding=(1, 0, 0), bias=bias).double()
    flat = copy.deepcopy(plain)
    flatten_time(flat)
    x = torch.randn(shape, dtype=torch.float64)
    torch.testing.assert_close(flat(x), plain(x))
    flat(x).square().sum().backward()
    plain(x).square().sum().backward()
    torch.testing.assert_close(flat.weight.grad, plain.weight.grad)


def test_a_copy_computes_with_its_own_weights():
    first = nn.Sequential(nn.Conv3d(2, 2, (3, 1, 1), padding=(1, 0, 0)))
    flatten_time(first)
    second = copy.deepcopy(first)
    x = torch.randn(1, 2, 4, 3, 3)
    before = first(x)
    second.load_state_dict({name: torch.zeros_like(weight) for name, weight in second.state_dict().items()})
    assert torch.equal(first(x), before)
    assert not torch.equal(second(x), before)


def test_what_reaches_over_pixels_stays_as_it_is():
    others = [nn.Conv3d(2, 2, 3, padding=1), nn.Conv3d(2, 2, (3, 1, 1)), nn.Conv2d(2, 2, 3)]
    for other in others:
        flatten_time(other)
        assert "forward" not in vars(other)
    assert others[1](torch.randn(1, 2, 5, 3, 3)).shape == (1, 2, 3, 3, 3)
