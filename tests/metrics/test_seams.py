"""Clips with one fault each, which its own measure must single out."""

from collections.abc import Callable, Sequence
from dataclasses import astuple
from math import inf

import numpy as np
import pytest

from keyweave.base.errors import InputError
from keyweave.media.types import Frame
from keyweave.metrics.motion import Trace, Walker, trace
from keyweave.metrics.seams import Seam, end_seams, loop_seam, noting_turns, seams
from keyweave.metrics.warping_error import Estimate

Draw = Callable[..., Frame]
KEY = 12


def seam_of(frames: Sequence[Frame], estimate: Estimate | None = None) -> Seam:
    turns: dict[int, float] = {}
    clip = iter(frames)
    seen = trace(noting_turns(clip, {0, KEY, 24}, estimate, turns) if estimate else clip)
    (seam,) = seams(seen, {0, KEY, 24}, turns)
    return seam


def places(speed: float = 2, after: float = 2, jump: float = 0, pop: float = 0) -> list[float]:
    """Where the square stands: it moves with `speed` up to the keyframe, jumps, and goes on with `after`."""
    return [
        10 + speed * min(k, KEY) + after * max(k - KEY, 0) + (jump if k > KEY else 0) + (pop if k == KEY else 0)
        for k in range(25)
    ]


def by_centroid(a: Frame, b: Frame) -> np.ndarray:
    """Estimate the flow of a single bright thing: what moves it, everywhere."""
    across = np.arange(a.shape[1]) + 0.5
    shift = (b.sum((0, 2)) @ across) / b.sum() - (a.sum((0, 2)) @ across) / a.sum()
    return np.full((*a.shape[:2], 2), (shift, 0), np.float32)


def test_steady_motion_passes_through(square: Draw):
    seam = seam_of([square(x) for x in places()], by_centroid)
    step = 2 * 2 * 16 * 240 / (48 * 96)
    assert seam.frame == KEY
    assert seam.into == seam.out
    assert astuple(seam.into) == (*[pytest.approx(step)] * 4, "ordinary")
    assert seam.into.ratio == pytest.approx(1)
    assert seam.speed.across == pytest.approx(0)
    assert seam.velocity is not None
    assert seam.velocity.across == pytest.approx(0, abs=1e-4)
    assert seam.faults == ()


def test_a_jump_after_the_keyframe(square: Draw):
    seam = seam_of([square(x) for x in places(jump=6)])
    assert seam.out.ratio == pytest.approx(4)
    assert seam.faults == ("out jump", "speed jump")


def test_a_keyframe_that_pops(square: Draw):
    """Both steps are alike, so the speed is; they stand out beside the others."""
    seam = seam_of([square(x, 16 + 5 * (k == KEY)) for k, x in enumerate(places())])
    assert seam.into.across == pytest.approx(seam.out.across)
    assert seam.faults == ("into jump", "out jump")


@pytest.mark.parametrize(("speed", "after", "bend"), [(2, 4, 2 / 3), (4, 1, 6 / 5), (2, 0, 2)])
def test_a_change_of_speed(square: Draw, speed: float, after: float, bend: float):
    seam = seam_of([square(x) for x in places(speed, after)], by_centroid)
    assert seam.speed.across == pytest.approx(bend)
    assert seam.velocity is not None
    assert seam.velocity.across == pytest.approx(abs(after - speed), abs=1e-4)
    assert seam.faults == ("speed jump", "velocity jump")


def test_a_turn_of_direction_shows_in_the_flow_only(square: Draw):
    seam = seam_of([square(x) for x in places(2, -2)], by_centroid)
    assert seam.velocity is not None
    assert seam.velocity.across == pytest.approx(4, abs=1e-4)
    assert seam.faults == ("velocity jump",)


def test_a_keyframe_that_is_shown_twice(square: Draw):
    clip = [square(x) for x in places()]
    seam = seam_of([*clip[:KEY], clip[KEY - 1], *clip[KEY + 1 :]])
    assert seam.into.across == 0
    assert "into stall" in seam.faults


def test_a_jump_of_colour(square: Draw):
    """Red rises and green falls: the mean brightness hardly changes, the colour does."""
    tint = np.array([20, -10, 0], np.int16)
    clip = [
        (square(x, light=200, ground=40) + tint * (k > KEY)).astype(np.uint8) for k, x in enumerate(places(speed=2))
    ]
    seam = seam_of(clip)
    assert seam.color.across == pytest.approx(np.hypot(20, 10), rel=1e-6)
    assert seam.color.most == pytest.approx(0, abs=1e-9)
    assert seam.color.ratio == inf
    assert "color jump" in seam.faults
    assert seam_of([square(x, ground=40) for x in places(jump=6)]).color.kind == "ordinary"


