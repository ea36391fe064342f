"""Through an autoencoder and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from keyweave.base.errors import InputError

if TYPE_CHECKING:
    from diffusers.models.autoencoders.autoencoder_kl_temporal_decoder import AutoencoderKLTemporalDecoder
    from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
    from torch import Tensor


def encode(vae: AutoencoderKLTemporalDecoder, pictures: Tensor) -> DiagonalGaussianDistribution:
    """Return the latents (B, C, h, w), as a distribution and unscaled, of pictures (B, 3, H, W) in [-1, 1]."""
    made: Any = vae.encode(pictures.to(vae.dtype))
    return made.latent_dist


def decode(vae: AutoencoderKLTemporalDecoder, latents: Tensor, frames: int) -> Tensor:
    """Return the pictures (B * F, 3, H, W) of unscaled latents (B * F, C, h, w), of clips of so many frames each."""
    made: Any = vae.decode(latents.to(vae.dtype), num_frames=frames)
    return made.sample


def decode_clips(vae: AutoencoderKLTemporalDecoder, latents: Tensor, chunk: int | None = None) -> Tensor:
    """Return the pictures (B, F, 3, H, W) of unscaled latents (B, F, C, h, w).

    The decoder mixes neighbouring frames. So chunks overlap by half, and each frame is mixed from those it is in, by
    how far it is from their ends: no border shows.

    Args:
        vae: the decoder.
        latents: of clips.
        chunk: frames that are decoded at once; all without.
    """
    frames = latents.shape[1]
    if chunk is None or chunk >= frames:
        return decode(vae, latents.flatten(0, 1), frames).unflatten(0, (-1, frames))
    if chunk < 2:
        raise InputError(f"Frames are decoded in chunks of 2 or more; got {chunk}.")
    made: Tensor | None = None
    total = latents.new_zeros(frames)
    for start in _starts(frames, chunk):
        part = slice(start, start + chunk)
        pictures = decode(vae, latents[:, part].flatten(0, 1), chunk).unflatten(0, (-1, chunk))
        weights = _inwardness(chunk, at_start=start == 0, at_end=start + chunk == frames).to(pictures)
        if made is None:
            made = pictures.new_zeros(len(latents), frames, *pictures.shape[2:])
        made[:, part] += weights[:, None, None, None] * pictures
        total[part] += weights.to(total)
    assert made is not None
    return made / total.to(made)[:, None, None, None]


def _starts(frames: int, chunk: int) -> list[int]:
    """Return where chunks begin, so that they cover all frames and overlap by half or more."""
    count = -(-(frames - chunk) // (chunk // 2)) + 1
    return [round(k * (frames - chunk) / (count - 1)) for k in range(count)]


def _inwardness(chunk: int, *, at_start: bool, at_end: bool) -> Tensor:
    """Return how far each frame is from the ends of its chunk, those aside that are ends of the clip."""
    before = torch.arange(1, chunk + 1)
    far = torch.full((chunk,), chunk)
    return torch.minimum(far if at_start else before, far if at_end else before.flip(0)).float()
