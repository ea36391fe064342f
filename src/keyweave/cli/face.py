"""How a command shows itself: bars on a terminal, lines in a pipe, JSON for programs."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from keyweave.base.interrupt import stop_on_interrupt
from keyweave.base.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from keyweave.media.types import Image


@contextmanager
def watched(name: str, *, as_json: bool) -> Iterator[Progress]:
    """Yield the progress of a job, shown in the way that fits; Ctrl-C stops it at its next step."""
    from keyweave.base.faces import JsonLines, Lines, bars  # noqa: PLC0415 - rich is slow to import

    def tell(line: str) -> None:
        sys.stderr.write(line + "\n")

    with stop_on_interrupt(tell) as stop:
        if as_json:
            yield Progress(name, JsonLines(sys.stdout), stop=stop)
        elif sys.stderr.isatty():
            from rich.console import Console  # noqa: PLC0415

            with bars(Console(stderr=True)) as listen:
                yield Progress(name, listen, stop=stop)
        else:
            yield Progress(name, Lines(sys.stderr), stop=stop)


def show_json(row: dict[str, Any]) -> None:
    """Print one JSON object as a line of standard output."""
    sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def show_picture(path: Path, picture: Image, *, as_json: bool) -> None:
    """Say what picture was drawn, and where it is."""
    if as_json:
        show_json({"event": "drawn", "output": str(path), "width": picture.width, "height": picture.height})
    else:
        print(f"\n{path}: {picture.width}x{picture.height}")


def size_words(count: int) -> str:
    """Write a number of bytes for people."""
    amount = float(count)
    for unit in ("bytes", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "bytes" or amount >= 100 else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"
