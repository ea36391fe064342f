"""The first Ctrl-C asks, the second insists."""

import os
import signal
import threading

import pytest

from keyweave.base.interrupt import stop_on_interrupt


def test_the_first_asks_and_the_second_insists():
    told: list[str] = []
    before = signal.getsignal(signal.SIGINT)
    with stop_on_interrupt(told.append) as stop:
        assert not stop.is_set()
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.is_set()
        assert told == ["Stopping after the current step; press Ctrl-C again to stop at once."]
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_terminate_is_heard_too():
    told: list[str] = []
    with stop_on_interrupt(told.append) as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.is_set()
    assert "send the signal again" in told[0]


def test_other_threads_get_an_event_that_nothing_sets():
    seen: list[bool] = []

    def work() -> None:
        with stop_on_interrupt(lambda _: None) as stop:
            seen.append(stop.is_set())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [False]
