"""The loop trains, and a training that was stopped ends as if it had not been."""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from keyweave.base.errors import Cancelled, InputError, MediaError
from keyweave.base.progress import Event, Progress
from keyweave.training import checkpoint
from keyweave.training import loop as room
from keyweave.training.journal import read
from keyweave.training.loop import estimate, train, wait_for_all, within
from keyweave.training.plan import Follower, Plan

sys.path.insert(0, str(Path(__file__).parent))
from small_task import PLAN, Broken, Line, weights

PROGRAM = str(Path(__file__).parent / "small_task.py")


def trained(folder: Path, plan: Plan = PLAN) -> torch.Tensor:
    task = Line()
    train(task, plan, folder)
    return weights(task)


def program(folder: Path, *numbers: int, **environment: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, PROGRAM, str(folder), *map(str, numbers)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )


def two_programs(folder: Path, *numbers: int) -> list[subprocess.Popen]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    common = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": "1"}
    return [program(folder, *numbers, RANK=str(rank), LOCAL_RANK=str(rank), **common) for rank in (0, 1)]


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


@pytest.fixture
def _scaled(monkeypatch: pytest.MonkeyPatch):
    """Scale losses on a CPU, as accelerate does it on a GPU: the scale grows every sixth step."""
    plain = room._accelerator

    def scaling(*given: Any) -> Any:
        accelerator = plain(*given)
        accelerator.scaler = torch.amp.GradScaler("cpu", init_scale=16.0, growth_interval=6)
        return accelerator

    monkeypatch.setattr(room, "_accelerator", scaling)


@pytest.mark.usefixtures("_scaled")
def test_the_scale_of_half_precision_is_kept(tmp_path: Path):
    """The scale grows again after a stop as it would have without one."""

    def stop_at_20(event: Event) -> None:
        if event.kind == "step" and event.done == 20:
            raise Cancelled("Stopped.")

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


@pytest.mark.parametrize(("gradient", "what"), [(False, "loss is nan"), (True, "gradient's length is nan")])
def test_it_stops_where_there_is_no_number_and_keeps_what_it_had(tmp_path: Path, gradient: bool, what: str):
    """Sample 140 is of step 18; every seventh step is kept."""
    with pytest.raises(InputError) as fault:
        train(Broken([140], gradient=gradient), PLAN, tmp_path / "run")
    last = tmp_path / "run" / "last"
    assert str(fault.value) == (
        f"The training stopped at step 18 of 60: its {what}. {last} still holds step 14, from which the same command "
        "goes on; should that stop too, take a lower learning rate, in a new folder."
    )
    assert checkpoint.load(last)[1]["step"] == 14
    assert torch.equal(trained(tmp_path / "run"), trained(tmp_path / "whole"))


def test_it_stops_before_there_is_anything_to_keep(tmp_path: Path):
    with pytest.raises(InputError, match=r"at step 1 of 60: its loss is nan\. Take a lower learning rate, or fp32, in"):
        train(Broken([0]), replace(PLAN, precision="bf16"), tmp_path)
    assert not (tmp_path / "last").exists()


@pytest.mark.usefixtures("_scaled")
def test_half_precision_leaves_some_steps_out_but_not_all(tmp_path: Path):
    """Its scale is sought by what overflows; where it is not found, there is something else amiss."""
    task = Broken(range(80, 80 + 8 * 19))
    train(task, PLAN, tmp_path / "some")
    assert weights(task).isfinite().all()
    before = read(tmp_path / "some" / "journal.jsonl")
    assert [row["step"] for row in before if row["norm"] is None] == list(range(10, 29))
    with pytest.raises(InputError, match=r"at step 30 of 60: its loss is nan for 20 steps in a row\. .* holds step 28"):
        train(Broken(range(80, 80 + 8 * 20)), PLAN, tmp_path / "all")


@pytest.mark.slow
def test_a_process_whose_loss_is_no_number_stops_the_other_one_too(tmp_path: Path):
    for process in two_programs(tmp_path, -1, 140):
        _, error = process.communicate(timeout=120)
        assert "The training stopped at step 18 of 60: its loss is nan." in error
        assert process.returncode == 1
    assert checkpoint.load(tmp_path / "last")[1]["step"] == 14


