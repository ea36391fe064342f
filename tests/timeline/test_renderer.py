"""The renderer asks engines for exactly what lies between, and pins every keyframe."""

from collections.abc import Iterator, Sequence
from fractions import Fraction as F

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyweave.base.progress import SILENT, Event, Progress
from keyweave.base.seeds import derive
from keyweave.media.types import Frame, Image
from keyweave.timeline.easing import Easing
from keyweave.timeline.renderer import render
from keyweave.timeline.types import Between, Keyframe, Span, Timeline, Warp


def flat(value: int) -> Image:
    return Image(np.full((2, 2, 3), value, np.uint8))


class Recorder:
    """An engine that draws grey levels and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[list[F]] = []
        self.seeds: list[int] = []

    def __call__(
        self, first: Image, last: Image, times: Sequence[F], *, seed: int, progress: Progress
    ) -> Iterator[Frame]:
        self.asked.append(list(times))
        self.seeds.append(seed)
        for time in times:
            level = int(first.pixels[0, 0, 0]) * (1 - time) + int(last.pixels[0, 0, 0]) * time
            yield np.full_like(first.pixels, round(level))
            progress.step()


@given(st.lists(st.integers(1, 12), min_size=1, max_size=4), st.fractions(1, 60, max_denominator=20))
def test_every_keyframe_is_shown_bit_for_bit_at_its_tick(gaps: list[int], rate: F):
    ticks = [sum(gaps[:k]) for k in range(len(gaps) + 1)]
    keyframes = [Keyframe(flat(200 - 10 * k), tick / rate) for k, tick in enumerate(ticks)]
    engine = Recorder()
    frames = list(render(Timeline.through(keyframes), rate, engine, seed=3))
    assert len(frames) == ticks[-1] + 1
    for keyframe, tick in zip(keyframes, ticks, strict=True):
        assert frames[tick] is keyframe.image.pixels
    assert [len(times) for times in engine.asked] == [gap - 1 for gap in gaps if gap > 1]
    assert all(0 < time < 1 for times in engine.asked for time in times)


def test_times_are_exact_and_seeds_differ_by_span():
    engine = Recorder()
    timeline = Timeline.through([Keyframe(flat(0), F(0)), Keyframe(flat(100), F(1)), Keyframe(flat(0), F(2))])
    list(render(timeline, F(3), engine, seed=5))
    assert engine.asked == [[F(1, 3), F(2, 3)], [F(1, 3), F(2, 3)]]
    assert engine.seeds == [derive(5, "span", 0), derive(5, "span", 1)]


def test_a_keyframe_off_the_grid_is_shown_on_the_nearest_frame_and_the_others_stay_on_time():
    timeline = Timeline.through([Keyframe(flat(0), F(0)), Keyframe(flat(90), F(7, 15)), Keyframe(flat(0), F(14, 15))])
    engine = Recorder()
    levels = [int(frame[0, 0, 0]) for frame in render(timeline, F(5), engine, seed=0)]
    assert levels == [0, 39, 90, 64, 26, 0]
    assert engine.asked == [[F(3, 7)], [F(2, 7), F(5, 7)]]


@pytest.mark.parametrize(("reach", "levels"), [(F(0), [0, 65, 80, 80, 80]), (F(3, 50), [0, 65, 85, 85, 80])])
def test_an_overshoot_goes_as_far_as_the_engine_reaches(reach: F, levels: list[int]):
    timeline = Timeline.through([Keyframe(flat(0), F(0), Easing("back")), Keyframe(flat(80), F(1))])
    assert [int(frame[0, 0, 0]) for frame in render(timeline, F(4), Recorder(), seed=0, reach=reach)] == levels


def test_a_loop_shows_its_seam_once_and_holds_draw_nothing():
    engine = Recorder()
    keyframes = [Keyframe(flat(0), F(1)), Keyframe(flat(60), F(2)), Keyframe(flat(0), F(3))]
    timeline = Timeline.through(keyframes, until=F(4), loop=True)
    levels = [int(frame[0, 0, 0]) for frame in render(timeline, F(2), engine, seed=0)]
    assert levels == [0, 0, 0, 30, 60, 30, 0, 0]
    assert len(engine.asked) == 2


@pytest.mark.parametrize("start", [0, 1])
def test_the_way_back_asks_for_what_was_drawn_on_the_way_there(start: int):
    there = [Keyframe(flat(10 * k), F(start + k)) for k in range(3)]
    back = [Keyframe(there[1].image, F(start + 3)), Keyframe(there[0].image, F(start + 4))]
    timeline = Timeline.through([*there, *back], loop=True, there_and_back=True)
    engine = Recorder()
    frames = list(render(timeline, F(3), engine, seed=4))[3 * start :]
    assert engine.asked == [[F(1, 3), F(2, 3)]] * 2 + [[F(2, 3), F(1, 3)]] * 2
    assert engine.seeds == [derive(4, "span", start + number) for number in (0, 1, 1, 0)]
    assert all(np.array_equal(frames[k], frames[-k]) for k in range(1, 6))
    assert int(frames[1][0, 0, 0]) == 3


def test_a_way_back_may_overshoot_and_be_eased():
    there, back = Keyframe(flat(0), F(0), Easing("back")), Keyframe(flat(80), F(1), Easing("back").reversed())
    timeline = Timeline.through([there, back, Keyframe(there.image, F(2))], there_and_back=True)
    levels = [int(frame[0, 0, 0]) for frame in render(timeline, F(4), Recorder(), seed=0, reach=F(3, 50))]
    assert levels == [0, 65, 85, 85, 80, 85, 85, 65, 0]


def test_an_easing_that_comes_back_asks_again():
    engine = Recorder()
    timeline = Timeline.through([Keyframe(flat(0), F(0), Easing("bounce")), Keyframe(flat(200), F(1))])
    levels = [int(frame[0, 0, 0]) for frame in render(timeline, F(22), engine, seed=0)]
    assert levels[8] == 200  # the ball lands
    assert levels[12] == 150  # and bounces to a quarter of its height
    assert levels[16] == 200


def test_a_warp_that_holds_still_draws_nothing_twice():
    hold = Warp(((F(0), F(0)), (F(1, 4), F(1, 2)), (F(3, 4), F(1, 2)), (F(1), F(1))))
    engine = Recorder()
    timeline = Timeline((Span(Between(flat(0), flat(80)), F(0), F(1), hold),))
    levels = [int(frame[0, 0, 0]) for frame in render(timeline, F(8), engine, seed=0)]
    assert levels == [0, 20, 40, 40, 40, 40, 40, 60, 80]
    assert engine.asked == [[F(1, 4), F(1, 2), F(3, 4)]]


def test_an_array_will_do_for_an_engine():
    def engine(first: Image, last: Image, times: Sequence[F], *, seed: int, progress: Progress) -> np.ndarray:
        return np.stack([first.pixels] * len(times))

    timeline = Timeline.through([Keyframe(flat(9), F(0)), Keyframe(flat(0), F(1))])
    assert [int(frame[0, 0, 0]) for frame in render(timeline, F(4), engine, seed=0)] == [9, 9, 9, 9, 0]


@pytest.mark.parametrize(
    ("drawn", "words"),
    [
        ([], "fewer frames than it was asked for"),
        ([np.zeros((2, 2, 3), np.uint8)] * 2, "more frames than it was asked for"),
        ([np.zeros((2, 3, 3), np.uint8)], r"drew uint8 \(2, 3, 3\); uint8 \(2, 2, 3\)"),
        ([np.zeros((2, 2, 3), np.float32)], "drew float32"),
    ],
)
def test_an_engine_that_breaks_its_promise_is_caught(drawn: list[np.ndarray], words: str):
    timeline = Timeline.through([Keyframe(flat(9), F(0)), Keyframe(flat(0), F(1))])
    with pytest.raises(ValueError, match=words):
        list(render(timeline, F(2), lambda *_, **__: drawn, seed=0))


def test_progress_ends_at_one_and_frames_are_streamed():
    heard: list[Event] = []
    timeline = Timeline.through([Keyframe(flat(0), F(0)), Keyframe(flat(90), F(1)), Keyframe(flat(0), F(2))])
    engine = Recorder()
    frames = render(timeline, F(10), engine, seed=0, progress=Progress("job", heard.append))
    next(frames)
    assert len(engine.asked) <= 1  # the second span waits
    list(frames)
    assert heard[-1].fraction == pytest.approx(1)
    assert sum(event.kind == "step" for event in heard) == 21
    assert list(render(timeline, F(10), engine, seed=0, progress=SILENT))
