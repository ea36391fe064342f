"""Which way the parts of a body point: the directions that make a posture, for bodies that were tracked by joints.

Joints here are (T, 6, 2, D): shoulders, elbows, wrists, hips, knees and ankles, each left and right.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from keyweave.base.errors import InputError
from keyweave.maths.rotations import quaternions_of_matrices
from keyweave.perceive.poses import BODY, LIMBS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from keyweave.perceive.poses import JointTrack

    Floats = NDArray[np.floating]
    Whole = NDArray[np.integer]

SHOULDER, HIP = LIMBS.index("shoulder"), LIMBS.index("hip")
_STARTS = [LIMBS.index(name) for name in ("shoulder", "elbow", "hip", "knee")]
_ENDS = [LIMBS.index(name) for name in ("elbow", "wrist", "knee", "ankle")]
_SMOOTH = 0.04  # seconds, the standard deviation
_BRIDGE = 0.25  # seconds for which the dancer may be lost
_BARELY, _CLEARLY = 0.25, 0.75  # a joint seen less surely does not count, one seen more surely counts fully
_FAINT = 1e-3  # what a direction out of view counts, so that there is something to compare where all are


@dataclass(frozen=True, eq=False)
class Bearings:
    """Some directions of each posture.

    Args:
        turns: (T, K, D) unit vectors; quaternions where they are rotations.
        weights: (T, K) how much each counts, more than 0.
        rotations: whether they are.
    """

    turns: Floats
    weights: Floats
    rotations: bool = False

    def apart(self, rows: Whole, other: Bearings, columns: Whole) -> tuple[Floats, Floats]:
        """Return angles (N, M) from some postures to some of another's, as weighted sums, and the sums of weights."""
        here, there = (turns.swapaxes(0, 1) for turns in (self.turns[rows], other.turns[columns]))
        cosines = here @ there.swapaxes(1, 2)
        # Eight digits are enough here, and all pairs of frames are many: an arc cosine is fast.
        angles = 2 * np.arccos(np.minimum(np.abs(cosines), 1)) if self.rotations else np.arccos(np.clip(cosines, -1, 1))
        weights = np.sqrt(self.weights[rows].T[:, :, None] * other.weights[columns].T[:, None])
        return np.einsum("knm,knm->nm", angles, weights), weights.sum(axis=0)


@dataclass(frozen=True, eq=False)
class Steady:
    """A dancer without gaps and jitter, at the times when the dancer is known.

    Args:
        times: (T,) seconds, rising.
        joints: (T, 6, 2, D) in space if the tracker knows them there, or else in the picture.
        seen: (T, 6, 2) how much each counts, from 0 to 1.
        across: (T,) where the hips are in the picture, in lengths of the torso; NaN where they are out of view.
    """

    times: Floats
    joints: Floats
    seen: Floats
    across: Floats


def steady(track: JointTrack) -> Steady:
    """Leave out when the dancer was not found, bridge short gaps, and smooth.

    Raises:
        InputError: no dancer was found at all.
    """
    body = [track.joints.index(name) for name in BODY]
    seen = np.clip((track.seen[:, body] - _BARELY) / (_CLEARLY - _BARELY), 0, 1)
    joints = track.places if track.world is None else track.world
    every = np.concatenate([joints[:, body], track.places[:, body], seen[..., None]], axis=2, dtype=np.float64)
    times, every = _bridged(np.asarray(track.times, np.float64), every)
    every = _smoothed(times, every).reshape(len(times), len(LIMBS), 2, -1)
    joints, places, seen = every[..., :-3], every[..., -3:-1], every[..., -1]
    hips = places[:, HIP].mean(axis=1)
    torso = np.median(np.linalg.norm(places[:, SHOULDER].mean(axis=1) - hips, axis=1))
    across = hips[:, 0] / max(torso, 1)  # a pixel, where all joints lie in one place
    return Steady(times, joints, seen, np.where(seen[:, HIP].min(axis=1) > 0, across, np.nan))


def mirror_image(joints: Floats) -> Floats:
    """Reflect joints (T, 6, 2, D) so that x changes its sign and left and right change places."""
    return joints[:, :, ::-1] * np.where(np.arange(joints.shape[-1]) == 0, -1, 1)