def test_one_training_leaves_the_next_its_precision_and_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """accelerate holds both for as long as a program runs; "meta" stands for a GPU."""
    from accelerate.state import AcceleratorState, PartialState

    exact = trained(tmp_path / "fp32")
    half = trained(tmp_path / "bf16", replace(PLAN, precision="bf16"))
    assert not torch.equal(half, exact)
    torch.testing.assert_close(half, exact, rtol=0, atol=0.05)
    assert torch.equal(trained(tmp_path / "again"), exact)
    monkeypatch.setattr(PartialState, "default_device", property(lambda _: torch.device("meta")))
    AcceleratorState._reset_state(reset_partial_state=True)
    try:
        wait_for_all()
        places = [room._accelerator(PLAN, cpu).device.type for cpu in (True, False, True)]
    finally:
        AcceleratorState._reset_state(reset_partial_state=True)
    assert places == ["cpu", "meta", "cpu"]


def test_killed_between_two_names_it_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The one before is put aside, the new one is not yet in its place: as a kill leaves them, not as Ctrl-C does."""
    rename, left = Path.rename, tmp_path / "part"
    whole = trained(tmp_path / "whole")

    def killed(self: Path, target: Path) -> Path:
        if self.suffix == ".part" and (left / "last").parent == self.parent and list(left.glob(".last.*.old")):
            shutil.copytree(left, tmp_path / "killed")
            raise KeyboardInterrupt
        return rename(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", killed)
        with pytest.raises(KeyboardInterrupt):
            trained(left)
    assert checkpoint.load(left / "last")[1]["step"] == 7
    assert not (tmp_path / "killed" / "last").exists()
    said: list[str | None] = []
    task = Line()
    train(task, PLAN, tmp_path / "killed", progress=Progress("x", lambda event: said.append(event.text)))
    assert "Going on after step 14 of 60." in said
    assert torch.equal(weights(task), whole)
    assert sorted(path.name for path in (tmp_path / "killed").iterdir()) == ["journal.jsonl", "last", "loss.png"]


def test_killed_it_ends_the_same(tmp_path: Path):
    for kill_after in (18, 30):  # of the samples asked for: between two checkpoints
        process = program(tmp_path / "part", kill_after)
        process.communicate(timeout=120)
        assert process.returncode == -9
    again = printed(program(tmp_path / "part", -1))
    torch.testing.assert_close(again, trained(tmp_path / "whole"), rtol=0, atol=1e-8)


@pytest.mark.slow
def test_two_processes_share_the_work_of_one(tmp_path: Path):
    one, other = map(printed, two_programs(tmp_path / "two", -1))
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


def test_fewer_steps_than_were_done_are_refused(tmp_path: Path):
    plan = Plan(steps=6, batch=2, learning_rate=0.1, warm_up=10)  # all alike: the rate is still rising
    trained(tmp_path, plan)
    with pytest.raises(InputError, match=r"has done 6 steps, more than the 5 of this one\. Ask for 6 steps or more"):
        trained(tmp_path, replace(plan, steps=5))


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


@pytest.mark.parametrize("damage", [lambda path: path.write_bytes(b"x"), Path.unlink])
def test_a_damaged_checkpoint_says_what_can_be_done(tmp_path: Path, damage: Callable[[Path], object]):
    trained(tmp_path)
    last = tmp_path / "last"
    damage(last / "tensors.safetensors")
    with pytest.raises(MediaError, match="is damaged") as fault:
        trained(tmp_path)
    assert fault.value.hint == f"Put it back from a copy, or delete {last} to begin the training anew."
    shutil.rmtree(last)
    trained(tmp_path)


@pytest.mark.parametrize(
    "wrong", [{"step": None}, {"step": "some"}, {"plan": None}, {"plan": {"pace": 1}}, {"plan": [1]}]
)
def test_a_checkpoint_whose_words_are_damaged_says_so(tmp_path: Path, wrong: dict[str, Any]):
    trained(tmp_path)
    state = tmp_path / "last" / "state.json"
    state.write_text(json.dumps(json.loads(state.read_text()) | wrong))
    words = r"last is damaged: it does not tell its step and its plan\. Put it back from a copy, or delete .*last to"
    with pytest.raises(MediaError, match=words):
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
