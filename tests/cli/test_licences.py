"""A licence that is not free for all uses is asked for once, in whatever command a model is used."""

import importlib
import io
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from keyweave.cli.main import main
from keyweave.media.pictures.images import write_image
from keyweave.media.types import Image

REF, REPO = "hub:someone/svd", "someone/svd"
SAID = f"{REPO} comes under the licence research-only, which is not free for all uses; read it at https://hugging"
constants: Any = importlib.import_module("huggingface_hub.constants")


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "keyweave" / "accepted-licences.json"


@pytest.fixture(autouse=True)
def _kept(tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model in the hub's cache, and no way to the network."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    base = tmp_path / "hub" / "models--someone--svd"
    folder = Path(shutil.copytree(tiny_folder, base / "snapshots" / ("c0ffee" * 6 + "c0ff")))
    (folder / "README.md").write_text("---\nlicense: other\nlicense_name: research-only\n---\n")
    (base / "refs").mkdir()
    (base / "refs" / "main").write_text(folder.name)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Sit a person down who types a line at each question."""

    class Keys(io.StringIO):
        def isatty(self) -> bool:
            return True

    def sit(typed: str) -> None:
        monkeypatch.setattr(sys, "stdin", Keys(typed))
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)

    return sit


def commands(folder: Path) -> dict[str, list[str]]:
    """Commands that would use the model, for all that is known before its licence is."""
    pictures = [str(folder / name) for name in ("a.png", "b.png")]
    for level, name in enumerate(pictures):
        write_image(Path(name), Image(np.full((32, 32, 3), 90 * level, np.uint8)), overwrite=True)
    made = str(folder / "made")
    return {
        "pull": ["models", "pull", REF],
        "show": ["models", "show", REF],
        "convert": ["models", "convert-adapter", str(folder), "--base", REF, "-o", f"{made}.safetensors"],
        "inbetween": ["inbetween", *pictures, "--engine", "generative", "--model", REF, "-o", f"{made}.gif"],
        "masks": ["dance", "mirror", *pictures, "--masks", f"sam:{REF}", "-o", made],
    }


@pytest.mark.parametrize("name", ["pull", "show", "convert", "inbetween", "masks"])
def test_without_a_terminal_every_command_refuses(
    name: str, tmp_path: Path, state: Path, capsys: pytest.CaptureFixture[str]
):
    assert main(commands(tmp_path)[name]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"keyweave: {SAID}")
    assert said.endswith(f"with --accept-licence {REPO}, or in the environment with KEYWEAVE_ACCEPT_LICENCE={REPO}.\n")
    assert not state.exists()
    assert not list(tmp_path.glob("made*"))


@pytest.mark.parametrize("answer", ["y", "Yes "])
def test_at_a_terminal_it_is_asked_for_once(
    answer: str, terminal: Callable[[str], None], state: Path, capsys: pytest.CaptureFixture[str]
):
    terminal(f"{answer}\n")
    assert main(["models", "show", REF]) == 0
    said = capsys.readouterr()
    assert SAID in said.err
    assert said.err.count("Do you agree to it? [y/N]") == 1
    assert said.out.startswith("name                  someone/svd")
    assert json.loads(state.read_text()) == {REPO: "research-only"}
    terminal("")
    assert main(["models", "show", REF]) == 0
    assert "licence" not in capsys.readouterr().err


@pytest.mark.parametrize("answer", ["n\n", "\n", "", "maybe\n"])
def test_who_does_not_agree_gets_one_sentence(
    answer: str, terminal: Callable[[str], None], state: Path, capsys: pytest.CaptureFixture[str]
):
    terminal(answer)
    assert main(["models", "show", REF]) == 2
    said = capsys.readouterr().err
    assert said.endswith(f"[y/N] keyweave: {REPO} is not used, since you did not agree to its licence.\n")
    assert not state.exists()


def test_programs_are_not_asked(terminal: Callable[[str], None], capsys: pytest.CaptureFixture[str]):
    terminal("y\n")
    assert main(["models", "show", REF, "--json"]) == 2
    row = json.loads(capsys.readouterr().out)
    assert row["message"].startswith(SAID)


@pytest.mark.parametrize("words", [["--accept-licence", REPO], [f"--accept-licence={REF}@main"]])
def test_the_command_line_may_agree(words: list[str], state: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["models", "show", *words, REF]) == 0
    assert capsys.readouterr().err == ""
    assert json.loads(state.read_text()) == {REPO: "research-only"}
    assert main(["models", "show", REF]) == 0


def test_the_environment_may_agree(state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setenv("KEYWEAVE_ACCEPT_LICENCE", f"other/one,{REPO}")
    assert main(["models", "show", REF]) == 0
    assert "comes under the licence research-only; read it at" in capsys.readouterr().err
    assert not state.exists()  # it is in the environment as long as it is meant


@pytest.mark.parametrize(
    "words", [["--accept-licence"], ["--accept-licence", "all"], ["--accept-licence", "other/one"]]
)
def test_agreeing_to_something_else_is_not_enough(words: list[str], capsys: pytest.CaptureFixture[str]):
    assert main(["models", "show", REF, *words]) == 2
    said = capsys.readouterr().err
    assert (SAID if "other/one" in words else "--accept-licence needs the name of a model. Write --acc") in said


def test_what_cannot_be_remembered_is_said_and_not_asked_for_ever(
    terminal: Callable[[str], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "state").write_text("a file where the folder should be")
    terminal("y\ny\ny\n")
    assert main(["models", "show", REF]) == 2
    assert capsys.readouterr().err.count("[y/N]") == 1
