"""Whole dances whose labels are known, with the settings that everybody gets."""

import numpy as np
import pytest

from keyweave.bench.bodies import body_dance
from keyweave.bench.dancers import Danced, Noise, drawn_dance
from keyweave.systems.dance.agreement import agreement
from keyweave.systems.dance.motions import motion_of
from keyweave.systems.dance.naming import label_segments

SOURCES = ["rotations", "space"]


def figures(danced: Danced, source: str) -> tuple[float, float]:
    """Return ARI and F1 of mirrored pairs."""
    found = label_segments(motion_of(getattr(danced.tracks, source)), danced.segments)
    agreed = agreement(found.labels, danced.labels)
    return agreed.rand, agreed.balance


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("seed", [100, 101])
def test_a_dance_is_labelled(source: str, seed: int):
    assert figures(body_dance(seed, Noise()), source) == (1, 1)


@pytest.mark.parametrize("seed", [100, 101])
def test_a_drawn_dance_is_labelled(seed: int):
    assert figures(drawn_dance(seed, Noise()), "picture") == (1, 1)


@pytest.mark.slow
@pytest.mark.parametrize("source", SOURCES)
def test_fifty_dances_are_labelled(source: str):
    rand, balance = np.mean([figures(body_dance(seed, Noise()), source) for seed in range(50)], axis=0)
    assert rand >= 0.95
    assert balance >= 0.9


@pytest.mark.slow
def test_fifty_drawn_dances_are_labelled():
    drawn = [drawn_dance(seed, Noise()) for seed in range(50)]
    rand, balance = np.mean([figures(danced, "picture") for danced in drawn], axis=0)
    assert rand >= 0.95
    assert balance >= 0.9
