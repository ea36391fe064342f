"""Attention written out."""

from typing import Any

import torch
from diffusers.models.attention_processor import Attention, AttnProcessor2_0
from torch import nn

from keyweave.diffusion.attention import PlainAttention


def test_half_precision_does_not_overflow():
    """Where q k^T is beyond the largest number of float16, and q k^T / sqrt(d) is not."""
    layer: Any = Attention(64, heads=1, dim_head=64, bias=False)
    for name in ("to_q", "to_k", "to_v"):
        layer.get_submodule(name).weight = nn.Parameter(torch.eye(64))
    layer = layer.half()
    signs = torch.randn(2, 5, 64, generator=torch.Generator().manual_seed(1)).sign()
    x = (40 + 0.02 * signs).half()
    with torch.no_grad():
        layer.set_processor(AttnProcessor2_0())
        expected = layer(x).float()
        layer.set_processor(PlainAttention())
        made = layer(x).float()
    assert float((made - expected).norm() / expected.norm()) <= 2e-3
