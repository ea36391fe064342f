"""The loop trains, and a training that was stopped ends as if it had not been."""

import json
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from keyweave.base.errors import Cancelled, InputError
from keyweave.base.progress import Event, Progress
from keyweave.training import checkpoint
from keyweave.training import loop as room
from keyweave.training.journal import read
from keyweave.training.loop import estimate, train, within
from keyweave.training.plan import Follower, Plan

sys.path.insert(0, str(Path(__file__).parent))
from small_task import PLAN, Line, weights

PROGRAM = str(Path(__file__).parent / "small_task.py")


def trained(folder: Path, plan: Plan = PLAN) -> torch.Tensor:
    task = Line()
    train(task, plan, folder)
    return weights(task)


def program(folder: Path, kill_after: int, **environment: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, PROGRAM, str(folder), str(kill_after)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )


def printed(process: subprocess.Popen) -> torch.Tensor:
    out, error = process.communicate(timeout=120)
    assert process.returncode == 0, error
    return torch.tensor([float(word) for word in out.split()])


def test_it_learns(tmp_path: Path):
    task = Line()
    train(task, replace(PLAN, steps=300), tmp_path)
    assert task.validated == [300]
    assert task.validate(tmp_path, 0)["error"] < 0.05
    rows = read(tmp_path / "journal.jsonl")
    assert [row["step"] for row in rows] == list(range(300))
    assert rows[-1]["loss"] < 0.02 * rows[0]["loss"]
    assert {"rate", "norm", "largest", "seconds"} <= set(rows[0])
    assert (tmp_path / "loss.png").is_file()


@pytest.mark.parametrize("follower", ["adamw", "muon"])
def test_stopped_and_taken_up_again_it_ends_the_same(tmp_path: Path, follower: Follower):
    plan = replace(PLAN, follower=follower)
    whole = trained(tmp_path / "whole", plan)

    def stop_at_20(event: Event) -> None:
        if event.kind == "step" and event.done == 20:
            raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        train(Line(), plan, tmp_path / "part", progress=Progress("x", stop_at_20))
    assert checkpoint.load(tmp_path / "part" / "last")[1]["step"] == 20
    assert torch.equal(trained(tmp_path / "part", plan), whole)
    plain = [{**row, "seconds": 0} for row in read(tmp_path / "part" / "journal.jsonl")]
    assert plain == [{**row, "seconds": 0} for row in read(tmp_path / "whole" / "journal.jsonl")]
    # Called once more there is nothing to do, and the weights are those of the end.
    assert torch.equal(trained(tmp_path / "part", plan), whole)


def test_the_scale_of_half_precision_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Scaled on a CPU, as accelerate does it on a GPU: the scale grows every sixth step, and again after a stop."""
    plain = room._accelerator

    def scaling(plan: Plan) -> Any:
        accelerator = plain(plan)
        accelerator.scaler = torch.amp.GradScaler("cpu", init_scale=16.0, growth_interval=6)
        return accelerator

    def stop_at_20(event: Event) -> None:
        if event.kind == "step" and event.done == 20:
            raise Cancelled("Stopped.")

    monkeypatch.setattr(room, "_accelerator", scaling)
    whole = trained(tmp_path / "whole")
    with pytest.raises(Cancelled):
        train(Line(), PLAN, tmp_path / "part", progress=Progress("x", stop_at_20))
    state = tmp_path / "part" / "last" / "state.json"
    kept = json.loads(state.read_text())
    assert (kept["scaler"]["scale"], kept["scaler"]["_growth_tracker"]) == (128.0, 2)
    assert torch.equal(trained(tmp_path / "part"), whole)
    # A checkpoint from before scales were kept begins with a new one.
    state.write_text(json.dumps({key: value for key, value in kept.items() if key != "scaler"}))
    assert trained(tmp_path / "part").shape == whole.shape


def test_killed_it_ends_the_same(tmp_path: Path):
    for kill_after in (18, 30):  # of the samples asked for: between two checkpoints
        process = program(tmp_path / "part", kill_after)
        process.communicate(timeout=120)
        assert process.returncode == -9
    again = printed(program(tmp_path / "part", -1))
    torch.testing.assert_close(again, trained(tmp_path / "whole"), rtol=0, atol=1e-8)


@pytest.mark.slow
def test_two_processes_share_the_work_of_one(tmp_path: Path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    common = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": "1"}
    ranks = [program(tmp_path / "two", -1, RANK=str(rank), LOCAL_RANK=str(rank), **common) for rank in (0, 1)]
    one, other = map(printed, ranks)
    torch.testing.assert_close(one, other, rtol=0, atol=0)
    torch.testing.assert_close(one, trained(tmp_path / "one"), rtol=1e-3, atol=1e-4)
    assert len(read(tmp_path / "two" / "journal.jsonl")) == PLAN.steps


def test_pieces_make_the_same_steps(tmp_path: Path):
    torch.testing.assert_close(
        trained(tmp_path / "a", replace(PLAN, pieces=4)), trained(tmp_path / "b"), rtol=1e-3, atol=1e-4
    )


def test_validation_sees_the_average_and_training_goes_on_with_its_own(tmp_path: Path):
    often, never = Line(), Line()
    train(often, replace(PLAN, validate_every=10), tmp_path / "often")
    train(never, PLAN, tmp_path / "never")
    assert often.validated == [10, 20, 30, 40, 50, 60]
    assert torch.equal(weights(often), weights(never))


def test_the_average_follows_as_written(tmp_path: Path):
    """The mean kept by the loop against one worked out from the weights of every step."""
    seen: list[torch.Tensor] = []
    task = Line()
    start = weights(task)

    def look(event: Event) -> None:
        if event.kind == "step":
            seen.append(weights(task))

    train(task, replace(PLAN, steps=10, keep_every=100), tmp_path, progress=Progress("x", look))
    kept, _ = checkpoint.load(tmp_path / "last")
    seen[-1] = torch.cat([kept[name].flatten() for name in sorted(kept) if name.startswith("weight")])
    mean = start
    for step, now in enumerate(seen):
        mean = mean + (now - mean) * (1 - PLAN.following(step))
    torch.testing.assert_close(weights(task), mean, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("change", [{"learning_rate": 0.2}, {"steps": 61}, {"seed": 4}])
def test_another_plan_is_refused(tmp_path: Path, change: dict[str, Any]):
    trained(tmp_path)
    with pytest.raises(InputError, match="holds a training with another plan"):
        trained(tmp_path, replace(PLAN, **change))


def test_another_model_is_refused(tmp_path: Path):
    trained(tmp_path)
    task = Line()
    task.model = torch.nn.Sequential(torch.nn.Linear(1, 5), torch.nn.Linear(5, 1))
    with pytest.raises(InputError, match="holds a training of another model"):
        train(task, PLAN, tmp_path)


def test_a_checkpoint_that_is_none(tmp_path: Path):
    (tmp_path / "last").mkdir()
    (tmp_path / "last" / "state.json").write_text(json.dumps({"step": 3}))
    with pytest.raises(InputError, match="is no state of a training"):
        trained(tmp_path)


def test_minutes_become_steps():
    task = Line()
    before = weights(task)
    found = estimate(task, PLAN)
    assert found.whole == pytest.approx(found.seconds * PLAN.steps)
    assert found.bytes == 5 * 4 * len(before)
    plan = within(task, PLAN, 0.5)
    assert 0.2 < plan.steps * found.seconds / 30 < 5
    assert torch.equal(weights(task), before)
    with pytest.raises(InputError, match="some minutes"):
        within(task, PLAN, 0)
