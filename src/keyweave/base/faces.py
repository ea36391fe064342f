"""Three faces of one progress: bars on a terminal, plain lines in a log, JSON lines for programs."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as RichBars

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console

    from keyweave.base.progress import Event

_LINE_EVERY = 2.0  # seconds between plain lines
_JSON_EVERY = 0.1  # seconds between JSON step events; begins, ends and messages always pass


def clock_words(seconds: float) -> str:
    """Write a duration as a clock does: 0:07, 12:30, 1:02:03."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


@contextmanager
def bars(console: Console) -> Iterator[Callable[[Event], None]]:
    """Show one live line: what is being done, how far, and how long it will still take."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=32),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("[dim]{task.fields[count]}[/]"),
        TextColumn("[dim]{task.fields[left]}[/]"),
    )
    with RichBars(*columns, console=console, transient=True) as live:
        task = live.add_task("", total=1.0, count="", left="")

        def hear(event: Event) -> None:
            if event.text:
                style = "yellow" if event.kind == "warn" else None
                live.console.print(event.text, style=style, markup=False, highlight=False)
                return
            live.update(
                task,
                completed=event.fraction,
                description=event.part[-1],
                count=_count(event),
                left="" if event.eta is None else f"{clock_words(event.eta)} left",
            )

        yield hear


class Lines:
    """Plain lines, one every few seconds, for logs and pipes."""

    def __init__(self, out: IO[str]) -> None:
        self._out = out
        self._next = _LINE_EVERY

    def __call__(self, event: Event) -> None:
        """Write a line if there is something new to tell."""
        if event.text:
            mark = "warning: " if event.kind == "warn" else ""
            self._write(f"{mark}{event.text}")
        elif event.elapsed >= self._next and event.kind == "step":
            self._next = event.elapsed + _LINE_EVERY
            left = "" if event.eta is None else f", {clock_words(event.eta)} left"
            self._write(f"{event.fraction:4.0%} {event.part[-1]} {_count(event)}{left}")

    def _write(self, line: str) -> None:
        self._out.write(line + "\n")
        self._out.flush()


class JsonLines:
    """One JSON object a line, for programs."""

    def __init__(self, out: IO[str]) -> None:
        self._out = out
        self._next = 0.0

    def __call__(self, event: Event) -> None:
        """Write the event, unless it is one of many steps within a moment."""
        if event.kind == "step":
            if event.elapsed < self._next:
                return
            self._next = event.elapsed + _JSON_EVERY
        self.write(event.as_dict())

    def write(self, row: dict[str, Any]) -> None:
        """Write any object as a line of its own."""
        self._out.write(json.dumps(row, ensure_ascii=False) + "\n")
        self._out.flush()


def _count(event: Event) -> str:
    if event.total is None:
        return f"{event.done:g}" if event.done else ""
    return f"{event.done:g}/{event.total:g}"
