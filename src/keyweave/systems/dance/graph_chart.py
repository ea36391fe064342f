"""The keyframe graph as a picture: keyframes in a ring, the motions that a plan chose, and its ways between them."""

from __future__ import annotations

from itertools import pairwise, product
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL.ImageDraw import ImageDraw

from keyweave.media import paper
from keyweave.systems.dance.drawing import LINE, blank, small, tints, write

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import PIL.Image
    from numpy.typing import ArrayLike, NDArray

    from keyweave.media.types import Frame
    from keyweave.systems.dance.assignment import Plan

    Floats = NDArray[np.floating]
    Box = tuple[int, int, int, int]  # left, top, right and foot, in pixels
    Picture = PIL.Image.Image

_SIDES = (110, 96, 84, 72, 62, 54, 46, 38)  # heights of keyframes, of which the largest that fits is taken
_APART = 1.3  # room along the ring for each, to its larger side
_TALL, _TALLEST, _TALLER = 360, 940, 30  # the ring's height for none, for as many as you like, and for each more
_INWARD = (0.5, 0.75, 0.3, 1.0)  # how far a line bends towards the middle, the first that passes all keyframes
_ASIDE = 0.12  # of its length a motion bends to its left, and others twice that, so that there and back are two lines
_ASIDES = (1.0, 0.4, 1.8, -0.4)  # so many times as far, the first that passes
_LANE = 0.24  # of a keyframe's side lines keep to their left, so that what comes is apart from what goes
_CLEAR = 6  # pixels between a keyframe and the lines that end at it
_SAMPLES = 160  # of a line
_DASH, _BREAK = 9, 7
_ARROW = 13
_WORDS_AT = (0.5, 0.42, 0.58, 0.34, 0.66, 0.26, 0.74, 0.18, 0.82, 0.1, 0.9)  # of a line, the first that is free


class Edge(NamedTuple):
    """A line from one keyframe to another.

    Args:
        first: where it begins.
        last: where it ends.
        words: what is written on it.
        color: of both.
        motion: whether it is danced, rather than a way from one motion to the next.
    """

    first: int
    last: int
    words: str
    color: paper.Color
    motion: bool


def edges_of(plan: Plan) -> list[Edge]:
    """Return a line for each motion, and one for each way that leads from one to the next, however often it does."""
    colors = tints(plan)
    edges = [
        Edge(*pair, f"{label} {plan.moves[label]:.0f}", colors[label.name], motion=True)
        for label, pair in plan.pairs.items()
    ]
    ways = {
        (plan.pairs[one][1], plan.pairs[then][0]): step
        for (one, then), step in zip(pairwise(plan.labels), plan.steps, strict=True)
    }
    return edges + [Edge(*way, f"{step:.0f}", paper.KEY, motion=False) for way, step in ways.items()]


def graph_picture(plan: Plan, pictures: Sequence[Frame], mirror: ArrayLike, width: int) -> Picture:
    """Draw the keyframes that a plan uses, and their mirrored ones across from them, in a ring with what is between.

    Args:
        plan: what was planned.
        pictures: the keyframes (H, W, 3 or 4), the mirrored ones among them.
        mirror: (N,) the number of each one's mirrored keyframe.
        width: of the picture.
    """
    mirror = np.asarray(mirror)
    used = set(plan.path)
    sides = _sides(used, mirror)
    count = len(sides[0]) + len(sides[1])
    height = min(_TALLEST, _TALL + _TALLER * count)
    shape = pictures[0].shape
    side = _side(count, width, height, min(1.8, shape[1] / shape[0]))
    shown = {each: small(pictures[each], side, dim=each not in used) for each in (*sides[0], *sides[1])}
    reach = max(picture.width for picture in shown.values()) / 2, (side + LINE) / 2
    middle = np.array([width / 2, height / 2])
    places = {each: middle + place for each, place in _places(sides, mirror, middle - reach).items()}
    boxes: dict[int, Box] = {}
    for each, place in places.items():
        left, top = np.rint(place - (shown[each].width / 2, reach[1])).astype(int).tolist()
        boxes[each] = (left, top, left + shown[each].width, top + side + LINE)
    edges = edges_of(plan)
    lines = [_line(edge, places, middle, boxes, _LANE * side) for edge in edges]
    sheet = _drawn(edges, lines, (width, height))
    ink = ImageDraw(sheet)
    for each, (left, top, right, _) in boxes.items():
        sheet.paste(shown[each], (left, top))
        words = str(each + 1) if each <= mirror[each] else f"{each + 1} = {mirror[each] + 1}m"
        write(ink, ((left + right) // 2, top + side + 3), words, paper.KEY if each in used else paper.FAINT, "ma")
    _name(ink, edges, lines, list(boxes.values()))
    return sheet


def _sides(used: set[int], mirror: NDArray[np.integer]) -> tuple[list[int], list[int]]:
    """Return the keyframes of the ring's left and right; mirrored ones at the right, if the plan uses any."""
    poses = sorted({min(each, int(mirror[each])) for each in used})
    turned = [int(mirror[each]) for each in poses if mirror[each] != each]
    return (poses, turned) if used & set(turned) else (poses, [])


def _side(count: int, width: int, height: int, shape: float) -> int:
    """Return how tall keyframes are, of which so many stand in a ring."""
    for side in _SIDES:
        across, down = side * max(shape, 0.5), side + LINE
        a, b = (width - across) / 2, (height - down) / 2
        around = np.pi * (3 * (a + b) - np.sqrt((3 * a + b) * (a + 3 * b)))  # Ramanujan's, of an ellipse
        if around / count >= _APART * max(across, down):
            return side
    return _SIDES[-1]


def _places(
    sides: tuple[list[int], list[int]],
    mirror: NDArray[np.integer],
    radii: Floats,  # (2,)
) -> dict[int, Floats]:
    """Return where keyframes stand, seen from the middle, evenly along an ellipse."""
    turns = np.linspace(0, 2 * np.pi, 4001)
    ring = np.stack([-radii[0] * np.sin(turns), -radii[1] * np.cos(turns)], axis=1)  # from the top to the left
    gone = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(ring, axis=0), axis=1))])
    left, right = sides
    shares = (np.arange(len(left)) + 0.5) / len(left) * (0.5 if right else 1.0)
    at = np.stack([np.interp(shares * gone[-1], gone, axis) for axis in ring.T], axis=1)
    places = dict(zip(left, at, strict=True))
    return places | {each: places[int(mirror[each])] * (-1, 1) for each in right}


