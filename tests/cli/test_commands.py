"""The commands do what their help says, in process."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from keyweave.app import demo, demo_beside, doctor
from keyweave.cli.face import size_words
from keyweave.cli.main import COMMANDS, main
from keyweave.media.pictures.images import read_image


@pytest.fixture
def film(tmp_path: Path, keyframes, capsys: pytest.CaptureFixture[str]) -> Path:
    path = tmp_path / "film.mp4"
    assert (
        main(
            [
                "inbetween",
                *map(str, keyframes),
                "-o",
                str(path),
                "--frames",
                "10",
                "--fps",
                "12",
                "--seed",
                "9",
                "--engine",
                "crossfade",
            ]
        )
        == 0
    )
    capsys.readouterr()
    return path


def rows(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def test_inbetween_says_what_it_made(tmp_path: Path, keyframes, capsys: pytest.CaptureFixture[str]):
    output = tmp_path / "out.mp4"
    argv = ["inbetween", *map(str, keyframes), "-o", str(output), "--frames", "10", "--fps", "12"]
    assert main([*argv, "--engine", "crossfade"]) == 0
    shown = capsys.readouterr()
    assert f"{output}: 12 frames, 32x24, 1 s at 12 fps, " in shown.out
    assert "engine crossfade on cpu" in shown.err


def test_inbetween_json_ends_with_output_and_recipe(tmp_path: Path, keyframes, capsys: pytest.CaptureFixture[str]):
    output = tmp_path / "out.gif"
    argv = ["inbetween", *map(str, keyframes), "-o", str(output), "--frames", "2", "--seed", "4", "--json"]
    argv += ["--engine", "crossfade"]
    assert main(argv) == 0
    shown = capsys.readouterr()
    events = rows(shown.out)
    assert shown.err == ""
    assert [event["event"] for event in events][:2] == ["say", "begin"]
    last = events[-1]
    assert (last["event"], last["output"], last["frames"], last["fps"]) == ("result", str(output), 4, "24")
    assert (last["recipe"]["seed"], last["recipe"]["engine"]) == (4, "crossfade")
    assert Path(last["sidecar"]).is_file()


def test_seams_are_told(tmp_path: Path, keyframes, capsys: pytest.CaptureFixture[str]):
    a, b = map(str, keyframes)
    argv = ["inbetween", a, b, b, a, "-o", str(tmp_path / "my film.gif"), "--frames", "9", "--engine", "crossfade"]
    assert main(argv) == 0
    told = capsys.readouterr().out.splitlines()[1]
    # It comes to a stand for a third of the film, and goes on.
    assert told == (
        "Out of the ordinary: frame 10 (speed jump), frame 20 (speed jump). "
        f"More of it: keyweave report '{tmp_path}/my film.gif'"
    )
    assert main([*argv, "--overwrite", "--json"]) == 0
    last = rows(capsys.readouterr().out)[-1]
    assert [seam["frame"] for seam in last["seams"]] == [10, 20]
    assert last["seams"][0]["faults"] == ["speed jump"]
    assert last["seams"][0]["velocity"] is None
    assert last["loop"] is None


def test_clips_of_a_model_are_kept_where_the_person_says(
    tmp_path: Path, keyframes, tiny_folder: Path, one_thread: None, capsys: pytest.CaptureFixture[str]
):
    kept, clip = tmp_path / "kept", ["--duration", "0.5", "--fps", "8", "--json", "--keep", str(tmp_path / "kept")]
    argv = ["inbetween", *map(str, keyframes), "-o", str(tmp_path / "out.png.gif"), *clip]
    assert main(argv) == 2
    assert rows(capsys.readouterr().out)[-1]["message"] == "--keep is for engines that draw with a model."
    generate = ["--engine", "generative", "--model", str(tiny_folder), "--sampling", "steps=1,guidance=1"]
    for overwrite in ([], ["--overwrite"]):
        assert main([*argv, *generate, *overwrite]) == 0
        assert len(list(kept.glob("*.npy"))) == 1
    first, second = (row["recipe"] for row in rows(capsys.readouterr().out) if row["event"] == "result")
    assert first == second


@pytest.mark.parametrize("as_json", [True, False])
def test_dry_run_makes_nothing(as_json: bool, tmp_path: Path, keyframes, capsys: pytest.CaptureFixture[str]):
    argv = ["inbetween", *map(str, keyframes), "-o", str(tmp_path / "out.mp4"), "--duration", "2", "--dry-run"]
    assert main([*argv, "--json"] if as_json else argv) == 0
    shown = capsys.readouterr().out
    assert [one.name for one in tmp_path.iterdir()] == ["in"]
    if as_json:
        assert rows(shown)[0]["frames"] == 48
    else:
        assert "frames    48" in shown


def test_keys_bring_their_time_and_easing(tmp_path: Path, keyframes, capsys: pytest.CaptureFixture[str]):
    a, b = map(str, keyframes)
    tail = ["-o", str(tmp_path / "out.gif"), "--fps", "10", "--json"]
    argv = ["inbetween", "--key", f"{a}@0:ease-in", "--key", f"{b}@0:01.5:hold", "--key", f"{a}@30f", *tail]
    assert main(argv) == 0
    recipe = rows(capsys.readouterr().out)[-1]["recipe"]
    assert recipe["options"]["at"] == ["0", "3/2", "3"]
    assert recipe["options"]["easing"] == ["ease-in", "hold"]
    for wrong, words in (
        (["--key", "a.png"], "--key is 'a.png'; it must be PATH@TIME or PATH@TIME:EASING. Such as a.png@1.2:ease-in."),
        (["--key", f"{a}@0", "--at", "1"], "--key takes the place of --at; both were given."),
        ([b, "--key", f"{a}@0"], "--key takes the place of PICTURE; both were given."),
        (["--key", f"{a}@0:wobble", "--key", f"{b}@1"], "'wobble' is not an easing"),
        (["--key", f"{a}@0", "--key", f"{b}@0"], "--at must rise from keyframe to keyframe"),
    ):
        assert main(["inbetween", *wrong, *tail]) == 2
        said = rows(capsys.readouterr().out)[-1]
        assert words in f"{said['message']} {said['hint']}"


def test_nothing_is_overwritten_unasked(film: Path, keyframes, capsys: pytest.CaptureFixture[str]):
    before = film.read_bytes()
    argv = ["inbetween", *map(str, keyframes), "-o", str(film), "--frames", "1"]
    assert main(argv) == 2
    assert "already exists. Pass --overwrite to replace it" in capsys.readouterr().err
    assert film.read_bytes() == before
    assert main([*argv, "--overwrite"]) == 0
    assert film.read_bytes() != before


def test_rerun_says_whether_the_bytes_are_the_same(film: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["rerun", str(film)]) == 0
    assert "The same bytes as before.\n" in capsys.readouterr().out
    assert main(["rerun", str(film), "-o", str(film.with_name("x.mp4")), "--json"]) == 0
    events = rows(capsys.readouterr().out)
    assert {"event": "compared", "same_bytes": True, "differences": []} in events
    assert events[-1]["event"] == "result"


def test_info_in_words_and_json(film: Path, keyframes, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["info", str(film)]) == 0
    words = capsys.readouterr().out
    assert "h264" in words
    assert "crossfade" in words
    assert main(["info", str(film), "--json"]) == 0
    (row,) = rows(capsys.readouterr().out)
    assert row["recipe"]["seed"] == 9
    assert main(["info", str(keyframes[0])]) == 0
    assert "png" in capsys.readouterr().out.lower()


def test_sheets_of_one_and_of_two(film: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    sheet = tmp_path / "sheet.png"
    assert main(["sheet", str(film), "-o", str(sheet), "--columns", "4"]) == 0
    assert f"{sheet}: " in capsys.readouterr().out
    assert read_image(sheet).width > 400
    assert main(["sheet", str(film), "-o", str(sheet)]) == 2
    assert main(["sheet", str(film), str(film), "-o", str(sheet), "--overwrite"]) == 0


def test_doctor(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    assert main(["doctor"]) == 0
    assert "Everything that the core needs is here." in capsys.readouterr().out
    assert main(["doctor", "--json"]) == 0
    assert rows(capsys.readouterr().out)[0]["healthy"] is True
    monkeypatch.setattr(doctor, "examine", lambda: [doctor.Finding("av", "missing", "not installed")])
    assert main(["doctor"]) == 3


def test_demo(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(demo, "SECONDS", 1)
    monkeypatch.setattr(demo_beside, "installed", lambda package: package != "diffusers")
    folder = tmp_path / "demo"
    assert main(["demo", "-o", str(folder)]) == 0
    shown = capsys.readouterr().out
    assert f"The film is here:  {folder / 'boat.mp4'}" in shown
    assert 'The engine generative is not shown: it needs pip install "keyweave[generate]"' in shown
    command = next(line for line in shown.splitlines() if "inbetween" in line and "-o" in line).split()
    assert main(command[1:]) == 0  # what it says to try next works
    assert main(["demo", "-o", str(folder), "--json", "--overwrite"]) == 0
    assert rows(capsys.readouterr().out.split("fps")[-1].split("\n", 1)[1])[-1]["event"] == "result"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_hold_every_command_and_option(shell: str, capsys: pytest.CaptureFixture[str]):
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert all(name in script for name in COMMANDS)
    assert "overwrite" in script
    if shutil.which(shell):
        assert subprocess.run([shell, "-n"], input=script, text=True, check=False).returncode == 0


def complete(script: str, *words: str) -> list[str]:
    line = " ".join(f'"{word}"' for word in words)
    ask = f'COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _keyweave; printf "%s\\n" "${{COMPREPLY[@]}}"'
    run = subprocess.run(["bash", "-c", f"{script}\n{ask}"], capture_output=True, text=True, check=True)
    return run.stdout.split()


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_bash_completes(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    main(["completion", "bash"])
    script = capsys.readouterr().out
    assert complete(script, "keyweave", "rer") == ["rerun"]
    assert complete(script, "keyweave", "inbetween", "--fr") == ["--frames"]
    assert complete(script, "keyweave", "inbetween", "--fit", "p") == ["pad"]
    assert complete(script, "keyweave", "completion", "f") == ["fish"]


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0 bytes"), (999, "999 bytes"), (1500, "1.5 kB"), (250_000, "250 kB"), (3.2e9, "3.2 GB")]
)
def test_sizes_in_words(count: int, words: str):
    assert size_words(count) == words
