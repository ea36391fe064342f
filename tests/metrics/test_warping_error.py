"""Warping error against flows that are known exactly, and a slow twin."""

from collections.abc import Callable
from dataclasses import astuple

import numpy as np
import pytest

from keyweave.base.errors import InputError
from keyweave.media.types import Frame
from keyweave.metrics.warping_error import Estimate, WarpingError, middle_warping_error, warping_error


def of_motion(dx: float, dy: float) -> Estimate:
    """Make an estimator that sees everything move by (dx, dy) from the lighter to the darker of two frames."""

    def estimate(a: Frame, b: Frame) -> np.ndarray:
        way = 1 if a.mean() >= b.mean() else -1
        return np.full((*a.shape[:2], 2), (way * dx, way * dy), np.float32)

    return estimate


def still(a: Frame, b: Frame) -> np.ndarray:
    return np.zeros((*a.shape[:2], 2), np.float32)


def texture() -> Frame:
    return np.random.default_rng(2).integers(0, 256, (40, 60, 3), np.uint8)


def test_what_moves_unchanged_has_no_error():
    whole = texture()
    frames = [whole[k : k + 30, 2 * k : 2 * k + 40] for k in range(5)]  # all moves by (-2, -1)

    def estimate(a: Frame, b: Frame) -> np.ndarray:
        forward = next(k for k, frame in enumerate(frames) if frame is a) < next(
            k for k, frame in enumerate(frames) if frame is b
        )
        return np.full((30, 40, 2), (-2, -1) if forward else (2, 1), np.float32)

    frames = [np.ascontiguousarray(frame) for frame in frames]
    found = warping_error(frames, estimate)
    assert found.error == 0
    assert found.counted == pytest.approx(29 * 38 / (30 * 40))  # what leaves the frame does not count
    assert found.pairs == 4


@pytest.mark.parametrize("brighter", [10, 60])
def test_a_change_of_brightness_is_its_square(flat: Callable[..., Frame], brighter: int):
    found = warping_error([flat(100), flat(100 + brighter), flat(100)], still)
    assert astuple(found) == (pytest.approx((brighter / 255) ** 2), 1, 2)


def test_the_error_is_the_mean_over_pairs_and_channels(flat: Callable[..., Frame]):
    found = warping_error([flat(0), flat((255, 0, 0)), flat((255, 0, 0))], still)
    assert found.error == pytest.approx(1 / 3 / 2)


def test_between_pixels_it_interpolates():
    ramp = np.broadcast_to(np.arange(0, 200, 4).astype(np.uint8)[:, None], (20, 50, 3)).copy()
    found = warping_error([ramp + 1, ramp], of_motion(0.25, 0))  # a quarter of a pixel of a ramp of 4 is 1
    assert found.error == pytest.approx(0, abs=1e-12)


def test_what_is_hidden_does_not_count():
    """The flow there and back does not return in a block, and the colours differ only in it."""
    a = np.full((40, 60, 3), 90, np.uint8)
    b = a.copy()
    b[10:20, 10:30] = 255

    def estimate(one: Frame, other: Frame) -> np.ndarray:
        flow = still(one, other)
        if one is not a:
            flow[10:20, 10:30] = 3
        return flow

    found = warping_error([a, b], estimate)
    assert found.error == 0
    assert found.counted == pytest.approx(1 - 200 / 2400)


def test_edges_of_motion_do_not_count():
    a, b = np.full((40, 60, 3), 90, np.uint8), np.full((40, 60, 3), 91, np.uint8)

    def half_moves(one: Frame, other: Frame) -> np.ndarray:
        flow = still(one, other)
        flow[:, 30:] = 0.2  # too little to be seen as not returning
        return flow

    found = warping_error([a, b], half_moves)
    leaves = 30 + 39  # of the half that moves, the last row and the last column
    assert found.counted == pytest.approx(1 - (40 + leaves) / 2400)
    assert found.error == pytest.approx(1 / 255**2)


def test_a_cut_is_not_rewarded(flat: Callable[..., Frame]):
    """Where no flow can be followed, everything counts, not nothing."""

    def lost(a: Frame, b: Frame) -> np.ndarray:
        return np.full((*a.shape[:2], 2), 1000, np.float32)

    found = warping_error([flat(0), flat(255)], lost)
    assert found == WarpingError(1.0, 0.0, 1)


