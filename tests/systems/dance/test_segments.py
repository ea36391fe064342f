"""Segments: pairs or bars of beats, from the first strong one on."""

from fractions import Fraction as F

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyweave.base.errors import InputError
from keyweave.systems.dance.segments import Segment, keyframe_times, segments


def beats(count: int) -> list[F]:
    return [F(3, 10) + F(number, 2) for number in range(count)]


def test_even_beats_begin_what_odd_beats_end():
    assert segments(beats(4)) == (Segment(0, 1, F(3, 10), F(8, 10)), Segment(2, 3, F(13, 10), F(18, 10)))


def test_a_beat_left_over_at_the_end_is_dropped():
    assert segments(beats(5)) == segments(beats(4))


def test_beats_before_the_first_strong_one_belong_to_no_segment():
    divided = segments(beats(5), parity=1)
    assert [(segment.first, segment.last) for segment in divided] == [(1, 2), (3, 4)]
    assert keyframe_times(divided) == tuple(beats(5)[1:])


def test_a_bar_of_three_goes_from_its_first_beat_to_its_last():
    divided = segments(beats(9), parity=2, meter="3/4")
    assert [(segment.first, segment.last) for segment in divided] == [(2, 4), (5, 7)]
    assert keyframe_times(divided) == tuple(beats(9)[number] for number in (2, 4, 5, 7))


@given(st.integers(5, 60), st.sampled_from([("4/4", 2), ("3/4", 3)]), st.data())
def test_segments_use_every_whole_group_once(count: int, meter: tuple[str, int], data: st.DataObject):
    name, together = meter
    parity = data.draw(st.integers(0, together - 1))
    used = [number for s in segments(beats(count), parity=parity, meter=name) for number in range(s.first, s.last + 1)]
    assert used == list(range(parity, parity + (count - parity) // together * together))


@pytest.mark.parametrize(
    ("times", "parity", "meter", "said"),
    [
        (beats(8), 0, "7/8", "can follow 4/4 or 3/4; got the meter '7/8'. Count a 2/4 song as 4/4"),
        (beats(8), 2, "4/4", "In 4/4, the first strong beat is number 0 or 1; got 2."),
        (beats(8), -1, "3/4", "In 3/4, the first strong beat is number 0, 1 or 2; got -1."),
        (beats(2), 1, "4/4", "in 4/4 needs 2 beats from the first strong one on; got 1. Give a longer song"),
        (beats(2), 0, "3/4", "in 3/4 needs 3 beats from the first strong one on; got 2."),
        ([], 1, "4/4", "needs 2 beats from the first strong one on; got 0."),
        ([F(0), F(1), F(1)], 0, "4/4", "rising times; beat 3 is at 1 s, the one before it at 1 s."),
    ],
)
def test_what_cannot_be_divided_is_said(times: list[F], parity: int, meter: str, said: str):
    with pytest.raises(InputError) as fault:
        segments(times, parity=parity, meter=meter)
    assert said in str(fault.value)
