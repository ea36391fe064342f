"""Squares of a frame: what is cut out lies where the way back says."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyweave.perceive.blazepose.regions import Region, around, cut, whole


def spot(width: int, height: int, x: float, y: float, radius: float) -> np.ndarray:
    """A soft white spot on black."""
    rows, columns = np.mgrid[:height, :width] + 0.5
    far = np.hypot(columns - x, rows - y)
    level = 255 * np.clip(radius + 0.5 - far, 0, 1)
    return level[..., None].repeat(3, axis=2).round().astype(np.uint8)


def middle_of(picture: np.ndarray) -> np.ndarray:
    """Where the light of a picture is on average, in shares of its sides."""
    light = picture.mean(axis=2)
    places = (np.arange(len(light)) + 0.5) / len(light)
    return np.array([(light.sum(axis=0) * places).sum(), (light.sum(axis=1) * places).sum()]) / light.sum()


@given(
    x=st.floats(60, 140),
    y=st.floats(60, 100),
    turn=st.floats(-3.1, 3.1),
    side=st.floats(60, 700),  # shown larger, as it is, or smaller, by blocks of pixels as well
    inside=st.tuples(st.floats(-12, 12), st.floats(-12, 12)),
)
def test_what_is_cut_out_lies_where_it_was(x: float, y: float, turn: float, side: float, inside: tuple[float, float]):
    at = x + inside[0], y + inside[1]
    region = Region(x, y, side, turn)
    cut_out = cut(spot(200, 160, *at, radius=6), region, 64)
    assert cut_out.shape == (64, 64, 3)
    np.testing.assert_allclose(region.placed(middle_of(cut_out)), at, atol=0.003 * side + 0.2)


def test_a_region_of_its_own_size_is_the_frame_itself():
    frame = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    np.testing.assert_allclose(cut(frame, whole(frame), 32), frame / 255, atol=1e-6)
    np.testing.assert_allclose(cut(frame, Region(16, 16, 32, np.pi / 2), 32), np.rot90(frame, 1) / 255, atol=1e-6)


def test_large_frames_are_averaged_and_alpha_is_left_out():
    frame = np.random.default_rng(1).integers(0, 256, (128, 64, 4), np.uint8)
    blocks = frame[..., :3].reshape(32, 4, 16, 4, 3).mean(axis=(1, 3))
    expected = np.pad(blocks, ((0, 0), (8, 8), (0, 0)))
    np.testing.assert_allclose(cut(frame, whole(frame), 32), expected / 255, atol=0.51 / 255)


def test_the_world_outside_is_black():
    frame = np.full((20, 20, 3), 255, np.uint8)
    cut_out = cut(frame, Region(20, 10, 20), 20)
    assert (cut_out[:, :9] == 1).all()
    assert (cut_out[:, 11:] == 0).all()


def test_a_line_of_pixels_can_be_cut():
    assert cut(np.full((1, 900, 3), 255, np.uint8), Region(450, 0.5, 900), 64).shape == (64, 64, 3)


@pytest.mark.parametrize(
    ("top", "turn"),
    [((50, 30), 0), ((70, 50), np.pi / 2), ((50, 70), np.pi), ((30, 50), -np.pi / 2), ((60, 40), np.pi / 4)],
)
def test_people_stand_upright_in_their_square(top: tuple[float, float], turn: float):
    middle = np.array([50.0, 50.0])
    region = around(middle, np.array(top))
    assert abs(np.angle(np.exp(1j * (region.turn - turn)))) < 1e-9
    np.testing.assert_allclose(region.placed(np.array([0.5, 0.5])), middle)
    np.testing.assert_allclose(region.placed(np.array([0.5, 0.1])), top)  # the circle leaves a tenth on each side


@given(x=st.floats(-90, 90), y=st.floats(-90, 90), turn=st.floats(-3, 3))
def test_what_a_region_holds(x: float, y: float, turn: float):
    """A point is inside as it is inside the polygon of the four corners."""
    region = Region(3, -4, 60, turn)
    corners = region.placed(np.array([[0, 0], [1, 0], [1, 1], [0, 1]], float)).astype(np.float32)
    far = cv2.pointPolygonTest(corners, (x, y), measureDist=True)
    if abs(far) > 1e-3:
        assert region.holds(x, y) == (far > 0)
