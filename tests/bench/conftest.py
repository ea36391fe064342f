"""A tiny random model in a folder, as diffusers itself writes it."""

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def model(tiny_video: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from diffusers.pipelines.stable_video_diffusion.pipeline_stable_video_diffusion import (
        StableVideoDiffusionPipeline,
    )

    folder = tmp_path_factory.mktemp("models") / "tiny"
    parts: dict[str, Any] = {name: part for name, part in vars(tiny_video).items() if name != "image_processor"}
    StableVideoDiffusionPipeline(**parts, feature_extractor=tiny_video.image_processor).save_pretrained(folder)
    return folder
