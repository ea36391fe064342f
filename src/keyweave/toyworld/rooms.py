"""Rooms: a stage to dance on and a study to talk in, painted once per clip."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from keyweave.toyworld.ink import Color, Part, box, draw, ellipse, placed, shaded, shape

if TYPE_CHECKING:
    from keyweave.media.types import Frame

_VELVET, _WALL, _BOARDS = (116, 34, 62), (58, 52, 96), (150, 104, 78)


def stage(width: int, height: int, chance: np.random.Generator) -> Frame:
    """Paint a stage (height, width, 3): curtains, a wall with lamps, boards in a pool of light."""
    canvas = np.empty((height, width, 3), np.uint8)
    canvas[:] = _down(shaded(_WALL, -0.25), shaded(_WALL, 0.12), height)
    middle, floor = width / 2, 0.74 * height
    fold = 0.05 * min(1.0, width / height)
    view = placed(middle, 0, size=height)
    parts = [
        Part(shape((-0.08, 0), (0.08, 0), (0.42, 0.86), (-0.42, 0.86)), shaded(_WALL, 0.16), view),
        Part(shape((-0.04, 0), (0.04, 0), (0.3, 0.86), (-0.3, 0.86)), shaded(_WALL, 0.24), view),
        *_lamps(chance, width / height, view),
        Part(box(-middle, floor, middle, height), _BOARDS, placed(middle, 0)),
        *_planks(width / height, view),
        Part(ellipse(0, 0.9, 0.4, 0.085, corners=40), shaded(_BOARDS, 0.3), view),
        *_curtain(-0.5 * width / height, fold, view),
        *_curtain(0.5 * width / height, -fold, view),
    ]
    draw(canvas, parts)
    return canvas


def _lamps(chance: np.random.Generator, aspect: float, view: np.ndarray) -> list[Part]:
    """Hang bulbs along a line, each of another colour."""
    colors: tuple[Color, ...] = ((250, 206, 110), (126, 196, 214), (228, 146, 176), (164, 206, 140))
    count = max(3, round(8 * aspect))
    first = int(chance.integers(len(colors)))
    x = np.linspace(-0.5 * aspect, 0.5 * aspect, count)
    y = 0.1 + 0.1 * (1 - (2 * x / aspect) ** 2) + chance.uniform(-0.008, 0.008, count)
    wire = np.vstack([np.stack([x, y], axis=1), np.stack([x, y + 0.006], axis=1)[::-1]])
    bulbs = [
        Part(ellipse(0, 0.016, 0.014, 0.02, corners=12), colors[(first + k) % len(colors)], placed(x[k], y[k]))
        for k in range(count)
    ]
    return [part.put(view) for part in (Part(wire, shaded(_WALL, -0.5), placed()), *bulbs)]


def _planks(aspect: float, view: np.ndarray) -> list[Part]:
    """Draw the seams of boards that run to a point far behind the stage."""
    seams = np.linspace(-1.1 * aspect, 1.1 * aspect, 13)
    return [
        Part(
            shape((x * 0.62, 0.74), (x, 1.0), (x + 0.008, 1.0), (x * 0.62 + 0.005, 0.74)), shaded(_BOARDS, -0.18), view
        )
        for x in seams
    ]


def _curtain(edge: float, fold: float, view: np.ndarray) -> list[Part]:
    """Hang velvet from the top to the floor, in folds."""
    folds = []
    for number in range(3):
        left, right = edge + fold * number, edge + fold * (number + 1)
        hem = 0.84 + 0.012 * (number % 2)
        outline = shape((left, 0), (right, 0), (right - 0.2 * fold, 0.4), (right, hem), (left, hem))
        folds.append(Part(outline, shaded(_VELVET, 0.1 * (number % 2) - 0.12 * (number == 0)), view))
    return folds[::-1]


def _down(top: Color, bottom: Color, height: int) -> np.ndarray:
    """Return colours (height, 1, 3) that change from the top to the bottom."""
    rows = np.linspace(0, 1, height)[:, None]
    return np.rint(np.array(top) * (1 - rows) + np.array(bottom) * rows).astype(np.uint8)[:, None]


def study(width: int, height: int, chance: np.random.Generator) -> Frame:
    """Paint a study (height, width, 3): a window to the hills, a shelf of books, a plant."""
    canvas = np.empty((height, width, 3), np.uint8)
    canvas[:] = _down((214, 200, 178), (188, 170, 150), height)
    aspect = width / height
    view = placed(width / 2, 0, size=height)
    parts = [*_window(-0.5 * aspect + 0.03), *_shelf(0.5 * aspect - 0.33, chance), *_plant(-0.5 * aspect + 0.14)]
    desk = [
        Part(box(-aspect, 0.93, aspect, 1), (132, 98, 76), placed()),
        Part(box(-aspect, 0.93, aspect, 0.94), (156, 120, 94), placed()),
    ]
    draw(canvas, [part.put(view) for part in (*parts, *desk)])
    return canvas


def _window(left: float) -> list[Part]:
    place, frame = placed(left, 0.1), (244, 238, 226)
    shapes: tuple[tuple[np.ndarray, Color], ...] = (
        (box(0, 0, 0.3, 0.42), frame),
        (box(0.02, 0.02, 0.28, 0.4), (168, 210, 232)),
        (ellipse(0.19, 0.11, 0.035, 0.035), (250, 236, 180)),
        (
            shape((0.02, 0.3), (0.09, 0.24), (0.17, 0.28), (0.24, 0.22), (0.28, 0.25), (0.28, 0.4), (0.02, 0.4)),
            (134, 172, 150),
        ),
        (shape((0.02, 0.36), (0.12, 0.31), (0.28, 0.35), (0.28, 0.4), (0.02, 0.4)), (106, 150, 108)),
        (box(0.143, 0.02, 0.157, 0.4), frame),
        (box(0.02, 0.2, 0.28, 0.213), frame),
    )
    return [Part(outline, color, place) for outline, color in shapes]


def _shelf(left: float, chance: np.random.Generator) -> list[Part]:
    """Put up two boards of books, no two shelves alike."""
    parts = []
    covers: tuple[Color, ...] = ((150, 84, 76), (86, 116, 132), (120, 138, 92), (176, 146, 88), (112, 92, 124))
    for board in (0.3, 0.58):
        x = left + chance.uniform(0.0, 0.03)
        while x < left + 0.26:
            wide, tall = chance.uniform(0.022, 0.04), chance.uniform(0.12, 0.19)
            cover = covers[chance.integers(len(covers))]
            parts.append(Part(box(x, board - tall, x + wide, board), cover, placed()))
            parts.append(Part(box(x, board - 0.8 * tall, x + wide, board - 0.74 * tall), shaded(cover, 0.35), placed()))
            x += wide + 0.003
        parts.append(Part(box(left - 0.02, board, left + 0.34, board + 0.018), (132, 98, 76), placed()))
    return parts


def _plant(x: float) -> list[Part]:
    leaf = shape((0, 0), (-0.035, -0.08), (0, -0.17), (0.035, -0.08))
    leaves = [
        Part(leaf, shaded((78, 134, 92), 0.1 * (k % 2)), placed(x, 0.82, turn=turn, size=1 + 0.2 * (k % 2)))
        for k, turn in enumerate((-0.9, 0.9, -0.45, 0.45, 0.0))
    ]
    pot = Part(shape((-0.07, 0.81), (0.07, 0.81), (0.05, 0.94), (-0.05, 0.94)), (188, 120, 88), placed(x, 0))
    return [*leaves, pot]
