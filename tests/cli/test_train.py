"""`keyweave train`: what it refuses, what it plans, and whole trainings that are tiny."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from keyweave.base.errors import InputError
from keyweave.cli.main import main
from keyweave.cli.train import shown
from keyweave.models import finding
from keyweave.models.card import read_card, verify
from keyweave.recipes import features as judge
from keyweave.recipes.features import FeaturesBudget
from keyweave.recipes.kept import keep_budget, kept_budget
from keyweave.recipes.toy_video import Budget

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["toy-features", "--minutes", "0"], "--minutes is 0; it should be above 0"),
        (["toy-video", "--minutes", "1e9"], "up to 10,000"),
        (["toy-video", "--minutes", "nan"], "--minutes is nan"),
        (["toy-features", "--processes", "2"], "one process trains it"),
        (["toy-video", "--processes", "3"], "batches can be shared by 1, 2 or 4"),
        (["toy-videos"], "toy-video"),
        (["toy-features", "--from", "toy-features"], "--from is for toy-video alone"),
        (
            ["toy-video", "--videos", "clips"],
            "--videos is an option of `keyweave train inbetween` alone. Leave it out.",
        ),
        (["inbetween"], "Fine-tuning needs clips. Name a folder of them with --videos"),
        (["inbetween", "--processes", "2"], "keyweave train inbetween does not know '--processes'"),
        (["inbetween", "--videos", "x", "--size", "60x64"], "--size is 60x64; both sides should be multiples of 8"),
        (["inbetween", "--videos", "x", "--steps", "2", "--minutes", "3"], "--steps and --minutes both set the length"),
        (["inbetween", "--videos", "x", "--batch", "4", "--accumulate", "3"], "cannot share a --batch of 4 evenly"),
        (["inbetween", "--videos", "x", "--trainable", "qkvo"], "would leave queries and keys as they are"),
        (["inbetween", "--videos", "x", "--batch", "0"], "--batch is '0'; it should be greater than or equal to 1"),
        (["inbetween", "--videos", "nowhere"], "There is no folder nowhere. Name a folder of clips with --videos"),
        (["--videos", "x", "inbetween"], "The recipe stands first: keyweave train inbetween"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], says: str):
    assert main(["train", *options, "-o", str(tmp_path / "run")]) == 2
    said = capsys.readouterr().err
    assert says in said
    assert "Traceback" not in said
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("name", "says", "code"), [("no-such", "no embedded model 'no-such'", 3), ("toy-features", "of kind features", 2)]
)
def test_what_cannot_be_gone_on_from_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, says: str, code: int
):
    assert main(["train", "toy-video", "--from", name, "-o", str(tmp_path / "run")]) == code
    assert says in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_training_does_not_change_what_it_began_with(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    keep_budget(tmp_path, Budget())
    assert main(["train", "toy-video", "--from", "toy-video", "-o", str(tmp_path)]) == 2
    assert "was begun without --from. Leave --from out, or name a new folder." in capsys.readouterr().err


def test_a_budget_that_is_none_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    for text in ("{", '{"hats": 3}', "[]", "3", '{"steps": "x"}', '{"steps": -1}', '{"steps": true}', '{"steps": 1.5}'):
        (tmp_path / "budget.json").write_text(text)
        assert main(["train", "toy-features", "-o", str(tmp_path)]) == 2
        assert "budget.json is no budget of this training. Name a new folder" in capsys.readouterr().err


def test_a_budget_is_kept_as_it_is(tmp_path: Path):
    assert kept_budget(tmp_path / "none", Budget) is None
    budget = Budget(squares=3, seed=7, rises=(5, 9), noise=(220, 140))
    keep_budget(tmp_path / "a", budget)
    assert kept_budget(tmp_path / "a", Budget) == budget
    (tmp_path / "a" / "budget.json").write_text('{"noise": [220]}')
    with pytest.raises(InputError, match="is no budget of this training"):
        kept_budget(tmp_path / "a", Budget)


def test_a_dry_run_says_how_much_and_does_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(judge, "_BATCH", 2)
    command = ["train", "toy-features", "-o", str(tmp_path / "run"), "--dry-run", "--minutes", "2"]
    assert main(command) == 0
    steps = int(capsys.readouterr().out.split()[0])
    assert 2 <= steps < 10_000
    assert main([*command, "--json"]) == 0
    (planned,) = [row for row in map(json.loads, capsys.readouterr().out.splitlines()) if row["event"] == "planned"]
    assert planned["steps"] > 1
    assert planned["bytes"] > 1e6
    assert not (tmp_path / "run").exists()


def test_toy_features_from_end_to_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    for name, value in (("_MEASURED", 2), ("_TESTED", 2), ("_BATCH", 2)):
        monkeypatch.setattr(judge, name, value)
    keep_budget(tmp_path, FeaturesBudget(steps=2, seed=5))
    assert main(["train", "toy-features", "-o", str(tmp_path)]) == 0
    assert f"keyweave models show {tmp_path / 'model'}" in capsys.readouterr().out
    card = read_card(tmp_path / "model")
    assert (card.name, card.steps, card.seed, card.recipe) == (
        "toy-features",
        2,
        5,
        "keyweave train toy-features, with budget.json: steps 2, seed 5",
    )
    assert main(["models", "show", str(tmp_path / "model")]) == 0


def test_a_folder_is_not_taken_for_a_name():
    assert shown(Path("runs/a")) == "./runs/a"
    assert shown(Path("/a")) == "/a"
    assert shown(Path("../a")) == "../a"


def test_every_recipe_is_named_in_the_help(capsys: pytest.CaptureFixture[str]):
    assert main(["train", "--help"]) == 0
    said = capsys.readouterr().out
    assert all(name in said for name in ("toy-video", "toy-features", "inbetween", "keyweave train inbetween --help"))
    assert main(["train", "inbetween", "--help"]) == 0
    said = capsys.readouterr().out
    assert "--videos DIR" in said
    assert "--processes" not in said


def test_a_model_that_is_not_here_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    command = ["train", "inbetween", "--videos", "toyworld", "--model", "no-such", "-o", str(tmp_path / "run")]
    for more in ([], ["--dry-run"]):
        assert main([*command, *more]) == 3
        assert "There is no embedded model 'no-such'" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_inbetween_from_end_to_end(tmp_path: Path, tiny_folder: Path, capsys: pytest.CaptureFixture[str]):
    command = ["train", "inbetween", "--videos", "toyworld", "--model", str(tiny_folder), "--clips", "2"]
    command += ["-o", str(tmp_path / "run"), "--steps", "1", "--batch", "1", "--held-out", "1"]
    assert main([*command, "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "learns: " in said
    assert " weights, " in said
    assert "clips: 2 found" in said
    assert not (tmp_path / "run").exists()
    assert main([*command, "--dry-run", "--json"]) == 0
    (planned,) = [row for row in map(json.loads, capsys.readouterr().out.splitlines()) if row["event"] == "planned"]
    assert planned["steps"] == 1
    assert 0 < planned["trained"] < planned["whole"]
    assert main(command) == 0
    assert f"{tmp_path / 'run' / 'adapter'}: 1 step; the error on held-out" in capsys.readouterr().out
    assert read_card(tmp_path / "run" / "adapter").kind == "adapter"
    assert main([*command, "--untold", "0.1"]) == 2
    assert "was begun with --untold 0.0, not 0.1" in capsys.readouterr().err


@pytest.fixture
def embedded_judge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An untrained judge, where the one that ships is looked for."""
    for name, value in (("_MEASURED", 2), ("_TESTED", 2), ("_BATCH", 2)):
        monkeypatch.setattr(judge, name, value)
    judge.make_features(tmp_path / "judge", steps=1)
    weights = tmp_path / "weights"
    weights.mkdir()
    (tmp_path / "judge" / "model").rename(weights / "toy-features")
    monkeypatch.setattr(finding, "EMBEDDED", weights)
    return weights


