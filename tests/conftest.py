"""What every test starts from."""

import os

import hypothesis
import pytest

hypothesis.settings.register_profile("keyweave", deadline=None, max_examples=60, derandomize=True)
hypothesis.settings.load_profile("keyweave")


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the person who runs the tests may change what they see."""
    for name in list(os.environ):
        if name.startswith("KEYWEAVE_"):
            monkeypatch.delenv(name)