def test_the_middle_is_held_against_both_ends(flat: Callable[..., Frame]):
    found = middle_warping_error(flat(0), flat(51), flat(255), still)
    assert astuple(found) == (pytest.approx((0.2**2 + 0.8**2) / 2), 1, 2)


def test_the_middle_is_where_the_flow_begins():
    """A textured ground moves past; only the flow from the middle to either end explains both."""
    whole = texture()
    first, middle, last = (np.ascontiguousarray(whole[:, k : k + 50]) for k in (0, 4, 8))
    place = {id(first): 0, id(middle): 4, id(last): 8}

    def estimate(a: Frame, b: Frame) -> np.ndarray:
        return np.full((40, 50, 2), (place[id(a)] - place[id(b)], 0), np.float32)

    assert middle_warping_error(first, middle, last, estimate).error == 0


def test_the_pixels_that_count_are_those_of_the_middle(flat: Callable[..., Frame]):
    first, middle, last = flat(10), flat(20), flat(30)

    def estimate(a: Frame, b: Frame) -> np.ndarray:
        flow = still(a, b)
        if a is middle:
            flow[:, 40:] = 0.2  # an edge of motion, which only the flow from the middle has
        return flow

    counted = 1 - (48 + 47 + 56) / (48 * 96)  # the edge, and the last column and row where they leave the frame
    assert middle_warping_error(first, middle, last, estimate).counted == pytest.approx(counted)


def test_a_slow_twin():
    rng = np.random.default_rng(7)
    a, b = (rng.integers(0, 256, (16, 22, 3), np.uint8) for _ in range(2))
    down, right = np.mgrid[:16, :22]
    forth = np.stack([1.5 + 0.02 * right + 0 * down, -0.7 + 0.03 * down + 0 * right], -1).astype(np.float32)
    back = (-forth + np.where(right > 12, 1.0, 0.1)[..., None]).astype(np.float32)

    def at(values: np.ndarray, x: float, y: float) -> np.ndarray:
        x, y = min(max(x, 0), 21), min(max(y, 0), 15)
        i, j = min(int(x), 20), min(int(y), 14)
        p, q = x - i, y - j
        corners = values[j, i], values[j, i + 1], values[j + 1, i], values[j + 1, i + 1]
        weights = (1 - p) * (1 - q), p * (1 - q), (1 - p) * q, p * q
        return np.tensordot(weights, np.array(corners, float), 1)

    errors = []
    for j in range(16):
        for i in range(22):
            u = forth[j, i].astype(float)
            x, y = i + u[0], j + u[1]
            home = at(back, x, y)
            below, beside = forth[min(j + 1, 15), i] - u, forth[j, min(i + 1, 21)] - u
            returns = ((u + home) ** 2).sum() <= 0.01 * ((u**2).sum() + (home**2).sum()) + 0.5
            smooth = (below**2).sum() + (beside**2).sum() <= 0.01 * (u**2).sum() + 0.002
            if 0 <= x <= 21 and 0 <= y <= 15 and returns and smooth:
                errors.append((((at(b, x, y) - a[j, i]) / 255) ** 2).mean())
    found = warping_error([a, b], lambda one, _: forth if one is a else back)
    assert 0 < len(errors) < 16 * 22
    assert found.counted == len(errors) / (16 * 22)
    assert found.error == pytest.approx(np.mean(errors), rel=1e-5)


def test_doors(flat: Callable[..., Frame]):
    with pytest.raises(InputError, match="A warping error needs at least 2 frames"):
        warping_error([flat(3)], still)
    with pytest.raises(InputError, match="Frame 2 is 20 x 20 without alpha; the clip began with 96 x 48"):
        warping_error([flat(3), np.zeros((20, 20, 3), np.uint8)], still)
    with pytest.raises(InputError, match="Only frames of one size"):
        middle_warping_error(flat(3), flat(3), np.zeros((20, 20, 3), np.uint8), still)
    with pytest.raises(ValueError, match=r"the flow has shape \(5, 5, 2\); \(48, 96, 2\) was asked for"):
        warping_error([flat(3), flat(3)], lambda a, b: np.zeros((5, 5, 2), np.float32))
