"""A project makes the film that its keyframes would make on the command line."""

import json
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


def test_every_keyframe_stays_at_its_time_at_every_rate(project: Path):
    for fps in (24, 60):
        clip = run_job(job_of(project, over={"fps": fps})).clip
        assert len(clip) == 2 * fps + 1
        for second, color in ((0, (120, 30, 40)), (1, (60, 180, 240)), (2, (120, 30, 40))):
            assert (clip.frames[second * fps] == color).all()


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
