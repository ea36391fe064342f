"""`keyweave beside`: what it writes and what it refuses."""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from keyweave.cli.main import main
from keyweave.media.clips import read_clip
from keyweave.media.types import Audio
from keyweave.media.writers import write_clip


@pytest.fixture
def films(tmp_path: Path) -> list[str]:
    chance = np.random.default_rng(0)
    frames = chance.integers(0, 256, (5, 32, 48, 3), np.uint8)
    heard = Audio(chance.normal(0, 0.1, (24_000, 1)).astype(np.float32), 48_000)
    write_clip(tmp_path / "a.mp4", iter(frames), Fraction(10), sound=heard)
    write_clip(tmp_path / "b.gif", iter(frames[:3]), Fraction(10))
    return [str(tmp_path / "a.mp4"), str(tmp_path / "b.gif")]


def test_films_side_by_side_with_the_sound_of_the_first(
    tmp_path: Path, films: list[str], capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "both.mp4"
    assert main(["beside", *films, "-o", str(out), "--names", "flow,other", "--height", "32"]) == 0
    assert f"{out}: 5 frames, 108x" in capsys.readouterr().out
    made = read_clip(out)
    assert len(made.frames) == 5
    assert made.audio is not None
    assert main(["beside", *reversed(films), "-o", str(tmp_path / "silent.webm"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["frames"] == 5
    assert read_clip(tmp_path / "silent.webm").audio is None


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--names", "one"], "--names has 1 names for 2 films. Give one for each."),
        (["--fps", "no"], "--fps: "),
        (["--height", "5"], "16 to 4096 pixels high; got 5"),
    ],
)
def test_what_does_not_fit_is_refused(
    tmp_path: Path, films: list[str], more: list[str], says: str, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "both.mp4"
    assert main(["beside", *films, "-o", str(out), *more]) == 2
    assert says in capsys.readouterr().err
    assert not out.exists()


def test_an_output_that_exists_stays(tmp_path: Path, films: list[str], capsys: pytest.CaptureFixture[str]):
    (tmp_path / "there.mp4").write_bytes(b"mine")
    assert main(["beside", *films, "-o", str(tmp_path / "there.mp4")]) == 2
    assert "already exists" in capsys.readouterr().err
    before = Path(films[0]).read_bytes()
    assert main(["beside", *films, "-o", films[0], "--overwrite"]) == 2
    assert "is both an input and the output" in capsys.readouterr().err
    assert Path(films[0]).read_bytes() == before
    assert main(["beside", films[0], "-o", str(tmp_path / "x.mp4")]) == 2
    assert "2 to 8 films" in capsys.readouterr().err
