"""The picture of the keyframe graph: what is in it, and where."""

from itertools import pairwise

import numpy as np
import pytest

from keyweave.media import paper
from keyweave.systems.dance.assignment import Plan
from keyweave.systems.dance.drawing import LINE, tints
from keyweave.systems.dance.graph_chart import edges_of, graph_picture
from keyweave.systems.dance.labels import read_labels

WIDTH = 1200


def plan_of(labels: str, **pairs: tuple[int, int]) -> Plan:
    """Motions move 31 px, 32 px and so on, ways between them 11 px, 12 px and so on."""
    danced = read_labels(labels)
    named = {read_labels(name.replace("_", "'"))[0]: pair for name, pair in pairs.items()}
    moves = {label: 31.0 + number for number, label in enumerate(named)}
    charged = {way: 11.0 + number for number, way in enumerate(dict.fromkeys(pairwise(danced)))}
    steps = tuple(charged[way] for way in pairwise(danced))
    return Plan(danced, named, moves, steps, cost=sum(steps), bound=sum(steps), low=12, high=60)


def flat(count: int, size: tuple[int, int] = (60, 80)) -> list[np.ndarray]:
    """Pictures of one colour each, which nothing else in the picture has."""
    return [np.full((*size, 3), (7, 255 - 4 * number, 3 + 4 * number), np.uint8) for number in range(count)]


def drawn(plan: Plan, pictures: list[np.ndarray]) -> np.ndarray:
    half = len(pictures) // 2
    return np.asarray(graph_picture(plan, pictures, np.r_[half : 2 * half, :half], WIDTH))


def where(pixels: np.ndarray, color, *, within: int = 0) -> np.ndarray:
    """Return rows and columns of what has this colour, or one that is near."""
    return np.argwhere(np.abs(pixels.astype(int) - color).max(axis=2) <= within)


def box(pixels: np.ndarray, picture: np.ndarray) -> tuple[int, int, int, int]:
    """Return the first and the last row, and the first and the last column of a keyframe; it has to be whole."""
    found = where(pixels, picture[0, 0])
    (top, left), (foot, right) = found.min(axis=0), found.max(axis=0)
    assert len(found) == (foot + 1 - top) * (right + 1 - left)
    return top, foot, left, right


def gaps(found: np.ndarray, around: tuple[int, int, int, int]) -> np.ndarray:
    """Tell how far pixels are from a box."""
    top, foot, left, right = around
    down = np.maximum(np.maximum(top - found[:, 0], found[:, 0] - foot), 0)
    across = np.maximum(np.maximum(left - found[:, 1], found[:, 1] - right), 0)
    return np.hypot(down, across)


def test_each_motion_is_a_line_and_each_way_between_two_is_one_however_often_it_is_gone():
    plan = plan_of("A-B-A-B-A'-A", A=(0, 1), A_=(3, 4), B=(4, 0))
    edges = edges_of(plan)
    assert [(edge.first, edge.last, edge.words) for edge in edges if edge.motion] == [
        (0, 1, "A 31"),
        (3, 4, "A' 32"),
        (4, 0, "B 33"),
    ]
    ways = {(edge.first, edge.last): edge.words for edge in edges if not edge.motion}
    assert ways == {(1, 4): "11", (0, 0): "12", (0, 3): "13", (4, 0): "14"}
    assert edges[0].color == edges[1].color == tints(plan)["A"] != edges[2].color


@pytest.mark.parametrize("pair", [(0, 1), (1, 0), (0, 5), (2, 4), (5, 0)])
def test_a_line_leads_from_its_first_keyframe_to_the_head_at_its_last(pair: tuple[int, int]):
    plan, pictures = plan_of("A-B", A=pair, B=(3, 1)), flat(6)
    pixels = drawn(plan, pictures)
    line = where(pixels, tints(plan)["A"], within=60)  # its rims are softer
    first, last = (gaps(line, box(pixels, pictures[end])) for end in pair)
    room = LINE + 12  # for the number below a keyframe, and some
    assert 0 < first.min() <= room
    assert 0 < last.min() <= room
    head, tail = (
        (np.hypot(*(line - line[gap.argmin()]).T) < 14).sum()
        for gap in (last, first)  # pixels around either end
    )
    assert head > 1.3 * tail


def test_used_keyframes_are_whole_others_that_they_mirror_dimmed_and_the_rest_is_left_out():
    pictures = flat(8)
    pixels = drawn(plan_of("A-B-A", A=(0, 5), B=(6, 1)), pictures)
    for number in (0, 1, 5, 6):
        box(pixels, pictures[number])
    for number, dimmed in ((2, True), (4, True), (3, False), (7, False)):
        assert not len(where(pixels, pictures[number][0, 0]))
        faint = np.rint(0.3 * pictures[number][0, 0] + 0.7 * np.array(paper.PAPER))
        assert (np.abs(pixels - faint).max(axis=2) <= 1).any() == dimmed


def test_mirrored_keyframes_stand_across_from_the_others():
    pictures = flat(8)
    pixels = drawn(plan_of("A-A'-B-B'", A=(0, 1), A_=(4, 5), B=(2, 3), B_=(6, 7)), pictures)
    for number in range(4):
        (top, foot, left, right), (other_top, other_foot, other_left, other_right) = (
            box(pixels, pictures[each]) for each in (number, number + 4)
        )
        assert (abs(top - other_top), abs(foot - other_foot)) <= (1, 1)
        assert abs(left + other_right - (WIDTH - 1)) <= 2
        assert abs(right + other_left - (WIDTH - 1)) <= 2
        assert right < other_left


@pytest.mark.parametrize(("count", "size"), [(2, (60, 80)), (12, (90, 40)), (24, (60, 60)), (48, (60, 80))])
def test_any_number_of_keyframes_finds_room(count: int, size: tuple[int, int]):
    """`box` sees to it that none covers another, nor does a word."""
    pictures = flat(count, size)
    motions = {chr(65 + number): (2 * number, 2 * number + 1) for number in range(count // 2)}
    pixels = drawn(plan_of("-".join(motions), **motions), pictures)
    assert pixels.shape[1] == WIDTH
    heights = {foot - top for top, foot, _, _ in (box(pixels, picture) for picture in pictures)}
    assert len(heights) == 1
    assert min(heights) >= 35


def test_a_plan_that_mirrors_nothing_is_a_ring_of_what_it_uses():
    pictures = flat(8)
    pixels = drawn(plan_of("A-B", A=(0, 1), B=(2, 3)), pictures)
    assert all(len(where(pixels, pictures[number][0, 0])) for number in range(4))
    assert not any(len(where(pixels, pictures[number][0, 0])) for number in range(4, 8))
    lefts = sorted(box(pixels, pictures[number])[2] for number in range(4))
    assert lefts[0] < WIDTH / 2 < lefts[-1]
