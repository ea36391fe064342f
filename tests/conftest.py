"""What every test starts from."""

import importlib
import os
from collections.abc import Iterator
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
    """A tiny image-to-video model of the released models' classes, random: pictures of 32x32, four frames."""
    import torch
    import transformers
    from diffusers.models.autoencoders.autoencoder_kl_temporal_decoder import AutoencoderKLTemporalDecoder
    from diffusers.models.unets.unet_spatio_temporal_condition import UNetSpatioTemporalConditionModel

    from keyweave.recipes.video import family_scheduler

    torch.manual_seed(0)
    shape: dict[str, Any] = {"block_out_channels": (32, 32), "down_block_types": ("DownEncoderBlock2D",) * 2}
    return SimpleNamespace(
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
