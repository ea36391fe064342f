"""Laws of progress: fractions only rise, shares add up, and a stop is heard at the next step."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyweave.base.errors import Cancelled
from keyweave.base.progress import SILENT, Event, Progress


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_nested_parts_report_the_fraction_of_the_whole():
    heard: list[Event] = []
    whole = Progress("job", heard.append)
    with whole.part("read", 0.25, total=2) as part:
        part.step()
        assert heard[-1].fraction == pytest.approx(0.125)
        part.step()
    with whole.part("draw", 0.75) as part:
        assert whole.fraction == pytest.approx(0.25)
        with part.part("first half", 0.5, total=10) as half:
            half.step(5)
            assert heard[-1].fraction == pytest.approx(0.25 + 0.75 * 0.5 * 0.5)
            assert heard[-1].part == ("job", "draw", "first half")
            assert (heard[-1].done, heard[-1].total) == (5, 10)
    whole.end()
    assert heard[-1].kind == "end"
    assert heard[-1].fraction == 1.0


def test_eta_is_measured_speed():
    heard: list[Event] = []
    clock = Clock()
    whole = Progress("job", heard.append, total=100, clock=clock)
    clock.now += 1
    whole.step()
    assert heard[-1].eta is None  # one hundredth done says too little
    clock.now += 24
    whole.step(24)
    assert heard[-1].elapsed == pytest.approx(25)
    assert heard[-1].eta == pytest.approx(75)


@given(st.lists(st.tuples(st.floats(0.01, 0.3), st.integers(1, 5)), max_size=6))
def test_the_fraction_never_falls_and_never_passes_one(parts: list[tuple[float, int]]):
    heard: list[Event] = []
    whole = Progress("job", heard.append)
    for share, steps in parts:
        for _ in whole.each(range(steps), "part", share=share):
            pass
    whole.end()
    fractions = [event.fraction for event in heard]
    assert fractions == sorted(fractions)
    assert all(0 <= fraction <= 1 for fraction in fractions)


def test_each_yields_everything_and_counts():
    heard: list[Event] = []
    assert list(Progress("job", heard.append).each("abc", "letters")) == ["a", "b", "c"]
    assert [event.done for event in heard if event.kind == "step"] == [1, 2, 3]
    assert heard[0].total == 3
    assert list(Progress("job", heard.append).each(iter("ab"), "letters")) == ["a", "b"]


@pytest.mark.parametrize("act", [lambda p: p.step(), lambda p: p.part("next"), lambda p: p.check()])
def test_a_stop_is_heard_at_the_next_step(act):
    stop = threading.Event()
    progress = Progress("job", lambda _: None, stop=stop)
    act(progress)
    stop.set()
    with pytest.raises(Cancelled, match="nothing half-made was left behind"):
        act(progress)


def test_a_part_that_failed_is_not_called_done():
    heard: list[Event] = []
    with pytest.raises(ZeroDivisionError), Progress("job", heard.append).part("read"):
        raise ZeroDivisionError
    assert [event.kind for event in heard] == ["begin"]


def test_ending_twice_counts_once():
    whole = Progress("job", lambda _: None)
    part = whole.part("read", 0.5)
    part.end()
    part.end()
    assert whole.fraction == 0.5


def test_messages_travel_with_their_place():
    heard: list[Event] = []
    with Progress("job", heard.append).part("read") as part:
        part.say("hello")
        part.warn("careful")
    assert [(event.kind, event.text) for event in heard[1:3]] == [("say", "hello"), ("warn", "careful")]
    assert heard[1].as_dict() == {
        "event": "say", "part": ["job", "read"], "done": 0.0, "total": None, "fraction": 0.0,
        "elapsed": heard[1].as_dict()["elapsed"], "eta": None, "text": "hello",
    }  # fmt: skip


def test_silence_keeps_no_state():
    with SILENT.part("x", total=3) as part:
        part.step()
        part.say("nobody hears this")
    assert list(SILENT.each([1, 2], "y")) == [1, 2]
    assert SILENT.fraction == 0
