"""Colours held to the keyframes."""

import pytest
import torch

from keyweave.systems.inbetween.anchoring import anchored

pytestmark = pytest.mark.usefixtures("one_thread")


def drawn(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * 0.2


def test_a_tint_that_drifts_is_taken_back():
    true = drawn(0, 2, 7, 3, 9, 8)
    share = torch.linspace(0, 1, 7)[:, None, None, None]
    gain = torch.tensor([0.9, 1.0, 1.1])[:, None, None] * (1 - share) + share * 0.95
    shift = torch.tensor([0.1, 0.0, -0.1])[:, None, None] * (1 - share) - share * 0.05
    found = anchored(true * gain + shift, true[:, 0], true[:, -1])
    torch.testing.assert_close(found[:, 0], true[:, 0], atol=1e-5, rtol=0)
    torch.testing.assert_close(found[:, -1], true[:, -1], atol=1e-5, rtol=0)
    assert (found - true).abs().max() < 0.01
    assert (true * gain + shift - true).abs().max() > 0.1


def test_what_is_right_stays():
    true = drawn(1, 1, 5, 3, 6, 6)
    torch.testing.assert_close(anchored(true, true[:, 0], true[:, -1]), true, atol=1e-6, rtol=0)


def test_contrast_is_changed_a_little_at_most():
    flat, lively = torch.zeros(1, 4, 3, 6, 6), drawn(2, 1, 3, 6, 6)
    assert torch.isfinite(anchored(flat, lively, lively)).all()
    faint = drawn(3, 1, 4, 3, 6, 6) * 0.01
    found = anchored(faint, lively, lively)
    assert found.std((3, 4), correction=0).max() < 1.26 * faint.std((3, 4), correction=0).max()


def test_each_clip_has_its_own_correction():
    clips, first, last = drawn(4, 3, 5, 3, 6, 6), drawn(5, 3, 3, 6, 6), drawn(6, 3, 3, 6, 6)
    apart = torch.cat([anchored(clips[k : k + 1], first[k : k + 1], last[k : k + 1]) for k in range(3)])
    torch.testing.assert_close(anchored(clips, first, last), apart)
