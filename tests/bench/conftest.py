"""What the benchmark's tests have in common."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def model(tiny_folder: Path) -> Path:
    """A tiny random model in a folder."""
    return tiny_folder
