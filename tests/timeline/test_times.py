"""Times as people write them, kept exact."""

from fractions import Fraction as F

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyweave.timeline.times import MOST_FPS, parse_moment, parse_rate, parse_seconds, parse_size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2", F(2)),
        ("2.5", F(5, 2)),
        ("2.5s", F(5, 2)),
        (".1", F(1, 10)),
        ("125/2", F(125, 2)),
        ("1:02.5", F(125, 2)),
        (" 1:00:02 ", F(3602)),
    ],
)
def test_seconds(text: str, seconds: F):
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "abc", "-1", "1:2:3:4", "1e9", "nan", "inf", "1/0", "2 s s"])
def test_what_is_no_time(text: str):
    with pytest.raises(ValueError, match="is not a time; write seconds such as 2.5, or 1:02.5"):
        parse_seconds(text)


def test_moments_may_be_frames():
    assert parse_moment("48f", F(24)) == 2
    assert parse_moment("1:02.5", F(24)) == F(125, 2)
    with pytest.raises(ValueError, match="or a frame such as 48f"):
        parse_moment("48g", F(24))


@given(st.integers(0, 99), st.integers(0, 59), st.integers(0, 59_999))
def test_clock_times_are_exact(hours: int, minutes: int, milliseconds: int):
    text = f"{hours}:{minutes:02}:{milliseconds / 1000:06.3f}"
    assert parse_seconds(text) == hours * 3600 + minutes * 60 + F(milliseconds, 1000)


@pytest.mark.parametrize(("text", "rate"), [("25", F(25)), ("23.976", F(2997, 125)), ("24000/1001", F(24000, 1001))])
def test_rates(text: str, rate: F):
    assert parse_rate(text) == rate


@pytest.mark.parametrize("text", ["0", "-5", "24/0", "abc", "", "1e3", str(MOST_FPS + 1), "nan", "1/2/3"])
def test_what_is_no_rate(text: str):
    with pytest.raises(ValueError, match="is not a frame rate"):
        parse_rate(text)


def test_sizes():
    assert parse_size("640x360") == parse_size(" 640X360 ") == (640, 360)


@pytest.mark.parametrize("text", ["640", "0x10", "10x0", "axb", "1x2x3", "-1x5", "1000000x2", ""])
def test_what_is_no_size(text: str):
    with pytest.raises(ValueError, match="is not a size; write width x height"):
        parse_size(text)
