"""Dancers whose labels are known, as trackers would tell of them: how a benchmark of labelling is judged.

Each time a motion is danced it is a little different: another tempo, rushed or delayed, every joint turned a little
otherwise throughout, and jitter of the tracker on top. This room holds the drawn dancer; `bodies` has another.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from keyweave.perceive.poses import BODY, JointTrack
from keyweave.systems.dance.labels import Label, name_of
from keyweave.toyworld.dancer import BUILD, Dance
from keyweave.toyworld.poses import JOINTS, skeleton

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from keyweave.perceive.poses import RotationTrack

    Floats = NDArray[np.floating]
    Spans = tuple[tuple[float, float], ...]

_METRES = 1.7  # how tall a dancer is taken to be
_RATE = 25.0
_SLOWEST, _FASTEST = 80, 150  # beats per minute
# The drawn dancer's left is that of the picture; a tracker's is the dancer's own, who looks at us.
_SIDES, _ENDS = {"left": "right", "right": "left"}, {"wrist": "hand", "ankle": "foot"}
_SEEN_AS = [JOINTS.index(f"{_SIDES[side]}_{_ENDS.get(limb, limb)}") for side, limb in (n.split("_") for n in BODY)]


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

    def times(self, factor: float) -> Noise:
        """Return so many times as much of each."""
        return Noise(*(factor * getattr(self, one.name) for one in fields(self)))


CLEAN = Noise(0.0, 0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True, eq=False)
class Tracks:
    """What trackers say of a dance.

    Args:
        joints: where they are, in the picture and perhaps in space.
        turns: how they are turned, where that is known.
    """

    joints: JointTrack | None = None
    turns: RotationTrack | None = None

    @property
    def rotations(self) -> RotationTrack:
        """How joints are turned."""
        assert self.turns is not None
        return self.turns

    @property
    def space(self) -> JointTrack:
        """Where joints are in space."""
        assert self.joints is not None
        assert self.joints.world is not None
        return self.joints

    @property
    def picture(self) -> JointTrack:
        """Where joints are in the picture, and nothing else."""
        assert self.joints is not None
        return replace(self.joints, world=None)

    @property
    def known(self) -> tuple[str, ...]:
        """What there is of the three."""
        joints = () if self.joints is None else ("picture",) if self.joints.world is None else ("space", "picture")
        return (*(() if self.turns is None else ("rotations",)), *joints)

    def by(self, representation: str) -> JointTrack | RotationTrack:
        """Return one of those that are known."""
        return getattr(self, representation)


@dataclass(frozen=True, eq=False)
class Danced:
    """A dance whose labels are known.

    Args:
        labels: what is danced.
        segments: when, in seconds.
        tracks: what trackers say of it.
    """

    labels: tuple[Label, ...]
    segments: Spans
    tracks: Tracks


def drawn_dance(
    seed: int,
    noise: Noise,
    *,
    height: int = 200,  # pixels that the dancer is tall
) -> Danced:
    """Let the drawn dancer dance 12 to 28 segments of 3 to 6 motions, some of them mirrored; seen in the picture."""
    scene, chance = _scene(seed), np.random.default_rng(seed)
    count, beat = len(scene.beats), float(scene.beat)
    lengths = beat * (1 + noise.tempo * chance.uniform(-1, 1, count + 1))
    at = np.concatenate([[0.0], np.cumsum(lengths)])  # of the beats, with a beat of rest at either end
    times = np.arange(round(float(at[-1]) * _RATE)) / _RATE
    number = np.clip(np.searchsorted(at, times, side="right") - 1, 0, count)
    shares = (times - at[number]) / lengths[number]
    shares = shares + noise.timing * chance.uniform(-1, 1, count + 1)[number] * shares * (1 - shares)
    poses = scene.poses((number + shares) * beat)
    styles = noise.style * scene.steps.std(axis=0) * chance.normal(size=(count // 2, poses.shape[1]))
    poses += np.stack([np.interp(times, at[1:-1], each) for each in styles.repeat(2, axis=0).T], axis=1)
    joints = np.array([skeleton(BUILD, pose).joints for pose in poses])
    places = height * joints[:, _SEEN_AS] + (height, 1.25 * height)
    places += noise.landmarks * height / _METRES * chance.normal(size=places.shape)
    track = JointTrack(times, BODY, places, np.ones(places.shape[:2]), (2 * height, 3 * height // 2))
    labels = tuple(Label(text[0], text.endswith("'")) for text in scene.labels)
    due = at[1:-1].tolist()
    return Danced(labels, tuple(zip(due[::2], due[1::2], strict=True)), Tracks(track))


def _scene(seed: int) -> Dance:
    chance = np.random.default_rng(seed)
    letters = chance.integers(3, 7)
    danced = [*range(letters), *chance.integers(0, letters, chance.integers(9, 23)).tolist()]
    labels = tuple(name_of(n) + "'" * int(chance.random() < 0.35) for n in danced)
    return Dance(labels, Fraction(int(chance.integers(_SLOWEST, _FASTEST))), seed)
