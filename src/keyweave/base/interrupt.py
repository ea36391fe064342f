"""Ctrl-C: the first asks the job to stop at its next step, the second stops at once."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType


@contextmanager
def stop_on_interrupt(tell: Callable[[str], None]) -> Iterator[threading.Event]:
    """Yield an event that Ctrl-C (or a terminate signal) sets; `tell` hears one line when it does.

    Outside the main thread no signal can be caught; the event is then simply never set.
    """
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def on_signal(number: int, _: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        again = "press Ctrl-C again" if number == signal.SIGINT else "send the signal again"
        tell(f"Stopping after the current step; {again} to stop at once.")

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
