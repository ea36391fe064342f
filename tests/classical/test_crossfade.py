"""The cross-fade against exact arithmetic."""

from fractions import Fraction as F

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from keyweave.base.progress import Event, Progress
from keyweave.classical.crossfade import crossfade
from keyweave.media.types import Image

LEVELS = st.integers(0, 255)
TIMES = st.fractions(F(1, 50), F(49, 50), max_denominator=50)


def one_pixel(*values: int) -> Image:
    return Image(np.array([[values]], np.uint8))


@given(LEVELS, LEVELS, TIMES)
def test_colours_are_the_exact_mean_rounded(a: int, b: int, time: F):
    (frame,) = crossfade(one_pixel(a, b, a), one_pixel(b, a, a), [time])
    exact = [a + (b - a) * time, b + (a - b) * time, F(a)]
    assert all(abs(int(got) - want) <= F(51, 100) for got, want in zip(frame[0, 0], exact, strict=True))


@given(LEVELS, LEVELS, LEVELS, LEVELS, TIMES)
def test_colours_are_weighted_by_alpha(a: int, b: int, alpha_a: int, alpha_b: int, time: F):
    (frame,) = crossfade(one_pixel(a, 0, 0, alpha_a), one_pixel(b, 0, 0, alpha_b), [time])
    alpha = alpha_a * (1 - time) + alpha_b * time
    color = (a * alpha_a * (1 - time) + b * alpha_b * time) / alpha if alpha else F(0)
    assert abs(int(frame[0, 0, 3]) - alpha) <= F(51, 100)
    assert abs(int(frame[0, 0, 0]) - color) <= F(51, 100)


def test_an_invisible_pixel_gives_no_colour():
    (frame,) = crossfade(one_pixel(10, 20, 30, 255), one_pixel(255, 0, 255, 0), [F(1, 2)])
    assert frame[0, 0].tolist()[:3] == [10, 20, 30]


@given(LEVELS, LEVELS, TIMES)
def test_light_may_be_blended_instead_of_levels(a: int, b: int, time: F):
    def light(level: float) -> float:
        return level / 255 / 12.92 if level / 255 <= 0.04045 else ((level / 255 + 0.055) / 1.055) ** 2.4

    (frame,) = crossfade(one_pixel(a, a, a), one_pixel(b, b, b), [time], linear_light=True)
    mean = light(a) + (light(b) - light(a)) * float(time)
    got = int(frame[0, 0, 0])
    assert light(got - 0.52) <= mean <= light(got + 0.52)


def test_a_frame_and_a_step_for_each_time():
    heard: list[Event] = []
    progress = Progress("x", heard.append, total=3)
    frames = list(crossfade(one_pixel(0, 0, 0), one_pixel(8, 8, 8), [F(1, 4), F(1, 2), F(3, 4)], progress=progress))
    assert [int(frame[0, 0, 0]) for frame in frames] == [2, 4, 6]
    assert len(heard) == 3