def test_neighbours_are_near_and_touch_no_keyframe(square: Draw):
    clip = [square(x) for x in places()]
    clip[24] = square(80, 0)  # the step onto the last keyframe is huge, but no neighbour
    clip[0] = square(80, 0)
    assert seam_of(clip).into.kind == "ordinary"
    far = [square(x) for x in places()]
    far[2] = square(80, 0)  # more than eight steps away
    assert (seam_of(far).into.most or 0) == pytest.approx(seam_of(far).into.across)
    near = [square(x) for x in places()]
    near[6] = square(80, 0)
    assert (seam_of(near).into.most or 0) > 3 * seam_of(near).into.across


def test_keyframes_too_close_to_one_another_have_no_neighbours(square: Draw):
    seen = trace(square(10 + 2 * k) for k in range(3))
    (seam,) = seams(seen, {0, 1, 2})
    assert seam.into.kind == "unknown"
    assert seam.into.ratio is None
    assert seam.velocity is None
    assert seam.faults == ()


def test_the_ends_of_a_clip_are_no_seams(square: Draw):
    assert seams(trace(square(10 + 2 * k) for k in range(8)), {0, 7}) == ()


def test_how_a_clip_leaves_one_keyframe_and_comes_to_the_other(square: Draw, flat: Draw):
    clip = [square(10 + 2 * k) for k in range(12)]
    assert [seam.faults for seam in end_seams(trace(clip))] == [(), ()]
    late = [square(10 + 2 * k + (6 if k else 0)) for k in range(12)]
    first, last = end_seams(trace(late))
    assert first.step.ratio == pytest.approx(4)
    assert (first.faults, last.faults) == (("step jump",), ())
    pale = [*clip[:-1], square(32, ground=40)]
    assert [seam.faults for seam in end_seams(trace(pale))] == [(), ("step jump", "color jump")]
    assert [seam.step.kind for seam in end_seams(trace([flat(1), flat(2)]))] == ["unknown"] * 2


def test_what_is_walked_through_on_the_way_is_what_is_traced():
    rng = np.random.default_rng(0)
    for channels in (3, 4):
        clip = [rng.integers(0, 256, (6, 8, channels), np.uint8) for _ in range(5)]
        walker = Walker()
        for one, other in zip(walker.watch(iter(clip)), clip, strict=True):
            assert one is other
        seen = trace(clip)
        assert walker.walk.closing == seen.closing
        assert np.array_equal(walker.walk.steps, seen.steps)
        assert np.array_equal(walker.walk.colors, seen.colors)
    with pytest.raises(InputError, match="holds no frame"):
        _ = Walker().walk


def test_among_still_frames_nothing_stands_out(flat: Draw):
    seam = seam_of([flat(7)] * 25)
    assert seam.into.ratio == 1
    assert seam.faults == ()


def test_a_loop_that_closes(grating: Draw):
    seam = loop_seam(trace(grating(k) for k in range(16)))
    assert seam.step.ratio == pytest.approx(1, abs=0.02)
    assert seam.faults == ()


def test_a_loop_that_shows_its_first_frame_twice(grating: Draw):
    assert loop_seam(trace(grating(k) for k in range(17))).faults == ("step stall",)


def test_a_loop_that_does_not_close(grating: Draw):
    assert loop_seam(trace(grating(k) for k in range(13))).faults == ("step jump",)


def test_a_loop_whose_colour_drifts(grating: Draw):
    seam = loop_seam(trace(grating(k, middle=100 + 2 * k) for k in range(16)))
    assert seam.color.across == pytest.approx(30 * np.sqrt(3), rel=0.01)
    assert "color jump" in seam.faults


def test_a_loop_looks_at_its_own_ends_only(grating: Draw):
    """In the middle it races; around the seam it creeps, so a long step across the seam is a jump all the same."""
    shifts = np.cumsum([0] + [0.5] * 10 + [3] * 10 + [0.5] * 10)
    seam = loop_seam(trace(grating(shift) for shift in shifts))
    assert seam.step.most is not None
    assert seam.step.most < 0.5 * trace(grating(3 * k) for k in range(2)).steps[0]


@pytest.mark.parametrize(
    ("steps", "most"), [([1.0] * 20 + [3], 3), ([3] + [1.0] * 20, 3), ([1.0] * 8 + [9] * 5 + [1.0] * 8, 1)]
)
def test_the_neighbours_of_a_loop_are_its_first_and_its_last_eight_steps(steps: list[float], most: float):
    count = len(steps) + 1
    glances = np.zeros((count, 8, 8, 3), np.float32)
    seen = Trace(np.array(steps), 2.5, np.zeros((count, 3)), np.ones(count), glances)
    seam = loop_seam(seen)
    assert (seam.step.across, seam.step.least, seam.step.most) == (2.5, 1, most)
    assert seam.step.kind == ("ordinary" if most == 3 else "jump")


def test_a_clip_of_one_frame_has_no_seam(flat: Draw):
    seen = trace([flat(3)])
    assert seams(seen, {0}) == ()
    assert loop_seam(seen).step.kind == "unknown"
