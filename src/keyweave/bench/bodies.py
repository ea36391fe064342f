"""A body of 22 joints that is posed by angles, as those of the SMPL family are, and dances what a seed says.

A motion is a smooth way through three key poses. What a tracker of rotations, one of joints in space and one of joints
in the picture say of it is known exactly, and noise comes on top.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from keyweave.bench.dancers import Danced, Noise, Tracks
from keyweave.maths.rotations import matrices_of, mirrored_turns
from keyweave.perceive.poses import BODY, JointTrack, RotationTrack
from keyweave.systems.dance.labels import Label, name_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating]

_RATE = 30.0
# The body: each joint's parent and where it is from there, in metres; x to the dancer's left, y up, z ahead.
PARENTS = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19)
_MIDDLE = {0: (0, 0, 0), 3: (0, 0.12, 0), 6: (0, 0.13, 0), 9: (0, 0.05, 0), 12: (0, 0.2, 0), 15: (0, 0.09, 0)}
_LEFT = {1: (0.09, -0.08, 0), 4: (0, -0.38, 0), 7: (0, -0.4, 0), 10: (0, -0.05, 0.1),
         13: (0.08, 0.12, 0), 16: (0.1, 0.02, 0), 18: (0.26, 0, 0), 20: (0.25, 0, 0)}  # fmt: skip
_RIGHT_OF = {1: 2, 4: 5, 7: 8, 10: 11, 13: 14, 16: 17, 18: 19, 20: 21}
_OFFSETS = np.zeros((22, 3))
SWAPPED = np.arange(22)  # which joint stands where in a mirror
for _joint, _place in _MIDDLE.items():
    _OFFSETS[_joint] = _place
for _joint, _other in _RIGHT_OF.items():
    _OFFSETS[_joint], _OFFSETS[_other] = _LEFT[_joint], np.array(_LEFT[_joint]) * (-1, 1, 1)
    SWAPPED[[_joint, _other]] = _other, _joint
_SEEN_AS = {"shoulder": 16, "elbow": 18, "wrist": 20, "hip": 1, "knee": 4, "ankle": 7}
_BODY = [_SEEN_AS[limb] + (side == "right") for side, limb in (name.split("_") for name in BODY)]
# How far each joint turns in a key pose, radians: hips and shoulders much, the spine little.
_REACH = np.zeros(22)
_REACH[[1, 2, 4, 5]], _REACH[[16, 17, 18, 19]], _REACH[[20, 21]], _REACH[[0, 3, 6, 9, 12, 15]] = 0.5, 0.9, 0.2, 0.15
_HANGING = np.zeros((22, 3))
_HANGING[16, 2], _HANGING[17, 2] = -1.0, 1.0  # arms are stretched out at rest
_APART = 0.14  # metres: key poses of motions that a person would call different
_FAR = 0.6  # metres that a travelling motion goes
_HALF_TIME = 0.5  # seconds of a motion, and of the change to the next one


def body_dance(seed: int, noise: Noise) -> Danced:
    """Let the body dance 12 to 32 segments of 3 to 7 motions, some of them mirrored; in all three representations."""
    chance = np.random.default_rng(seed)
    motions = _invented_motions(chance, int(chance.integers(3, 8)))
    danced = [*range(len(motions)), *chance.integers(0, len(motions), chance.integers(9, 26)).tolist()]
    labels = [Label(name_of(n), bool(motions[n][0] != "symmetric" and chance.random() < 0.4)) for n in danced]
    start, where = _HALF_TIME, 0.0
    segments, times, poses, moved = [], [], [], []
    for number, label in zip(danced, labels, strict=True):
        kind, keys = motions[number]
        stop = start + _HALF_TIME * (1 + noise.tempo * chance.uniform(-1, 1))
        at = np.arange(np.ceil(start * _RATE), np.floor(stop * _RATE) + 1) / _RATE
        shares = np.clip((at - start) / (stop - start), 0, 1)
        shares = shares + noise.timing * chance.uniform(-1, 1) * shares * (1 - shares)
        here = _way_through(keys + noise.style * chance.normal(size=(22, 3)) * _REACH[:, None], shares)
        gone = _FAR * shares * (-1) ** label.mirrored if kind == "travelling" else np.zeros(len(at))
        times.append(at)
        poses.append(mirror_pose(here) if label.mirrored else here)
        moved.append(where + gone)
        where = moved[-1][-1] if abs(where) < 1 else 0.0
        segments.append((start, stop))
        start = stop + _HALF_TIME
    between = np.arange(0, round(start * _RATE)) / _RATE
    every = np.concatenate(times)
    pose = np.concatenate(poses).reshape(len(every), -1)
    pose = np.stack([np.interp(between, every, column) for column in pose.T], axis=1).reshape(-1, 22, 3)
    across = np.interp(between, every, np.concatenate(moved))
    return Danced(tuple(labels), tuple(segments), tracked((between, pose, across), noise, chance))


def mirror_pose(pose: Floats) -> Floats:
    """Return axes times angles (..., 22, 3) of the mirror image."""
    return mirrored_turns(pose[..., SWAPPED, :])


def places_of(poses: Floats) -> Floats:
    """Return joints (T, 22, 3) in space of rotations (T, 22, 3), from the pelvis."""
    turned, at = matrices_of(poses), np.zeros((len(poses), 22, 3))
    for joint, parent in enumerate(PARENTS):
        if parent >= 0:
            at[:, joint] = at[:, parent] + turned[:, parent] @ _OFFSETS[joint]
            turned[:, joint] = turned[:, parent] @ turned[:, joint]
    return at


def _invented_motions(chance: np.random.Generator, count: int) -> list[tuple[str, Floats]]:
    """Invent kinds and key poses (3, 22, 3) of motions that differ to the eye, from mirror images too."""
    found: list[tuple[str, Floats]] = []
    taken: list[Floats] = []
    while len(found) < count:
        kind = str(chance.choice(["lopsided", "lopsided", "symmetric", "travelling"]))
        keys = _HANGING + chance.normal(size=(3, 22, 3)) * _REACH[:, None] / np.sqrt(2)
        if kind != "lopsided":
            keys = (keys + mirror_pose(keys)) / 2
        at, mirrored = places_of(keys), places_of(mirror_pose(keys))
        others = [*taken, mirrored] if kind == "lopsided" else taken
        if all(np.linalg.norm(at - other, axis=-1).mean() > _APART for other in others):
            found.append((kind, keys))
            taken += [at, mirrored]
    return found


def _way_through(keys: Floats, shares: Floats) -> Floats:
    """Return a smooth way (T, 22, 3) through three key poses."""
    s = shares[:, None, None]
    bend = 4 * s * (1 - s)
    return (1 - s) * keys[0] + s * keys[2] + bend * (keys[1] - (keys[0] + keys[2]) / 2)


def tracked(
    posed: tuple[Floats, Floats, Floats],  # times (T,), rotations (T, 22, 3), metres across (T,)
    noise: Noise,
    chance: np.random.Generator,
) -> Tracks:
    """Say what trackers say of poses at times."""
    times, pose, across = posed
    world = places_of(pose)[:, _BODY]
    hips = world[:, [BODY.index("left_hip"), BODY.index("right_hip")]].mean(axis=1, keepdims=True)
    world = world - hips + noise.landmarks * chance.normal(size=world.shape)
    places = np.stack([300 + 180 * (world[..., 0] + across[:, None]), 300 - 180 * world[..., 1]], axis=-1)
    rotations = pose + noise.jitter * chance.normal(size=pose.shape)
    moved = np.stack([across, np.zeros_like(across), np.zeros_like(across)], axis=1)
    space = JointTrack(times, BODY, places, np.ones(world.shape[:2]), (600, 600), world)
    return Tracks(space, RotationTrack(times, rotations, moved))
