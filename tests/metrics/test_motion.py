"""Steps, sharpness and the way from keyframe to keyframe, against closed forms."""

import weakref
from collections.abc import Callable, Iterator
from math import inf, log10, sqrt

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyweave.base.errors import InputError
from keyweave.classical.crossfade import crossfade
from keyweave.media.types import Frame, Image
from keyweave.metrics.motion import (
    KeyframeError,
    evenness,
    flicker,
    glance,
    keyframe_errors,
    monotony,
    positions,
    sharpness,
    sharpness_ratios,
    trace,
)

Draw = Callable[..., Frame]
AREA = 48 * 96


@pytest.mark.parametrize("speed", [0.125, 0.5, 1, 2.625, 16])
def test_a_step_is_proportional_to_speed(square: Draw, speed: float):
    seen = trace(square(20 + speed * k) for k in range(4))
    assert seen.steps == pytest.approx([2 * speed * 16 * 240 / AREA] * 3)
    assert seen.closing == pytest.approx(2 * min(3 * speed, 16) * 16 * 240 / AREA)


def test_a_trace_counts_frames_and_knows_their_colour(flat: Draw):
    seen = trace([flat((10, 20, 30)), flat((30, 20, 10))])
    assert len(seen) == 2
    assert seen.colors.tolist() == [[10, 20, 30], [30, 20, 10]]
    assert seen.as_dict() == {"steps": [pytest.approx(40 / 3)], "sharpness": [0, 0]}
    assert trace([flat(9)]).steps.tolist() == []


def test_a_clip_flows_through(flat: Draw):
    alive: set[int] = set()
    most = 0

    def frames() -> Iterator[Frame]:
        nonlocal most
        for k in range(30):
            frame = flat(k)
            alive.add(k)
            weakref.finalize(frame, alive.discard, k)
            most = max(most, len(alive))
            yield frame

    trace(frames())
    assert most <= 4


def test_sharpness_is_linear_in_contrast(grating: Draw):
    full = sharpness(grating(0, amplitude=100))
    assert full == pytest.approx(100 * np.sin(2 * np.pi / 16) / sqrt(2), rel=0.03)  # none at the sides
    assert sharpness(grating(0, amplitude=50)) == pytest.approx(full / 2, rel=0.01)
    assert sharpness(grating(3)) == pytest.approx(full, rel=0.03)


def test_sharpness_sees_a_blur_as_what_it_leaves_of_a_grating(grating: Draw):
    blurred = np.asarray(cv2.GaussianBlur(grating(0), (0, 0), 3), np.uint8)
    left = np.exp(-((2 * np.pi / 16 * 3) ** 2) / 2)
    assert sharpness(blurred) / sharpness(grating(0)) == pytest.approx(left, abs=0.03)


def test_sharpness_of_a_ramp_is_its_slope():
    ramp = np.broadcast_to((3 * np.arange(80, dtype=np.uint8))[:, None, None], (80, 60, 3)).copy()
    assert sharpness(ramp) == pytest.approx(3 * sqrt(78 / 80), rel=1e-4)  # nothing at the first and the last row
    assert sharpness(np.ascontiguousarray(ramp.transpose(1, 0, 2))) == pytest.approx(sharpness(ramp), rel=1e-5)


def test_sharpness_ratios_are_those_to_the_straight_line():
    assert sharpness_ratios(np.array([4.0, 3.0, 8.0]), 4, 8) == pytest.approx([1, 0.5, 1])
    assert sharpness_ratios(np.array([0.0, 5.0, 0.0]), 0, 0).tolist() == [1, 1, 1]


def test_the_middle_of_a_fade_between_unlike_pictures_is_softer_by_the_root_of_two():
    rng = np.random.default_rng(3)
    a, b = (rng.integers(0, 256, (120, 160, 3), np.uint8) for _ in range(2))
    (middle,) = crossfade(Image(a), Image(b), [0.5])  # pyright: ignore[reportArgumentType]
    curve = np.array([sharpness(frame) for frame in (a, middle, b)])
    assert sharpness_ratios(curve, curve[0], curve[2])[1] == pytest.approx(sqrt(0.5), abs=0.01)


def faded(a: Frame, b: Frame, weights: list[float]) -> list[Frame]:
    return [np.rint((1 - w) * a.astype(float) + w * b).astype(np.uint8) for w in weights]


def test_the_position_in_a_fade_is_its_weight(square: Draw):
    a, b = square(5), square(70)
    weights = [0, 0.125, 0.5, 0.25, 0.875, 1]
    places = positions(trace(faded(a, b, weights)).glances, glance(a), glance(b))
    assert places == pytest.approx(weights, abs=1e-3)
    assert places is not None
    assert monotony(places) == pytest.approx(1 / 1.5, abs=1e-3)


def test_what_moves_on_comes_nearer(square: Draw):
    """Even where a thing no longer overlaps with either of its ends, moving on counts as coming nearer."""
    clip = [square(4 + 4 * k) for k in range(19)]
    places = positions(trace(clip).glances, glance(clip[0]), glance(clip[-1]))
    assert places is not None
    assert (np.diff(places) > 0).all()
    assert monotony(places) == pytest.approx(1, abs=1e-6)
    there_and_back = positions(
        trace(clip[:12] + clip[7:11][::-1] + clip[7:]).glances, glance(clip[0]), glance(clip[-1])
    )
    assert there_and_back is not None
    back = places[11] - places[7]
    assert back > 0.15
    assert monotony(there_and_back) == pytest.approx(1 / (1 + 2 * back), abs=1e-6)


