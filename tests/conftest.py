"""What every test starts from."""

import importlib
import os
import string
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import hypothesis
import numpy as np
import pytest
from PIL import Image as PillowImage

hypothesis.settings.register_profile("keyweave", deadline=None, max_examples=60, derandomize=True)
hypothesis.settings.load_profile("keyweave")


def pytest_configure() -> None:
    """Share the cores between the processes that test: threads that contend are many times slower than one."""
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker:
        # librosa's loops are compiled when they are first used; two processes that write one cache crash now and then.
        os.environ["NUMBA_CACHE_DIR"] = str(Path(__file__).parents[1] / ".pytest_cache" / f"numba-{worker}")
    if processes > 1:
        threads = max(1, (os.cpu_count() or 1) // processes)
        os.environ["OMP_NUM_THREADS"] = str(threads)
        cv2.setNumThreads(threads)


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the person who runs the tests may change what they see."""
    for name in list(os.environ):
        if name.startswith("KEYWEAVE_"):
            monkeypatch.delenv(name)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Let PyTorch compute on one thread: tiny networks are many times slower with contended ones."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def without_diffusers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody find the package diffusers."""
    real = importlib.import_module

    def absent(name: str, *rest: Any) -> Any:
        if name == "diffusers":
            raise ModuleNotFoundError(name="diffusers")
        return real(name, *rest)

    monkeypatch.setattr(importlib, "import_module", absent)


@pytest.fixture
def keyframes(tmp_path: Path) -> tuple[Path, Path]:
    """Two flat pictures of 32x24: a dark red and a light blue one."""
    folder = tmp_path / "in"
    folder.mkdir()
    paths = folder / "a.png", folder / "b.png"
    for path, color in zip(paths, ((120, 30, 40), (60, 180, 240)), strict=True):
        PillowImage.fromarray(np.full((24, 32, 3), color, np.uint8)).save(path)
    return paths


@pytest.fixture(scope="session")
def tiny_video() -> Any:
    """A tiny image-to-video model of the released models' classes, random: pictures of 32x32, four frames.

    It is shared, and frozen: whoever trains it takes a copy and thaws that.
    """
    import torch
    import transformers
    from diffusers.models.autoencoders.autoencoder_kl_temporal_decoder import AutoencoderKLTemporalDecoder
    from diffusers.models.unets.unet_spatio_temporal_condition import UNetSpatioTemporalConditionModel

    from keyweave.recipes.video import family_scheduler

    torch.manual_seed(0)
    shape: dict[str, Any] = {"block_out_channels": (32, 32), "down_block_types": ("DownEncoderBlock2D",) * 2}
    model = SimpleNamespace(
        vae=AutoencoderKLTemporalDecoder(**shape, latent_channels=4, layers_per_block=1).eval(),
        unet=UNetSpatioTemporalConditionModel(
            sample_size=16,
            block_out_channels=(32, 64),
            down_block_types=("CrossAttnDownBlockSpatioTemporal", "DownBlockSpatioTemporal"),
            up_block_types=("UpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal"),
            num_attention_heads=(2, 4),
            layers_per_block=1,
            cross_attention_dim=32,
            projection_class_embeddings_input_dim=96,
            addition_time_embed_dim=32,
            num_frames=4,
        ).eval(),
        image_encoder=transformers.CLIPVisionModelWithProjection(
            transformers.CLIPVisionConfig(
                hidden_size=32,
                projection_dim=32,
                num_hidden_layers=1,
                num_attention_heads=2,
                intermediate_size=64,
                image_size=224,
                patch_size=56,
            )
        ).eval(),
        image_processor=transformers.CLIPImageProcessorPil(),
        scheduler=family_scheduler(),
    )
    for part in (model.vae, model.unet, model.image_encoder):
        part.requires_grad_(False)
    return model


@pytest.fixture(scope="session")
def tiny(tiny_video: Any) -> Any:
    """The same, by a short name."""
    return tiny_video


@pytest.fixture(scope="session")
def tiny_folder(tiny_video: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as diffusers itself writes it; whoever changes it takes a copy."""
    from diffusers.pipelines.stable_video_diffusion.pipeline_stable_video_diffusion import (
        StableVideoDiffusionPipeline,
    )

    folder = tmp_path_factory.mktemp("models") / "tiny"
    parts: dict[str, Any] = {name: part for name, part in vars(tiny_video).items() if name != "image_processor"}
    StableVideoDiffusionPipeline(**parts, feature_extractor=tiny_video.image_processor).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_flux(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A tiny text-to-image model and its ControlNet, of FLUX.1's classes, random; whoever changes them takes copies."""
    return write_tiny_flux(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def make_flux() -> Callable[..., tuple[Path, Path]]:
    """Write one of another width."""
    return write_tiny_flux


@pytest.fixture(scope="session")
def tiny_qwen(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same of Qwen-Image's classes."""
    return write_tiny_qwen(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def make_qwen() -> Callable[..., tuple[Path, Path]]:
    """Write one of another width."""
    return write_tiny_qwen


def tokenizers() -> tuple[Any, Any]:
    """Two that read letters, as the real ones do where they know no longer piece."""
    import transformers

    letters = [*string.ascii_lowercase, *string.punctuation]
    pieces = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    clip = transformers.CLIPTokenizer(
        vocab={piece: n for n, piece in enumerate(pieces)}, merges=[], model_max_length=77
    )
    vocab = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0), *((x, -3.0) for x in letters)]
    return clip, transformers.T5Tokenizer(vocab=vocab, extra_ids=0, model_max_length=32)


def write_tiny_flux(folder: Path, *, channels: int = 4, pixels: bool = True) -> tuple[Path, Path]:
    """Write both as diffusers does; the ControlNet looks at pixels or at latents."""
    import diffusers
    import torch
    import transformers

    made: Any = diffusers
    torch.manual_seed(0)
    clip, t5 = tokenizers()
    shape: dict[str, Any] = {
        "in_channels": 4 * channels,
        "attention_head_dim": 16,
        "num_attention_heads": 2,
        "joint_attention_dim": 16,
        "pooled_projection_dim": 16,
        "guidance_embeds": True,
        "axes_dims_rope": (4, 6, 6),
    }
    words: Any = transformers.CLIPTextConfig(
        vocab_size=len(clip),
        bos_token_id=len(clip) - 2,
        eos_token_id=len(clip) - 1,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # diffusers warns of itself
        control = made.FluxControlNetModel(
            num_layers=2,
            num_single_layers=0,
            conditioning_embedding_channels=channels if pixels else None,
            patch_size=2,
            **shape,
        )
    hinting = control.input_hint_block.conv_out if pixels else control.controlnet_x_embedder
    for layer in (*control.controlnet_blocks, hinting):  # which begin as 0
        torch.nn.init.normal_(layer.weight, std=0.2)
    vae = made.AutoencoderKL(
        block_out_channels=(8, 8, 8, 16),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=channels,
        norm_num_groups=4,
        layers_per_block=1,
        scaling_factor=0.36,
        shift_factor=0.12,
        use_quant_conv=False,
        use_post_quant_conv=False,
    )
    with torch.no_grad():  # an encoder that is sure: the stock pipeline draws what we take the middle of
        vae.encoder.conv_out.weight[channels:] = 0
        vae.encoder.conv_out.bias[channels:] = -30
    made.FluxPipeline(
        scheduler=made.FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        vae=vae,
        text_encoder=transformers.CLIPTextModel(words),
        tokenizer=clip,
        text_encoder_2=transformers.T5EncoderModel(
            transformers.T5Config(vocab_size=len(t5), d_model=16, d_kv=8, d_ff=32, num_layers=1, num_heads=2)
        ),
        tokenizer_2=t5,
        transformer=made.FluxTransformer2DModel(num_layers=3, num_single_layers=1, **shape),
    ).save_pretrained(folder / "flux")
    control.save_pretrained(folder / "canny")
    return folder / "flux", folder / "canny"


def write_tiny_qwen(folder: Path, *, channels: int = 4, more: int = 0) -> tuple[Path, Path]:
    """Write both as diffusers does; the ControlNet may look at `more` channels, as those that fill holes do."""
    import diffusers
    import torch
    import transformers
    from tokenizers.pre_tokenizers import ByteLevel

    made: Any = diffusers
    torch.manual_seed(0)
    said = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
    pieces = [*sorted(ByteLevel.alphabet()), *said]
    tokenizer = transformers.Qwen2Tokenizer(vocab={piece: n for n, piece in enumerate(pieces)}, merges=[])
    tokenizer.add_special_tokens({"additional_special_tokens": list(said)})
    shape: dict[str, Any] = {
        "in_channels": 4 * channels,
        "attention_head_dim": 16,
        "num_attention_heads": 2,
        "joint_attention_dim": 16,
        "axes_dims_rope": (4, 6, 6),
    }
    control = made.QwenImageControlNetModel(num_layers=2, extra_condition_channels=more, **shape)
    for layer in (*control.controlnet_blocks, control.controlnet_x_embedder):  # which begin as 0
        torch.nn.init.normal_(layer.weight, std=0.2)
    transformer = made.QwenImageTransformer2DModel(num_layers=3, out_channels=channels, **shape)
    for block in transformer.transformer_blocks:  # so that words tell
        torch.nn.init.normal_(block.attn.add_v_proj.weight)
    torch.nn.init.normal_(transformer.proj_out.weight)
    vae = made.AutoencoderKLQwenImage(
        base_dim=8,
        z_dim=channels,
        dim_mult=[1, 1, 1, 1],
        num_res_blocks=1,
        latents_mean=[0.4 * n - 0.8 for n in range(channels)],
        latents_std=[1 + 0.5 * n for n in range(channels)],
    )
    with torch.no_grad():  # an encoder that is sure, as above
        vae.quant_conv.weight[channels:] = 0
        vae.quant_conv.bias[channels:] = -30
    layers: dict[str, Any] = {"hidden_size": 16, "intermediate_size": 32}
    reading: Any = transformers.Qwen2_5_VLConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
            "bos_token_id": 0,
            "eos_token_id": 0,
            "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [1, 1, 2]},
            **layers,
        },
        vision_config={"depth": 1, "num_heads": 2, "out_hidden_size": 16, **layers},
    )
    made.QwenImagePipeline(
        scheduler=made.FlowMatchEulerDiscreteScheduler(
            use_dynamic_shifting=True, max_shift=0.9, max_image_seq_len=8192, shift_terminal=0.02
        ),
        vae=vae,
        text_encoder=transformers.Qwen2_5_VLForConditionalGeneration(reading),
        tokenizer=tokenizer,
        transformer=transformer,
    ).save_pretrained(folder / "qwen")
    control.save_pretrained(folder / "union")
    return folder / "qwen", folder / "union"
