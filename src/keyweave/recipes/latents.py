"""Clips of the drawn world as latents, made once and kept: encoding a clip takes as long as learning from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from keyweave.base.files import replacing
from keyweave.base.progress import SILENT, Progress
from keyweave.diffusion.vae import encode
from keyweave.maths.tensors import to_tensor
from keyweave.toyworld.scenes import scene_of
from keyweave.toyworld.shots import shoot

if TYPE_CHECKING:
    from pathlib import Path

    from diffusers.models.autoencoders.autoencoder_kl_temporal_decoder import AutoencoderKLTemporalDecoder
    from torch import Tensor

    from keyweave.toyworld.scenes import Split

TOGETHER = 100  # clips in a file


def prepare(
    folder: Path,
    vae: AutoencoderKLTemporalDecoder,
    count: int,
    *,
    begin: int = 0,
    split: Split = "train",
    seed: int = 0,
    share: tuple[int, int] = (0, 1),
    progress: Progress = SILENT,
) -> None:
    """Encode clips of a split, so far as that is not done.

    Args:
        folder: where they are kept.
        vae: what encodes them.
        count: how many, in hundreds.
        begin: the number of the first, a multiple of a hundred.
        split: which clips.
        seed: another world.
        share: which of how many processes this is.
        progress: a step for each hundred.
    """
    from safetensors.torch import save_file  # noqa: PLC0415 - an extra

    folder.mkdir(parents=True, exist_ok=True)
    for first in range(begin + share[0] * TOGETHER, begin + count, share[1] * TOGETHER):
        path = _path(folder, split, first)
        if not path.exists():
            clips = range(first, first + TOGETHER)
            with replacing(path, overwrite=True) as part:
                save_file(_encoded(vae, clips, split, seed), part)
        progress.step()


def read(folder: Path, count: int, *, begin: int = 0, split: Split = "train") -> tuple[Tensor, Tensor]:
    """Return the latents (N, F, C, h, w) in half precision, and the first frames (N, 3, H, W) in whole levels."""
    from safetensors.torch import load_file  # noqa: PLC0415

    parts = [load_file(_path(folder, split, first)) for first in range(begin, begin + count, TOGETHER)]
    return torch.cat([part["latents"] for part in parts]), torch.cat([part["first"] for part in parts])


@torch.no_grad()
def _encoded(vae: AutoencoderKLTemporalDecoder, clips: range, split: Split, seed: int) -> dict[str, Tensor]:
    latents, firsts = [], []
    for number in clips:
        frames = shoot(scene_of(split, number, seed=seed)).frames
        latents.append(encode(vae, to_tensor(frames).to(vae.device)).mode().half().cpu().contiguous())
        firsts.append(torch.from_numpy(np.moveaxis(frames[0], -1, 0).copy()))
    return {"latents": torch.stack(latents), "first": torch.stack(firsts)}


def _path(folder: Path, split: Split, first: int) -> Path:
    return folder / f"{split}-{first:06d}.safetensors"
