"""A face that talks: a round head that turns, with features that lie on it and turn along.

Its middle is the middle of the head; lengths are shares of the picture, x is to the right, y downwards, z towards the
viewer, without perspective. What lies on the head is flat and tangent to it, so that it moves by an affine map.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from keyweave.base.seeds import derive
from keyweave.toyworld.ink import Color, Part, chained, ellipse, placed, shaded, shape
from keyweave.toyworld.puppets import Look, Piece, Puppet, PuppetTruth, check_size, look_of, perform
from keyweave.toyworld.rooms import study
from keyweave.toyworld.shots import FINER, Shot
from keyweave.toyworld.speech import DIALS, RATE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from keyweave.toyworld.speech import Talk

    Floats = NDArray[np.floating]
    Shapes = list[tuple[str, Floats, Color]]  # on which feature, the outline there, and the colour

_ROUND, _TALL = 0.21, 0.25  # half axes of the head
_NECK = np.array([0.0, 0.24, -0.03])  # what it turns about
_INK, _WHITE, _IRIS = (48, 34, 44), (255, 255, 255), (70, 118, 90)
_LIP, _INSIDE, _TONGUE = (196, 82, 82), (96, 26, 38), (232, 112, 112)
_LEAST = 0.04  # how open what is shut stays, so that it still has a place

_SIDES = (("left", -1), ("right", 1))
_LANDMARKS: dict[str, tuple[str, tuple[float, float]]] = {  # on which feature, and where on it
    "nose": ("nose", (0, 0.012)),
    "chin": ("face", (0, 0.213)),
    **{
        f"{side}_{name}": (f"{side}_{feature}", at)
        for side, out in _SIDES
        for name, feature, at in (
            ("pupil", "eye", (0.0, 0.0)),
            ("eye_outer", "eye", (0.044 * out, 0.0)),
            ("eye_inner", "eye", (-0.044 * out, 0.0)),
            ("lid_upper", "eye", (0.0, -0.05)),
            ("lid_lower", "eye", (0.0, 0.05)),
            ("brow_outer", "brow", (0.05 * out, 0.008)),
            ("brow_inner", "brow", (-0.05 * out, 0.008)),
            ("cheek", "cheek", (0.0, 0.0)),
        )
    },
    "mouth_left": ("lips", (-0.078, -0.014)),
    "mouth_right": ("lips", (0.078, -0.014)),
    "lip_upper": ("lips", (0, 0.004)),
    "lip_lower": ("jaw", (0, 0.1)),
}
LANDMARKS = tuple(_LANDMARKS)


def shoot_talk(scene: Talk, *, width: int = 64, height: int = 64, truth: bool = False) -> Shot[Talk]:
    """Draw a talk, with its sound."""
    dials = scene.dials(np.arange(scene.kept[-1] + 1) / float(RATE))[scene.kept]
    frames, known = draw_face(dials, seed=scene.seed, width=width, height=height, truth=truth)
    return Shot(scene, frames, known, RATE, scene.voice())


def draw_face(
    dials: Floats, *, seed: int = 0, width: int = 64, height: int = 64, truth: bool = False
) -> tuple[NDArray[np.uint8], PuppetTruth | None]:
    """Draw the face by the numbers (T, 6) of `speech.DIALS`, in the study that a talk of this seed has."""
    check_size(width, height)
    ground = study(FINER * width, FINER * height, np.random.default_rng(derive(seed, "study")))
    view = placed(width / 2, 0.45 * height, size=min(height, 1.1 * width))
    return perform(face(look_of(seed)), dials, ground, view, truth=truth)


def rotation(yaw: float, pitch: float, roll: float) -> Floats:
    """Return the rotation (3, 3) of a head that turns to the right, nods downwards, and then leans clockwise."""
    (a, b, c), (p, q, r) = np.cos((yaw, pitch, roll)), np.sin((yaw, pitch, roll))
    turn = np.array([(a, 0, p), (0, 1, 0), (-p, 0, a)])
    nod = np.array([(1, 0, 0), (0, b, q), (0, -q, b)])
    lean = np.array([(c, -r, 0), (r, c, 0), (0, 0, 1)])
    return lean @ nod @ turn


def face(look: Look) -> Puppet:
    """Return a face that is drawn by the numbers of `speech.DIALS`; it may turn and nod by 0.8 radians."""
    return Puppet(DIALS, LANDMARKS, partial(_drawn, look))


def _drawn(look: Look, dials: Floats) -> tuple[list[Piece], Floats]:
    places = _places(dials)
    pieces = [
        Piece(Part(outline, color, places[feature]), LANDMARKS if on_face else ())
        for shapes, on_face in ((_behind(look), False), (_features(look), True), (_fringe(look), False))
        for feature, outline, color in shapes
    ]
    points = [places[feature] @ (*at, 1) for feature, at in _LANDMARKS.values()]
    return pieces, np.array(points)


def _places(dials: Floats) -> dict[str, Floats]:
    """Return where each feature lies."""
    yaw, pitch, roll, mouth, eyes, brows = dials.tolist()
    head = rotation(yaw, pitch, roll)
    around_neck = placed(*(_NECK - head @ _NECK)[:2])

    def flat(x: float, y: float, z: float) -> Floats:
        """Face the viewer, somewhere in the head."""
        return chained(around_neck, np.column_stack([head[:2, :2], head[:2] @ (x, y, z)]))

    def upright(x: float, y: float, z: float) -> Floats:
        """Be round: turning only moves it."""
        at = head @ (x, y, z)
        return chained(around_neck, placed(at[0], at[1], turn=roll))

    def skin(side: float, down: float) -> Floats:
        """Lie on the round of the head, at these angles from the middle of the face."""
        (a, b), (p, q) = np.cos((side, down)), np.sin((side, down))
        right, along = np.array([a, 0, -p]), np.array([-_ROUND * p * q, _TALL * b, -_ROUND * a * q])
        at = np.array([_ROUND * p * b, _TALL * q, _ROUND * a * b])
        axes = np.column_stack([right, along / np.linalg.norm(along), at])
        return chained(around_neck, (head @ axes)[:2])

    lips = skin(0, 0.52)
    lashes = 1.5 * eyes - 0.5  # an arch when the eyes are open, a bowl when they are shut
    lashes = np.copysign(max(abs(lashes), _LEAST), lashes)
    return {
        "body": placed(0.03 * yaw, 0.36, turn=0.15 * roll),
        "skull": upright(0, -0.025, -0.06),
        "bun": upright(0.09, -0.275, -0.09),
        "face": chained(flat(0, 0.025, 0.07), placed(high=1 + 0.04 * mouth)),
        "fringe": flat(0, 0.025, 0.09),
        "nose": flat(0, 0.055, 1.15 * _ROUND),
        "lips": lips,
        "jaw": chained(lips, placed(wide=1 - 0.22 * mouth, high=max(mouth, _LEAST))),
        **{f"{side}_ear": upright(0.205 * out, 0.035, -0.03) for side, out in _SIDES},
        **{
            f"{side}_eye": chained(skin(0.4 * out, 0.02), placed(0, 0.03 * (1 - eyes), high=max(eyes, _LEAST)))
            for side, out in _SIDES
        },
        **{
            f"{side}_lash": chained(skin(0.4 * out, 0.02), placed(0, 0.012 * (1 - eyes), high=lashes))
            for side, out in _SIDES
        },
        **{f"{side}_brow": chained(skin(0.4 * out, -0.3), placed(0, -0.025 * brows)) for side, out in _SIDES},
        **{f"{side}_cheek": skin(0.6 * out, 0.4) for side, out in _SIDES},
    }


def _behind(look: Look) -> Shapes:
    """Return the hair, the body and the ears."""
    body = shape(
        (-0.36, 1.5),
        (-0.31, 0.02),
        (-0.24, -0.05),
        (-0.1, -0.085),
        (0.1, -0.085),
        (0.24, -0.05),
        (0.31, 0.02),
        (0.36, 1.5),
    )
    return [
        ("bun", ellipse(0, 0, 0.085, 0.08, corners=24), shaded(look.hair, -0.15)),
        ("skull", ellipse(0, 0, 0.228, 0.255, corners=40), look.hair),
        ("body", shape((-0.075, -0.2), (0.075, -0.2), (0.085, -0.04), (-0.085, -0.04)), shaded(look.skin, -0.18)),
        ("body", body, look.shirt),
        ("body", shape((-0.1, -0.09), (0, 0.02), (-0.065, 0.05), (-0.135, -0.06)), look.extra),
        ("body", shape((0.1, -0.09), (0, 0.02), (0.065, 0.05), (0.135, -0.06)), look.extra),
        *((f"{side}_ear", ellipse(0, 0, 0.042, 0.056), shaded(look.skin, -0.08)) for side, _ in _SIDES),
        *((f"{side}_ear", ellipse(0, 0, 0.022, 0.034), shaded(look.skin, -0.22)) for side, _ in _SIDES),
        ("right_ear", ellipse(0.012, 0.066, 0.018, 0.018, corners=12), (250, 206, 70)),
    ]


def _features(look: Look) -> Shapes:
    """Return the face, and what lies on it."""
    line, half = np.linspace(-1, 1, 13), np.array([0, 0.006])
    smile = np.stack([0.078 * line, 0.006 - 0.02 * line**2], axis=1)
    smile = np.vstack([smile - half, smile[::-1] + half])
    lower = np.stack([0.07 * line, 0.1 * (1 - line**2) ** 0.6], axis=1)
    return [
        ("face", _egg(), look.skin),
        *((f"{side}_cheek", ellipse(0, 0, 0.042, 0.03), look.blush) for side, _ in _SIDES),
        *((f"{side}_eye", ellipse(0, 0, 0.05, 0.055), shaded(look.skin, -0.35)) for side, _ in _SIDES),
        *((f"{side}_eye", ellipse(0, 0.003, 0.045, 0.05), _WHITE) for side, _ in _SIDES),
        *((f"{side}_eye", ellipse(0, 0, 0.034, 0.039), _IRIS) for side, _ in _SIDES),
        *((f"{side}_eye", ellipse(0, 0, 0.022, 0.027), _INK) for side, _ in _SIDES),
        *((f"{side}_eye", ellipse(0.012, -0.014, 0.01, 0.011, corners=8), _WHITE) for side, _ in _SIDES),
        *((f"{side}_lash", _lash(out), _INK) for side, out in _SIDES),
        *((f"{side}_brow", _brow(out), shaded(look.hair, -0.1)) for side, out in _SIDES),
        ("jaw", lower, _INSIDE),
        ("jaw", shape((-0.056, 0), (0.056, 0), (0.05, 0.02), (-0.05, 0.02)), _WHITE),
        ("jaw", ellipse(0, 0.078, 0.038, 0.02, corners=16), _TONGUE),
        ("lips", smile, _LIP),
        ("nose", ellipse(0, 0, 0.03, 0.026), shaded(look.skin, -0.14)),
        ("nose", ellipse(-0.008, -0.008, 0.01, 0.008, corners=10), shaded(look.skin, 0.35)),
    ]


def _fringe(look: Look) -> Shapes:
    """Return the hair over the forehead, combed to the right."""
    fringe = shape(
        (-0.2, 0.02), (-0.205, -0.1), (-0.15, -0.2), (-0.03, -0.25), (0.1, -0.235), (0.185, -0.15), (0.205, -0.02),
        (0.17, -0.085), (0.1, -0.125), (-0.04, -0.15), (-0.12, -0.11), (-0.165, -0.05),
    )  # fmt: skip
    return [
        ("fringe", fringe, look.hair),
        ("fringe", ellipse(0.02, -0.205, 0.08, 0.009, turn=0.06), shaded(look.hair, 0.18)),
    ]


def _egg() -> Floats:
    """Return the outline of a face, narrower at the chin."""
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    across = 0.187 * np.cos(angle) * (1 - 0.14 * np.maximum(0, np.sin(angle)))
    return np.stack([across, 0.215 * np.sin(angle)], axis=1)


def _lash(out: int) -> Floats:
    """Return the upper lid of an eye, thicker and longer on the outer side."""
    angle = np.linspace(0.12, np.pi - 0.12, 13)
    outer = np.stack([0.052 * np.cos(angle), -0.057 * np.sin(angle)], axis=1)
    inner = np.stack([0.046 * np.cos(angle), -0.04 * np.sin(angle)], axis=1)
    tip = [(0.064, -0.022)]
    return np.vstack([tip, outer, inner[::-1]]) * (out, 1)


def _brow(out: int) -> Floats:
    line = np.linspace(-1, 1, 7)
    arch = np.stack([0.05 * line * out, 0.012 * line**2 - 0.004], axis=1)
    thick = np.stack([0 * line, 0.007 + 0.003 * line[::-1]], axis=1)
    return np.vstack([arch - thick, (arch + thick)[::-1]])
