"""Poses: a few angles that say how somebody stands, and where that puts their joints.

Left and right are those of the picture. Lengths are shares of how tall a puppet is when it stands; y is downwards, and
the ground is at 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from keyweave.base.seeds import derive
from keyweave.toyworld.ink import placed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating]

ANGLES = (
    "shift",  # how far the hips are to the right; the only one that is a length
    "lean",  # of the trunk, to the right
    "tilt",  # of the head against the trunk, to the right
    "left_shoulder",  # 0 hangs down along the trunk, pi points up; outwards is positive on both sides
    "left_elbow",  # how much further the forearm turns, the same way
    "right_shoulder",
    "right_elbow",
    "left_hip",  # 0 is straight down, outwards is positive on both sides
    "left_knee",  # how far the shin turns back inwards
    "right_hip",
    "right_knee",
)
JOINTS = (
    "pelvis", "neck", "head",
    "left_shoulder", "left_elbow", "left_hand", "right_shoulder", "right_elbow", "right_hand",
    "left_hip", "left_knee", "left_foot", "right_hip", "right_knee", "right_foot",
)  # fmt: skip


_OTHER_ANGLES = (0, 1, 2, 5, 6, 3, 4, 9, 10, 7, 8)
_OTHER_JOINTS = (0, 1, 2, 6, 7, 8, 3, 4, 5, 12, 13, 14, 9, 10, 11)
_APART = 0.08  # how far apart joints of poses that differ to the eye are, on average
_FLIPPED = np.array([-1, -1, -1, 1, 1, 1, 1, 1, 1, 1, 1])

REST = np.array([0, 0, 0, 0.28, 0.12, 0.28, 0.12, 0.1, 0.0, 0.1, 0.0])

# Shoulder and elbow of one arm.
_ARMS = {
    "hanging": (0.3, 0.1),
    "raised": (2.55, 0.15),
    "out": (1.6, 0.05),
    "flexed": (1.45, 1.5),
    "on the hip": (0.85, -1.75),
    "dangling": (1.5, -1.45),
    "waving": (1.75, 0.75),
    "pointing up": (2.15, 0.0),
    "pointing down": (0.8, 0.0),
}
# Hip and knee of the left leg, then of the right.
_LEGS = {
    "together": (0.08, 0.0, 0.08, 0.0),
    "apart": (0.42, 0.0, 0.42, 0.0),
    "squatting": (0.85, 0.95, 0.85, 0.95),
    "stepping": (0.6, 0.0, 0.02, 0.0),
    "kicking": (1.15, 0.1, 0.02, 0.0),
    "on one leg": (1.0, 1.5, 0.0, 0.0),
    "lunging": (0.9, 0.95, 0.5, 0.0),
}


@dataclass(frozen=True)
class Build:
    """How long somebody's bones are; the shoulders and the hips are this far from the middle."""

    shin: float
    thigh: float
    trunk: float
    neck: float  # from the neck to the middle of the head
    shoulders: float
    hips: float
    upper_arm: float
    forearm: float


def mirrored(poses: Floats) -> Floats:
    """Return poses (..., 11) as a mirror shows them."""
    return poses[..., _OTHER_ANGLES] * _FLIPPED


def mirrored_joints(joints: Floats, width: float) -> Floats:
    """Return the joints (..., 15, 2) of the mirrored pose in a picture of some width."""
    flipped = joints[..., _OTHER_JOINTS, :].copy()
    flipped[..., 0] = width - flipped[..., 0]
    return flipped


def between(first: Floats, last: Floats, shares: Floats) -> Floats:
    """Return poses (T, 11) on the way from one to another, at shares (T,) of it."""
    shares = np.asarray(shares)[:, None]
    return (1 - shares) * first + shares * last


