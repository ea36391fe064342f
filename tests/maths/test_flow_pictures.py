"""The colour wheel against its description."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyweave.maths.flow_pictures import flow_picture


def wheel() -> list[tuple[int, int, int]]:
    """The 55 hues as Baker et al. list them: the steps of each stretch, one channel rising or falling."""
    colors: list[tuple[int, int, int]] = []
    for steps, start, channel, rise in (
        (15, (255, 0, 0), 1, 1),
        (6, (255, 255, 0), 0, -1),
        (4, (0, 255, 0), 2, 1),
        (11, (0, 255, 255), 1, -1),
        (13, (0, 0, 255), 0, 1),
        (6, (255, 0, 255), 2, -1),
    ):
        for step in range(steps):
            color = list(start)
            color[channel] += rise * round(255 * step / steps)
            colors.append((color[0], color[1], color[2]))
    return colors


def color_of(dx: float, dy: float, largest: float | None = None) -> list[int]:
    return flow_picture(np.array([[[dx, dy]]], np.float32), largest)[0, 0].tolist()


def test_the_hues_go_round_the_wheel_from_the_right_by_way_of_down():
    assert len(wheel()) == 55
    for number, color in enumerate(wheel()):
        angle = 2 * math.pi * number / 55
        got = color_of(math.cos(angle), math.sin(angle))
        assert max(abs(a - b) for a, b in zip(got, color, strict=True)) <= 1, number


def test_the_wheel_closes():
    assert color_of(1, -1e-7) == color_of(1, 0) == [255, 0, 0]


def test_slowness_pales_and_too_fast_darkens():
    assert color_of(0, 0) == [255, 255, 255]
    assert color_of(1, 0, largest=2) == [255, 128, 128]
    assert color_of(2, 0, largest=2) == [255, 0, 0]
    assert color_of(3, 0, largest=2) == [191, 0, 0]


def test_the_fastest_gives_the_scale():
    flow = np.zeros((2, 2, 2))
    flow[0, 0] = (4, 0)
    flow[1, 1] = (2, 0)
    flow[1, 0] = math.nan
    picture = flow_picture(flow)
    assert picture[0, 0].tolist() == [255, 0, 0]
    assert picture[1, 1].tolist() == [255, 128, 128]
    assert picture.dtype == np.uint8
    assert picture.shape == (2, 2, 3)


@pytest.mark.parametrize("unknown", [math.nan, math.inf, -math.inf, 1e9, -1e10])
def test_an_unknown_motion_is_black(unknown: float):
    assert color_of(unknown, 0) == color_of(0, unknown) == color_of(unknown, 1, largest=5) == [0, 0, 0]


@given(st.floats(0.1, 100), st.floats(0, 7), st.floats(0.1, 10))
def test_only_the_ratio_to_the_largest_counts(speed: float, angle: float, scale: float):
    dx, dy = speed * math.cos(angle), speed * math.sin(angle)
    a, b = color_of(dx, dy, 120), color_of(dx * scale, dy * scale, 120 * scale)
    assert max(abs(one - other) for one, other in zip(a, b, strict=True)) <= 1


def test_nothing_at_all_is_nothing():
    assert flow_picture(np.zeros((0, 3, 2))).shape == (0, 3, 3)


@pytest.mark.parametrize("largest", [0.0, -1.0, math.nan])
def test_a_scale_must_be_above_0(largest: float):
    with pytest.raises(ValueError, match="must be above 0"):
        color_of(1, 0, largest)
