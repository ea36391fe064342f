"""Training the decoder of `toy-video` alone, once latents are settled: small actors, it would blur."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from keyweave.base.seeds import derive
from keyweave.diffusion.vae import decode
from keyweave.maths.tensors import to_tensor
from keyweave.recipes.autoencoder import AutoencoderTask, likeness, psnr, single_frames
from keyweave.recipes.scores import truth_of
from keyweave.toyworld.scenes import scene_of
from keyweave.toyworld.shots import shoot
from keyweave.training.order import Order

if TYPE_CHECKING:
    from collections.abc import Sequence

    from diffusers.models.autoencoders.autoencoder_kl_temporal_decoder import AutoencoderKLTemporalDecoder
    from numpy.typing import NDArray
    from torch import Tensor

_REST = 0.25  # what a place counts where no actor is; one where an actor is counts 1 more, or so
_USUAL, _HELD = 0.5, (0.2, 0.8)  # how much places change that an actor crosses, and between what that is held


class DetailTask(AutoencoderTask):
    """Learn to draw frames from latents that stay as they are.

    The encoder is not changed, so what was learnt on its latents stays true. A sample is a frame of a clip whose
    latents are kept; actors count more.

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
        shots = [shoot(scene_of("train", self._begin + k, seed=self._seed), frames=count, truth=True) for k in rows]
        pairs = list(zip(shots, chosen, strict=True))
        pictures = to_tensor(np.stack([shot.frames[frame] for shot, frame in pairs])).to(device)
        counted = [importance(shot.frames, truth_of(shot).masks()[frame].any(axis=0)) for shot, frame in pairs]
        weight = torch.from_numpy(np.stack(counted)).to(device)
        latents = self._latents[rows, chosen].float().to(device)
        with single_frames(self._model):
            made = decode(self._model, latents, 1)
        return likeness(made, pictures, weight[:, None]), {"psnr": psnr(made.detach(), pictures)}


def importance(clip: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return what each place of a frame counts, (H, W), 1 on average: actors count several times what the rest does.

    Faults in a pale actor are small; so it counts the more, the less it differs from what is seen there at other times.

    Args:
        clip: (T, H, W, 3) that the frame is of.
        mask: (H, W) where actors are in the frame.
    """
    weight = np.full(mask.shape, _REST, np.float32)
    if mask.any():
        low, high = clip[:, mask].min(axis=0).astype(np.float32), clip[:, mask].max(axis=0).astype(np.float32)
        contrast = (high - low).max(axis=-1).mean() / 255
        weight[mask] += _USUAL / contrast.clip(*_HELD)
    return weight / weight.mean()
