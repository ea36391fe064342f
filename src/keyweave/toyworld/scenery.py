"""Scenery: places in any light, drawn once per clip, and the things that stand before them.

Nothing here has a colour or a shape that an actor has: green, brown, grey and blue; trees, rocks, houses and clouds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

import cv2
import numpy as np

from keyweave.toyworld.ink import Color, Part, box, draw, ellipse, placed, shaded, shape

if TYPE_CHECKING:
    from collections.abc import Callable

    from keyweave.media.types import Frame

Place = Literal["road", "sea", "reef", "sky", "meadow"]


@dataclass(frozen=True)
class Light:
    """The colours of a time of day."""

    zenith: Color
    horizon: Color
    far: Color
    near: Color
    ground: Color
    water: Color
    glow: tuple[float, float, float]  # what it does to the colours of things


LIGHTS: dict[str, Light] = {
    "morning": Light(
        zenith=(126, 170, 214), horizon=(250, 220, 190), far=(150, 168, 176), near=(108, 148, 118),
        ground=(134, 168, 96), water=(86, 140, 170), glow=(1.0, 0.97, 0.92),
    ),
    "noon": Light(
        zenith=(74, 148, 222), horizon=(186, 222, 244), far=(128, 166, 178), near=(86, 142, 96),
        ground=(122, 176, 84), water=(48, 128, 176), glow=(1.0, 1.0, 1.0),
    ),
    "overcast": Light(
        zenith=(132, 146, 158), horizon=(196, 204, 208), far=(136, 150, 156), near=(98, 124, 106),
        ground=(122, 146, 98), water=(84, 116, 132), glow=(0.92, 0.93, 0.95),
    ),
    "dusk": Light(
        zenith=(72, 64, 118), horizon=(236, 146, 112), far=(112, 88, 118), near=(74, 76, 84),
        ground=(96, 102, 72), water=(88, 84, 124), glow=(0.95, 0.82, 0.80),
    ),
    "night": Light(
        zenith=(12, 18, 44), horizon=(40, 54, 96), far=(30, 40, 66), near=(22, 38, 46),
        ground=(34, 54, 46), water=(22, 40, 74), glow=(0.72, 0.74, 0.86),
    ),
}  # fmt: skip

# Where the ground begins, as a share of the height.
HORIZONS: dict[Place, float] = {"road": 0.52, "sea": 0.46, "reef": -0.2, "sky": 0.82, "meadow": 0.55}


def backdrop(place: Place, light: Light, chance: np.random.Generator, width: int, height: int) -> Frame:
    """Paint a place (height, width, 3)."""
    horizon = round(HORIZONS[place] * height)
    rows = np.clip(np.arange(height) / max(1, horizon if horizon > 0 else height), 0, 1)[:, None]
    top, bottom = (
        (light.zenith, light.horizon) if place != "reef" else (shaded(light.water, 0.3), shaded(light.water, -0.45))
    )
    column = np.array(top) * (1 - rows) + np.array(bottom) * rows
    canvas = np.repeat(np.rint(column).astype(np.uint8)[:, None], width, axis=1)
    _PAINTERS[place](canvas, light, chance, horizon)
    return _grained(canvas, chance)


def _grained(canvas: Frame, chance: np.random.Generator) -> Frame:
    """Lay soft noise over a picture, so that no ground is quite flat."""
    height, width = canvas.shape[:2]
    grain = np.zeros((height, width), np.float32)
    for cells, strength in ((8, 3.5), (28, 2.0)):
        seeds = chance.normal(size=(cells + 1, cells * width // height + 1)).astype(np.float32)
        grain += strength * cv2.resize(seeds, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(canvas + grain[..., None], 0, 255).astype(np.uint8)


def _hills(canvas: Frame, chance: np.random.Generator, foot: float, tall: float, color: Color) -> None:
    height, width = canvas.shape[:2]
    x = np.arange(0, width + 4, 4)
    waves = sum(
        chance.uniform(0.3, 1) / n * np.sin(2 * np.pi * (n * x / height * chance.uniform(0.4, 0.7) + chance.random()))
        for n in (1, 2, 3)
    )
    ridge = foot - tall * height * (0.6 + 0.35 * np.asarray(waves))
    outline = np.vstack([np.stack([x, ridge], axis=1), [(width, height), (0, height)]])
    draw(canvas, [Part(outline, color, placed())])


def _land(canvas: Frame, light: Light, chance: np.random.Generator, horizon: int) -> None:
    """Hills to the horizon, and a meadow before them."""
    height, width = canvas.shape[:2]
    _clouds(canvas, light, chance, horizon)
    _hills(canvas, chance, horizon, 0.22, light.far)
    _hills(canvas, chance, horizon, 0.09, light.near)
    draw(canvas, [Part(box(0, horizon, width, height), light.ground, placed())])
    tuft = shaded(light.ground, -0.14)
    for _ in range(int(10 * width / height)):
        x, y = chance.uniform(0, width), chance.uniform(horizon + 2, height)
        size = 0.05 * height * (0.4 + (y - horizon) / height)
        draw(
            canvas,
            [Part(shape((-0.6, 0), (-0.1, -0.9), (0.1, -0.1), (0.5, -0.8), (0.6, 0)), tuft, placed(x, y, size=size))],
        )


def _meadow(canvas: Frame, light: Light, chance: np.random.Generator, horizon: int) -> None:
    _land(canvas, light, chance, horizon)
    _landmarks(canvas, light, chance, horizon)


def _road(canvas: Frame, light: Light, chance: np.random.Generator, horizon: int) -> None:
    _land(canvas, light, chance, horizon)
    _landmarks(canvas, light, chance, horizon)
    height, width = canvas.shape[:2]
    top, bottom = 0.66 * height, 0.9 * height
    asphalt = shaded((104, 104, 110), -0.5 * (1 - light.glow[0]))
    parts = [Part(box(0, top, width, bottom), asphalt, placed())]
    dash = 0.16 * height
    for number in range(int(width / (2 * dash)) + 2):
        left = (2 * number - chance.random()) * dash
        parts.append(Part(box(left, 0.775 * height, left + dash, 0.79 * height), shaded(asphalt, 0.55), placed()))
    draw(canvas, parts)


def _sea(canvas: Frame, light: Light, chance: np.random.Generator, horizon: int) -> None:
    height = canvas.shape[0]
    _clouds(canvas, light, chance, horizon)
    _hills(canvas, chance, horizon, 0.12, light.far)
    rows = np.linspace(0, 1, height - horizon)[:, None]
    shades = np.array(shaded(light.water, 0.22)) * (1 - rows) + np.array(shaded(light.water, -0.3)) * rows
    canvas[horizon:] = np.rint(shades)[:, None]
    _ripples(canvas, light, chance, horizon)


def _ripples(canvas: Frame, light: Light, chance: np.random.Generator, horizon: int) -> None:
    height, width = canvas.shape[:2]
    for _ in range(int(26 * width / height)):
        y = horizon + (height - horizon) * chance.random() ** 1.4
        wide = height * (0.02 + 0.09 * (y - horizon) / height)
        tone = shaded(light.water, chance.choice([-0.2, 0.25]))
        draw(canvas, [Part(ellipse(0, 0, 1, 0.12, corners=12), tone, placed(chance.uniform(0, width), y, size=wide))])


def _reef(canvas: Frame, light: Light, chance: np.random.Generator, horizon: int) -> None:
    del horizon
    height, width = canvas.shape[:2]
    sand = shaded((172, 158, 118), -0.4 + 0.3 * light.glow[0])
    _hills(canvas, chance, 0.95 * height, 0.2, shaded(light.water, -0.55))
    _hills(canvas, chance, 0.99 * height, 0.1, sand)
    for _ in range(int(4 * width / height)):
        _rock(canvas, light, chance, chance.uniform(0, width), chance.uniform(0.9, 1.0) * height)
        draw(canvas, weed(chance.uniform(0, width), height, chance.uniform(0.12, 0.3) * height, chance))


def _sky(canvas: Frame, light: Light, chance: np.random.Generator, horizon: int) -> None:
    height, _ = canvas.shape[:2]
    if light is LIGHTS["night"]:
        _stars(canvas, chance)
    for _ in range(2):
        _clouds(canvas, light, chance, round(0.75 * height))
    _hills(canvas, chance, horizon + 0.1 * height, 0.16, light.far)
    _hills(canvas, chance, horizon + 0.15 * height, 0.1, light.near)


def _stars(canvas: Frame, chance: np.random.Generator) -> None:
    height, width = canvas.shape[:2]
    for _ in range(int(22 * width / height)):
        size, tone = chance.uniform(0.002, 0.006) * height, int(chance.uniform(110, 200))
        star = ellipse(0, 0, 1, 1, corners=6)
        place = placed(chance.uniform(0, width), chance.uniform(0, 0.7) * height, size=size)
        draw(canvas, [Part(star, (tone, tone, min(255, tone + 20)), place)])


def _clouds(canvas: Frame, light: Light, chance: np.random.Generator, horizon: int) -> None:
    height, width = canvas.shape[:2]
    color = shaded(light.horizon, 0.3 if light is not LIGHTS["night"] else -0.1)
    for _ in range(int(chance.integers(0, 3) * width / height)):
        x, y, size = chance.uniform(0, width), chance.uniform(0.08, 0.65) * horizon, chance.uniform(0.06, 0.13) * height
        puffs = [ellipse(0.7 * k, -0.25 * (k % 2), 0.75, 0.42, corners=14) for k in range(-2, 3)]
        draw(canvas, [Part(puff, color, placed(x, y, size=size)) for puff in puffs])


def _landmarks(canvas: Frame, light: Light, chance: np.random.Generator, horizon: int) -> None:
    height, width = canvas.shape[:2]
    for _ in range(int(chance.integers(1, 4) * width / height)):
        x, foot = chance.uniform(0, width), horizon + chance.uniform(0.01, 0.07) * height
        kind = chance.integers(3)
        if kind == 0:
            draw(canvas, pine(x, foot, chance.uniform(0.14, 0.26) * height, light))
        elif kind == 1:
            draw(canvas, house(x, foot, chance.uniform(0.1, 0.15) * height, light))
        else:
            _rock(canvas, light, chance, x, foot)


def _rock(canvas: Frame, light: Light, chance: np.random.Generator, x: float, foot: float) -> None:
    size = chance.uniform(0.05, 0.1) * canvas.shape[0]
    grey = lit((128, 126, 130), light)
    outline = shape((-1, 0), (-0.8, -0.5), (-0.2, -0.85), (0.5, -0.7), (0.95, -0.2), (1, 0))
    top = shape((-0.8, -0.5), (-0.2, -0.85), (0.5, -0.7), (0.0, -0.5))
    draw(
        canvas,
        [Part(part, tone, placed(x, foot, size=size)) for part, tone in ((outline, grey), (top, shaded(grey, 0.2)))],
    )


def pine(x: float, foot: float, tall: float, light: Light) -> list[Part]:
    """Return a tree that stands on a point, `tall` pixels high."""
    trunk, green = lit((96, 70, 52), light), lit((44, 98, 70), light)
    tiers = [
        shape((-0.3 + 0.07 * k, -0.12 - 0.25 * k), (0, -0.62 - 0.19 * k), (0.3 - 0.07 * k, -0.12 - 0.25 * k))
        for k in range(3)
    ]
    place = placed(x, foot, size=tall)
    return [
        Part(box(-0.05, -0.2, 0.05, 0), trunk, place),
        *(Part(tier, shaded(green, 0.07 * k), place) for k, tier in enumerate(tiers)),
    ]


def house(x: float, foot: float, tall: float, light: Light) -> list[Part]:
    """Return a hut that stands on a point."""
    wall, roof, dark = lit((150, 128, 104), light), lit((92, 78, 72), light), lit((60, 54, 56), light)
    place = placed(x, foot, size=tall)
    shapes = (
        (box(-0.5, -0.62, 0.5, 0), wall),
        (shape((-0.62, -0.6), (0, -1.05), (0.62, -0.6)), roof),
        (box(-0.1, -0.36, 0.14, 0), dark),
    )
    return [Part(outline, color, place) for outline, color in shapes]


def weed(x: float, foot: float, tall: float, chance: np.random.Generator) -> list[Part]:
    """Return three blades that stand on the ground of the sea."""
    green = cast("Color", tuple(int(value) for value in chance.integers((20, 84, 70), (50, 120, 100))))
    blade = shape((-0.05, 0), (0.02, -0.35), (-0.04, -0.7), (0.04, -1), (0.08, -0.68), (0.1, -0.33), (0.05, 0))
    return [
        Part(
            blade,
            shaded(green, 0.08 * k),
            placed(x + 0.14 * k * tall, foot, size=tall * (1 - 0.2 * abs(k)), turn=0.12 * k),
        )
        for k in (-1, 0, 1)
    ]


def lit(color: Color, light: Light) -> Color:
    """Return a colour as it looks in a light."""
    red, green, blue = (min(255, round(value * share)) for value, share in zip(color, light.glow, strict=True))
    return red, green, blue


_PAINTERS: dict[Place, Callable[[Frame, Light, np.random.Generator, int], None]] = {
    "road": _road,
    "sea": _sea,
    "reef": _reef,
    "sky": _sky,
    "meadow": _meadow,
}
