"""The door: every failure is one line and its exit code."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from keyweave.base.errors import KeyweaveError
from keyweave.base.version import VERSION
from keyweave.cli import main as door
from keyweave.cli.main import COMMANDS, main


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]):
    for argv in ([], ["--help"], ["-h"], ["help"]):
        assert main(argv) == 0
        shown = capsys.readouterr().out
        assert all(f"  {name}" in shown for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str, capsys: pytest.CaptureFixture[str]):
    assert main([name, "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"usage: keyweave {name}")


@pytest.mark.parametrize(
    "argv",
    [
        ["inbetween", "LONG.png", "LONG.png", "-o", "x.mp4"],
        ["inbetween", "a.png", "b.png", "-o", "LONG.mp4"],
        ["inbetween", "a.png", "b.png", "-o", "LONG/%d.png"],
        ["retime", "LONG.mp4", "-o", "x.mp4"],
        ["dance", "LONG.png", "LONG.png", "--reference", "x.mp4", "-o", "x.mp4"],
        ["render", "LONG.json", "-o", "x.mp4"],
        ["rerun", "LONG.mp4"],
        ["sheet", "LONG.mp4", "-o", "x.png"],
        ["beside", "LONG.mp4", "LONG.mp4", "-o", "x.mp4"],
        ["compare", "LONG.mp4", "LONG.mp4"],
        ["info", "LONG.mp4"],
        ["models", "show", "LONG"],
    ],
)
def test_names_that_are_too_long_are_no_bug_of_ours(argv: list[str], capsys: pytest.CaptureFixture[str]):
    assert main([word.replace("LONG", "x" * 300) for word in argv]) == 2
    assert "is too long for this disk. Choose a shorter name." in capsys.readouterr().err


def test_version(capsys: pytest.CaptureFixture[str]):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"keyweave {VERSION}\n"


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["inbtween"], "keyweave: keyweave has no command 'inbtween'. Did you mean inbetween?"),
        (["fly"], "keyweave: keyweave has no command 'fly'. Commands: inbetween, retime, dance, render,"),
        (["inbetween", "a", "b", "-o", "x.mp4", "--frame", "3"], "does not know '--frame'. Did you mean --frames?"),
        (["inbetween", "a", "b", "-o", "x.mp4", "--zzz"], "does not know '--zzz'. See keyweave inbetween --help."),
        (["inbetween", "a", "b"], "The following arguments are required: -o/--output. See keyweave inbetween --help."),
        (["inbetween", "a", "b", "-o", "x.mp4", "--seed", "-1"], "'-1' is not a seed; write a whole number from 0 to"),
        (["inbetween", "a", "b", "-o", "x.mp4", "--fps", "x"], "--fps: 'x' is not a frame rate"),
        (["inbetween", "a", "b", "-o", "x.mp4", "--fit", "x"], "Argument --fit: invalid choice: 'x'"),
        (["inbetween", "a", "b", "-o", "x.mp4", "--engine", "x"], "Argument --engine: invalid choice: 'x'"),
        (["inbetween", "-o", "x.mp4"], "inbetween needs at least 2 pictures (FIRST LAST); got 0."),
        (["inbetween", "no.png", "b", "-o", "x.mp4"], "no.png does not exist. Check the spelling of the path."),
        (["rerun", "no.mp4"], "no.mp4 does not exist."),
        (["info", "no.mp4"], "no.mp4 does not exist."),
        (["sheet", "no.mp4", "-o", "x.png"], "no.mp4 does not exist."),
        (["sheet", "no.mp4", "-o", "x.png", "--columns", "0"], "--columns is 0; it should be from 1 to 1000."),
        (["sheet", "no.mp4", "-o", "x.png", "--fps", "x"], "--fps: 'x' is not a frame rate"),
        (["completion", "tcsh"], "invalid choice: 'tcsh'"),
    ],
)
def test_bad_usage_is_one_line_and_exit_code_2(argv: list[str], words: str, capsys: pytest.CaptureFixture[str]):
    assert main(argv) == 2
    shown = capsys.readouterr()
    assert words in shown.err
    assert shown.err.count("\n") == 1
    assert shown.out == ""


def test_errors_are_json_where_json_was_asked_for(capsys: pytest.CaptureFixture[str]):
    assert main(["inbetween", "no.png", "b", "-o", "x.mp4", "--json"]) == 2
    row = json.loads(capsys.readouterr().out)
    hint = "Check the spelling of the path."
    assert row == {"event": "error", "message": "no.png does not exist.", "hint": hint, "exit_code": 2}


def test_debug_shows_the_traceback(capsys: pytest.CaptureFixture[str]):
    assert main(["info", "no.mp4", "--debug"]) == 2
    assert "Traceback" in capsys.readouterr().err


def raising(fault: BaseException):
    def dispatch(argv: list[str]) -> int:
        raise fault

    return dispatch


def test_a_bug_of_ours_says_so_and_keeps_the_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(door.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(door, "_dispatch", raising(ZeroDivisionError("by\nzero")))
    assert main(["demo"]) == 1
    line = capsys.readouterr().err
    (report,) = tmp_path.iterdir()
    assert "this is a bug of ours (ZeroDivisionError: by zero)" in line
    assert str(report) in line
    assert line.count("\n") == 1
    assert "ZeroDivisionError" in report.read_text()
    assert main(["demo", "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("fault", "code"), [(KeyboardInterrupt(), 130), (KeyweaveError("a\nb"), 1), (SystemExit(0), None)]
)
def test_other_ends(fault: BaseException, code: int | None, monkeypatch, capsys):
    monkeypatch.setattr(door, "_dispatch", raising(fault))
    if code is None:
        with pytest.raises(SystemExit):
            main([])
    else:
        assert main([]) == code
        assert capsys.readouterr().err.count("\n") == 1


def test_the_installed_command(tmp_path: Path):
    command = Path(sys.executable).with_name("keyweave")
    run = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    assert run.stdout == f"keyweave {VERSION}\n"
    module = subprocess.run([sys.executable, "-m", "keyweave", "fly"], capture_output=True, text=True, check=False)
    assert module.returncode == 2


def test_a_reader_that_goes_away_is_no_error():
    code = "import sys; from keyweave.cli.main import main; sys.exit(main(['completion', 'bash']))"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    errors = process.stderr.read()
    process.wait()
    process.stderr.close()
    assert b"Traceback" not in errors
    assert b"bug of ours" not in errors


def test_ctrl_c_stops_cleanly(tmp_path: Path, keyframes):
    import signal
    import time

    output = tmp_path / "out.mp4"
    argv = ["inbetween", *map(str, keyframes), "-o", str(output), "--frames", "20000", "--size", "320x240", "--json"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "keyweave", *argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    )
    assert process.stdout is not None
    while b'"step"' not in process.stdout.readline():  # the drawing has begun
        assert process.poll() is None
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert b"Stopping after the current step" in err
    assert json.loads(out.splitlines()[-1])["event"] == "error"
    assert [one.name for one in tmp_path.iterdir()] == ["in"]
