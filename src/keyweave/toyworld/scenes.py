"""Scenes: who does what, where, and in which light; invented by chance, or by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

import numpy as np

from keyweave.base.errors import InputError
from keyweave.base.seeds import derive
from keyweave.toyworld.actors import ACTORS, COLORS, Kind
from keyweave.toyworld.courses import Course, bounces, curve, rest
from keyweave.toyworld.scenery import LIGHTS, Place

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating]

Split = Literal["train", "validation", "test"]

KINDS: tuple[Kind, ...] = tuple(ACTORS)
_PLACES: dict[Kind, Place] = {
    "car": "road",
    "fish": "reef",
    "bird": "sky",
    "walker": "meadow",
    "ball": "meadow",
    "comet": "sky",
    "flower": "meadow",
    "boat": "sea",
}
# How low and how high an actor's middle may be, as shares of the height.
_BANDS: dict[Kind, tuple[float, float]] = {
    "car": (0.70, 0.78),
    "fish": (0.22, 0.74),
    "bird": (0.18, 0.70),
    "walker": (0.62, 0.76),
    "ball": (0.78, 0.88),
    "comet": (0.18, 0.66),
    "flower": (0.60, 0.76),
    "boat": (0.48, 0.72),
}
_VERBS: dict[Kind, str] = {
    "car": "drives",
    "fish": "swims",
    "bird": "flies",
    "walker": "walks",
    "ball": "bounces",
    "comet": "streaks",
    "flower": "grows",
    "boat": "sails",
}
_WHERE: dict[Place, str] = {
    "road": "along a road",
    "sea": "on the sea",
    "reef": "over a reef",
    "sky": "across the sky",
    "meadow": "on a meadow",
}
_WHEN = {
    "morning": "in the morning",
    "noon": "at noon",
    "overcast": "under clouds",
    "dusk": "at dusk",
    "night": "at night",
}
_SLOWEST, _FASTEST = 0.2, 0.7  # of the picture's width, over a clip
_PANNING, _IN_FRONT, _TWO, _STAYING = 0.25, 0.5, 0.15, 0.85  # how often
_CLEAR = 0.12  # half the width of what stands in front


@dataclass(frozen=True)
class Role:
    """An actor in a scene.

    Args:
        kind: what it is.
        color: a name of `COLORS`.
        size: its length, as a share of the picture's height.
        course: where it is, in heights of the picture; the camera moves over the same ground.
    """

    kind: Kind
    color: str
    size: float
    course: Course


@dataclass(frozen=True)
class Scene:
    """What there is to be drawn.

    Args:
        place: the ground.
        light: a name of `LIGHTS`.
        cast: its actors, the last one in front.
        pan: how far the camera moves to the right during the clip, in heights.
        hidden_by: where something stands in front of the actors, in heights from the left; None for a free view.
        seed: decides the backdrop.
    """

    place: Place
    light: str
    cast: tuple[Role, ...]
    pan: float = 0.0
    hidden_by: float | None = None
    seed: int = 0

    @property
    def name(self) -> str:
        """Who is in it."""
        return " and ".join(role.kind for role in self.cast)

    @property
    def caption(self) -> str:
        """One sentence that says what happens."""
        does = " and ".join(_does(role) for role in self.cast)
        return f"{does} {_WHERE[self.place]} {_WHEN[self.light]}"

    def facts(self) -> dict[str, object]:
        """Return what it is, as plain values."""
        return {
            "caption": self.caption,
            "place": self.place,
            "light": self.light,
            "pan": self.pan,
            "hidden": self.hidden_by is not None,
            "actors": [{"kind": role.kind, "color": role.color, "size": role.size} for role in self.cast],
        }


def scene_of(split: Split, number: int, *, seed: int = 0, aspect: float = 1.0, kind: Kind | None = None) -> Scene:
    """Return a scene of a split; the seeds of splits never meet, since each is derived from the split's name.

    Args:
        split: train, validation or test.
        number: which one, from 0.
        seed: another world.
        aspect: width over height.
        kind: which actor; chance decides without.
    """
    return invented(seed_of(split, number, seed), aspect=aspect, kind=kind)


def seed_of(split: Split, number: int, seed: int) -> int:
    """Return the seed of the clip with a number in a split."""
    if split not in ("train", "validation", "test"):
        raise InputError(f"{split!r} is no split of the toy world.", "Choose from: train, validation, test.")
    return derive(seed, "toyworld", split, number)


def invented(seed: int, *, aspect: float = 1.0, kind: Kind | None = None) -> Scene:
    """Invent a scene."""
    chance = np.random.default_rng(seed)
    kind = cast("Kind", chance.choice(KINDS)) if kind is None else kind
    lights = ("dusk", "night") if kind == "comet" else tuple(LIGHTS)
    pan = chance.uniform(0.08, 0.3) * chance.choice([-1, 1]) if chance.random() < _PANNING else 0.0
    roles = [_role(kind, chance, aspect, pan)]
    if chance.random() < _TWO:
        others = [other for other in KINDS if _PLACES[other] == _PLACES[kind] and other != "comet"] or [kind]
        other = cast("Kind", chance.choice(others))
        roles.append(_role(other, chance, aspect, pan, unlike=roles[0].color))
        roles.sort(key=lambda role: role.course.points[0, 1])
    return Scene(
        place=_PLACES[kind],
        light=str(chance.choice(lights)),
        cast=tuple(roles),
        pan=pan,
        hidden_by=_in_front(roles, chance, aspect),
        seed=int(chance.integers(2**31)),
    )


def _in_front(roles: list[Role], chance: np.random.Generator, aspect: float) -> float | None:
    """Put something before the actors now and then, but never where the first frame would hide one."""
    where = chance.uniform(0.2, 0.8) * aspect
    free = all(abs(where - role.course.points[0, 0]) > _CLEAR + role.size / 2 for role in roles)
    return where if chance.random() < _IN_FRONT and free else None


def _role(kind: Kind, chance: np.random.Generator, aspect: float, pan: float, unlike: str = "") -> Role:
    actor = ACTORS[kind]
    size = actor.length * chance.uniform(0.85, 1.2)
    color = str(chance.choice([name for name in COLORS if name != unlike]))
    return Role(kind, color, size, _course(kind, chance, aspect, pan, size))


def _course(kind: Kind, chance: np.random.Generator, aspect: float, pan: float, size: float) -> Course:
    """Let the actor begin inside the picture, and go on for a part of its width; it may leave at the end."""
    high, low = _BANDS[kind]
    edge = min(0.4 * aspect, 0.55 * size)
    if kind == "flower":
        # In a narrow picture that is panned far, nothing is seen all the time: then the ends change places.
        left, right = sorted((edge + max(0, pan), aspect - edge + min(0, pan)))
        return rest(np.array([chance.uniform(left, right), chance.uniform(high, low)]))
    way = chance.uniform(_SLOWEST, _FASTEST) * aspect * chance.choice([-1, 1])
    x = chance.uniform(edge, aspect - edge)
    if not edge / 2 < x + way < aspect - edge / 2 and chance.random() < _STAYING:
        way = -way  # most of them stay
    y = chance.uniform(high, low)
    if kind == "ball":
        return bounces(np.array([x, y - chance.uniform(0.3, 0.6)]), x + way + pan, y - size / 2, chance.uniform(5, 9))
    rise = chance.uniform(-0.5, 0.5) * abs(way) if _is_free(kind) else 0.0
    stop = np.array([x + way + pan, np.clip(y + rise, high, low)])
    bend = chance.uniform(-0.3, 0.3) if _is_free(kind) and chance.random() < 0.5 else 0.0
    return curve(np.array([x, y]), stop, bend)


def _is_free(kind: Kind) -> bool:
    """Tell whether an actor may rise and sink, and turns as it does."""
    return ACTORS[kind].turns


def _does(role: Role) -> str:
    course = role.course
    article = "an" if role.color[0] in "aeiou" else "a"
    if role.kind == "flower":
        return f"{article} {role.color} flower grows"
    way = "right" if course.points[-1, 0] > course.points[0, 0] else "left"
    return f"{article} {role.color} {role.kind} {_VERBS[role.kind]} to the {way}"
