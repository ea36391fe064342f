"""From one picture to a video, as the models of the Stable Video Diffusion family do it."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch.nn import functional

from keyweave.base.progress import SILENT, Progress
from keyweave.diffusion.denoisers import Condition, Denoiser, guided_denoiser, sigmas_of, video_denoiser
from keyweave.diffusion.noise import Seeds, noise_like
from keyweave.diffusion.samplers import sample_euler
from keyweave.diffusion.told import TOLD, Told
from keyweave.diffusion.vae import decode_clips, encode

if TYPE_CHECKING:
    from diffusers.models.autoencoders.autoencoder_kl_temporal_decoder import AutoencoderKLTemporalDecoder
    from diffusers.models.unets.unet_spatio_temporal_condition import UNetSpatioTemporalConditionModel
    from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler
    from torch import Tensor
    from transformers import CLIPImageProcessor, CLIPVisionModelWithProjection

_CLIP_SIZE = 224
STEPS, GUIDANCE = 25, (1.0, 3.0)  # that the family is run with


class VideoParts(Protocol):
    """The parts of an image-to-video model."""

    @property
    def vae(self) -> AutoencoderKLTemporalDecoder: ...  # noqa: D102
    @property
    def unet(self) -> UNetSpatioTemporalConditionModel: ...  # noqa: D102
    @property
    def image_encoder(self) -> CLIPVisionModelWithProjection: ...  # noqa: D102
    @property
    def image_processor(self) -> CLIPImageProcessor: ...  # noqa: D102
    @property
    def scheduler(self) -> EulerDiscreteScheduler: ...  # noqa: D102


@torch.no_grad()
def image_to_video(
    model: VideoParts,
    pictures: Tensor,
    *,
    seed: Seeds,
    frames: int | None = None,
    steps: int = STEPS,
    guidance: tuple[float, float] = GUIDANCE,
    progress: Progress = SILENT,
) -> Tensor:
    """Let pictures (B, 3, H, W) in [-1, 1] go on; return (B, F, 3, H, W), the picture itself about the first frame.

    Args:
        model: the parts.
        pictures: sides that 8 divides.
        seed: decides the noise; one for all, which tells them apart by their places, or one for each picture, which
            gets with it what it would get alone.
        frames: how many; what the model was made for without.
        steps: of the sampler.
        guidance: at the first frame and at the last; 1 for none, at half the price.
        progress: a step for each step.
    """
    frames = frames or int(model.unet.config["num_frames"])
    condition = condition_on(model, pictures, frames, seed=seed)
    denoise = denoiser_for(model, condition, guidance)
    sigmas = sigmas_of(model.scheduler, steps).to(pictures.device)
    x = noise_like(condition.latents, seed, "latents") * (sigmas[0] ** 2 + 1).sqrt()
    return pictures_of(model.vae, sample_euler(denoise, x, sigmas, progress=progress))


def denoiser_for(model: VideoParts, condition: Condition, guidance: tuple[float, float]) -> Denoiser:
    """Bind a condition, with guidance that rises from the first frame to the last."""
    if max(guidance) <= 1:
        return video_denoiser(model.unet, condition)
    return guided_denoiser(model.unet, condition, torch.linspace(*guidance, condition.latents.shape[1]))


def condition_on(model: VideoParts, pictures: Tensor, frames: int, *, seed: Seeds, told: Told = TOLD) -> Condition:
    """Return what the network is told about pictures (B, 3, H, W); the seed is as for `image_to_video`."""
    noisy = pictures + told.augmentation * noise_like(pictures, seed, "picture").to(pictures)
    latents = encode(model.vae, noisy).mode().to(model.unet.dtype)
    seen: Any = model.image_encoder(seen_by_encoder(model.image_processor, pictures).to(model.unet.dtype))
    ids = torch.tensor([[told.fps - 1, told.bucket, told.augmentation]], dtype=model.unet.dtype, device=pictures.device)
    return Condition(
        latents=latents[:, None].expand(-1, frames, -1, -1, -1),
        embedding=seen.image_embeds[:, None],
        ids=ids.expand(len(pictures), -1),
    )


def latents_of(vae: AutoencoderKLTemporalDecoder, pictures: Tensor) -> Tensor:
    """Return the scaled latents (B, C, h, w), as the network takes them, of pictures (B, 3, H, W) in [-1, 1]."""
    return encode(vae, pictures).mode() * vae.config["scaling_factor"]


def pictures_of(vae: AutoencoderKLTemporalDecoder, latents: Tensor, *, chunk: int | None = None) -> Tensor:
    """Return the pictures (B, F, 3, H, W) in [-1, 1] that scaled latents (B, F, C, h, w) stand for.

    Args:
        vae: the decoder.
        latents: of clips.
        chunk: frames that are decoded at once, where memory is short; all without.
    """
    return decode_clips(vae, latents / vae.config["scaling_factor"], chunk).float().clamp(-1, 1)


def seen_by_encoder(processor: CLIPImageProcessor, pictures: Tensor) -> Tensor:
    """Return pictures (B, 3, H, W) in [-1, 1] as the image encoder sees them: smoothed, 224 wide, its own mean."""
    down, across = (_resizing(size).to(pictures.device) for size in pictures.shape[2:])
    seen = down @ pictures.float() @ across.T
    mean, std = (
        torch.tensor(values, device=seen.device)[:, None, None]
        for values in (processor.image_mean, processor.image_std)
    )
    return ((seen + 1) / 2 - mean) / std


@lru_cache(maxsize=8)
def _resizing(size: int) -> Tensor:  # (224, size)
    """Return what makes a row of so many pixels 224 long: weights, in place of a bicubic filter over each picture.

    What is to be made smaller is blurred first, by half of what it shrinks beyond 1.
    """
    spread = max((size / _CLIP_SIZE - 1) / 2, 0.001)
    reach = int(max(4 * spread, 3)) // 2
    at = torch.arange(-reach, reach + 1)
    kernel = torch.exp(-(at**2) / (2 * spread**2))
    each = torch.eye(size)[None, None]
    padded = functional.pad(each, (0, 0, reach, reach), mode="reflect")
    blurred = functional.conv2d(padded, (kernel / kernel.sum()).view(1, 1, -1, 1))
    return functional.interpolate(blurred, (_CLIP_SIZE, size), mode="bicubic", align_corners=True)[0, 0]
