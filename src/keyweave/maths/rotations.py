"""Rotations of three dimensions: as axis times angle, as matrices, as quaternions, and how far apart they are.

A quaternion is a unit vector (w, x, y, z); it and its negative are the same rotation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating]


def quaternions_of(
    vectors: Floats,  # (..., 3) axis times angle, in radians
) -> Floats:  # (..., 4)
    """Turn axes times angles into quaternions."""
    halves = np.linalg.norm(vectors, axis=-1, keepdims=True) / 2
    return np.concatenate([np.cos(halves), vectors / 2 * np.sinc(halves / np.pi)], axis=-1)


def matrices_of(
    vectors: Floats,  # (..., 3) axis times angle, in radians
) -> Floats:  # (..., 3, 3)
    """Turn axes times angles into matrices that turn columns (the formula of Rodrigues)."""
    vectors = np.asarray(vectors, np.float64)
    angles = np.linalg.norm(vectors, axis=-1)[..., None, None]
    x, y, z = np.moveaxis(vectors, -1, 0)
    zero = np.zeros_like(x)
    across = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(*vectors.shape, 3)
    half = np.sinc(angles / (2 * np.pi))  # sin(angle / 2) / (angle / 2), which is 1 at 0
    return np.eye(3) + np.sinc(angles / np.pi) * across + half**2 / 2 * across @ across


def quaternions_of_matrices(
    matrices: Floats,  # (..., 3, 3)
) -> Floats:  # (..., 4)
    """Turn matrices into quaternions.

    The matrix holds all products of two parts of the quaternion: of the four ways to read it the one whose divisor is
    largest is taken, so that no angle is special.
    """
    m = np.asarray(matrices, np.float64)
    xx, yy, zz = (m[..., i, i] for i in range(3))
    wx, wy, wz = (m[..., i, j] - m[..., j, i] for i, j in ((2, 1), (0, 2), (1, 0)))
    xy, xz, yz = (m[..., i, j] + m[..., j, i] for i, j in ((0, 1), (0, 2), (1, 2)))
    products = [
        [1 + xx + yy + zz, wx, wy, wz],
        [wx, 1 + xx - yy - zz, xy, xz],
        [wy, xy, 1 - xx + yy - zz, yz],
        [wz, xz, yz, 1 - xx - yy + zz],
    ]
    ways = np.stack([np.stack(row, axis=-1) for row in products], axis=-2)  # 4 q qᵀ
    largest = np.diagonal(ways, axis1=-2, axis2=-1).argmax(axis=-1)
    read = np.take_along_axis(ways, largest[..., None, None], axis=-2)[..., 0, :]
    return read / np.linalg.norm(read, axis=-1, keepdims=True)


def vectors_of(
    matrices: Floats,  # (..., 3, 3)
) -> Floats:  # (..., 3)
    """Turn matrices into axes times angles, of 0 to pi."""
    turned = quaternions_of_matrices(matrices)
    turned = np.where(turned[..., :1] < 0, -turned, turned)
    along = np.linalg.norm(turned[..., 1:], axis=-1, keepdims=True)
    halves = np.arctan2(along, turned[..., :1])
    return turned[..., 1:] * 2 / np.sinc(halves / np.pi)


def angles_between(
    first: Floats,  # (..., D) unit vectors
    second: Floats,  # (..., D)
) -> Floats:  # (...)
    """Return the angles between unit vectors, from 0 to pi."""
    less, more = first - second, first + second
    # An arc cosine would lose half of the digits at 0 and at pi.
    return 2 * np.arctan2(_lengths(less), _lengths(more))


def turns_between(
    first: Floats,  # (..., 4) quaternions
    second: Floats,  # (..., 4)
) -> Floats:  # (...)
    """Return the geodesic distances of rotations: the angles, from 0 to pi, that turn one into the other."""
    less, more = _lengths(first - second), _lengths(first + second)
    return 4 * np.arctan2(np.minimum(less, more), np.maximum(less, more))


def mirrored_turns(
    vectors: Floats,  # (..., 3) axis times angle
) -> Floats:
    """Return rotations as a mirror shows them that swaps left and right, which is x (equation 7.3)."""
    return vectors * np.array([1.0, -1.0, -1.0])


def _lengths(vectors: Floats) -> Floats:
    return np.sqrt(np.einsum("...d,...d->...", vectors, vectors))
