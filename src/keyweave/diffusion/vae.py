"""Through an autoencoder and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
