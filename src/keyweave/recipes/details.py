"""Training the decoder of `toy-video` alone, once latents are settled: small things that move, it would blur."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from keyweave.base.seeds import derive
from keyweave.diffusion.vae import decode
from keyweave.maths.tensors import to_tensor
from keyweave.recipes.autoencoder import AutoencoderTask, likeness, psnr, single_frames
from keyweave.toyworld.scenes import scene_of
from keyweave.toyworld.shots import shoot
from keyweave.training.order import Order

if TYPE_CHECKING:
    from collections.abc import Sequence

    from diffusers.models.autoencoders.autoencoder_kl_temporal_decoder import AutoencoderKLTemporalDecoder
    from numpy.typing import NDArray
    from torch import Tensor

_STILL = 0.25  # what a place counts that stays as it is; one that changes by the whole range counts 1 more


class DetailTask(AutoencoderTask):
    """Learn to draw frames from latents that stay as they are.

    The encoder is not changed, so what was learnt on its latents stays true. A sample is a frame of a clip whose
    latents are kept; places where something moves in the clip count more.

    Args:
        model: the autoencoder.
        latents: (N, F, C, h, w) of clips of the training split, unscaled.
        begin: the number of the first of these clips.
        seed: of their world, and of all chance.
    """

    def __init__(self, model: AutoencoderKLTemporalDecoder, latents: Tensor, *, begin: int = 0, seed: int = 0) -> None:
        super().__init__(model, size=64, frames=1, seed=seed)
        self._latents = latents
        self._begin = begin
        self._order = Order(len(latents), seed)
        for part in (model.encoder, model.quant_conv):
            part.requires_grad_(requires_grad=False)

    def loss(self, samples: Sequence[int]) -> tuple[Tensor, dict[str, float]]:
        """Return the loss over a frame of each of these clips."""
        device = self._model.device
        rows = [self._order.row(number) for number in samples]
        count = self._latents.shape[1]
        chosen = [int(np.random.default_rng(derive(self._seed, "details", n)).integers(count)) for n in samples]
        clips = [shoot(scene_of("train", self._begin + row, seed=self._seed), frames=count).frames for row in rows]
        pictures = to_tensor(np.stack([clip[frame] for clip, frame in zip(clips, chosen, strict=True)])).to(device)
        weight = torch.from_numpy(np.stack([moving(clip) for clip in clips])).to(device)
        latents = self._latents[rows, chosen].float().to(device)
        with single_frames(self._model):
            made = decode(self._model, latents, 1)
        return likeness(made, pictures, weight[:, None]), {"psnr": psnr(made.detach(), pictures)}


def moving(clip: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return what each place of a clip (T, H, W, 3) counts, (H, W), 1 on average: the more, the more it changes."""
    low, high = clip.min(axis=0).astype(np.float32), clip.max(axis=0).astype(np.float32)
    weight = _STILL + (high - low).max(axis=2) / 255
    return weight / weight.mean()
