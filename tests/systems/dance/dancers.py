"""Dancers whose labels are known: a jointed body of 22 joints that is posed by angles, and the drawn dancer's joints.

A motion is a smooth way through three key poses. Each time it is danced it is a little different: another tempo, rushed
or delayed, every joint turned a little otherwise throughout, and jitter of the tracker on top.
"""

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from keyweave.maths.rotations import matrices_of
from keyweave.perceive.poses import BODY, JointTrack, RotationTrack
from keyweave.systems.dance.labels import Label, name_of
from keyweave.toyworld.dancer import BUILD, Dance
from keyweave.toyworld.poses import JOINTS, skeleton

RATE = 30.0
# The body: each joint's parent and where it is from there, in metres; x to the dancer's left, y up, z ahead.
PARENTS = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19)
_LEFT = {1: (0.09, -0.08, 0), 4: (0, -0.38, 0), 7: (0, -0.4, 0), 10: (0, -0.05, 0.1),
         13: (0.08, 0.12, 0), 16: (0.1, 0.02, 0), 18: (0.26, 0, 0), 20: (0.25, 0, 0)}  # fmt: skip
_MIDDLE = {0: (0, 0, 0), 3: (0, 0.12, 0), 6: (0, 0.13, 0), 9: (0, 0.05, 0), 12: (0, 0.2, 0), 15: (0, 0.09, 0)}
OTHERS = {1: 2, 4: 5, 7: 8, 10: 11, 13: 14, 16: 17, 18: 19, 20: 21}
OFFSETS = np.array(
    [
        _MIDDLE.get(j) or _LEFT.get(j) or np.array(_LEFT[next(k for k, v in OTHERS.items() if v == j)]) * (-1, 1, 1)
        for j in range(22)
    ]
)
SWAPPED = np.array([OTHERS.get(j) or next((k for k, v in OTHERS.items() if v == j), j) for j in range(22)])
_SEEN_AS = {"shoulder": 16, "elbow": 18, "wrist": 20, "hip": 1, "knee": 4, "ankle": 7}
_BODY = [_SEEN_AS[limb] + (side == "right") for side, limb in (name.split("_") for name in BODY)]
# How far each joint turns in a key pose, radians: hips and shoulders much, the spine little.
_REACH = np.zeros(22)
_REACH[[1, 2, 4, 5]], _REACH[[16, 17, 18, 19]], _REACH[[20, 21]], _REACH[[0, 3, 6, 9, 12, 15]] = 0.5, 0.9, 0.2, 0.15
HANGING = np.zeros((22, 3))
HANGING[16, 2], HANGING[17, 2] = -1.0, 1.0  # arms are stretched out at rest
APART = 0.14  # metres: key poses of motions that a person would call different
FAR = 0.6  # metres that a travelling motion goes


@dataclass(frozen=True)
class Noise:
    """How much a motion differs from itself.

    Args:
        style: by how much each joint is turned otherwise each time, as a share of how much it turns in a motion.
        jitter: radians, of each joint in each frame.
        landmarks: metres, of each landmark in each frame.
        tempo: the share by which segments are longer or shorter.
        timing: how much is rushed or delayed within a segment.
    """

    style: float = 0.15
    jitter: float = 0.03
    landmarks: float = 0.02
    tempo: float = 0.15
    timing: float = 0.25