@pytest.mark.slow
@pytest.mark.usefixtures("embedded_judge")
def test_toy_video_from_end_to_end_in_two_processes_and_killed_on_the_way(tmp_path: Path):
    """The stages follow one another in both; what is made loads, and its card holds."""
    tiny = Budget(squares=2, frames=2, clips=24, details=2, looks=2, motion=3, tested=2)
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    keep_budget(killed, tiny)
    keep_budget(whole, tiny)
    command = [sys.executable, "-m", "keyweave", "train", "toy-video", "--processes", "2", "-o"]
    first = subprocess.Popen([*command, str(killed)], stderr=subprocess.DEVNULL, start_new_session=True)
    while not (killed / "squares-2.safetensors").exists():
        assert first.poll() is None
        time.sleep(0.2)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    subprocess.run(["pkill", "-9", "-f", f"keyweave.recipes {killed}"], check=False)
    for folder in (killed, whole):
        assert main(["train", "toy-video", "--processes", "2", "-o", str(folder)]) == 0
        assert verify(folder / "model") == []
    cards = [read_card(folder / "model") for folder in (killed, whole)]
    assert cards[0].files == cards[1].files
    assert cards[0].scores == cards[1].scores
    assert cards[0].steps == 11
    assert cards[0].scores["clips"] == 2