def invented(seed: int) -> Floats:
    """Invent a pose (11,) that a dancer might strike: one of some gestures for each arm and for the legs."""
    chance = np.random.default_rng(seed)
    names = list(_ARMS)
    left, right = chance.choice(len(names), 2, replace=False)
    legs = np.array(_LEGS[list(_LEGS)[chance.integers(len(_LEGS))]])
    if chance.random() < 0.5:
        legs = legs[[2, 3, 0, 1]]
    body = chance.uniform(-1, 1, 3) * (0.14, 0.2, 0.3)
    arms = np.array([*_ARMS[names[left]], *_ARMS[names[right]]]) + chance.uniform(-0.12, 0.12, 4)
    return np.concatenate([body, arms, legs])


def repertoire(seed: int, count: int) -> Floats:
    """Invent poses (N, 11) that differ to the eye from one another, and from the mirror images of all."""
    found: list[Floats] = []
    taken: list[Floats] = []  # the joints of poses, and of mirrored ones
    number, apart = 0, _APART
    while len(found) < count:
        pose = invented(derive(seed, "pose", number))
        joints = skeleton(_SOMEBODY, pose).joints
        mirror = mirrored_joints(joints, 0.0)
        if np.linalg.norm(np.array([mirror, *taken]) - joints, axis=2).mean(axis=1).min() > apart:
            found.append(pose)
            taken += [joints, mirror]
        number += 1
        apart *= 0.999  # many poses must stand closer
    return np.array(found)


@dataclass(frozen=True, eq=False)
class Skeleton:
    """Where the joints of a pose are, and how far the bone that ends in each is turned.

    A turn of 0 points down, and turns go clockwise on screen, as those of `ink.placed`.
    """

    at: dict[str, Floats]
    turns: dict[str, float]

    @property
    def joints(self) -> Floats:
        """The joints (15, 2), in the order of `JOINTS`."""
        return np.array([self.at[name] for name in JOINTS])

    def along(self, start: str, stop: str) -> Floats:
        """Return the place (2, 3) of what hangs from one joint towards the next."""
        return placed(*self.at[start], turn=self.turns[stop])

    def end(self, joint: str) -> Floats:
        """Return the place (2, 3) of what sits at the end of a bone, and turns with it."""
        return placed(*self.at[joint], turn=self.turns[joint])


def skeleton(build: Build, pose: Floats) -> Skeleton:
    """Return the bones of a pose (11,), with the lower foot on the ground."""
    angle: dict[str, float] = dict(zip(ANGLES, pose.tolist(), strict=True))
    at: dict[str, Floats] = {"pelvis": np.zeros(2)}
    turns: dict[str, float] = {}

    def grow(start: str, stop: str, length: float, turn: float) -> None:
        at[stop] = at[start] + length * np.array([-np.sin(turn), np.cos(turn)])
        turns[stop] = turn

    lean = angle["lean"]
    grow("pelvis", "neck", build.trunk, lean + np.pi)
    grow("neck", "head", build.neck, lean + angle["tilt"] + np.pi)
    for side, outwards in (("left", 1), ("right", -1)):
        sideways = -outwards * np.array([np.cos(lean), np.sin(lean)])
        at[f"{side}_shoulder"] = at["neck"] + build.shoulders * sideways
        turn = lean + outwards * angle[f"{side}_shoulder"]
        grow(f"{side}_shoulder", f"{side}_elbow", build.upper_arm, turn)
        grow(f"{side}_elbow", f"{side}_hand", build.forearm, turn + outwards * angle[f"{side}_elbow"])
        at[f"{side}_hip"] = at["pelvis"] + build.hips * sideways
        turn = outwards * angle[f"{side}_hip"]
        grow(f"{side}_hip", f"{side}_knee", build.thigh, turn)
        grow(f"{side}_knee", f"{side}_foot", build.shin, turn - outwards * angle[f"{side}_knee"])
    stands = np.array([angle["shift"], -max(at["left_foot"][1], at["right_foot"][1])])
    return Skeleton({name: point + stands for name, point in at.items()}, turns)


_SOMEBODY = Build(shin=0.2, thigh=0.2, trunk=0.3, neck=0.17, shoulders=0.1, hips=0.07, upper_arm=0.18, forearm=0.18)
