"""Freed memory stays at hand: measured in a process of its own, by the pages that come anew."""

import ctypes
import subprocess
import sys

import pytest

from keyweave.base import heap

PAGES = """
import resource, sys
import numpy as np
from keyweave.base.heap import keep_freed_memory
if sys.argv[1] == "kept":
    assert keep_freed_memory()
def work():
    first = np.ones(2_000_000)
    second = first + first
    return float((first * second).sum())
work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    work()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def pages(how: str) -> int:
    ran = subprocess.run([sys.executable, "-c", PAGES, how], check=True, capture_output=True, text=True)
    return int(ran.stdout)


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="another C library")
def test_blocks_that_come_and_go_take_no_new_pages():
    assert pages("kept") * 20 < pages("given back")


@pytest.mark.parametrize("fault", [AttributeError, OSError, TypeError])
def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch, fault: type[Exception]):
    def none(_: None) -> None:
        raise fault

    monkeypatch.setattr(heap.ctypes, "CDLL", none)
    assert not heap.keep_freed_memory()
