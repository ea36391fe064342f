"""A creature that strikes poses in one place: the keyframes of a dance, in no order.

Its left arm is striped, one eye has a patch, one ear droops and its tail is to the right, so that a picture of a
mirrored pose is not a mirrored picture.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from keyweave.base.errors import InputError
from keyweave.base.seeds import derive
from keyweave.toyworld.ink import Color, Part, chained, ellipse, placed, shaded, shape
from keyweave.toyworld.poses import ANGLES, JOINTS, Build, Skeleton, between, mirrored, repertoire, skeleton
from keyweave.toyworld.puppets import Piece, Puppet, capsule, check_size, perform, standing
from keyweave.toyworld.scenery import LIGHTS, backdrop
from keyweave.toyworld.shots import FINER, Shot

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating]

BUILD = Build(shin=0.11, thigh=0.12, trunk=0.27, neck=0.17, shoulders=0.13, hips=0.085, upper_arm=0.15, forearm=0.14)
FURS: dict[str, tuple[Color, Color]] = {  # the fur, and its stripes
    "orange": ((240, 138, 52), (120, 54, 30)),
    "violet": ((152, 104, 206), (74, 42, 116)),
    "teal": ((44, 168, 162), (14, 84, 92)),
    "pink": ((240, 128, 168), (148, 50, 98)),
    "yellow": ((244, 200, 70), (150, 92, 26)),
}
_CREAM, _DARK, _NOSE, _BLUSH = (252, 238, 214), (40, 32, 44), (84, 48, 56), (244, 138, 126)
_LINE = 0.011  # how far the outline stands out


@dataclass(frozen=True, eq=False)
class Posing:
    """A creature and the poses it strikes.

    Args:
        poses: (T, 11) one for each frame.
        fur: a name of `FURS`.
        light: a name of `LIGHTS`.
        seed: decides the backdrop.
        marked: whether it has what tells left from right.
    """

    poses: Floats
    fur: str = "orange"
    light: str = "noon"
    seed: int = 0
    marked: bool = True

    @property
    def name(self) -> str:
        """What it is, for sheets."""
        return "creature"

    @property
    def caption(self) -> str:
        """One sentence that says what happens."""
        return f"{'an' if self.fur[0] in 'aeiou' else 'a'} {self.fur} creature strikes {len(self.poses)} poses"

    def facts(self) -> dict[str, object]:
        """Return what it is, as plain values."""
        return {"caption": self.caption, "fur": self.fur, "light": self.light}

    def mirrored(self) -> Posing:
        """Return the mirrored poses, by the same creature in the same place."""
        return replace(self, poses=mirrored(self.poses))

    def moving(self, first: int, last: int, frames: int) -> Posing:
        """Return the way from one of its poses to another."""
        return replace(self, poses=between(self.poses[first], self.poses[last], np.linspace(0, 1, frames)))


def posing(seed: int, count: int) -> Posing:
    """Invent a creature, its place, and poses that all differ to the eye, from their mirrored ones too."""
    if not 1 <= count <= 48:
        raise InputError(f"A creature strikes 1 to 48 poses; got {count}.")
    chance = np.random.default_rng(derive(seed, "creature"))
    fur, light = str(chance.choice(list(FURS))), str(chance.choice(["morning", "noon", "overcast"]))
    return Posing(repertoire(derive(seed, "poses"), count), fur, light, derive(seed, "place", bits=31))


def shoot_creature(scene: Posing, *, width: int = 64, height: int = 64, truth: bool = False) -> Shot[Posing]:
    """Draw a creature in each of its poses."""
    check_size(width, height)
    light = LIGHTS[scene.light]
    ground = backdrop("meadow", light, np.random.default_rng(scene.seed), FINER * width, FINER * height)
    puppet = creature(scene.fur, marked=scene.marked)
    view = standing(width, height, tall=0.78, floor=0.93)
    frames, known = perform(puppet, scene.poses, ground, view, truth=truth)
    return Shot(scene, frames, known)


def creature(fur: str = "orange", *, marked: bool = True) -> Puppet:
    """Return the creature; without its marks, its left is as its right."""
    return Puppet(ANGLES, JOINTS, partial(_drawn, FURS[fur], marked))


def _drawn(furs: tuple[Color, Color], marked: bool, pose: Floats) -> tuple[list[Piece], Floats]:
    bones = skeleton(BUILD, pose)
    fur, stripe = furs
    trunk = placed(*bones.at["pelvis"], turn=bones.turns["neck"] - np.pi)
    head = placed(*bones.at["head"], turn=bones.turns["head"] - np.pi)
    pieces = [
        *(_tail(fur, stripe, trunk) if marked else []),
        *_leg("left", bones, fur),
        *_leg("right", bones, fur),
        *_trunk(fur, trunk),
        *_arm("right", bones, fur, None),
        *_arm("left", bones, fur, stripe if marked else None),
        *_head(fur, stripe if marked else None, head),
    ]
    return pieces, bones.joints


def _outlined(outline: Floats, wider: Floats, color: Color, place: Floats, shows: tuple[str, ...] = ()) -> list[Piece]:
    """Return a larger, darker shape and a shape before it."""
    return [Piece(Part(wider, shaded(color, -0.5), place), shows), Piece(Part(outline, color, place), shows)]


def _limb(bones: Skeleton, bone: tuple[str, str], sizes: tuple[float, float, float], color: Color) -> list[Piece]:
    length, thick, thin = sizes
    wider = capsule(length, thick + 2 * _LINE, thin + 2 * _LINE)
    return _outlined(capsule(length, thick, thin), wider, color, bones.along(*bone), bone)


def _arm(side: str, bones: Skeleton, fur: Color, stripe: Color | None) -> list[Piece]:
    shoulder, elbow, hand = (f"{side}_{joint}" for joint in ("shoulder", "elbow", "hand"))
    upper = _limb(bones, (shoulder, elbow), (BUILD.upper_arm, 0.105, 0.09), fur)
    lower = _limb(bones, (elbow, hand), (BUILD.forearm, 0.09, 0.08), fur)
    pieces = [upper[0], lower[0], upper[1], lower[1]]  # both outlines lie behind both colours
    if stripe is not None:
        for limb, y, half in ((upper, 0.085, 0.049), (upper, 0.135, 0.047), (lower, 0.04, 0.046), (lower, 0.09, 0.044)):
            pieces.append(Piece(Part(_ring(y, half), stripe, limb[0].part.place), limb[0].shows))
    return [*pieces, Piece(Part(ellipse(0, 0, 0.043, 0.043), shaded(fur, 0.45), bones.end(hand)), (hand,))]


def _ring(y: float, half: float) -> Floats:
    """Return a stripe across a limb, bent as if around it."""
    return shape((-half, y), (0, y + 0.012), (half, y), (half, y + 0.024), (0, y + 0.036), (-half, y + 0.024))


def _leg(side: str, bones: Skeleton, fur: Color) -> list[Piece]:
    hip, knee, foot = (f"{side}_{joint}" for joint in ("hip", "knee", "foot"))
    fur = shaded(fur, -0.1)
    thigh = _limb(bones, (hip, knee), (BUILD.thigh, 0.14, 0.11), fur)
    shin = _limb(bones, (knee, foot), (BUILD.shin, 0.11, 0.095), fur)
    sole = chained(bones.end(foot), placed(-0.025 if side == "left" else 0.025, 0))
    outline, wider = ellipse(0, 0, 0.078, 0.05), ellipse(0, 0, 0.078 + _LINE, 0.05 + _LINE)
    shoe = _outlined(outline, wider, shaded(fur, 0.35), sole, (foot,))
    return [thigh[0], shin[0], shoe[0], thigh[1], shin[1], shoe[1]]


def _tail(fur: Color, stripe: Color, trunk: Floats) -> list[Piece]:
    places = [(0.13, -0.01, 0.075), (0.2, -0.05, 0.07), (0.245, -0.12, 0.066), (0.26, -0.19, 0.055)]
    colors = (fur, stripe, fur, stripe)
    rings = [
        _outlined(ellipse(x, y, size, size), ellipse(x, y, size + _LINE, size + _LINE), color, trunk)
        for (x, y, size), color in zip(places, colors, strict=True)
    ]
    return [*(ring[0] for ring in rings), *(ring[1] for ring in rings)]


def _trunk(fur: Color, trunk: Floats) -> list[Piece]:
    held = ("pelvis", "neck", "left_shoulder", "right_shoulder", "left_hip", "right_hip")
    body = _pear(0.0)
    return [
        *_outlined(body, _pear(_LINE), fur, trunk, held),
        Piece(Part(ellipse(0, -0.06, 0.105, 0.125, corners=24), _CREAM, trunk), held),
    ]


def _pear(more: float) -> Floats:
    """Return a round body that is wider below, about the hips."""
    angle = np.linspace(0, 2 * np.pi, 32, endpoint=False)
    across = (0.165 + 0.02 * np.sin(angle) + more) * np.cos(angle)
    return np.stack([across, -0.105 + (0.195 + more) * np.sin(angle)], axis=1)


def _head(fur: Color, stripe: Color | None, head: Floats) -> list[Piece]:
    on = ("head",)
    left, right = chained(head, placed(-0.15, -0.13, turn=-0.5)), chained(head, placed(0.15, -0.13, turn=0.5))
    if stripe is not None:
        right = chained(head, placed(0.17, -0.12, turn=1.5))  # it droops
    ears = [_ear(fur, place) for place in (left, right)]
    face = [
        *_outlined(
            ellipse(0, 0, 0.215, 0.185, corners=32),
            ellipse(0, 0, 0.215 + _LINE, 0.185 + _LINE, corners=32),
            fur,
            head,
            on,
        ),
        *([Piece(Part(ellipse(0.088, -0.015, 0.075, 0.085), stripe, head), on)] if stripe is not None else []),
        Piece(Part(ellipse(0, 0.085, 0.105, 0.078), _CREAM, head), on),
        *(Piece(Part(ellipse(x, 0.065, 0.036, 0.024), _BLUSH, head), on) for x in (-0.145, 0.145)),
        *(Piece(Part(ellipse(x, -0.02, 0.046, 0.056), (255, 255, 255), head), on) for x in (-0.085, 0.085)),
        *(Piece(Part(ellipse(x, -0.012, 0.029, 0.037), _DARK, head), on) for x in (-0.08, 0.08)),
        *(Piece(Part(ellipse(x, -0.03, 0.011, 0.013, corners=8), (255, 255, 255), head), on) for x in (-0.083, 0.083)),
        Piece(Part(shape((-0.035, 0.035), (0.035, 0.035), (0.02, 0.062), (0, 0.072), (-0.02, 0.062)), _NOSE, head), on),
        Piece(Part(_smile(), _NOSE, head), on),
    ]
    return [*(piece for ear in ears for piece in ear), *face]


def _ear(fur: Color, place: Floats) -> list[Piece]:
    return [
        *_outlined(ellipse(0, 0, 0.072, 0.09), ellipse(0, 0, 0.072 + _LINE, 0.09 + _LINE), fur, place),
        Piece(Part(ellipse(0, -0.005, 0.042, 0.056), (250, 176, 160), place), ()),
    ]


def _smile() -> Floats:
    angle = np.linspace(0.25, np.pi - 0.25, 9)
    lower = np.stack([0.062 * np.cos(angle), 0.088 + 0.042 * np.sin(angle)], axis=1)
    upper = np.stack([0.05 * np.cos(angle[::-1]), 0.088 + 0.026 * np.sin(angle[::-1])], axis=1)
    return np.vstack([lower, upper])
