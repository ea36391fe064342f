"""Our image-to-video is that of diffusers' own pipeline, to the last digits that count."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from keyweave.base.errors import InputError
from keyweave.diffusion import image_to_video as ours
from keyweave.diffusion.denoisers import sigmas_of
from keyweave.diffusion.noise import gaussian
from keyweave.maths.tensors import to_tensor
from keyweave.models.finding import find
from keyweave.models.loading import load
from keyweave.toyworld.scenes import scene_of
from keyweave.toyworld.shots import shoot


def picture(size: int = 32, seed: int = 1) -> torch.Tensor:
    levels = np.random.default_rng(seed).integers(0, 256, (3, size, size))
    return torch.from_numpy(levels.astype(np.float32) / 127.5 - 1)


def pipeline_of(model: Any) -> Any:
    """Return diffusers' own pipeline of the parts of a model."""
    from diffusers.pipelines.stable_video_diffusion.pipeline_stable_video_diffusion import (
        StableVideoDiffusionPipeline,
    )

    parts = {name: part for name, part in vars(model).items() if name != "image_processor"}
    return StableVideoDiffusionPipeline(**parts, feature_extractor=model.image_processor)


def as_picture(shown: torch.Tensor) -> Image.Image:  # (3, H, W) in [-1, 1]
    return Image.fromarray(((shown + 1) * 127.5).round().to(torch.uint8).permute(1, 2, 0).numpy())


