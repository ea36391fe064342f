"""`keyweave report` prints what it measured, and draws it."""

import json
from pathlib import Path

import pytest

from keyweave.app.friendly import inbetween
from keyweave.base.errors import InputError
from keyweave.cli import report
from keyweave.media.pictures.images import read_image


@pytest.fixture
def film(tmp_path: Path, keyframes) -> Path:
    """Seven frames from dark red to light blue and back."""
    path = tmp_path / "film.mp4"
    inbetween((*keyframes, keyframes[0]), path, frames=2, fps=12, engine="crossfade")
    return path


def run(*argv: object) -> int:
    return report.run(report.build("report").read([str(word) for word in argv]))


def test_it_prints_its_tables(film: Path, capsys: pytest.CaptureFixture[str]):
    assert run(film) == 0
    tables = [table.splitlines() for table in capsys.readouterr().out.strip().split("\n\n")]
    assert [table[0].split()[0] for table in tables] == ["frame", "start", "seam", "frames"]
    assert [line.split()[0] for line in tables[0][1:]] == ["0", "3", "6"]


def test_for_programs_it_is_one_line_of_json(film: Path, capsys: pytest.CaptureFixture[str]):
    assert run(film, "--json") == 0
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert last["event"] == "measured"
    assert last["frames"] == 7
    assert [one["frame"] for one in last["keyframes"]] == [0, 3, 6]


def test_it_draws_the_curves(film: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    curves = tmp_path / "curves.png"
    assert run(film, "--plot", curves) == 0
    assert f"{curves}: 1280x" in capsys.readouterr().out
    assert read_image(curves).width == 1280
    with pytest.raises(InputError, match="already exists"):
        run(film, "--plot", curves)


def test_a_film_of_others_has_no_keyframes(film: Path):
    stranger = film.with_name("stranger.png")
    stranger.write_bytes((film.parent / "in" / "a.png").read_bytes())
    with pytest.raises(InputError, match="holds no keyweave recipe"):
        run(stranger)
