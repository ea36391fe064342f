"""Exact times: warps never run backward, timelines have no gaps."""

from dataclasses import replace
from fractions import Fraction as F

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyweave.base.errors import InputError
from keyweave.media.types import Image
from keyweave.timeline.types import STEADY, Between, Keyframe, Span, Timeline, Warp

SHARES = st.fractions(0, 1, max_denominator=1000)


def image(value: int = 0, width: int = 4, height: int = 3, channels: int = 3) -> Image:
    return Image(np.full((height, width, channels), value, np.uint8))


@st.composite
def warps(draw) -> Warp:
    passed = sorted(draw(st.sets(st.fractions(F(1, 100), F(99, 100), max_denominator=100), max_size=5)))
    come = sorted(draw(st.lists(SHARES, min_size=len(passed), max_size=len(passed))))
    return Warp(((F(0), F(0)), *zip(passed, come, strict=True), (F(1), F(1))))


@given(SHARES)
def test_the_steady_warp_changes_nothing(passed: F):
    assert STEADY(passed) == passed


@given(warps(), SHARES, SHARES)
def test_a_warp_goes_through_its_knots_and_never_back(warp: Warp, a: F, b: F):
    for passed, come in warp.knots:
        assert warp(passed) == come
    assert warp(min(a, b)) <= warp(max(a, b))
    assert 0 <= warp(a) <= 1


@given(warps(), SHARES)
def test_between_knots_a_warp_is_a_straight_line(warp: Warp, passed: F):
    xs, ys = (np.array([float(v) for v in axis]) for axis in zip(*warp.knots, strict=True))
    assert float(warp(passed)) == pytest.approx(np.interp(float(passed), xs, ys), abs=1e-12)


@pytest.mark.parametrize(
    "knots",
    [
        ((0, 0), (1, F(1, 2))), ((0, F(1, 2)), (1, 1)), ((0, 0), (F(1, 2), 1), (F(3, 4), F(1, 2)), (1, 1)),
        ((0, 0), (F(1, 2), 0), (F(1, 2), 1), (1, 1)),
    ],
)  # fmt: skip
def test_a_warp_that_is_none_is_refused(knots):
    with pytest.raises(InputError, match=r"A warp must run from \(0, 0\) to \(1, 1\)"):
        Warp(tuple((F(a), F(b)) for a, b in knots))


def test_only_what_shows_through_is_transparent():
    opaque, clear = image(255, channels=4), image(255, channels=4)
    clear.pixels[2, 1, 3] = 254
    assert not Between(image(), image(9)).is_transparent
    assert not Between(opaque, opaque).is_transparent
    assert Between(opaque, clear).is_transparent
    assert Between(clear, opaque).is_transparent


def test_a_timeline_through_keyframes_has_exact_times():
    times = (F(0), F(1, 3), F(7, 5))
    timeline = Timeline.through([Keyframe(image(k), at) for k, at in enumerate(times)])
    assert [(span.start, span.stop) for span in timeline.spans] == [(0, F(1, 3)), (F(1, 3), F(7, 5))]
    assert (timeline.start, timeline.stop, timeline.size) == (0, F(7, 5), (4, 3))
    assert timeline.spans[1].progress_at(F(1, 3) + F(16, 15) / 4) == F(1, 4)


@pytest.mark.parametrize(
    ("stop", "rate", "count"),
    [(F(11, 12), 12, 12), (F(1), 24, 25), (F(2, 5), 1, 1), (F(1001, 1000), F(24000, 1001), 25)],
)
def test_frames_are_counted_with_both_ends(stop: F, rate, count: int):
    assert Timeline((Span(Between(image(), image()), F(0), stop),)).frame_count(F(rate)) == count


def test_what_cannot_be_a_timeline_is_refused():
    with pytest.raises(InputError, match="two keyframes or more; got 1"):
        Timeline.through([Keyframe(image(), F(0))])
    with pytest.raises(InputError, match="rising times; got one at 1 s before one at 1 s"):
        Timeline.through([Keyframe(image(), F(1)), Keyframe(image(), F(1))])
    with pytest.raises(InputError, match="at least one span"):
        Timeline(())
    with pytest.raises(InputError, match="4x3 with 3 channels and 4x3 with 4 channels"):
        Between(image(), image(channels=4))
    with pytest.raises(InputError, match="must stop after it starts"):
        Span(Between(image(), image()), F(1), F(1))
    one, other = (Between(image(width=w), image(width=w)) for w in (4, 5))
    with pytest.raises(InputError, match="one stops at 1 s, the next starts at 2 s"):
        Timeline((Span(one, F(0), F(1)), Span(one, F(2), F(3))))
    with pytest.raises(InputError, match="same size and channels; got 4x3"):
        Timeline((Span(one, F(0), F(1)), Span(other, F(1), F(2))))


@pytest.mark.parametrize(("over", "fits"), [(0, True), (2, True), (-2, False), (1, False), (3, False), (4, False)])
def test_only_a_span_that_leads_there_is_walked_back(over: int, fits: bool):
    a, b = image(1), image(2)
    there, back = Span(Between(a, b), F(0), F(1)), Span(Between(b, a), F(1), F(2))
    again = replace(there, start=F(2), stop=F(3))
    spans = there, back, again, replace(back, start=F(3), stop=F(4), back_over=over)
    if fits:
        assert Timeline(spans).spans[3].back_over == over
        return
    with pytest.raises(InputError, match="Span 4 walks back another that does not lead there"):
        Timeline(spans)


def test_a_way_back_is_not_walked_back_again():
    a, b = image(1), image(2)
    there, back = Span(Between(a, b), F(0), F(1)), Span(Between(b, a), F(1), F(2), back_over=0)
    with pytest.raises(InputError, match="Span 3 walks back another"):
        Timeline((there, back, replace(there, start=F(2), stop=F(3), back_over=1)))


def test_keyframes_that_fall_on_one_frame_are_refused():
    timeline = Timeline.through([Keyframe(image(k), at) for k, at in enumerate((F(0), F(1, 100), F(1)))])
    assert timeline.ticks(F(100)) == [0, 1, 100]
    with pytest.raises(
        InputError, match=r"Keyframes at 0\.000 s and 0\.010 s fall on one frame at 24 frames per second"
    ):
        timeline.ticks(F(24))


@given(st.lists(st.fractions(F(1, 2), 3, max_denominator=1000), min_size=1, max_size=5), st.sampled_from([24, 25, 60]))
def test_the_rate_never_moves_a_keyframe(gaps: list[F], rate: int):
    times = [sum(gaps[:k], F(0)) for k in range(len(gaps) + 1)]
    timeline = Timeline.through([Keyframe(image(), at) for at in times])
    assert all(
        abs(F(tick, rate) - at) <= F(1, 2 * rate) for tick, at in zip(timeline.ticks(F(rate)), times, strict=True)
    )
    assert timeline.frame_count(F(rate)) == timeline.ticks(F(rate))[-1] + 1