def _line(edge: Edge, at: dict[int, Floats], middle: Floats, boxes: dict[int, Box], lanes: float) -> Floats:
    """Return the points of a line (S, 2) from rim to rim of its keyframes, past the others where that can be."""
    first, last = at[edge.first], at[edge.last]
    left = np.array([last[1] - first[1], first[0] - last[0]])
    aside = (_ASIDE if edge.motion else 2 * _ASIDE) * left
    lane = lanes * left / max(float(np.linalg.norm(left)), 1e-9)
    first, last = first + lane, last + lane
    others = [box for each, box in boxes.items() if each not in edge[:2]]
    share = np.linspace(0, 1, _SAMPLES)[:, None]
    ways = []
    for inward, factor in product(_INWARD, _ASIDES):
        bend = (1 - inward) * (first + last) / 2 + inward * middle + factor * aside
        ways.append((1 - share) ** 2 * first + 2 * share * (1 - share) * bend + share**2 * last)
    points = min(ways, key=lambda way: (_within(way, others) | ((way < 0) | (way > 2 * middle)).any(axis=1)).sum())
    free = points[~_within(points, [boxes[edge.first], boxes[edge.last]])]
    return free if len(free) > 1 else points[[0, -1]]


def _within(points: Floats, boxes: Sequence[Box]) -> NDArray[np.bool_]:
    """Tell which points (S, 2) lie in a box or near it."""
    found = np.zeros(len(points), bool)
    for left, top, right, foot in boxes:
        low, high = np.array([left, top]) - _CLEAR, np.array([right, foot]) + _CLEAR
        found |= ((points > low) & (points < high)).all(axis=1)
    return found


def _drawn(edges: list[Edge], lines: list[Floats], size: tuple[int, int]) -> Picture:
    """Draw all lines, what is danced above the ways between."""
    finer = paper.FINER
    sheet = blank(size[0] * finer, size[1] * finer)
    ink = ImageDraw(sheet)
    for edge, points in sorted(zip(edges, lines, strict=True), key=lambda each: each[0].motion):
        wide = 3 if edge.motion else 1.5
        for part in [points] if edge.motion else _dashes(points):
            ink.line([tuple(point) for point in (part * finer).tolist()], edge.color, round(wide * finer), "curve")
        tip, back = points[-1], points[-min(len(points), 1 + _SAMPLES // 16)]
        ahead = (tip - back) / max(float(np.linalg.norm(tip - back)), 1e-9)
        long = _ARROW if edge.motion else 0.75 * _ARROW
        wing = 0.45 * long * np.array([ahead[1], -ahead[0]])
        corners = np.array([tip, tip - long * ahead + wing, tip - long * ahead - wing]) * finer
        ink.polygon([tuple(corner) for corner in corners.tolist()], edge.color)
    return sheet.reduce(finer)


def _dashes(points: Floats) -> Iterator[Floats]:
    """Break a line."""
    gone = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    for start in np.arange(0, gone[-1], _DASH + _BREAK):
        at = np.linspace(start, min(start + _DASH, gone[-1]), 4)
        yield np.stack([np.interp(at, gone, axis) for axis in points.T], axis=1)


def _name(ink: ImageDraw, edges: list[Edge], lines: list[Floats], taken: list[Box]) -> None:
    """Write on each line, where nothing else is written and no keyframe stands; what is danced first."""
    for edge, points in sorted(zip(edges, lines, strict=True), key=lambda each: not each[0].motion):
        type_ = paper.LABEL if edge.motion else paper.CAPTION
        wide, tall = paper.length(edge.words, type_) + 8, type_ + 4
        boxes = []
        for share in _WORDS_AT:
            left, top = np.rint(points[round(share * (len(points) - 1))] - (wide / 2, tall / 2)).astype(int).tolist()
            boxes.append((left, top, left + wide, top + tall))
        box = min(boxes, key=lambda box: sum(_overlap(box, other) for other in taken))
        taken.append(box)
        ink.rectangle(box, paper.PAPER)
        write(ink, ((box[0] + box[2]) // 2, (box[1] + box[3]) // 2), edge.words, edge.color, "mm", size=type_)


def _overlap(one: Box, other: Box) -> int:
    wide = min(one[2], other[2]) - max(one[0], other[0])
    tall = min(one[3], other[3]) - max(one[1], other[1])
    return max(0, wide) * max(0, tall)
