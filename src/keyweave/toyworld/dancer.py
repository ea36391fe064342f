"""A stick dancer who dances what a string of labels says, to a song: a key pose exactly on each beat.

As in the chapter on dance of Generative Keyframing, a label takes two beats, a strong one that begins its motion and a
weak one that ends it; a prime (A') is the same motion mirrored. Before the first beat and after the last one there is
one beat of rest.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, partial
from typing import TYPE_CHECKING

import numpy as np

from keyweave.base.errors import InputError
from keyweave.base.seeds import derive
from keyweave.media.sound.track import sample_at
from keyweave.toyworld.ink import Color, Part, chained, ellipse, placed, shape
from keyweave.toyworld.poses import ANGLES, JOINTS, REST, Build, Skeleton, mirrored, repertoire, skeleton
from keyweave.toyworld.puppets import Look, Piece, Puppet, capsule, check_size, look_of, perform, standing
from keyweave.toyworld.rooms import stage
from keyweave.toyworld.shots import FINER, Shot
from keyweave.toyworld.songs import SOUND_RATE, song

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from keyweave.media.types import Audio

    Floats = NDArray[np.floating]

BEATS_A_LABEL = 2
SLOWEST, FASTEST, MOST_LABELS = 40, 240, 64
RATE = Fraction(25)
_LABEL = re.compile(r"[A-Z]'?")
_DIP = 0.3  # how far the knees give between beats, in radians
_LATE = 1.5  # from 1 for a motion that is fastest halfway, to more for one that is fastest shortly before the beat
BUILD = Build(shin=0.2, thigh=0.2, trunk=0.29, neck=0.16, shoulders=0.1, hips=0.06, upper_arm=0.17, forearm=0.17)
_SHORTS = shape((-0.064, 0.035), (0.064, 0.035), (0.088, -0.03), (0.07, -0.06), (-0.07, -0.06), (-0.088, -0.03))
_INK, _SHOE, _GLOVE = (44, 40, 62), (250, 250, 250), (255, 232, 64)


@dataclass(frozen=True)
class Dance:
    """A dance to a song.

    Args:
        labels: such as A, B, A'.
        tempo: beats per minute.
        seed: decides poses and melodies.
    """

    labels: tuple[str, ...]
    tempo: Fraction
    seed: int = 0

    @property
    def name(self) -> str:
        """What it is, for sheets."""
        return "dancer"

    @property
    def caption(self) -> str:
        """One sentence that says what happens."""
        return f"a dancer dances {'-'.join(self.labels)} at {float(self.tempo):g} beats per minute"

    @property
    def beat(self) -> Fraction:
        """Seconds from one beat to the next."""
        return 60 / self.tempo

    @property
    def beats(self) -> tuple[Fraction, ...]:
        """When the beats are, in seconds; the first one is a beat after the start."""
        return tuple((number + 1) * self.beat for number in range(BEATS_A_LABEL * len(self.labels)))

    @property
    def labels_at_beats(self) -> tuple[str, ...]:
        """The label of each beat."""
        return tuple(label for label in self.labels for _ in range(BEATS_A_LABEL))

    @property
    def frames(self) -> int:
        """How many frames it takes, with a beat of rest at either end."""
        return round((len(self.beats) + 1) * self.beat * RATE)

    @cached_property
    def steps(self) -> Floats:
        """The key pose (N, 11) of each beat."""
        letters = sorted({label[0] for label in self.labels})
        poses = repertoire(derive(self.seed, "steps"), BEATS_A_LABEL * (ord(letters[-1]) - ord("A") + 1))
        pairs = poses.reshape(-1, BEATS_A_LABEL, poses.shape[1])
        danced = [pairs[ord(label[0]) - ord("A")] for label in self.labels]
        turned = [mirrored(pair) if "'" in label else pair for pair, label in zip(danced, self.labels, strict=True)]
        return np.concatenate(turned)

    def poses(self, times: Floats) -> Floats:
        """Return the pose (T, 11) at times (T,) in seconds: the key poses on the beats; between them the knees give."""
        keys = np.vstack([REST, self.steps, REST])
        beats = np.clip(np.asarray(times, np.float64) / float(self.beat), 0, len(keys) - 1)
        number = np.minimum(beats.astype(int), len(keys) - 2)
        passed = (beats - number)[:, None]
        eased = passed**_LATE
        eased = eased**2 * (3 - 2 * eased)
        poses = keys[number] * (1 - eased) + keys[number + 1] * eased
        give = _DIP * np.sin(np.pi * passed[:, 0]) ** 2
        for side in ("left", "right"):
            poses[:, ANGLES.index(f"{side}_hip")] += give
            poses[:, ANGLES.index(f"{side}_knee")] += 2 * give
        return poses

    def song(self) -> Audio:
        """Play the song, exactly as long as the frames."""
        return song(self.labels_at_beats, self.beats, sample_at(self.frames / RATE, SOUND_RATE), self.seed)

    def facts(self) -> dict[str, object]:
        """Return what it is, as plain values; times are exact fractions of a second."""
        return {
            "caption": self.caption,
            "labels": list(self.labels),
            "tempo": str(self.tempo),
            "beats": [
                {"at": str(at), "label": label} for at, label in zip(self.beats, self.labels_at_beats, strict=True)
            ],
        }


def dance(labels: str, *, tempo: Fraction | float = 120, seed: int = 0) -> Dance:
    """Make a dance.

    Args:
        labels: letters A to Z, each with or without a prime, such as ABAC or A-A'-B-C.
        tempo: beats per minute, from 40 to 240.
        seed: decides poses and melodies.

    Raises:
        InputError: the labels cannot be read, there are none or too many, or the tempo is out of range.
    """
    found = tuple(_LABEL.findall(labels))
    if not found or "".join(found) != labels.replace("-", "").replace(" ", ""):
        raise InputError(
            f"{labels!r} is no string of labels.", "Write letters from A to Z, with ' where it is mirrored: A-A'-B-C."
        )
    if len(found) > MOST_LABELS:
        raise InputError(f"A dance has 1 to {MOST_LABELS} labels; got {len(found)}.")
    if not SLOWEST <= tempo <= FASTEST:
        raise InputError(f"The tempo of a dance is {SLOWEST} to {FASTEST} beats per minute; got {float(tempo):g}.")
    return Dance(found, Fraction(tempo).limit_denominator(1000), seed)


def invented_dance(seed: int) -> Dance:
    """Invent a dance of eight labels, some of which come back or are mirrored."""
    chance = np.random.default_rng(derive(seed, "dance"))
    patterns = ("ABABCDCD", "AA'BB'AA'CC'", "ABACABAD", "AABBCCAA", "AA'AA'BCBC", "ABA'B'CDC'D'")
    return dance(str(chance.choice(patterns)), tempo=int(chance.integers(90, 141)), seed=derive(seed, "steps", bits=31))


def shoot_dance(scene: Dance, *, width: int = 64, height: int = 64, truth: bool = False) -> Shot[Dance]:
    """Draw a dance, with its song."""
    check_size(width, height)
    ground = stage(FINER * width, FINER * height, np.random.default_rng(derive(scene.seed, "stage")))
    view = standing(width, height, tall=0.8, floor=0.91)
    frames, known = perform(
        dancer(look_of(scene.seed)), scene.poses(np.arange(scene.frames) / float(RATE)), ground, view, truth=truth
    )
    return Shot(scene, frames, known, RATE, scene.song())


def dancer(look: Look) -> Puppet:
    """Return a dancer, with a glove on the left hand and socks of two colours."""
    return Puppet(ANGLES, JOINTS, partial(_drawn, look))


def _drawn(look: Look, pose: Floats) -> tuple[list[Piece], Floats]:
    bones = skeleton(BUILD, pose)
    trunk = bones.along("pelvis", "neck")
    across = bones.at["right_shoulder"] - bones.at["left_shoulder"]
    yoke = placed(*bones.at["left_shoulder"], turn=np.arctan2(-across[0], across[1]))
    shoulders, hips = ("neck", "left_shoulder", "right_shoulder"), ("pelvis", "left_hip", "right_hip")
    torso = shape((-0.06, 0), (0.06, 0), (0.09, BUILD.trunk), (-0.09, BUILD.trunk))
    pieces = [
        *_leg("left", bones, look),
        *_leg("right", bones, look),
        Piece(Part(capsule(BUILD.trunk, 0.1, 0.12), look.shirt, trunk), ("pelvis", *shoulders)),
        Piece(Part(torso, look.shirt, trunk), ("pelvis", *shoulders)),
        Piece(Part(_SHORTS, _INK, trunk), hips),
        Piece(Part(capsule(2 * BUILD.shoulders, 0.075, 0.075), look.shirt, yoke), shoulders),
        *_arm("left", bones, look),
        *_arm("right", bones, look),
        *_head(placed(*bones.at["head"], turn=bones.turns["head"] - np.pi), look),
    ]
    return pieces, bones.joints


def _limb(bones: Skeleton, bone: tuple[str, str], length: float, color: Color) -> Piece:
    return Piece(Part(capsule(length, 0.052, 0.046), color, bones.along(*bone)), bone)


def _arm(side: str, bones: Skeleton, look: Look) -> list[Piece]:
    shoulder, elbow, hand = (f"{side}_{joint}" for joint in ("shoulder", "elbow", "hand"))
    glove = _GLOVE if side == "left" else look.skin
    cuff = chained(bones.end(hand), placed(0, -0.05))
    return [
        _limb(bones, (shoulder, elbow), BUILD.upper_arm, look.skin),
        Piece(Part(capsule(0.07, 0.07, 0.066), look.shirt, bones.along(shoulder, elbow)), (shoulder,)),
        _limb(bones, (elbow, hand), BUILD.forearm, look.skin),
        Piece(Part(capsule(0.05, 0.06, 0.06), glove, cuff), (hand,)),
        Piece(Part(ellipse(0, 0, 0.042, 0.042), glove, bones.end(hand)), (hand,)),
    ]


def _leg(side: str, bones: Skeleton, look: Look) -> list[Piece]:
    hip, knee, foot = (f"{side}_{joint}" for joint in ("hip", "knee", "foot"))
    sock = chained(bones.along(knee, foot), placed(0, 0.09))
    sole = chained(bones.end(foot), placed(-0.02 if side == "left" else 0.02, 0.005))
    return [
        _limb(bones, (hip, knee), BUILD.thigh, _INK),
        _limb(bones, (knee, foot), BUILD.shin, _INK),
        Piece(Part(capsule(0.08, 0.075, 0.085), look.extra if side == "left" else look.shirt, sock), (foot,)),
        Piece(Part(ellipse(0, 0, 0.065, 0.036), _SHOE, sole), (foot,)),
    ]


def _head(head: Floats, look: Look) -> list[Piece]:
    """A face, a headband whose ends fly to the right, and hair that falls to the left."""
    on = ("head",)
    hair = shape(
        (-0.12, 0.03), (-0.125, -0.06), (-0.07, -0.14), (0.02, -0.155), (0.1, -0.12), (0.125, -0.04), (0.12, 0.02)
    )
    fringe = shape((-0.11, -0.05), (-0.07, -0.125), (0.02, -0.14), (0.1, -0.1), (0.112, -0.05), (0.04, -0.075))
    ends = shape((0.1, -0.06), (0.22, -0.1), (0.2, -0.055), (0.235, -0.015), (0.1, -0.03))
    shapes = (
        (ends, look.extra, ()),
        (ellipse(-0.13, 0.03, 0.035, 0.06, corners=14), look.hair, ()),
        (hair, look.hair, on),
        (ellipse(0, 0, 0.11, 0.115, corners=28), look.skin, on),
        (fringe, look.hair, on),
        (
            shape((-0.112, -0.05), (0, -0.075), (0.112, -0.05), (0.114, -0.02), (0, -0.045), (-0.114, -0.02)),
            look.extra,
            on,
        ),
        *((ellipse(x, 0.005, 0.017, 0.024, corners=12), _INK, on) for x in (-0.042, 0.042)),
        *((ellipse(x, 0.042, 0.02, 0.012, corners=10), look.blush, on) for x in (-0.072, 0.072)),
        (
            shape((-0.045, 0.042), (0, 0.05), (0.045, 0.042), (0.026, 0.074), (0, 0.082), (-0.026, 0.074)),
            (150, 40, 54),
            on,
        ),
        (shape((-0.036, 0.044), (0, 0.05), (0.036, 0.044), (0, 0.062)), (255, 255, 255), on),
    )
    return [Piece(Part(outline, color, head), shows) for outline, color, shows in shapes]
