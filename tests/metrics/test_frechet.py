"""Frechet distances against closed forms and roots of matrices."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import linalg

from keyweave.base.errors import InputError
from keyweave.metrics.frechet import FrechetDraws, frechet_distance, frechet_floor


def drawn(seed: int, count: int, width: int, *, scale: float = 1.0, shift: float = 0.0) -> np.ndarray:
    chance = np.random.default_rng(seed)
    return chance.standard_normal((count, width)) @ chance.standard_normal((width, width)) * scale + shift


def whitened(count: int, deviations: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Vectors whose mean and covariance are exactly these, the covariance diagonal."""
    raw = np.random.default_rng(7).standard_normal((count, len(deviations)))
    even, _ = np.linalg.qr(raw - raw.mean(0))
    return (even - even.mean(0)) * np.sqrt(count - 1) * deviations + mean


def test_diagonal_gaussians_have_a_closed_form():
    """|m - n|² + Σ (s - t)²."""
    s, t = np.array([1.0, 2.0, 0.5, 0.0]), np.array([3.0, 2.0, 0.1, 1.0])
    m, n = np.array([0.0, 1.0, 2.0, 3.0]), np.array([1.0, 1.0, 0.0, 3.0])
    found = frechet_distance(whitened(60, s, m), whitened(40, t, n))
    assert found == pytest.approx(np.square(m - n).sum() + np.square(s - t).sum(), rel=1e-9)


@pytest.mark.parametrize(("few", "many", "width"), [(300, 200, 12), (9, 40, 12), (5, 6, 12), (500, 500, 1)])
def test_it_agrees_with_the_root_of_the_product(few: int, many: int, width: int):
    """The definition written down, for sets larger and smaller than their vectors are long."""
    a, b = drawn(1, few, width), drawn(2, many, width, scale=0.7, shift=0.3)
    first, second = (np.atleast_2d(np.cov(vectors, rowvar=False)) for vectors in (a, b))
    # The root of the symmetric sqrt(A) B sqrt(A) has the trace of the root of A B, and exists for singular ones.
    root = np.real(linalg.sqrtm(first + 1e-12 * np.eye(width)))
    shared = np.sqrt(np.linalg.eigvalsh(root @ second @ root).clip(0)).sum()
    right = np.square(a.mean(0) - b.mean(0)).sum() + np.trace(first) + np.trace(second) - 2 * shared
    assert frechet_distance(a, b) == pytest.approx(right, rel=1e-4)
    if min(few, many) > width > 1:
        product = np.real(linalg.sqrtm(first @ second))
        assert np.trace(product) == pytest.approx(shared, rel=1e-6)


@given(st.integers(0, 10_000), st.integers(2, 30), st.integers(2, 30), st.integers(1, 9))
def test_laws(seed: int, few: int, many: int, width: int):
    a, b = drawn(seed, few, width), drawn(seed + 1, many, width, shift=0.5)
    scale = 1 + abs(frechet_distance(a, b))
    assert frechet_distance(a, b) >= 0
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), abs=1e-9 * scale)
    assert frechet_distance(a, a[::-1]) == pytest.approx(0, abs=1e-9 * scale)
    turn, _ = np.linalg.qr(drawn(seed + 2, width, width))
    assert frechet_distance(3 * a @ turn + 1, 3 * b @ turn + 1) == pytest.approx(
        9 * frechet_distance(a, b), rel=1e-6, abs=1e-8 * scale
    )
    way = np.arange(width, dtype=float)
    assert frechet_distance(a, a + way) == pytest.approx(np.square(way).sum(), abs=1e-8 * scale)


@given(st.integers(0, 10_000), st.integers(2, 40), st.integers(2, 30), st.integers(1, 20))
def test_draws_are_the_distances_of_what_is_drawn(seed: int, few: int, many: int, width: int):
    a, b = drawn(seed, few, width), drawn(seed + 1, many, width, shift=0.5)
    draws, chance = FrechetDraws(a, b), np.random.default_rng(seed)
    size = 1 + frechet_distance(a, b) + np.square(a).sum() / len(a)
    for rows in (np.arange(few), chance.integers(few, size=few), chance.integers(few, size=2), np.zeros(3, int)):
        assert draws(rows) == pytest.approx(frechet_distance(a[rows], b), abs=1e-6 * size)


def test_single_precision_is_enough_to_come_in():
    a, b = drawn(1, 100, 8).astype(np.float32), drawn(2, 100, 8).astype(np.float32)
    assert frechet_distance(a + 1000, b + 1000) == pytest.approx(frechet_distance(a, b), rel=1e-3)


def test_the_floor_is_what_chance_makes():
    real = drawn(3, 400, 10)
    floor = frechet_floor(real)
    assert 0 < floor < 0.2 * frechet_distance(real, 2 * real)
    assert frechet_floor(real[:40]) > 3 * floor  # small sets lie farther apart
    assert frechet_floor(real) == floor
    assert frechet_floor(real, seed=1) != floor


@pytest.mark.parametrize(
    ("a", "b", "says"),
    [
        (np.zeros((1, 3)), np.zeros((5, 3)), r"two vectors or more in each set; got shape \(1, 3\)"),
        (np.zeros(3), np.zeros((5, 3)), "two vectors or more"),
        (np.zeros((5, 3)), np.zeros((5, 4)), "of one length; got 3 and 4"),
        (np.full((5, 3), np.nan), np.zeros((5, 3)), "needs finite numbers"),
    ],
)
def test_doors(a: np.ndarray, b: np.ndarray, says: str):
    with pytest.raises(InputError, match=says):
        frechet_distance(a, b)


def test_a_floor_needs_two_halves():
    with pytest.raises(InputError, match="four vectors or more; got 3"):
        frechet_floor(np.zeros((3, 2)))
