"""Tiny networks."""

import pytest


@pytest.fixture(autouse=True)
def _alone(one_thread: None) -> None:
    """Tiny networks are many times slower with contended threads."""
