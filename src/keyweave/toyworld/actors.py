"""The actors: eight kinds, each drawn so that a still tells which way time runs for it.

Every actor is drawn about its own middle, about one unit long, and looks to the right; y is downwards. `gone` is how
far it has come, in its own lengths, which moves its legs, wheels and wings; `age` from 0 to 1 is how much of the clip
has passed, which lets a flower grow. No look depends on speed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from keyweave.toyworld.ink import HERE, Color, Part, box, ellipse, limb, placed, shaded, shape

if TYPE_CHECKING:
    from collections.abc import Callable

    from keyweave.toyworld.ink import Floats

Kind = Literal["car", "fish", "bird", "walker", "ball", "comet", "flower", "boat"]
Ground = Literal["road", "water", "sky", "grass"]

COLORS: dict[str, Color] = {
    "red": (222, 48, 44),
    "orange": (246, 140, 32),
    "yellow": (250, 214, 46),
    "pink": (244, 112, 176),
    "violet": (142, 68, 190),
    "white": (242, 242, 238),
}
_DARK, _LIGHT, _SKIN, _WOOD = (38, 34, 44), (255, 250, 226), (246, 200, 164), (122, 74, 44)


@dataclass(frozen=True)
class Actor:
    """A kind of actor.

    Args:
        kind: its name, and the word in captions.
        ground: what it moves on or through.
        turns: whether it turns with its path; otherwise it stays upright and looks left or right.
        length: how long it usually is, as a share of the picture's height.
        parts: draws it from (color, gone, age).
    """

    kind: Kind
    ground: Ground
    turns: bool
    length: float
    parts: Callable[[Color, float, float], list[Part]]


def _part(outline: Floats, color: Color, place: Floats = HERE) -> Part:
    return Part(outline, color, place)


def _car(color: Color, gone: float, age: float) -> list[Part]:
    """A white bonnet and a light in front, a dark boot and smoke behind."""
    del age
    puffs = [
        _part(
            ellipse(0, 0, 0.05 + 0.03 * k, 0.05 + 0.03 * k, corners=10),
            (206 - 8 * k, 206 - 8 * k, 206 - 8 * k),
            placed(-0.58 - 0.12 * k, 0.13 - 0.07 * k),
        )
        for k in range(2)
    ]
    wheels = [_wheel(x, gone) for x in (-0.28, 0.28)]
    return [
        *puffs,
        _part(shape((-0.3, -0.02), (-0.2, -0.27), (0.1, -0.27), (0.24, -0.02)), shaded(color, -0.15)),
        _part(shape((-0.16, -0.04), (-0.12, -0.21), (0.07, -0.21), (0.15, -0.04)), (176, 222, 240)),
        _part(shape((-0.5, -0.02), (0.3, -0.02), (0.3, 0.2), (-0.5, 0.2)), color),
        _part(shape((-0.5, -0.04), (-0.34, -0.04), (-0.34, 0.2), (-0.5, 0.2)), _DARK),
        _part(shape((0.22, -0.04), (0.44, 0.0), (0.5, 0.08), (0.5, 0.2), (0.22, 0.2)), _LIGHT),
        _part(ellipse(0.46, 0.09, 0.05, 0.05, corners=10), (255, 226, 96)),
        *(part for wheel in wheels for part in wheel),
    ]


def _wheel(x: float, gone: float) -> list[Part]:
    turned = placed(x, 0.2, turn=gone / 0.13)
    return [
        _part(ellipse(0, 0, 0.13, 0.13, corners=16), _DARK, turned),
        _part(box(-0.1, -0.025, 0.1, 0.025), (214, 214, 214), turned),
    ]


def _fish(color: Color, gone: float, age: float) -> list[Part]:
    """A white nose and an eye in front, a beating tail behind."""
    del age
    beat = 0.5 * np.sin(2 * np.pi * gone * 1.5)
    tail = placed(-0.26, 0, turn=beat)
    return [
        _part(shape((0, 0), (-0.24, -0.2), (-0.19, 0), (-0.24, 0.2)), shaded(color, -0.45), tail),
        _part(shape((-0.12, -0.14), (0.02, -0.3), (0.14, -0.16)), shaded(color, -0.3)),
        _part(ellipse(0, 0, 0.36, 0.21), color),
        _part(shape((0.22, -0.165), (0.31, -0.1), (0.36, 0), (0.31, 0.1), (0.22, 0.165), (0.18, 0)), _LIGHT),
        _part(shape((0.04, 0.02), (-0.14, 0.14), (0.06, 0.12)), shaded(color, -0.3), placed(turn=beat / 2)),
        _part(ellipse(0.2, -0.06, 0.055, 0.055, corners=10), _LIGHT),
        _part(ellipse(0.215, -0.06, 0.03, 0.03, corners=8), _DARK),
    ]


def _bird(color: Color, gone: float, age: float) -> list[Part]:
    """A beak in front, a forked tail behind, wings that beat."""
    del age
    lift = np.sin(2 * np.pi * gone * 0.9)
    lift = np.copysign(max(abs(lift), 0.06), lift)  # a wing that is seen edge-on still has a place
    wing = shape((-0.16, 0), (-0.1, -0.44), (0.04, -0.5), (0.16, 0))
    return [
        _part(wing, shaded(color, -0.45), placed(0.05, -0.06, high=0.85 * lift)),
        _part(shape((-0.2, -0.04), (-0.52, -0.13), (-0.42, 0.0), (-0.52, 0.1), (-0.2, 0.08)), shaded(color, -0.3)),
        _part(ellipse(-0.02, 0.02, 0.3, 0.14), color),
        _part(ellipse(0.27, -0.06, 0.13, 0.12, corners=14), color),
        _part(shape((0.36, -0.11), (0.54, -0.04), (0.36, 0.01)), (250, 178, 40)),
        _part(ellipse(0.3, -0.09, 0.03, 0.03, corners=8), _DARK),
        _part(wing, shaded(color, -0.2), placed(0, 0, high=lift)),
    ]


def _walker(color: Color, gone: float, age: float) -> list[Part]:
    """A nose and a peaked cap in front, a rucksack behind; arms and legs swing against each other, knees bend back."""
    del age
    stride = 2 * np.pi * gone * 0.62
    near, far = _leg(stride, (52, 60, 96)), _leg(stride + np.pi, (34, 40, 66))
    bob = 0.02 * np.cos(2 * stride)
    body = placed(0, bob)
    parts = [
        *(part.put(placed(0, 0.08)) for part in far),
        _part(limb(0.26, 0.08, 0.06), shaded(color, -0.35), placed(0.01, -0.16, turn=0.6 * np.sin(stride))),
        _part(box(-0.2, -0.2, -0.06, 0.04), (96, 120, 70)),
        *(part.put(placed(0, 0.08)) for part in near),
        _part(shape((-0.1, -0.2), (0.07, -0.2), (0.1, 0.1), (-0.1, 0.1)), color),
        _part(ellipse(0.01, -0.32, 0.11, 0.12, corners=16), _SKIN),
        _part(shape((0.1, -0.34), (0.17, -0.29), (0.1, -0.27)), _SKIN),
        _part(
            shape((-0.11, -0.34), (-0.08, -0.43), (0.05, -0.45), (0.11, -0.37), (0.22, -0.35), (0.11, -0.34)),
            shaded(color, -0.45),
        ),
        _part(limb(0.26, 0.08, 0.06), shaded(color, -0.15), placed(0, -0.16, turn=-0.6 * np.sin(stride))),
    ]
    return [part.put(body) for part in parts]


def _leg(stride: float, color: Color) -> list[Part]:
    """A thigh that swings and a shin that lags behind it."""
    thigh = -0.5 * np.sin(stride)
    bend = 0.15 + 0.75 * max(0.0, np.cos(stride + 0.3)) ** 1.5
    knee = placed(turn=thigh)
    ankle = placed(-0.2 * np.sin(thigh), 0.2 * np.cos(thigh), turn=thigh + bend)
    shin = [
        _part(limb(0.18, 0.075, 0.06), color),
        _part(shape((-0.035, 0.16), (0.1, 0.19), (0.1, 0.23), (-0.035, 0.23)), _DARK),
    ]
    return [_part(limb(0.21, 0.1, 0.08), color, knee), *(part.put(ankle) for part in shin)]


def _ball(color: Color, gone: float, age: float) -> list[Part]:
    """A striped ball that rolls the way it goes."""
    del age
    turned = placed(turn=gone / 0.5)
    return [
        _part(ellipse(0, 0, 0.5, 0.5, corners=28), color, turned),
        _part(ellipse(0, 0, 0.5, 0.17), _LIGHT, turned),
        _part(ellipse(-0.17, -0.2, 0.1, 0.07, turn=-0.7, corners=12), shaded(color, 0.6)),
    ]


def _comet(color: Color, gone: float, age: float) -> list[Part]:
    """A white head in front of a tail that fades."""
    del age
    flicker = 0.04 * np.sin(2 * np.pi * gone * 1.3)
    tails = ((-0.6 - flicker, 0.13, -0.55), (-0.42 + flicker, 0.15, -0.25), (-0.22, 0.16, 0.15))
    return [
        *(_part(shape((0.3, -wide), (0.3, wide), (reach, 0)), shaded(color, tone)) for reach, wide, tone in tails),
        _part(ellipse(0.3, 0, 0.19, 0.19), shaded(color, 0.45)),
        _part(ellipse(0.34, 0, 0.12, 0.12, corners=14), (255, 255, 250)),
    ]


def _flower(color: Color, gone: float, age: float) -> list[Part]:
    """A stem that rises, leaves that spread, and a bud that opens; it never shrinks."""
    del gone
    tall = 0.25 + 0.65 * age
    leaf = np.clip(1.6 * age - 0.1, 0.05, 1)
    bloom = np.clip(1.5 * age - 0.3, 0, 1)
    head = placed(0, 0.5 - tall, size=0.35 + 0.65 * bloom)
    petals = [
        _part(
            ellipse(0.16, 0, 0.13, 0.09, corners=14),
            shaded(color, -0.12 * (k % 2)),
            placed(turn=2 * np.pi * k / 6, wide=0.3 + 0.7 * bloom, high=0.6 + 0.4 * bloom),
        )
        for k in range(6)
    ]
    stem = (70, 150, 62)
    return [
        _part(box(-0.022, -1, 0.022, 0), stem, placed(0, 0.5, high=tall)),
        _part(shape((0, 0), (0.13, -0.1), (0.27, -0.09), (0.15, 0.01)), stem, placed(0, 0.5 - 0.3 * tall, size=leaf)),
        _part(
            shape((0, 0), (-0.13, -0.1), (-0.27, -0.09), (-0.15, 0.01)), stem, placed(0, 0.5 - 0.45 * tall, size=leaf)
        ),
        *(petal.put(head) for petal in petals),
        _part(ellipse(0, 0, 0.075, 0.075, corners=12), (120, 66, 30), head),
    ]


def _boat(color: Color, gone: float, age: float) -> list[Part]:
    """A bow and a jib in front, a wake behind."""
    del age
    sway = placed(turn=0.05 * np.sin(2 * np.pi * gone * 0.5))
    wake = [
        _part(
            shape((0, -0.02), (-0.34 - 0.1 * k, -0.045), (-0.4 - 0.1 * k, 0.0), (0, 0.03)),
            (236, 246, 250),
            placed(-0.4 + 0.02 * k, 0.2 + 0.05 * k),
        )
        for k in range(2)
    ]
    hull = [
        _part(box(-0.03, -0.55, 0.01, 0.08), _WOOD),
        _part(shape((-0.05, -0.52), (-0.05, 0.02), (-0.4, 0.02)), (250, 248, 240)),
        _part(shape((0.03, -0.46), (0.36, 0.03), (0.03, 0.03)), color),
        _part(shape((-0.44, 0.06), (0.52, 0.06), (0.36, 0.24), (-0.36, 0.24)), color),
        _part(shape((-0.43, 0.06), (0.52, 0.06), (0.48, 0.1), (-0.42, 0.1)), _LIGHT),
    ]
    return [*wake, *(part.put(sway) for part in hull)]


ACTORS: dict[Kind, Actor] = {
    actor.kind: actor
    for actor in (
        Actor("car", "road", turns=False, length=0.30, parts=_car),
        Actor("fish", "water", turns=True, length=0.30, parts=_fish),
        Actor("bird", "sky", turns=True, length=0.30, parts=_bird),
        Actor("walker", "grass", turns=False, length=0.42, parts=_walker),
        Actor("ball", "grass", turns=False, length=0.17, parts=_ball),
        Actor("comet", "sky", turns=True, length=0.34, parts=_comet),
        Actor("flower", "grass", turns=False, length=0.42, parts=_flower),
        Actor("boat", "water", turns=False, length=0.36, parts=_boat),
    )
}
