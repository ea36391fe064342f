"""Spreading against what must stay, what must be found between, and what is out of reach."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyweave.perceive.filling import spread

SIDES = st.integers(1, 40)


@given(SIDES, SIDES, st.integers(0, 2**32 - 1))
def test_what_is_known_stays_and_nothing_leaves_its_range(height: int, width: int, seed: int):
    rng = np.random.default_rng(seed)
    values = rng.uniform(-5, 5, (height, width, 2)).astype(np.float32)
    weights = (rng.uniform(size=(height, width)) < 0.3).astype(np.float32)
    filled = spread(values, weights)
    np.testing.assert_allclose(filled[weights == 1], values[weights == 1], rtol=1e-5, atol=1e-5)
    known = np.append(values[weights == 1].ravel(), 0)  # where nothing is known, zero is
    assert filled.min() >= known.min() - 1e-3
    assert filled.max() <= known.max() + 1e-3


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (3, 2), (33, 57)])
def test_one_known_pixel_fills_everything(shape: tuple[int, int]):
    values, weights = np.full((*shape, 1), 99, np.float32), np.zeros(shape, np.float32)
    values[0, -1], weights[0, -1] = 7, 1
    np.testing.assert_allclose(spread(values, weights), 7, rtol=2e-2)


def test_between_two_known_sides_it_passes_smoothly():
    values, weights = np.zeros((16, 64, 1), np.float32), np.zeros((16, 64), np.float32)
    values[:, -1], weights[:, [0, -1]] = 1, 1
    row = spread(values, weights)[8, :, 0]
    assert (np.diff(row) > -1e-3).all()
    assert np.abs(np.diff(row)).max() < 0.12
    assert row[31] == pytest.approx(0.5, abs=0.1)


def test_nothing_known_is_zero():
    assert not spread(np.ones((32, 20, 1), np.float32), np.zeros((32, 20), np.float32)).any()
