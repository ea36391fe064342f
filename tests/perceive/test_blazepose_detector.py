"""The detector's numbers: anchors, boxes and which of them are one person, each against a slow loop."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from keyweave.perceive.blazepose.detector import anchors, decoded, merged, overlap


def test_anchors():
    """Five layers, two anchors to a cell in each; layers of one stride lie in one another."""
    expected = []
    for layers in ([8], [16], [32, 32, 32]):
        cells = 224 // layers[0]
        for down in range(cells):
            for right in range(cells):
                expected += [((right + 0.5) / cells, (down + 0.5) / cells)] * (2 * len(layers))
    assert len(expected) == 2254
    np.testing.assert_allclose(anchors(), expected)


def test_values_are_pixels_from_an_anchor():
    chance = np.random.default_rng(0)
    values, middles = chance.normal(0, 50, (40, 12)), chance.uniform(0, 1, (40, 2))
    for row, (right, down), found in zip(values, middles, decoded(values, middles), strict=True):
        x, y = right + row[0] / 224, down + row[1] / 224
        wide, high = row[2] / 224, row[3] / 224
        expected = [x - wide / 2, y - high / 2, x + wide / 2, y + high / 2]
        for point in range(4):
            expected += [right + row[4 + 2 * point] / 224, down + row[5 + 2 * point] / 224]
        np.testing.assert_allclose(found, expected)


BOXES = st.tuples(*[st.integers(0, 14)] * 2, *[st.integers(0, 6)] * 2).map(
    lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3])
)


def cells(box: tuple[int, int, int, int]) -> set[tuple[int, int]]:
    left, top, right, bottom = map(int, box)
    return {(x, y) for x in range(left, right) for y in range(top, bottom)}


@given(box=BOXES, boxes=st.lists(BOXES, min_size=1, max_size=8))
def test_overlap_counts_cells(box: tuple[int, int, int, int], boxes: list[tuple[int, int, int, int]]):
    for other, share in zip(boxes, overlap(np.array(box, float), np.array(boxes, float)), strict=True):
        both, any_ = cells(box) & cells(other), cells(box) | cells(other)
        assert share == (len(both) / len(any_) if any_ else 0)


@given(boxes=st.lists(BOXES, max_size=12), seed=st.integers(0, 99))
def test_what_overlaps_is_one_person(boxes: list[tuple[int, int, int, int]], seed: int):
    """Again and again: the surest is taken, with all that share more than 0.3 of their union with it."""
    chance = np.random.default_rng(seed)
    scores = list(chance.permutation(len(boxes)) / 20 + 0.5)
    rows = [[*box, *chance.uniform(0, 9, 8)] for box in boxes]
    left, expected = sorted(range(len(boxes)), key=lambda k: -scores[k]), []
    while left:
        best = cells(boxes[left[0]])
        ones = [left[0]]
        for k in left[1:]:
            both, any_ = best & cells(boxes[k]), best | cells(boxes[k])
            if both and len(both) / len(any_) > 0.3:
                ones.append(k)
        total = sum(scores[k] for k in ones)
        expected.append([sum(scores[k] * rows[k][c] for k in ones) / total for c in range(12)])
        left = [k for k in left if k not in ones]
    found = merged(np.array(rows).reshape(-1, 12), np.array(scores))
    assert len(found) == len(expected)
    for (row, _), mean in zip(found, expected, strict=True):
        np.testing.assert_allclose(row, mean)
