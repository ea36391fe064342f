"""Several processes share a training; the modules here stand for it."""

import json
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from keyweave.base.errors import Cancelled, InputError
from keyweave.base.progress import Event, Progress
from keyweave.training.processes import run_together

SAY = """
import json, os, sys, time
def tell(kind, fraction, **more):
    print(json.dumps({"event": kind, "part": ["training"], "fraction": fraction, "total": 4, **more}), flush=True)
"""


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Return what writes a module that the processes can import."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))

    def write(body: str) -> str:
        (tmp_path / "played.py").write_text(SAY + body, encoding="utf-8")
        return "played"

    return write


def heard(stop: threading.Event | None = None) -> tuple[Progress, list[Event]]:
    events: list[Event] = []
    return Progress("job", events.append, stop=stop), events


def test_each_knows_who_it_is_and_the_first_one_is_heard(write: Any, tmp_path: Path):
    module = write("""
rank = os.environ["RANK"]
names = ("WORLD_SIZE", "LOCAL_RANK", "OMP_NUM_THREADS", "MASTER_ADDR", "MASTER_PORT")
mine, last = (os.path.join(sys.argv[1], name + ".json") for name in (rank, "1"))
with open(mine + ".part", "w") as f:
    json.dump({name: os.environ[name] for name in names}, f)
os.rename(mine + ".part", mine)
while not os.path.exists(last):
    time.sleep(0.02)
tell("begin", 0.0)
print("a library that prints", flush=True)
print("[3]", flush=True)
tell("say", 0.25, text=f"I am {rank}.")
tell("step", 0.75)
""")
    progress, events = heard()
    run_together(module, [str(tmp_path)], 2, tmp_path / "logs", progress)
    told = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1)]
    ports = {one.pop("MASTER_PORT") for one in told}
    assert len(ports) == 1
    assert 1024 < int(ports.pop()) < 65536
    common = {"WORLD_SIZE": "2", "OMP_NUM_THREADS": "1", "MASTER_ADDR": "127.0.0.1"}
    assert told == [{**common, "LOCAL_RANK": rank} for rank in ("0", "1")]
    said = [event.text for event in events if event.kind == "say"]
    assert said == ["training: 4 steps", "I am 0."]
    steps = [event.fraction for event in events if event.kind == "step"]
    assert steps == sorted(steps)
    assert 0.75 in [round(fraction or 0, 6) for fraction in steps]


def test_its_complaint_is_passed_on_and_the_others_are_ended(write: Any, tmp_path: Path):
    module = write("""
last = os.path.join(sys.argv[1], "1")
if os.environ["RANK"] == "1":
    with open(last + ".part", "w") as f:
        f.write(str(os.getpid()))
    os.rename(last + ".part", last)
    time.sleep(600)
while not os.path.exists(last):
    time.sleep(0.02)
sys.exit("The disk is full.")
""")
    with pytest.raises(InputError, match=r"The training stopped: The disk is full\.") as fault:
        run_together(module, [str(tmp_path)], 2, tmp_path / "logs", heard()[0])
    assert (tmp_path / "logs" / "process-0.log").exists()
    assert str(tmp_path / "logs") in str(fault.value.hint)
    assert not _lives(int((tmp_path / "1").read_text()))


def test_one_that_is_killed_is_told_of(write: Any, tmp_path: Path):
    module = write("import signal; os.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(InputError, match="it was ended from outside"):
        run_together(module, [], 1, tmp_path / "logs", heard()[0])


def test_a_stop_lets_the_first_one_finish_its_step(write: Any, tmp_path: Path):
    module = write("""
import signal
def finish(*_):
    with open(os.path.join(sys.argv[1], "kept"), "w") as f:
        f.write(os.environ["RANK"])
    sys.exit(0)
signal.signal(signal.SIGINT, finish)
with open(os.path.join(sys.argv[1], "pid" + os.environ["RANK"]), "w") as f:
    f.write(str(os.getpid()))
for k in range(4000):
    tell("step", k / 4000)
    time.sleep(0.02)
""")
    stop = threading.Event()
    threading.Timer(1.5, stop.set).start()
    began = time.monotonic()
    with pytest.raises(Cancelled):
        run_together(module, [str(tmp_path)], 2, tmp_path / "logs", heard(stop)[0])
    assert time.monotonic() - began < 30
    assert (tmp_path / "kept").read_text() == "0"
    assert not any(_lives(int((tmp_path / f"pid{rank}").read_text())) for rank in (0, 1))


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
