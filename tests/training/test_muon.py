"""Muon: its matrix against a singular value decomposition, its sizes against AdamW, and what it leaves to AdamW."""

import pytest
import torch

from keyweave.training.muon import Muon, is_matrix, orthogonalized


@pytest.mark.parametrize("shape", [(20, 20), (16, 70), (70, 16)])
def test_it_turns_and_does_not_stretch(shape: tuple[int, int]):
    """U V^T of the singular value decomposition, with values of about 1, whatever the scale."""
    generator = torch.Generator().manual_seed(1)
    matrices = torch.randn(3, *shape, generator=generator) * torch.tensor([1e-3, 1.0, 1e3])[:, None, None]
    made = orthogonalized(matrices)
    left, _, right = torch.linalg.svd(matrices, full_matrices=False)
    inside = left.mT @ made @ right.mT
    values = torch.diagonal(inside, dim1=1, dim2=2)
    torch.testing.assert_close(inside, torch.diag_embed(values), rtol=0, atol=2e-3)
    # The values of a random matrix span far more than the iteration evens out only where it is square.
    assert values.min() > (0.2 if shape[0] == shape[1] else 0.6)
    assert values.max() < 1.3


def test_its_steps_are_of_the_size_of_adams():
    torch.manual_seed(2)
    weight = torch.nn.Parameter(torch.zeros(64, 200))
    weight.grad = torch.randn(64, 200)
    Muon([weight], lr=0.01).step()
    assert float(weight.detach().square().mean().sqrt()) == pytest.approx(0.2 * 0.01, rel=0.2)


def test_what_is_no_matrix_is_adams():
    torch.manual_seed(3)
    gradients = [torch.randn(7) for _ in range(5)]
    ends = []
    for kind in (Muon, torch.optim.AdamW):
        bias = torch.nn.Parameter(torch.ones(7))
        optimizer = kind([bias], lr=0.1, betas=(0.9, 0.99), weight_decay=0.01)
        for gradient in gradients:
            bias.grad = gradient.clone()
            optimizer.step()
        ends.append(bias.detach())
    torch.testing.assert_close(*ends)


def test_convolutions_are_matrices_of_a_row_for_each_output():
    assert is_matrix(torch.zeros(32, 3, 3, 3))
    assert not is_matrix(torch.zeros(3, 32, 3, 3))
    assert not is_matrix(torch.zeros(32, 3))
    assert not is_matrix(torch.zeros(32))
    conv = torch.nn.Parameter(torch.zeros(32, 4, 3, 3))
    conv.grad = torch.randn(32, 4, 3, 3)
    flat = torch.nn.Parameter(torch.zeros(32, 36))
    flat.grad = conv.grad.flatten(1)
    for parameter in (conv, flat):
        Muon([parameter], lr=0.1).step()
    torch.testing.assert_close(conv.flatten(1), flat)


def test_what_has_no_gradient_stays():
    weight, other = torch.nn.Parameter(torch.ones(20, 20)), torch.nn.Parameter(torch.ones(20, 20))
    weight.grad = torch.randn(20, 20)
    Muon([weight, other], lr=0.1, weight_decay=0.5).step()
    assert torch.equal(other, torch.ones(20, 20))
    assert not torch.equal(weight, torch.ones(20, 20))