CLEAN = Noise(0.0, 0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Danced:
    """A dance and what three trackers say of it."""

    labels: tuple[Label, ...]
    segments: tuple[tuple[float, float], ...]
    rotations: RotationTrack
    space: JointTrack

    @property
    def picture(self) -> JointTrack:
        return replace(self.space, world=None)


def mirror_pose(pose: np.ndarray) -> np.ndarray:
    """Axes times angles (..., 22, 3) of the mirror image."""
    return pose[..., SWAPPED, :] * (1, -1, -1)


def places_of(poses: np.ndarray) -> np.ndarray:
    """Joints (T, 22, 3) in space of rotations (T, 22, 3), from the pelvis."""
    turned, at = matrices_of(poses), np.zeros((len(poses), 22, 3))
    for joint, parent in enumerate(PARENTS):
        if parent >= 0:
            at[:, joint] = at[:, parent] + turned[:, parent] @ OFFSETS[joint]
            turned[:, joint] = turned[:, parent] @ turned[:, joint]
    return at


def invented_motions(chance: np.random.Generator, count: int) -> list[tuple[str, np.ndarray]]:
    """Kinds and key poses (3, 22, 3) of motions that differ to the eye from each other and from all mirror images."""
    found: list[tuple[str, np.ndarray]] = []
    taken: list[np.ndarray] = []
    while len(found) < count:
        kind = str(chance.choice(["lopsided", "lopsided", "symmetric", "travelling"]))
        keys = HANGING + chance.normal(size=(3, 22, 3)) * _REACH[:, None] / np.sqrt(2)
        if kind != "lopsided":
            keys = (keys + mirror_pose(keys)) / 2
        at, mirrored = places_of(keys), places_of(mirror_pose(keys))
        others = [*taken, mirrored] if kind == "lopsided" else taken
        if all(np.linalg.norm(at - other, axis=-1).mean() > APART for other in others):
            found.append((kind, keys))
            taken += [at, mirrored]
    return found


def way_through(keys: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """A smooth way (T, 22, 3) through three key poses."""
    s = shares[:, None, None]
    bend = 4 * s * (1 - s)
    return (1 - s) * keys[0] + s * keys[2] + bend * (keys[1] - (keys[0] + keys[2]) / 2)


def invented_dance(seed: int, noise: Noise) -> Danced:
    """A dance of 12 to 32 segments and 3 to 7 motions, some of which are danced mirrored."""
    chance = np.random.default_rng(seed)
    motions = invented_motions(chance, int(chance.integers(3, 8)))
    danced = [*range(len(motions)), *chance.integers(0, len(motions), chance.integers(9, 26)).tolist()]
    labels = [Label(name_of(n), bool(motions[n][0] != "symmetric" and chance.random() < 0.4)) for n in danced]
    start, segments, times, poses, moved = 0.5, [], [], [], []
    where = 0.0
    for number, label in zip(danced, labels, strict=True):
        kind, keys = motions[number]
        stop = start + 0.5 * (1 + noise.tempo * chance.uniform(-1, 1))
        at = np.arange(np.ceil(start * RATE), np.floor(stop * RATE) + 1) / RATE
        shares = np.clip((at - start) / (stop - start), 0, 1)
        shares = shares + noise.timing * chance.uniform(-1, 1) * shares * (1 - shares)
        here = way_through(keys + noise.style * chance.normal(size=(22, 3)) * _REACH[:, None], shares)
        gone = np.zeros(len(at)) if kind != "travelling" else FAR * shares * (-1) ** label.mirrored
        times.append(at)
        poses.append(mirror_pose(here) if label.mirrored else here)
        moved.append(where + gone)
        where = moved[-1][-1] if abs(where) < 1 else 0.0
        segments.append((start, stop))
        start = stop + 0.5
    between = np.arange(0, round(start * RATE)) / RATE
    every = np.concatenate(times)
    pose = np.concatenate(poses).reshape(len(every), -1)
    pose = np.stack([np.interp(between, every, column) for column in pose.T], axis=1).reshape(-1, 22, 3)
    across = np.interp(between, every, np.concatenate(moved))
    return tracked(tuple(labels), tuple(segments), (between, pose, across), noise, chance)


def tracked(
    labels: tuple[Label, ...],
    segments: tuple[tuple[float, float], ...],
    posed: tuple[np.ndarray, np.ndarray, np.ndarray],
    noise: Noise,
    chance: np.random.Generator,
) -> Danced:
    """What trackers say of poses at times."""
    times, pose, across = posed
    world = places_of(pose)[:, _BODY]
    hips = world[:, [BODY.index("left_hip"), BODY.index("right_hip")]].mean(axis=1, keepdims=True)
    world = world - hips + noise.landmarks * chance.normal(size=world.shape)
    places = np.stack([300 + 180 * (world[..., 0] + across[:, None]), 300 - 180 * world[..., 1]], axis=-1)
    rotations = pose + noise.jitter * chance.normal(size=pose.shape)
    moved = np.stack([across, np.zeros_like(across), np.zeros_like(across)], axis=1)
    space = JointTrack(times, BODY, places, np.ones(world.shape[:2]), (600, 600), world)
    return Danced(labels, segments, RotationTrack(times, rotations, moved), space)


def drawn_dance(scene: Dance, *, rate: float = 25.0, pixels: float = 0.0, height: int = 200, seed: int = 0) -> Danced:
    """The drawn dancer's joints; `pixels` of jitter on a dancer who is `height` pixels tall."""
    times = np.arange(round(float((len(scene.beats) + 1) * scene.beat) * rate)) / rate
    joints = np.array([skeleton(BUILD, pose).joints for pose in scene.poses(times)])
    # The drawn dancer's left is that of the picture; a tracker's is the dancer's own, who looks at us.
    names = [("right_" if name[:4] == "left" else "left_") + name.split("_")[1] for name in BODY]
    names = [name.replace("wrist", "hand").replace("ankle", "foot") for name in names]
    places = height * joints[:, [JOINTS.index(name) for name in names]] + (200, 250)
    places = places + pixels * np.random.default_rng(seed).normal(size=places.shape)
    track = JointTrack(times, BODY, places, np.ones(places.shape[:2]), (400, 300))
    beats = [float(at) for at in scene.beats]
    labels = tuple(Label(text[0], text.endswith("'")) for text in scene.labels)
    empty = RotationTrack(times, np.zeros((len(times), 22, 3)), np.zeros((len(times), 3)))
    return Danced(labels, tuple(zip(beats[::2], beats[1::2], strict=True)), empty, track)


def random_drawing(seed: int) -> Dance:
    """A drawn dance of 12 to 28 labels, of 3 to 6 motions, some mirrored."""
    chance = np.random.default_rng(seed)
    letters = chance.integers(3, 7)
    danced = [*range(letters), *chance.integers(0, letters, chance.integers(9, 23)).tolist()]
    labels = tuple(name_of(n) + "'" * int(chance.random() < 0.35) for n in danced)
    return Dance(labels, Fraction(int(chance.integers(80, 150))), seed)
