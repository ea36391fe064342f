"""A tiny model of the very classes that released ones have, with random weights, as diffusers itself writes it."""

import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import torch

from keyweave.models import finding
from keyweave.models.card import ModelCard


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own for what keyweave remembers, and no embedded model but those that a test puts there."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(finding, "EMBEDDED", tmp_path / "weights")
    return tmp_path / "state" / "keyweave"


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder; tests that change it take `tiny`."""
    diffusers: Any = pytest.importorskip("diffusers")
    transformers: Any = pytest.importorskip("transformers")
    torch.manual_seed(0)
    vae = diffusers.AutoencoderKLTemporalDecoder(
        latent_channels=4, block_out_channels=(32, 32), down_block_types=("DownEncoderBlock2D",) * 2, layers_per_block=1
    )
    unet = diffusers.UNetSpatioTemporalConditionModel(
        sample_size=8,
        block_out_channels=(32, 32),
        down_block_types=("CrossAttnDownBlockSpatioTemporal", "DownBlockSpatioTemporal"),
        up_block_types=("UpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal"),
        num_attention_heads=(2, 2),
        layers_per_block=1,
        cross_attention_dim=32,
        projection_class_embeddings_input_dim=96,
        addition_time_embed_dim=32,
        num_frames=4,
    )
    encoder = transformers.CLIPVisionModelWithProjection(
        transformers.CLIPVisionConfig(
            hidden_size=32,
            projection_dim=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=64,
            image_size=224,
            patch_size=56,
        )
    )
    scheduler = diffusers.EulerDiscreteScheduler(prediction_type="v_prediction", use_karras_sigmas=True)
    processor = transformers.CLIPImageProcessorPil()
    folder = tmp_path_factory.mktemp("models") / "tiny"
    diffusers.StableVideoDiffusionPipeline(vae, encoder, unet, scheduler, processor).save_pretrained(folder)
    return folder


@pytest.fixture
def tiny(written: Path, tmp_path: Path) -> Path:
    """A copy that may be damaged."""
    return Path(shutil.copytree(written, tmp_path / "tiny"))


@pytest.fixture
def card() -> ModelCard:
    return ModelCard(
        name="tiny",
        kind="image-to-video",
        says="Makes noise of four frames.",
        toy=True,
        data="none",
        recipe="tests/models/conftest.py",
        seed=0,
        steps=0,
        hours=0.0,
        hardware="one core",
        trained=date(2026, 1, 2),
        scores={"psnr_db": 3.5},
        limits="It was never trained.",
        license="Apache-2.0",
    )


@pytest.fixture
def embedded(tiny: Path, card: ModelCard, tmp_path: Path) -> Path:
    """The tiny model as one that comes with keyweave, with its card."""
    from keyweave.models.card import write_card

    folder = tmp_path / "weights" / "toy-tiny"
    folder.parent.mkdir(exist_ok=True)
    shutil.copytree(tiny, folder)
    write_card(folder, card.model_copy(update={"name": "toy-tiny"}))
    return folder
