"""What a terminal, a log and a program are shown."""

import io
import json

import pytest
from rich.console import Console

from keyweave.base.faces import JsonLines, Lines, bars, clock_words
from keyweave.base.progress import Event


def event(kind: str = "step", elapsed: float = 0.0, text: str = "", **over) -> Event:
    row = {"done": 3, "total": 10, "fraction": 0.3, "eta": 75.0} | over
    return Event(kind, ("job", "drawing"), elapsed=elapsed, text=text, **row)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(("seconds", "words"), [(0, "0:00"), (7.4, "0:07"), (61, "1:01"), (3723, "1:02:03")])
def test_durations_read_like_a_clock(seconds: float, words: str):
    assert clock_words(seconds) == words


def test_lines_come_every_few_seconds_and_messages_at_once():
    out = io.StringIO()
    lines = Lines(out)
    for elapsed in (0.1, 0.2, 2.1, 2.2, 4.2):
        lines(event(elapsed=elapsed))
    lines(event("say", text="hello"))
    lines(event("warn", text="careful"))
    lines(event("end", elapsed=9))
    assert out.getvalue().splitlines() == [
        " 30% drawing 3/10, 1:15 left", " 30% drawing 3/10, 1:15 left", "hello", "warning: careful",
    ]  # fmt: skip


def test_lines_without_a_total_or_a_guess():
    out = io.StringIO()
    lines = Lines(out)
    lines(event(elapsed=3, total=None, eta=None))
    lines(event(elapsed=6, total=None, eta=None, done=0))
    assert out.getvalue().splitlines() == [" 30% drawing 3", " 30% drawing "]


def test_json_lines_thin_out_steps_but_lose_nothing_else():
    out = io.StringIO()
    face = JsonLines(out)
    face(event("begin"))
    for k in range(100):
        face(event(elapsed=k / 1000))
    face(event("say", text="grüß dich"))
    face(event("end", elapsed=0.1))
    rows = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [row["event"] for row in rows] == ["begin", "step", "say", "end"]
    assert rows[2]["text"] == "grüß dich"
    assert rows[1]["fraction"] == 0.3


def test_bars_show_what_how_far_and_how_long():
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=100)
    with bars(console) as hear:
        hear(event())
        hear(event("warn", text="careful [brackets] stay"))
        hear(event(eta=None))
    shown = out.getvalue()
    assert "careful [brackets] stay" in shown
    assert "drawing" in shown
    assert "30 %" in shown
    assert "3/10" in shown
