"""A tiny model of the very classes that released ones have, with random weights, as diffusers itself writes it."""

import shutil
from datetime import date
from pathlib import Path

import pytest

from keyweave.models import finding
from keyweave.models.card import ModelCard


@pytest.fixture(autouse=True)
def _alone(one_thread: None) -> None:
    """Tiny networks are many times slower with contended threads."""


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own for what keyweave remembers, and no embedded model but those that a test puts there."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(finding, "EMBEDDED", tmp_path / "weights")
    return tmp_path / "state" / "keyweave"


@pytest.fixture
def tiny(tiny_folder: Path, tmp_path: Path) -> Path:
    """A copy that may be damaged."""
    return Path(shutil.copytree(tiny_folder, tmp_path / "tiny"))


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
