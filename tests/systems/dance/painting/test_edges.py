"""Edges to paint by: of drawn rectangles, whose edges are known."""

import numpy as np
import pytest

from keyweave.perceive.masks import grown
from keyweave.systems.dance.painting.edges import as_picture, background_edges, canny, drawings

HEIGHT, WIDTH = 48, 80


def scene(*boxes: tuple[int, int, int, int], post: bool = True) -> np.ndarray:
    """A grey wall with a post at the left and a dark line below, and white boxes (top, left, bottom, right)."""
    frame = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    if post:
        frame[:, 8:12] = 160
    frame[40:44] = 20
    for top, left, bottom, right in boxes:
        frame[top:bottom, left:right] = 255
    return frame


def mask(top: int, left: int, bottom: int, right: int) -> np.ndarray:
    found = np.zeros((HEIGHT, WIDTH), bool)
    found[top:bottom, left:right] = True
    return found


BOXES = ((10, 20, 36, 32), (12, 50, 38, 64))
MASKS = np.stack([mask(*box) for box in BOXES])
FRAMES = [scene(box) for box in BOXES]


def test_the_edges_of_a_rectangle_are_its_contour():
    found = canny(scene((10, 20, 36, 32), post=False))
    ring = grown(MASKS[0], 1) & ~grown(MASKS[0], -1)
    assert (found[:38] & ~ring[:38]).sum() == 0
    assert found[15, 19:34].sum() == 2
    assert found[15:30, 18:22].sum() == 15, "one pixel wide"


def test_thresholds_are_the_papers():
    """A step of g levels has a gradient of 4 g by Sobel: 24 levels are below 100, 26 above."""
    for step, seen in ((24, False), (26, True)):
        frame = np.full((20, 20, 3), 100, np.uint8)
        frame[:, 10:] += step
        assert canny(frame).any() == seen


@pytest.mark.parametrize("axis", [40.0, 37.5])
def test_subjects_edges_flip_exactly(axis: float):
    found = drawings(FRAMES, MASKS, axis).pictures
    for k in range(2):
        rows, columns = np.nonzero(found[k] & grown(MASKS[k], 1))
        for row, column in zip(rows, columns, strict=True):
            other = int(2 * axis) - 1 - column
            assert found[2 + k, row, other]
        assert found[2 + k].sum() > 0


def test_background_edges_are_those_of_the_empty_scene_each_once():
    empty = canny(scene())
    assert np.array_equal(background_edges(FRAMES, MASKS), empty)
    shaken = [FRAMES[0], np.roll(FRAMES[1], 1, axis=0)]  # a background that does not quite stand still
    found = background_edges(shaken, np.stack([MASKS[0], np.roll(MASKS[1], 1, axis=0)]))
    assert found[:, 70].sum() == empty[:, 70].sum(), "one line is not drawn twice"


def test_what_every_subject_hides_is_filled_in():
    """Two subjects that both stand before the line, one also before the post: no contour of theirs stays behind."""
    boxes = ((14, 30, 46, 44), (18, 34, 46, 50))
    masks = np.stack([mask(*box) for box in boxes])
    found, empty = background_edges([scene(box) for box in boxes], masks), canny(scene())
    never = grown(masks[0], 2) & grown(masks[1], 2)
    assert np.array_equal(found[~never], empty[~never])
    assert not found[20:36][never[20:36]].any(), "before the plain wall nothing is made up"


def test_a_subject_hides_the_background_inside_its_mask():
    over = ((10, 4, 36, 16), (12, 50, 38, 64))  # the first stands before the post
    masks = np.stack([mask(*box) for box in over])
    found = drawings([scene(box) for box in over], masks, 40.0)
    inside = grown(masks[0], -2)
    assert found.background[inside].any()
    assert not found.pictures[0][inside].any()
    assert found.pictures[2][inside].any(), "where it has gone, the post is seen"
    # Turned about the middle, the second one stands at 16 to 30.
    away = ~grown(masks[0], 4) & ~grown(np.fliplr(masks[0]), 4)
    for k in (0, 2):
        assert np.array_equal(found.pictures[k][away], found.background[away])


def test_edges_as_a_picture():
    found = as_picture(np.array([[True, False]]))
    assert found.tolist() == [[[255] * 3, [0] * 3]]
    assert found.dtype == np.uint8