def bearings_in_space(joints: Floats, seen: Floats) -> tuple[Bearings, ...]:
    """Return how arms point as the chest sees it, legs as the hips do, and how chest and hips are turned.

    The frame of the hips has x to the dancer's left, y up the spine and z ahead; that of the chest is like it.
    """
    spine = joints[:, SHOULDER].mean(axis=1) - joints[:, HIP].mean(axis=1)
    hips, chest = (_frame(joints[:, pair, 0] - joints[:, pair, 1], spine) for pair in (HIP, SHOULDER))
    bones, weights = _limbs(joints, seen)
    own = np.stack([chest, chest, hips, hips], axis=1)[:, :, None]  # whose frame each bone is seen from
    limbs = (bones[..., None, :] @ own)[..., 0, :].reshape(len(joints), -1, 3)
    turned = quaternions_of_matrices(np.stack([hips.transpose(0, 2, 1) @ chest, hips], axis=1))
    trunk = np.maximum(_trunk(seen), _FAINT)
    return Bearings(limbs, weights), Bearings(turned, np.stack([trunk, trunk], axis=1), rotations=True)


def bearings_in_picture(joints: Floats, seen: Floats) -> tuple[Bearings, ...]:
    """Return how arms, legs, spine and shoulders point in the picture; what looks short counts less.

    A bone that points at the camera has no direction in the picture.
    """
    limbs = joints[:, _ENDS] - joints[:, _STARTS]
    spine = joints[:, SHOULDER].mean(axis=1) - joints[:, HIP].mean(axis=1)
    yoke = joints[:, SHOULDER, 0] - joints[:, SHOULDER, 1]
    lines = np.concatenate([limbs.reshape(len(joints), -1, 2), spine[:, None], yoke[:, None]], axis=1)
    lengths = np.linalg.norm(lines, axis=2)
    full = np.maximum(np.quantile(lengths, 0.9, axis=0), 1e-9)
    _, weights = _limbs(joints, seen)
    weights = np.concatenate([weights, _trunk(seen)[:, None], seen[:, SHOULDER].min(axis=1)[:, None]], axis=1)
    return (Bearings(_unit(lines), np.maximum(weights * np.minimum(lengths / full, 1), _FAINT)),)


def _limbs(joints: Floats, seen: Floats) -> tuple[Floats, Floats]:
    """Return unit vectors (T, 4, 2, D) along arms and legs, and how much each of the 8 counts (T, 8)."""
    weights = np.minimum(seen[:, _STARTS], seen[:, _ENDS]).reshape(len(seen), -1)
    return _unit(joints[:, _ENDS] - joints[:, _STARTS]), np.maximum(weights, _FAINT)


def _trunk(seen: Floats) -> Floats:
    return seen[:, [SHOULDER, HIP]].min(axis=(1, 2))


def _frame(across: Floats, up: Floats) -> Floats:
    """Return matrices (T, 3, 3) whose columns are x along `across`, y as near to `up` as can be, and z."""
    x = _unit(across)
    z = _unit(np.cross(x, up))
    return np.stack([x, np.cross(z, x), z], axis=-1)


def _unit(vectors: Floats) -> Floats:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)


def _bridged(times: Floats, values: Floats) -> tuple[Floats, Floats]:
    """Return times and values (T, J, D) without those that are not known; short gaps are filled by straight lines."""
    known = np.flatnonzero(np.isfinite(values).all(axis=(1, 2)))
    if not len(known):
        raise InputError("No dancer was found in the reference.", "Choose a video that shows one from head to foot.")
    number = np.arange(len(times))
    before = known[np.maximum(np.searchsorted(known, number, side="right") - 1, 0)]
    after = known[np.minimum(np.searchsorted(known, number), len(known) - 1)]
    wait = times[after] - times[before]
    kept = (before <= number) & (number <= after) & (wait <= _BRIDGE)
    share = ((times - times[before]) / np.where(wait > 0, wait, 1))[kept, None, None]
    return times[kept], values[before[kept]] * (1 - share) + values[after[kept]] * share


def _smoothed(times: Floats, values: Floats) -> Floats:
    """Return values (T, J, D) averaged over the times around, by a bell curve; times may be uneven."""
    sums, weights = values.copy(), np.ones((len(times), 1, 1))
    for step in range(1, len(times)):
        near = np.exp(-(((times[step:] - times[:-step]) / _SMOOTH) ** 2) / 2)[:, None, None]
        if near.max() < 1e-3:
            break
        sums[step:] += near * values[:-step]
        sums[:-step] += near * values[step:]
        weights[step:] += near
        weights[:-step] += near
    return sums / weights
