"""Rotations: closed forms, round trips, and no loss of digits where an arc cosine loses half of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from keyweave.maths.rotations import (
    angles_between,
    matrices_of,
    mirrored_turns,
    quaternions_of,
    quaternions_of_matrices,
    turns_between,
    vectors_of,
)

SEEDS = st.integers(0, 10_000)
SMALL = [0.0, 1e-300, 1e-12, 1e-8, 1e-4]
ANGLES = [*SMALL, 0.7, 2.0, *(np.pi - np.array(SMALL))]


def some(seed: int, *shape: int) -> np.ndarray:
    """Axes times angles of 0 to pi."""
    chance = np.random.default_rng(seed)
    axes = chance.normal(size=(*shape, 3))
    return axes / np.linalg.norm(axes, axis=-1, keepdims=True) * chance.uniform(0, np.pi, (*shape, 1))


def series(vector: np.ndarray) -> np.ndarray:
    """The exponential of the cross-product matrix, summed term by term."""
    x, y, z = vector
    across = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    total, term = np.eye(3), np.eye(3)
    for number in range(1, 40):
        term = term @ across / number
        total = total + term
    return total


@given(SEEDS)
def test_a_matrix_is_the_exponential_of_its_vector(seed: int):
    (vector,) = some(seed, 1)
    assert_allclose(matrices_of(vector), series(vector), atol=1e-12)


def test_a_quarter_turn_about_z_takes_x_to_y():
    assert_allclose(matrices_of(np.array([0, 0, np.pi / 2])) @ [1, 0, 0], [0, 1, 0], atol=1e-15)


@given(SEEDS)
def test_vectors_come_back(seed: int):
    vectors = some(seed, 4, 3)
    assert_allclose(vectors_of(matrices_of(vectors)), vectors, atol=1e-9)


@pytest.mark.parametrize("angle", ANGLES)
@settings(max_examples=5)
@given(seed=SEEDS)
def test_no_angle_is_special(angle: float, seed: int):
    (axis,) = some(seed, 1)
    axis = axis / np.linalg.norm(axis)
    back = vectors_of(matrices_of(angle * axis))
    assert np.linalg.norm(back) == pytest.approx(angle, abs=1e-15, rel=1e-7)
    if angle == np.pi:  # either way round is right
        back = back if back @ axis > 0 else -back
    assert_allclose(back, angle * axis, atol=2e-15 if angle < 1e-3 else 1e-9)


@given(SEEDS)
def test_both_ways_to_a_quaternion_agree(seed: int):
    vectors = some(seed, 5)
    direct, read = quaternions_of(vectors), quaternions_of_matrices(matrices_of(vectors))
    read = np.where((direct * read).sum(-1, keepdims=True) < 0, -read, read)
    assert_allclose(read, direct, atol=1e-12)
    assert_allclose(np.linalg.norm(direct, axis=-1), 1, atol=1e-15)


@given(SEEDS)
def test_the_geodesic_is_the_angle_of_what_turns_one_into_the_other(seed: int):
    first, second = some(seed, 2)
    between = matrices_of(first).T @ matrices_of(second)
    by_hand = np.arccos(np.clip((np.trace(between) - 1) / 2, -1, 1))
    assert turns_between(quaternions_of(first), quaternions_of(second)) == pytest.approx(by_hand, abs=1e-6)


@pytest.mark.parametrize("angle", ANGLES)
def test_angles_keep_their_digits_at_both_ends(angle: float):
    one, other = np.array([1.0, 0, 0]), np.array([np.cos(angle), np.sin(angle), 0])
    assert angles_between(one, other) == pytest.approx(angle, abs=1e-15, rel=1e-9)
    turn = quaternions_of(np.array([0, 0, angle]))
    assert turns_between(quaternions_of(np.zeros(3)), turn) == pytest.approx(angle, abs=1e-15, rel=1e-9)
    assert turns_between(-turn, turn) == 0


@given(SEEDS)
def test_a_mirror_reflects_the_matrix(seed: int):
    (vector,) = some(seed, 1)
    flip = np.diag([-1.0, 1, 1])
    assert_allclose(matrices_of(mirrored_turns(vector)), flip @ matrices_of(vector) @ flip, atol=1e-14)
