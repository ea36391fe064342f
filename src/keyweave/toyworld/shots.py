"""Shooting a scene: its frames, and the truth about every pixel of them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import cv2
import numpy as np

from keyweave.toyworld.actors import ACTORS, COLORS
from keyweave.toyworld.ink import Part, chained, draw, mark, placed
from keyweave.toyworld.scenery import LIGHTS, backdrop, lit, pine, weed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from keyweave.media.types import Audio, Frame
    from keyweave.toyworld.scenes import Role, Scene

    Floats = NDArray[np.floating]
    Track = tuple[Floats, Floats, Floats]  # what a course says of every frame

RATE = Fraction(7)  # frames per second, what the image-to-video models of this family are told
FINER = 2  # frames are drawn so much larger and made smaller, which softens what OpenCV leaves hard


@dataclass(frozen=True, eq=False)
class Truth:
    """What is known of a shot because it was drawn.

    Args:
        owners: (T, H, W) which part each pixel shows; 0 is the backdrop.
        places: (T, P, 2, 3) where each part lies, in pixels; part 0 is the backdrop.
        actors: for each actor the first of its parts and the one after its last.
        poses: (T, A, 4) the middle x and y in pixels, the heading in radians, and the length in pixels.
    """

    owners: NDArray[np.uint8]
    places: Floats
    actors: tuple[tuple[int, int], ...]
    poses: Floats

    def masks(self) -> NDArray[np.bool_]:
        """Return which pixels show each actor, (T, A, H, W)."""
        masks = np.empty((len(self.owners), len(self.actors), *self.owners.shape[1:]), bool)
        for number, (first, after) in enumerate(self.actors):
            masks[:, number] = (self.owners >= first) & (self.owners < after)
        return masks

    def centroids(self) -> Floats:
        """Return the middle of what is seen of each actor, (T, A, 2) x and y in pixels; NaN where nothing is."""
        masks = self.masks().astype(np.float64)
        height, width = masks.shape[2:]
        total = masks.sum((2, 3))
        total[total == 0] = np.nan
        x = (masks.sum(2) @ (np.arange(width) + 0.5)) / total
        y = (masks.sum(3) @ (np.arange(height) + 0.5)) / total
        return np.stack([x, y], axis=2)

    def flow(self, start: int, stop: int) -> Floats:
        """Return where each pixel of frame `start` is in frame `stop`, seen there or not: (H, W, 2) pixels (dx, dy)."""
        height, width = self.owners.shape[1:]
        motions = np.stack([_motion(a, b) for a, b in zip(self.places[start], self.places[stop], strict=True)])
        at = motions[self.owners[start]]
        y, x = np.mgrid[:height, :width] + 0.5
        moved = np.einsum("yxij,yxj->yxi", at[..., :2], np.stack([x, y], axis=2)) + at[..., 2]
        return (moved - np.stack([x, y], axis=2)).astype(np.float32)

    def visible(self, start: int, stop: int) -> NDArray[np.bool_]:
        """Tell which pixels of frame `start` are still seen in frame `stop`, (H, W)."""
        height, width = self.owners.shape[1:]
        flow = self.flow(start, stop)
        y, x = np.mgrid[:height, :width]
        to_x, to_y = np.rint(x + flow[..., 0]).astype(int), np.rint(y + flow[..., 1]).astype(int)
        inside = (to_x >= 0) & (to_x < width) & (to_y >= 0) & (to_y < height)
        there = self.owners[stop][to_y.clip(0, height - 1), to_x.clip(0, width - 1)]
        return inside & (there == self.owners[start])


class Subject(Protocol):
    """What a shot shows."""

    @property
    def name(self) -> str:
        """Who is in it."""
        ...

    @property
    def caption(self) -> str:
        """One sentence that says what happens."""
        ...

    def facts(self) -> dict[str, object]:
        """Return what it is, as plain values."""
        ...


SubjectT_co = TypeVar("SubjectT_co", bound=Subject, covariant=True)


@dataclass(frozen=True, eq=False)
class Shot(Generic[SubjectT_co]):
    """Something that was drawn, as a clip.

    Args:
        scene: what was drawn.
        frames: (T, H, W, 3).
        truth: what is known of it; None unless it was asked for.
        rate: frames per second.
        sound: what is heard, exactly as long as the frames are shown.
    """

    scene: SubjectT_co
    frames: NDArray[np.uint8]
    truth: Truth | None = None
    rate: Fraction = RATE
    sound: Audio | None = None


def shoot(scene: Scene, *, frames: int = 14, width: int = 64, height: int = 64, truth: bool = False) -> Shot[Scene]:
    """Draw a scene from its first moment to its last."""
    fine = FINER * height
    light = LIGHTS[scene.light]
    chance = np.random.default_rng(scene.seed)
    wide = FINER * width
    ground = backdrop(scene.place, light, chance, wide + round(abs(scene.pan) * fine) + 2, fine)
    front = _front(scene, chance)
    times = np.linspace(0, 1, frames)
    tracks = [role.course.at(times) for role in scene.cast]
    clip = np.empty((frames, height, width, 3), np.uint8)
    layers: list[list[list[Part]]] = []
    for number, time in enumerate(times):
        left = scene.pan * time
        canvas = _shifted(ground, (left - min(0, scene.pan)) * fine, wide)
        view = placed(-left * fine, 0, size=fine)
        groups = [_acted(role, track, number, light.glow, view) for role, track in zip(scene.cast, tracks, strict=True)]
        groups.append([part.put(view) for part in front])
        for group in groups:
            draw(canvas, group)
        clip[number] = cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)
        if truth:
            layers.append(groups)
    return Shot(scene, clip, _truth(scene, layers, tracks, (width, height)) if truth else None)


def _acted(role: Role, track: Track, number: int, glow: tuple[float, float, float], view: Floats) -> list[Part]:
    """Return the parts of an actor in a frame, as the camera sees them."""
    point, heading, gone = (column[number] for column in track)
    actor = ACTORS[role.kind]
    backward = np.cos(heading) < 0
    # Who turns with the way is mirrored when it goes left, so that nobody swims on their back.
    place = placed(point[0], point[1], size=role.size, turn=heading if actor.turns else 0.0)
    flip = placed(high=-1) if backward and actor.turns else placed(wide=-1 if backward else 1)
    place = chained(view, chained(place, flip))
    red, green, blue = (round(value * share) for value, share in zip(COLORS[role.color], glow, strict=True))
    parts = actor.parts((red, green, blue), gone / role.size, number / max(1, len(track[2]) - 1))
    return [part.put(place) for part in parts]


def _front(scene: Scene, chance: np.random.Generator) -> list[Part]:
    """Return what stands before the actors, in heights of the picture."""
    if scene.hidden_by is None:
        return []
    light, x = LIGHTS[scene.light], scene.hidden_by
    if scene.place == "reef":
        return [part for k in range(3) for part in weed(x + 0.06 * k, 1.02, chance.uniform(0.5, 0.75), chance)]
    if scene.place == "sea":
        grey = lit((96, 98, 108), light)
        return [
            Part(np.array([(-0.16, 0), (-0.1, -0.5), (-0.03, -0.62), (0.05, -0.52), (0.14, 0)]), grey, placed(x, 1.0))
        ]
    return pine(x, 1.02, chance.uniform(0.55, 0.8), light)


def _shifted(ground: Frame, left: float, width: int) -> Frame:
    """Cut the view out of a wider backdrop, between pixels too."""
    whole = int(left)
    if left == whole:
        return np.ascontiguousarray(ground[:, whole : whole + width])
    part = left - whole
    view = ground[:, whole : whole + width + 1]
    return cv2.addWeighted(view[:, :-1], 1 - part, view[:, 1:], part, 0).astype(np.uint8)


def _truth(
    scene: Scene, layers: Sequence[Sequence[Sequence[Part]]], tracks: Sequence[Track], size: tuple[int, int]
) -> Truth:
    width, height = size
    times = np.linspace(0, 1, len(layers))
    smaller = placed(size=1 / FINER)
    owners = np.zeros((len(times), height, width), np.uint8)
    places = []
    for number, groups in enumerate(layers):
        parts = [part.put(smaller) for group in groups for part in group]
        mark(owners[number], parts, 1)
        camera = placed(-scene.pan * times[number] * height)
        places.append([camera, *(part.place for part in parts)])
    counts = np.cumsum([1, *(len(group) for group in layers[0])])
    poses = np.empty((len(times), len(scene.cast), 4))
    for number, (role, (at, heading, _)) in enumerate(zip(scene.cast, tracks, strict=True)):
        poses[:, number, :2] = (at - np.outer(scene.pan * times, [1, 0])) * height
        poses[:, number, 2], poses[:, number, 3] = heading, role.size * height
    ranges = tuple((int(first), int(after)) for first, after in pairwise(counts))[: len(scene.cast)]
    return Truth(owners, np.array(places), ranges, poses)


def _motion(a: Floats, b: Floats) -> Floats:
    """Return the map (2, 3) that takes a part from one place to another."""
    return chained(b, np.asarray(cv2.invertAffineTransform(a), np.float64))
