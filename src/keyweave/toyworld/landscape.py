"""A lake between hills, at four times of the day: the first pictures that keyweave draws by itself."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFilter

from keyweave.base.seeds import stream
from keyweave.media.types import Image

if TYPE_CHECKING:
    import random

Color = tuple[int, int, int]

_OVERSAMPLE = 2  # drawn larger and reduced, so that edges are smooth
_SHORE = 0.66  # height of the water line, from the top
_HILLS = ((0.40, 0.10, 1.3), (0.50, 0.08, 2.1), (0.60, 0.05, 3.2))  # height, swing, waves of each row, far to near


@dataclass(frozen=True)
class Light:
    """The colours of a time of day.

    Args:
        zenith: the sky above.
        horizon: the sky at the hills.
        far: the farthest hills.
        near: the nearest hills and the trees.
        disc: the sun or the moon.
        place: where it stands, as shares of width and height.
        size: its radius as a share of the height.
        stars: how bright they are, 0 to 1.
        window: the window of the hut.
    """

    zenith: Color
    horizon: Color
    far: Color
    near: Color
    disc: Color
    place: tuple[float, float]
    size: float
    stars: float
    window: Color


LIGHTS: dict[str, Light] = {
    "dawn": Light(
        (96, 120, 170),
        (255, 190, 150),
        (150, 130, 165),
        (52, 58, 92),
        (255, 236, 190),
        (0.22, 0.36),
        0.055,
        0.12,
        (70, 62, 80),
    ),
    "noon": Light(
        (66, 148, 222),
        (196, 230, 250),
        (126, 170, 190),
        (38, 92, 74),
        (255, 252, 224),
        (0.52, 0.13),
        0.05,
        0.0,
        (60, 74, 84),
    ),
    "dusk": Light(
        (58, 50, 110),
        (255, 132, 84),
        (120, 74, 112),
        (40, 30, 58),
        (255, 196, 110),
        (0.80, 0.37),
        0.065,
        0.2,
        (255, 206, 120),
    ),
    "night": Light(
        (10, 14, 40),
        (40, 58, 108),
        (32, 44, 84),
        (10, 15, 34),
        (236, 240, 255),
        (0.66, 0.17),
        0.045,
        1.0,
        (255, 214, 130),
    ),
}


def landscape(
    light: str, width: int = 640, height: int = 360, *, seed: int = 7, boat: tuple[float, float] | None = None
) -> Image:
    """Draw the scene; the same seed gives the same hills, trees and stars in every light.

    `boat` places a sailing boat on the lake: how far to the right, and how near, both 0 to 1.
    """
    colors = LIGHTS[light]
    large = (width * _OVERSAMPLE, height * _OVERSAMPLE)
    picture = PillowImage.fromarray(_sky(colors, *large))
    _draw_stars(picture, colors, stream(seed, "stars"))
    picture = _with_disc(picture, colors)
    _draw_land(picture, colors, stream(seed, "land"))
    _mirror_in_lake(picture, colors)
    if boat is not None:
        _draw_boat(picture, colors, *boat)
    small = picture.resize((width, height), PillowImage.Resampling.LANCZOS)
    return Image(np.array(small))


def _sky(colors: Light, width: int, height: int) -> np.ndarray:
    """Return a gradient, uint8 (height, width, 3), dithered so that it does not band."""
    down = np.linspace(0, 1, height)[:, None, None] / _SHORE
    share = np.clip(down, 0, 1) ** 1.5
    rows = np.array(colors.zenith) * (1 - share) + np.array(colors.horizon) * share
    grain = np.random.Generator(np.random.PCG64(0)).random((height, width, 1)) - 0.5
    return np.clip(np.rint(np.broadcast_to(rows, (height, width, 3)) + grain), 0, 255).astype(np.uint8)


def _draw_stars(picture: PillowImage.Image, colors: Light, chance: random.Random) -> None:
    draw = ImageDraw.Draw(picture, "RGBA")
    for _ in range(140):
        x, y = chance.random() * picture.width, chance.random() ** 1.4 * picture.height * 0.45
        radius = (0.4 + chance.random()) * picture.height / 400
        brightness = round(255 * colors.stars * (0.4 + 0.6 * chance.random()))
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(255, 255, 245, brightness))


def _with_disc(picture: PillowImage.Image, colors: Light) -> PillowImage.Image:
    """Add the sun or moon with its glow."""
    x, y = colors.place[0] * picture.width, colors.place[1] * picture.height
    radius = colors.size * picture.height
    glow = PillowImage.new("L", picture.size, 0)
    ImageDraw.Draw(glow).ellipse((x - 2 * radius, y - 2 * radius, x + 2 * radius, y + 2 * radius), fill=120)
    glow = glow.filter(ImageFilter.GaussianBlur(radius))
    ImageDraw.Draw(glow).ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return PillowImage.composite(PillowImage.new("RGB", picture.size, colors.disc), picture, glow)


def _draw_land(picture: PillowImage.Image, colors: Light, chance: random.Random) -> None:
    """Draw rows of hills from far to near, trees on the nearest, and the hut."""
    draw = ImageDraw.Draw(picture)
    width, height = picture.size
    for row, (level, swing, waves) in enumerate(_HILLS):
        color = _between(colors.far, colors.near, row / (len(_HILLS) - 1))
        phases = [chance.random() * math.tau for _ in range(3)]

        def ridge(
            x: float, level: float = level, swing: float = swing, waves: float = waves, phases: list[float] = phases
        ) -> float:
            turns = (math.sin(math.tau * waves * 2**k * x / width + phases[k]) / 2**k for k in range(3))
            return (level + swing * sum(turns) / 2) * height

        edge = [(x, ridge(x)) for x in range(0, width + 4, 4)]
        draw.polygon([*edge, (width, _SHORE * height), (0, _SHORE * height)], fill=color)
        if row == len(_HILLS) - 1:
            for _ in range(34):
                x = chance.random() * width
                if abs(x / width - 0.32) > 0.06:
                    _draw_pine(draw, x, ridge(x), height * (0.05 + 0.07 * chance.random()), color)
            _draw_hut(draw, 0.32 * width, ridge(0.32 * width), height * 0.055, colors)


def _draw_pine(draw: ImageDraw.ImageDraw, x: float, foot: float, tall: float, color: Color) -> None:
    dark = _between(color, (0, 0, 0), 0.25)
    for tier in range(3):
        half, top = tall * (0.30 - 0.07 * tier), foot - tall * (0.45 + 0.275 * tier)
        draw.polygon([(x - half, top + tall * 0.45), (x + half, top + tall * 0.45), (x, top)], fill=dark)


def _draw_hut(draw: ImageDraw.ImageDraw, x: float, foot: float, tall: float, colors: Light) -> None:
    wall = _between(colors.near, (120, 70, 50), 0.45)
    roof = _between(colors.near, (0, 0, 0), 0.4)
    draw.rectangle((x - tall * 0.8, foot - tall * 0.7, x + tall * 0.8, foot + tall * 0.3), fill=wall)
    draw.polygon([(x - tall, foot - tall * 0.65), (x + tall, foot - tall * 0.65), (x, foot - tall * 1.35)], fill=roof)
    draw.rectangle((x - tall * 0.2, foot - tall * 0.45, x + tall * 0.25, foot - tall * 0.05), fill=colors.window)


def _mirror_in_lake(picture: PillowImage.Image, colors: Light) -> None:
    """Lay the upside-down scene into the water, calmer and darker, with ripples that widen toward us."""
    shore = round(_SHORE * picture.height)
    depth = picture.height - shore
    above = np.asarray(picture)[shore - 2 * depth if shore >= 2 * depth else 0 : shore][::-1]
    rows = np.minimum(np.arange(depth) * len(above) // max(depth, 1), len(above) - 1)
    water = above[rows].astype(np.float64)
    for row in range(depth):
        nearness = row / depth
        shift = round(math.sin(row * 0.9 / (0.3 + nearness)) * (1 + 5 * nearness) * picture.height / 720)
        water[row] = np.roll(water[row], shift, axis=0)
    tint = np.array(_between(colors.zenith, colors.near, 0.5))
    water = water * 0.68 + tint * 0.32
    picture.paste(PillowImage.fromarray(np.rint(water).astype(np.uint8)), (0, shore))


def _draw_boat(picture: PillowImage.Image, colors: Light, right: float, near: float) -> None:
    """Draw a boat with two sails, and its image in the water."""
    waterline = picture.height * (_SHORE + 0.04 + 0.22 * near)
    x, tall = right * picture.width, picture.height * (0.10 + 0.10 * near)
    shades = _between((250, 246, 238), colors.horizon, 0.25), _between((206, 62, 50), colors.near, 0.2)
    hull = _between((88, 54, 40), colors.near, 0.3)
    parts = (
        (((-0.42, 0.0), (0.46, 0.0), (0.34, -0.16), (-0.30, -0.16)), hull),
        (((0.02, 0.04), (0.02, 1.0), (-0.38, 0.10)), shades[0]),
        (((0.06, 0.08), (0.06, 0.86), (0.40, 0.10)), shades[1]),
    )
    mirrored = picture.copy()
    for target, up in ((mirrored, -1.0), (picture, 1.0)):
        draw = ImageDraw.Draw(target)
        foot = waterline + 0.16 * tall * (1 if up < 0 else 0)
        for outline, color in parts:
            draw.polygon([(x + dx * tall, foot - up * dy * tall) for dx, dy in outline], fill=color)
    water = round(waterline + 0.16 * tall)
    blended = PillowImage.blend(picture, mirrored, 0.35).crop((0, water, picture.width, picture.height))
    picture.paste(blended, (0, water))


def _between(a: Color, b: Color, share: float) -> Color:
    red, green, blue = (round(x + (y - x) * share) for x, y in zip(a, b, strict=True))
    return red, green, blue
