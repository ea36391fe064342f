"""A project makes the film that its keyframes would make on the command line."""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from keyweave.app.friendly import inbetween
from keyweave.app.jobs import run_job
from keyweave.app.projects import chart_of, job_of
from keyweave.cli.main import main
from keyweave.media.pictures.images import read_image


@pytest.fixture
def project(tmp_path: Path, keyframes) -> Path:
    row = {
        "keyweave project": 1,
        "fps": "10",
        "seed": 3,
        "keyframes": [
            {"image": "in/a.png", "at": 0, "easing": "ease-in"},
            {"image": "in/b.png", "at": "1", "easing": "hold"},
            {"image": "in/a.png", "at": "2"},
        ],
    }
    (tmp_path / "film.json").write_text(json.dumps(row))
    return tmp_path / "film.json"


def test_the_same_film_either_way(project: Path, keyframes):
    a, b = keyframes
    made = run_job(job_of(project)).clip
    typed = inbetween([a, b, a], at="0,1,2", easing="ease-in,hold", fps=10).clip
    assert np.array_equal(made.frames, typed.frames)


def test_five_keyframes_with_easings_of_their_own_stay_at_their_times_at_every_rate(project: Path):
    times = ("0", "0.5", "1.25", "2", "37/12")
    easings = ("ease-in", "bounce", "cubic-bezier(0.3, 0, 0.1, 1)", "elastic", "linear")
    names = ("in/a.png", "in/b.png", "in/a.png", "in/b.png", "in/a.png")
    rows = [{"image": name, "at": at, "easing": how} for name, at, how in zip(names, times, easings, strict=True)]
    rows[-1].pop("easing")
    project.write_text(json.dumps(json.loads(project.read_text()) | {"keyframes": rows}))
    for fps in (24, 60):
        clip = run_job(job_of(project, over={"fps": fps})).clip
        ticks = [Fraction(at) * fps for at in times]
        assert len(clip) == ticks[-1] + 1
        for tick, name in zip(ticks, names, strict=True):
            assert tick.denominator == 1
            assert (clip.frames[int(tick)] == ((120, 30, 40) if name == "in/a.png" else (60, 180, 240))).all()


def test_render_and_rerun(project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    output = tmp_path / "film.mp4"
    assert main(["render", str(project), "-o", str(output), "--fps", "20"]) == 0
    assert "41 frames" in capsys.readouterr().out
    assert main(["rerun", str(output)]) == 0
    assert "The same bytes as before." in capsys.readouterr().out


def test_timeline_commands(project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["timeline", "show", str(project), "-o", str(tmp_path / "chart.png")]) == 0
    assert np.array_equal(read_image(tmp_path / "chart.png").pixels, chart_of(project).pixels)
    assert main(["timeline", "export", str(project), "-o", str(tmp_path / "film.otio")]) == 0
    assert main(["timeline", "import", str(tmp_path / "film.otio"), "-o", str(tmp_path / "again.json")]) == 0
    assert json.loads((tmp_path / "again.json").read_text())["keyframes"][1]["easing"] == "hold"
    assert main(["timeline", "import", str(tmp_path / "film.otio"), "-o", str(tmp_path / "again.json")]) == 2


def test_a_loop_takes_the_last_easing_for_the_way_back(project: Path):
    row = json.loads(project.read_text())
    project.write_text(json.dumps(row | {"loop": True, "duration": 3}))
    assert len(run_job(job_of(project)).clip) == 30
