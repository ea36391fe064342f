"""What every test starts from."""

import os
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from PIL import Image as PillowImage

hypothesis.settings.register_profile("keyweave", deadline=None, max_examples=60, derandomize=True)
hypothesis.settings.load_profile("keyweave")


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the person who runs the tests may change what they see."""
    for name in list(os.environ):
        if name.startswith("KEYWEAVE_"):
            monkeypatch.delenv(name)


@pytest.fixture
def keyframes(tmp_path: Path) -> tuple[Path, Path]:
    """Two flat pictures of 32x24: a dark red and a light blue one."""
    folder = tmp_path / "in"
    folder.mkdir()
    paths = folder / "a.png", folder / "b.png"
    for path, color in zip(paths, ((120, 30, 40), (60, 180, 240)), strict=True):
        PillowImage.fromarray(np.full((24, 32, 3), color, np.uint8)).save(path)
    return paths