def test_keyframes_that_look_alike_have_no_way_between_them(square: Draw):
    clip = [square(20), square(30), square(20)]
    assert positions(trace(clip).glances, glance(clip[0]), glance(clip[2])) is None
    nearly = clip[2].copy()
    nearly[0, 0] += 9  # noise must not become a direction
    assert positions(trace(clip).glances, glance(clip[0]), glance(nearly)) is None


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_monotony_is_one_for_what_never_turns_back(places: list[float]):
    assert monotony(np.sort(places)) == pytest.approx(1)


@given(st.lists(st.floats(-2, 3), min_size=1, max_size=30))
def test_monotony_lies_between_0_and_1_and_knows_no_direction(places: list[float]):
    forward = monotony(np.array(places))
    assert 0 < forward <= 1
    assert monotony(1 - np.array(places)[::-1]) == pytest.approx(forward)


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        ([0, 0, 0, 1, 1], 1),
        ([0, 0.5, 0.4, 1], 1 / 1.2),
        ([0, 1, 0, 1], 1 / 3),
        ([0, 1, 0, 1, 0, 1], 1 / 5),
        ([0, 1.25, 1], 1 / 1.5),
        ([0, 0, 0], 1),
        ([1, 0], 1 / 3),
    ],
)
def test_monotony_in_closed_form(places: list[float], expected: float):
    assert monotony(np.array(places)) == pytest.approx(expected)


@given(st.lists(st.floats(0, 100), min_size=1, max_size=30), st.floats(0.01, 50))
def test_evenness_lies_between_one_nth_and_1_and_knows_no_unit(steps: list[float], unit: float):
    even = evenness(np.array(steps))
    if max(steps) > 1e-3:
        assert 1 / len(steps) - 1e-9 <= even <= 1 + 1e-9
        assert evenness(unit * np.array(steps)) == pytest.approx(even)


def test_evenness_in_closed_form():
    assert evenness(np.full(7, 3.0)) == pytest.approx(1)
    assert evenness(np.array([0, 0, 9.0, 0])) == pytest.approx(1 / 4)
    assert evenness(np.array([1.0, 3.0])) == pytest.approx(16 / (2 * 10))
    assert evenness(np.zeros(5)) == 1


def test_flicker_is_the_swing(flat: Draw):
    assert flicker(trace(flat(100 + 7 * (-1) ** k) for k in range(9)).glances) == pytest.approx(7, rel=1e-5)
    assert flicker(trace(flat(10 + 5 * k) for k in range(9)).glances) == pytest.approx(0, abs=1e-4)
    assert flicker(trace([flat(1), flat(200)]).glances) == 0


def test_flicker_sees_what_swings_in_one_place_only(flat: Draw):
    def frame(k: int) -> Frame:
        frame = flat(100)
        frame[:, :48] += np.uint8(20 * (k % 2))
        frame[:, 48:] -= np.uint8(20 * (k % 2))  # the mean of the frame stands still
        return frame

    clip = trace(frame(k) for k in range(8))
    assert np.ptp(clip.colors) == 0
    assert 5 < flicker(clip.glances) < 10


def test_steady_motion_is_no_flicker(square: Draw):
    steady = flicker(trace(square(10 + 2 * k) for k in range(20)).glances)
    shaking = flicker(trace(square(10 + 2 * k + 2 * (k % 2)) for k in range(20)).glances)
    assert steady < 0.2
    assert shaking > 5 * steady


def test_keyframe_errors(flat: Draw):
    clip = [flat(10), flat(20), flat(30)]
    wanted = flat(30)
    wanted[0, 0, 1] = 90
    found = keyframe_errors(iter(clip), {0: flat(10), 2: wanted})
    mse = 60**2 / (3 * AREA)
    assert found[0] == KeyframeError(0, inf, 0)
    assert (found[1].frame, found[1].worst) == (2, 60)
    assert found[1].psnr == pytest.approx(10 * log10(255**2 / mse))
    assert found[0].as_dict() == {"frame": 0, "psnr": None, "worst": 0}


@pytest.mark.parametrize("place", [3, -1])
def test_a_keyframe_outside_the_clip_is_an_error(flat: Draw, place: int):
    with pytest.raises(InputError, match=rf"A keyframe is said to be at frame {place}; the clip has the frames 0 to 2"):
        keyframe_errors([flat(1)] * 3, {0: flat(1), place: flat(1)})


def test_doors(flat: Draw):
    with pytest.raises(InputError, match="The clip holds no frame to measure"):
        trace([])
    with pytest.raises(InputError, match="Only frames of one size"):
        keyframe_errors([flat(1)], {0: np.zeros((9, 9, 3), np.uint8)})
    with pytest.raises(InputError, match="Frame 2 is"):
        trace([flat(1), np.zeros((9, 9, 3), np.uint8)])
