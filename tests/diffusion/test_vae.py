"""Decoding in chunks."""

from copy import deepcopy
from itertools import pairwise
from typing import Any

import pytest
import torch

from keyweave.base.errors import InputError
from keyweave.diffusion.vae import _starts, decode, decode_clips


def test_chunks_cover_all_and_overlap_by_half():
    for frames in range(3, 40):
        for chunk in range(2, frames):
            starts = _starts(frames, chunk)
            assert starts[0] == 0
            assert starts[-1] == frames - chunk
            steps = [after - before for before, after in pairwise(starts)]
            assert all(0 < step <= max(1, chunk // 2) for step in steps), (frames, chunk, starts)


@torch.no_grad()
def test_chunks_make_what_is_made_at_once_where_frames_do_not_mix(tiny: Any):
    vae = deepcopy(tiny.vae)
    for name, part in vae.named_modules():
        if type(part).__name__ == "AlphaBlender":
            part.mix_factor.data.fill_(-20.0)  # all of what is single
        if name.endswith("time_conv_out"):
            part.weight.data[:, :, 0] = 0
            part.weight.data[:, :, 2] = 0
    latents = torch.randn(2, 7, 4, 8, 8)
    whole = decode_clips(vae, latents)
    assert whole.shape == (2, 7, 3, 16, 16)
    for chunk in (2, 3, 4, 6):
        torch.testing.assert_close(decode_clips(vae, latents, chunk), whole, rtol=0, atol=1e-4)
    assert torch.equal(decode_clips(vae, latents, 7), whole)


@torch.no_grad()
def test_no_border_of_a_chunk_shows(tiny: Any):
    """Of a clip that stands still, frames at borders differ no more than others do; plain chunks jump there."""
    latents = torch.randn(1, 1, 4, 8, 8, generator=torch.Generator().manual_seed(0)).expand(1, 12, -1, -1, -1)
    made = decode_clips(tiny.vae, latents, 6)[0]
    plain = torch.cat([decode(tiny.vae, latents[0, part : part + 6], 6) for part in (0, 6)])
    steps, jumps = (x.diff(dim=0).abs().mean(dim=(1, 2, 3)) for x in (made, plain))
    assert float(jumps[5]) > 0
    assert float(steps[2:9].max()) < 0.5 * float(jumps[5])


def test_a_chunk_of_one_is_refused(tiny: Any):
    with pytest.raises(InputError, match="chunks of 2 or more; got 1"):
        decode_clips(tiny.vae, torch.zeros(1, 3, 4, 8, 8), 1)
