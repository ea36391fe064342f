"""How songs are heard, as the command line asks for it: who finds beats, and song and reference apart."""

import json
import sys
from collections.abc import Callable
from fractions import Fraction as F
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from keyweave.app.dance_asked import read_asked
from keyweave.app.dance_stages import Hearing
from keyweave.base.recipe import sha256_of_file
from keyweave.cli import dance
from keyweave.cli.main import main
from keyweave.media.clips import read_clip
from keyweave.perceive import beats as perceived
from keyweave.systems.dance.files import BeatsFile

BEATS = tuple(F(number, 2) for number in range(8))


@pytest.fixture
def beat_this(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Beat This! as if it were installed: whatever it hears has two beats a second, the fourth is a downbeat."""

    class Network:
        def __init__(self, **_: object) -> None: ...

        def __call__(self, signal: np.ndarray, rate: int) -> tuple[np.ndarray, np.ndarray]:
            return np.array(BEATS, float), np.array([1.5, 3.5])

    def deaf(*_: object) -> None:
        raise AssertionError("librosa listened")

    monkeypatch.setattr(perceived, "listen", deaf)
    monkeypatch.setitem(sys.modules, "beat_this", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "beat_this.inference", SimpleNamespace(Audio2Beats=Network))
    (tmp_path / "final0.ckpt").write_bytes(b"tensors")
    return f"beat-this:{tmp_path / 'final0.ckpt'}"


def test_beats_are_found_by_who_is_named(beat_this: str, place: Path, tmp_path: Path):
    argv = ["dance", "beats", str(place / "ref.mp4"), "--beats-by", beat_this, "-o", str(tmp_path / "b.json")]
    assert main(argv) == 0
    row = json.loads((tmp_path / "b.json").read_text())
    assert row["beats"] == [float(at) for at in BEATS]
    assert row["parity"] == 1
    who = f"beat-this:final0.ckpt {sha256_of_file(tmp_path / 'final0.ckpt')}"
    assert row["heard_by"] == who
    assert row["asked"] == f"tempo x1 offset 0 parity None meter 4/4 by {who}"
    assert str(tmp_path) not in json.dumps(row)


def test_the_film_says_who_found_its_beats(beat_this: str, place: Path, tmp_path: Path):
    label = [str(place / "ref.mp4"), "--poses", str(place / "poses.npz"), "--beats-by", beat_this]
    assert main(["dance", "label", *label, "-o", str(tmp_path / "c.json")]) == 0
    assert json.loads((tmp_path / "c.json").read_text())["heard_by"].startswith("beat-this:final0.ckpt ")
    keyframes = [str(place / f"k{number}.png") for number in (1, 2, 3, 4)]
    film = tmp_path / "film.gif"
    argv = [*keyframes, "--reference", str(place / "ref.mp4"), "--poses", str(place / "poses.npz"), "--motion", "2:90"]
    argv += ["--engine", "crossfade", "--preview", "--fps", "10", "-o", str(film)]
    assert main(["dance", *argv, "--beats-by", beat_this]) == 0
    recipe = json.loads(film.with_name("film.gif.json").read_text())
    assert recipe["options"]["heard_by"].startswith("beat-this:final0.ckpt ")
    assert str(tmp_path) not in recipe["options"]["heard_by"]
    assert len(read_clip(film)) > 0


@pytest.mark.parametrize("stage", ["whole", "label", "beats"])
def test_that_it_is_not_installed_is_said_before_work_begins(
    stage: str, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setitem(sys.modules, "beat_this", None)
    argv = {
        "whole": [str(place / "k1.png"), str(place / "k2.png"), "--reference", str(place / "ref.mp4")],
        "label": ["label", str(place / "ref.mp4")],
        "beats": ["beats", str(place / "ref.mp4")],
    }[stage]
    out = tmp_path / ("film.mp4" if stage == "whole" else "out.json")
    assert main(["dance", *argv, "--beats-by", "beat-this:final0.ckpt", "-o", str(out)]) == 3
    said = capsys.readouterr().err
    assert said == (
        "keyweave: Finding beats with Beat This! needs the package beat_this, which is not installed. Install it with: "
        'pip install "keyweave[beats]"\n'
    )
    assert not list(tmp_path.iterdir())


def asked(*argv: str) -> tuple[Hearing, Hearing]:
    args = dance.build("dance").read([str(Path(__file__)), "--reference", "r.mp4", "-o", "f.mp4", *argv])
    return read_asked(vars(args)).hearings(another=args.music is not None)


def test_song_and_reference_are_heard_each_in_its_way():
    song, reference = asked("--music", "s.wav", "--tempo", "x2", "--offset", "-0.1", "--parity", "2", "--meter", "3/4")
    assert (song, reference) == (Hearing("x2", F(-1, 10), 2, "3/4"), Hearing())
    apart = ["--reference-tempo", "x0.5", "--reference-offset", "0.2", "--reference-parity", "1"]
    song, reference = asked("--music", "s.wav", *apart, "--reference-meter", "3/4")
    assert (song, reference) == (Hearing(), Hearing("x0.5", F(1, 5), 1, "3/4"))


def test_without_another_song_there_is_one_way_to_hear():
    song, reference = asked("--tempo", "x2", "--parity", "1")
    assert song == reference == Hearing("x2", parity=1)


def test_the_reference_is_heard_in_its_own_way(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """What is asked of the one leaves the file of the other as it is."""
    heard: list[tuple[str, Hearing]] = []

    def beats(self: Hearing, song: Path, _: object) -> BeatsFile:
        heard.append((song.name, self))
        row = {"keyweave beats": 1, "beats": BEATS, "asked": self.words, "made_from": sha256_of_file(song)}
        return BeatsFile.model_validate(row)

    monkeypatch.setattr(Hearing, "beats", beats)
    song, film = tmp_path / "song.mp4", tmp_path / "film.gif"
    song.write_bytes((place / "ref.mp4").read_bytes() + b"\0")
    argv = [*(str(place / f"k{number}.png") for number in (1, 2, 3, 4)), "--reference", str(place / "ref.mp4")]
    argv += ["--poses", str(place / "poses.npz"), "--motion", "2:90", "--engine", "crossfade", "--preview"]
    argv += ["--music", str(song), "--fps", "10", "-o", str(film)]

    def again(*more: str) -> list[tuple[str, Hearing]]:
        heard.clear()
        film.unlink(missing_ok=True)
        assert main(["dance", *argv, *more]) == 0, capsys.readouterr().err
        return list(heard)

    assert again() == [("song.mp4", Hearing()), ("ref.mp4", Hearing())]
    assert again("--parity", "1") == [("song.mp4", Hearing(parity=1))]
    assert again("--parity", "1", "--reference-offset", "0.1") == [("ref.mp4", Hearing(offset=F(1, 10)))]


def test_the_help_tells_which_is_which(capsys: pytest.CaptureFixture[str]):
    assert main(["dance", "--help"]) == 0
    words = " ".join(capsys.readouterr().out.split())
    song, reference = words.index("how the song is heard"), words.index("how the song of the reference is heard")
    assert song < words.index("--tempo {") < words.index("--parity {") < reference < words.index("--reference-parity {")


def test_a_sound_without_beats_is_told_with_the_way_to_write_them(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], write_click: Callable[[Path], None]
):
    write_click(tmp_path / "click.wav")
    assert main(["dance", "beats", str(tmp_path / "click.wav"), "-o", str(tmp_path / "b.json")]) == 2
    said = capsys.readouterr().err
    assert "Something sets in only 1 time, and beats need 4 or more. Choose another song. Write them by hand" in said
    assert not (tmp_path / "b.json").exists()
    row = said[said.index("{") : said.index("}") + 1]  # as it is advised
    (tmp_path / "b.json").write_text(row)
    label = ["label", str(place / "ref.mp4"), "--beats", str(tmp_path / "b.json"), "--poses", str(place / "poses.npz")]
    assert main(["dance", *label, "-o", str(tmp_path / "c.json")]) == 0


@pytest.fixture
def write_click() -> Callable[[Path], None]:
    from keyweave.media.sound.audio import write_audio
    from keyweave.media.types import Audio

    def write(path: Path) -> None:
        sound = np.zeros((6 * 22_050, 1), np.float32)
        t = np.arange(600) / 22_050
        sound[44_100:44_700, 0] = 0.8 * np.sin(2000 * np.pi * t) * np.exp(-120 * t)
        write_audio(path, Audio(sound, 22_050))

    return write


@pytest.mark.parametrize("option", [["--tempo", "x2"], ["--offset", "0"], ["--beats-by", "librosa"]])
def test_beats_that_are_given_are_not_heard(tmp_path: Path, capsys: pytest.CaptureFixture[str], option: list[str]):
    output = tmp_path / "choreography.json"
    assert main(["dance", "label", "dance.mp4", "--beats", "beats.json", *option, "-o", str(output)]) == 2
    assert f"{option[0]} is for beats that are heard, and --beats gives them." in capsys.readouterr().err
