"""`keyweave compare` measures, prints and draws."""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from keyweave.base.errors import InputError
from keyweave.cli import compare
from keyweave.media.pictures.images import read_image
from keyweave.media.writers import write_clip


@pytest.fixture
def films(tmp_path: Path) -> tuple[Path, Path]:
    """A square that moves, and one that lags behind; the second film is a frame longer."""
    paths = tmp_path / "made.mp4", tmp_path / "real.mp4"
    for path, count, lag in zip(paths, (8, 9), (0, 4), strict=True):
        clip = np.full((count, 32, 64, 3), 40, np.uint8)
        for number, frame in enumerate(clip):
            frame[8:24, 4 * number + lag : 4 * number + lag + 12] = 220
        write_clip(path, iter(clip), Fraction(24))
    return paths


def run(*argv: object) -> int:
    return compare.run(compare.build("compare").read([str(word) for word in argv]))


def test_it_prints_a_table(films: tuple[Path, Path], capsys: pytest.CaptureFixture[str]):
    made, real = films
    assert run(made, real) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["measure", "mean", "worst", "at", "frame"]
    assert [line.split()[0] for line in lines[1:4]] == ["psnr", "ssim", "ssim_luma"]
    assert lines[5] == f"{real} goes on after the 8 frames compared."
    assert float(lines[1].split()[1]) < 20


def test_each_frame_and_markdown(films: tuple[Path, Path], capsys: pytest.CaptureFixture[str]):
    assert run(*films, "--each", "--markdown") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("| frame |")
    assert sum(line.startswith("|") for line in lines) == 10


def test_json_ends_with_the_comparison(films: tuple[Path, Path], capsys: pytest.CaptureFixture[str]):
    made, _ = films
    assert run(made, made, "--json") == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    told = json.loads(shown.out.splitlines()[-1])
    assert (told["event"], told["made"], told["paired_by"]) == ("compared", str(made), "frame")
    assert len(told["rows"]) == 8
    assert told["summary"][0] == {"measure": "psnr", "mean": None, "worst": None, "at_frame": 0}


def test_the_curves(films: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    picture = tmp_path / "curves.png"
    assert run(*films, "--plot", picture, "--pair-by", "time") == 0
    assert f"{picture}: " in capsys.readouterr().out
    assert read_image(picture).width == 1280
    with pytest.raises(InputError, match="already exists"):
        run(*films, "--plot", picture)
    capsys.readouterr()
    assert run(*films, "--plot", picture, "--overwrite", "--json") == 0
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (last["event"], last["output"], last["width"]) == ("drawn", str(picture), 1280)


def test_numbers_are_told_even_if_the_curves_cannot_be_written(films: tuple[Path, Path], tmp_path: Path, capsys):
    with pytest.raises(InputError, match="must end in"):
        run(*films, "--plot", tmp_path / "curves.txt")
    assert "psnr" in capsys.readouterr().out


def test_folders_of_pictures_have_the_rate_that_is_given(films: tuple[Path, Path], tmp_path: Path, capsys):
    folder = tmp_path / "shots"
    write_clip(folder / "%03d.png", iter(np.zeros((4, 32, 64, 3), np.uint8)), Fraction(12))
    assert run(folder, folder, "--fps", "12", "--json") == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["rows"][1]["at"] == pytest.approx(1 / 12)


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["no.mp4", "no.mp4"], "no.mp4 does not exist"),
        (["a", "b", "--fps", "x"], "--fps: 'x' is not a frame rate"),
        (["a", "b", "--pair-by", "x"], "invalid choice"),
        (["a"], "The following arguments are required: REAL"),
    ],
)
def test_bad_usage(argv: list[str], words: str):
    with pytest.raises(InputError, match=words):
        run(*argv)