def by_the_pipeline(
    pipeline: Any,
    given: Image.Image | torch.Tensor,
    monkeypatch: pytest.MonkeyPatch,
    steps: int,
    guidance: tuple[float, float],
) -> torch.Tensor:
    """Return what diffusers' own pipeline makes with our noise, (B, F, 3, H, W) in [0, 1].

    Args:
        pipeline: with an autoencoder and so on.
        given: a picture, or a tensor (B, 3, H, W) in [0, 1], square either way.
        monkeypatch: the pipeline draws the noise on pictures with a generator of its own; it is handed ours.
        steps: of the sampler.
        guidance: at the first frame and at the last.
    """
    count, side = given.shape[::3] if isinstance(given, torch.Tensor) else (1, given.width)

    def noise(shape: tuple[int, ...], name: str) -> torch.Tensor:
        return torch.stack([gaussian(shape, 7, name, place) for place in range(count)])

    name = "diffusers.pipelines.stable_video_diffusion.pipeline_stable_video_diffusion.randn_tensor"
    monkeypatch.setattr(name, lambda shape, **_: noise(tuple(shape[1:]), "picture"))
    pipeline.set_progress_bar_config(disable=True)
    config = pipeline.unet.config
    small = side // pipeline.vae_scale_factor
    result = pipeline(
        given,
        height=side,
        width=side,
        num_inference_steps=steps,
        min_guidance_scale=guidance[0],
        max_guidance_scale=guidance[1],
        latents=noise((config.num_frames, config.in_channels // 2, small, small), "latents"),
        output_type="pt",
    )
    return torch.as_tensor(result.frames)


@pytest.mark.parametrize("guidance", [(1.0, 1.0), (1.0, 3.0)])
def test_it_equals_the_pipeline(tiny: Any, monkeypatch: pytest.MonkeyPatch, guidance: tuple[float, float]):
    shown = picture()
    made = ours.image_to_video(tiny, shown[None], seed=7, steps=5, guidance=guidance)
    assert made.shape == (1, 4, 3, 32, 32)
    theirs = by_the_pipeline(pipeline_of(tiny), as_picture(shown), monkeypatch, 5, guidance)
    torch.testing.assert_close((made + 1) / 2, theirs, rtol=0, atol=1e-4)
    assert made.std() > 0.05


def test_it_equals_the_pipeline_that_is_given_tensors(tiny: Any, monkeypatch: pytest.MonkeyPatch):
    """Several at once, of any brightness between those of 8 bits.

    The pipeline hands tensors to the image encoder as they are, neither smoothed nor resized, so they must have the
    encoder's size, 224 x 224. There, what we do to every picture changes nothing, and all is equal.
    """
    from diffusers.models.autoencoders.autoencoder_kl_temporal_decoder import AutoencoderKLTemporalDecoder

    torch.manual_seed(0)
    # A latent is 8 pixels wide, as in released models: 28 x 28 of them.
    shape: dict[str, Any] = {"block_out_channels": (32,) * 4, "down_block_types": ("DownEncoderBlock2D",) * 4}
    coarse = AutoencoderKLTemporalDecoder(**shape, latent_channels=4).eval().requires_grad_(requires_grad=False)
    model: Any = SimpleNamespace(**{**vars(tiny), "vae": coarse})
    pipeline = pipeline_of(model)
    given = torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(1))
    made = ours.image_to_video(model, given * 2 - 1, seed=7, steps=5)
    theirs = by_the_pipeline(pipeline, given, monkeypatch, 5, ours.GUIDANCE)
    torch.testing.assert_close((made + 1) / 2, theirs, rtol=0, atol=1e-4)
    assert (made[0] - made[1]).abs().max() > 0.01
    with torch.no_grad():
        seen = pipeline._encode_image(given, "cpu", 1, do_classifier_free_guidance=False)
        told = ours.condition_on(model, given * 2 - 1, 4, seed=7).embedding
    torch.testing.assert_close(told, seen, rtol=0, atol=1e-4)


def test_the_embedded_model_runs_in_the_pipeline_and_ours_is_the_same(monkeypatch: pytest.MonkeyPatch):
    from diffusers.pipelines.stable_video_diffusion.pipeline_stable_video_diffusion import (
        StableVideoDiffusionPipeline,
    )

    found = find("toy-video", "image-to-video")
    shown = to_tensor(shoot(scene_of("test", 0), frames=1).frames)[0]
    made = ours.image_to_video(load(found, device="cpu", dtype="float32"), shown[None], seed=7, steps=3)
    pipeline: Any = StableVideoDiffusionPipeline.from_pretrained(found.folder, dtype=torch.float32)
    theirs = by_the_pipeline(pipeline, as_picture(shown), monkeypatch, 3, ours.GUIDANCE)
    torch.testing.assert_close((made + 1) / 2, theirs, rtol=0, atol=1e-4)


@pytest.mark.parametrize("size", [32, 224, 500])
def test_the_encoder_sees_what_it_sees_in_the_pipeline(tiny: Any, size: int):
    from diffusers.pipelines.stable_video_diffusion.pipeline_stable_video_diffusion import _resize_with_antialiasing

    shown = picture(size)[None]
    resized = (_resize_with_antialiasing(shown, (224, 224)) + 1) / 2
    theirs = tiny.image_processor(
        images=list(resized.double().numpy()),
        do_resize=False,
        do_center_crop=False,
        do_rescale=False,
        return_tensors="pt",
    ).pixel_values
    torch.testing.assert_close(ours.seen_by_encoder(tiny.image_processor, shown), theirs.float(), rtol=0, atol=1e-4)


def test_a_picture_is_the_same_whatever_is_made_beside_it(tiny: Any):
    pair = torch.stack([picture(seed=1), picture(seed=2)])
    alone = [ours.image_to_video(tiny, one[None], seed=seed, steps=2) for one, seed in zip(pair, (3, 8), strict=True)]
    both = ours.image_to_video(tiny, pair, seed=3, steps=2)
    torch.testing.assert_close(both[:1], alone[0], rtol=0, atol=2e-4)
    assert not torch.allclose(both[0], both[1], atol=0.01)
    each = ours.image_to_video(tiny, pair, seed=[3, 8], steps=2)
    torch.testing.assert_close(each, torch.cat(alone), rtol=0, atol=2e-4)


def test_the_seed_decides(tiny: Any):
    one, again, other = (ours.image_to_video(tiny, picture()[None], seed=seed, steps=2) for seed in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_no_guidance_costs_one_clip_a_step_and_guidance_two_in_one_look(tiny: Any, monkeypatch: pytest.MonkeyPatch):
    seen: list[int] = []
    real = tiny.unet.forward
    monkeypatch.setattr(tiny.unet, "forward", lambda x, *rest, **more: seen.append(len(x)) or real(x, *rest, **more))
    ours.image_to_video(tiny, picture()[None], seed=1, steps=3, guidance=(1, 1))
    ours.image_to_video(tiny, picture()[None], seed=1, steps=3, guidance=(1, 2))
    assert seen == [1] * 3 + [2] * 3


def test_levels_of_noise_are_those_of_the_family(tiny: Any):
    sigmas = sigmas_of(tiny.scheduler, 25)
    assert sigmas.shape == (26,)
    assert sigmas[0] == pytest.approx(700)
    assert sigmas[-2] == pytest.approx(0.002)
    assert sigmas[-1] == 0
    ramp = torch.linspace(0, 1, 25, dtype=torch.float64)
    karras = (700 ** (1 / 7) + ramp * (0.002 ** (1 / 7) - 700 ** (1 / 7))) ** 7
    torch.testing.assert_close(sigmas[:-1].double(), karras, rtol=1e-4, atol=0)


def test_another_kind_of_scheduler_is_refused():
    from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler

    with pytest.raises(InputError, match="predicts epsilon at discrete times"):
        sigmas_of(EulerDiscreteScheduler(), 5)


def test_no_steps_are_refused(tiny: Any):
    with pytest.raises(InputError, match="1 step or more; got 0"):
        sigmas_of(tiny.scheduler, 0)
