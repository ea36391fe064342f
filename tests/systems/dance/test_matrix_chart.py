"""The picture of distances shows what is near, in both orders."""

from dataclasses import replace

import numpy as np
import pytest

from keyweave.media import paper
from keyweave.systems.dance.labels import read_labels
from keyweave.systems.dance.matrix_chart import distance_colors, matrix_chart
from keyweave.systems.dance.motions import Distances
from keyweave.systems.dance.naming import Labelling

BLUE, RED = (np.array(color) for color in paper.LINES[:2])


def labelling(labels: str = "A-B-A-A'") -> Labelling:
    """Segments of one label are 0.1 apart, mirrored ones 0.1 in the mirror, all others 1 and 0.9."""
    found = read_labels(labels)
    direct = np.array([[0.1 if one == other else 1.0 for other in found] for one in found])
    np.fill_diagonal(direct, 0)
    mirrored = np.array([[0.1 if one == other.mirror else 0.9 for other in found] for one in found])
    heights = np.array([0.1] * (len(found) - 1))
    distances = Distances(direct, mirrored)
    return Labelling(found, (), distances, np.zeros(len(found)), "radians", heights, 0.3, 0.35, (0.1, 1.0))


def toned(cell: np.ndarray, color: np.ndarray) -> bool:
    """Whether a cell is of a colour, laid over the paper's field."""
    shares = (cell - np.array(paper.FIELD)) / (color - np.array(paper.FIELD))
    return float(np.ptp(shares)) < 0.05 and shares.mean() > 0.3


def test_the_same_motion_is_blue_and_its_mirror_image_red():
    colors = distance_colors(labelling())
    assert np.array_equal(colors, colors.transpose(1, 0, 2))
    assert [toned(colors[0, other], BLUE) for other in range(4)] == [True, False, True, False]
    assert [toned(colors[0, other], RED) for other in range(4)] == [False, False, False, True]
    assert np.ptp(colors[0, 1].astype(int)) < 10  # grey
    assert colors[0, 0].tolist() == BLUE.tolist()


@pytest.mark.parametrize("by", ["direct", "mirrored"])
def test_what_is_nearer_is_brighter(by: str):
    found = labelling()
    nearer = getattr(found.distances, by).copy()
    place = (0, 2) if by == "direct" else (0, 3)
    nearer[place] = 0.01
    closer = replace(found, distances=replace(found.distances, **{by: nearer}))
    assert distance_colors(closer)[place].sum() > distance_colors(found)[place].sum() + 20


def test_a_symmetric_motion_is_mirrored_to_none():
    """Where the mirror image is no nearer than the motion itself, it is no mirror image."""
    found = labelling()
    both = replace(found.distances, direct=np.where(found.distances.direct == 1, 0.32, found.distances.direct))
    near = replace(both, mirrored=np.full((4, 4), 0.31))
    assert not toned(distance_colors(replace(found, distances=near))[0, 3], RED)


def test_segments_stand_in_the_order_of_time_and_in_that_of_labels():
    found = labelling("A-B-A-B-C-A")
    pixels, cell = matrix_chart(found).pixels, 48
    top = np.flatnonzero((pixels == BLUE).all(axis=2).any(axis=1))[0]
    columns = np.flatnonzero((pixels[top + cell // 2] == BLUE).all(axis=1))  # of each one's first diagonal cell
    lefts = columns[0], columns[columns > columns[0] + 6 * cell][0]
    for left, order in zip(lefts, ([0, 1, 2, 3, 4, 5], [0, 2, 5, 1, 3, 4]), strict=True):
        shown = pixels[top + cell // 2 : top + 6 * cell : cell, left + cell // 2 : left + 6 * cell : cell]
        assert np.array_equal(shown, distance_colors(found)[np.ix_(order, order)])


@pytest.mark.parametrize("count", [1, 2, 40, 256])
def test_dances_of_any_length_find_room(count: int):
    found = labelling("-".join(["A", "B"] * count)[: 4 * count - 1])
    picture = matrix_chart(found, title="a dance")
    assert 600 < picture.width < 1600
    assert 150 < picture.height < 800


def test_where_the_threshold_could_lie_is_said():
    found = labelling()
    open_ended = matrix_chart(replace(found, band=(0.1, np.inf))).pixels
    assert open_ended.shape == matrix_chart(found).pixels.shape
    assert not np.array_equal(open_ended[:70], matrix_chart(found).pixels[:70])
