"""Clips as latents: made once, read in order, by one process or by several."""

from pathlib import Path

import pytest
import torch

from keyweave.diffusion.vae import encode
from keyweave.maths.tensors import to_tensor
from keyweave.recipes import latents
from keyweave.recipes.autoencoder import fresh_autoencoder
from keyweave.toyworld.scenes import scene_of
from keyweave.toyworld.shots import shoot


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(latents, "TOGETHER", 2)


@pytest.fixture(scope="module")
def vae():
    return fresh_autoencoder().eval()


@pytest.mark.slow
def test_several_processes_make_what_one_makes(tmp_path: Path, vae):
    latents.prepare(tmp_path / "one", vae, 5)
    for rank in (1, 0):
        latents.prepare(tmp_path / "two", vae, 5, share=(rank, 2))
    clips, firsts = latents.read(tmp_path / "one", 5)
    assert clips.shape == (6, 14, 8, 8, 8)  # in whole files
    assert clips.dtype == torch.float16
    assert firsts.dtype == torch.uint8
    again, firsts_again = latents.read(tmp_path / "two", 5)
    assert torch.equal(clips, again)
    assert torch.equal(firsts, firsts_again)


def test_they_are_those_of_the_clips(tmp_path: Path, vae):
    latents.prepare(tmp_path, vae, 2, split="validation", seed=3)
    clips, firsts = latents.read(tmp_path, 2, split="validation")
    frames = shoot(scene_of("validation", 1, seed=3)).frames
    with torch.no_grad():
        torch.testing.assert_close(clips[1].float(), encode(vae, to_tensor(frames)).mode(), rtol=1e-3, atol=1e-2)
    assert (firsts[1].permute(1, 2, 0).numpy() == frames[0]).all()


def test_the_first_ones_may_be_left_out(tmp_path: Path, vae):
    latents.prepare(tmp_path, vae, 2, begin=4)
    (clip, _), _ = latents.read(tmp_path, 2, begin=4)
    latents.prepare(tmp_path / "alone", vae, 6)
    (*_, again, _), _ = latents.read(tmp_path / "alone", 6)
    assert torch.equal(clip, again)


def test_what_is_there_is_not_made_again(tmp_path: Path, vae):
    latents.prepare(tmp_path, vae, 2)
    latents.prepare(tmp_path, None, 2)  # type: ignore[arg-type]  # nobody is asked
