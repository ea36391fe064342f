"""How much a program held is its own, whoever started it."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from keyweave.base import peak
from keyweave.base.peak import peak_bytes

resource = pytest.importorskip("resource")
ITS_OWN = "from keyweave.base.peak import peak_bytes; print(peak_bytes())"


def test_it_grows_with_what_is_held_and_stays():
    before = peak_bytes()
    assert before is not None
    np.ones(40_000_000)
    held = peak_bytes()
    assert held is not None
    assert held >= before
    assert held > 320e6


def test_a_program_that_a_large_one_started_tells_its_own():
    np.ones(60_000_000)
    run = subprocess.run([sys.executable, "-c", ITS_OWN], check=True, capture_output=True, text=True)
    assert 5e6 < int(run.stdout) < 300e6


@pytest.mark.parametrize("status", ["Name: keyweave\n", None])
def test_elsewhere_the_system_is_asked(status: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    place = tmp_path / "status"
    if status is not None:
        place.write_text(status, encoding="ascii")
    monkeypatch.setattr(peak, "_STATUS", place)
    asked = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    monkeypatch.setattr(sys, "platform", "linux")
    assert asked * 1024 <= (peak_bytes() or 0) < asked * 1024 + 2**20
    monkeypatch.setattr(sys, "platform", "darwin")
    assert asked <= (peak_bytes() or 0) < asked + 2**20
    monkeypatch.setitem(sys.modules, "resource", None)
    assert peak_bytes() is None
