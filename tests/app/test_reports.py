"""A film is measured against the keyframes of its own recipe."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from keyweave.app import reports
from keyweave.app.friendly import inbetween
from keyweave.app.reports import report_on
from keyweave.base.errors import InputError
from keyweave.base.progress import Event, Progress
from keyweave.media.pictures.images import write_image
from keyweave.media.writers import write_clip
from keyweave.toyworld.landscape import landscape


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, ...]:
    """Three pictures of a boat that goes to and fro on a lake."""
    paths = tuple(tmp_path / f"{name}.png" for name in "abc")
    for path, at in zip(paths, (0.3, 0.5, 0.7), strict=True):
        write_image(path, landscape("noon", 160, 90, boat=(at, 0.6)))
    return paths


def test_it_finds_the_keyframes_where_the_film_shows_them(tmp_path: Path, places):
    inbetween(places, tmp_path / "film.mp4", at="0,0.5,1.25", fps=24, engine="crossfade", crf=6)
    reported = report_on(tmp_path / "film.mp4")
    assert reported.keyframes == (0, 12, 30)
    assert [error.frame for error in reported.report.keyframes] == [0, 12, 30]
    assert all(error.psnr > 35 for error in reported.report.keyframes)
    assert [(way.start, way.stop) for way in reported.report.ways] == [(0, 12), (12, 30)]
    assert reported.report.loop is None


@pytest.mark.parametrize("more", [{}, {"loop": True}])
def test_the_result_tells_of_seams_as_the_report_does(tmp_path: Path, places, more: dict[str, Any]):
    """Of the frames as drawn, which numbered pictures hold; all but the search for motion."""
    made = inbetween(places, tmp_path / "shots" / "%03d.png", frames=9, engine="crossfade", **more)
    told = report_on(tmp_path / "shots").report
    assert [seam.frame for seam in made.seams] == ([10, 20] if more else [10])
    assert made.seams == tuple(replace(seam, velocity=None) for seam in told.seams)
    assert made.loop == told.loop
    assert (made.loop is not None) == bool(more)
    in_memory = inbetween(places, frames=9, engine="crossfade", **more)
    assert (in_memory.seams, in_memory.loop) == (made.seams, made.loop)


def test_two_keyframes_have_no_seam(places):
    made = inbetween(places[:2], frames=9, engine="crossfade")
    assert (made.seams, made.loop) == ((), None)


def test_a_keyframe_that_was_exchanged_is_seen(tmp_path: Path, places):
    inbetween(places, tmp_path / "shots" / "%03d.png", frames=5, engine="crossfade")
    before = report_on(tmp_path / "shots").report
    assert [error.psnr for error in before.keyframes] == [float("inf")] * 3
    shots = sorted((tmp_path / "shots").glob("*.png"))
    shots[6].write_bytes(shots[7].read_bytes())
    after = report_on(tmp_path / "shots").report
    assert [error.psnr < 60 for error in after.keyframes] == [False, True, False]


def test_the_seam_of_a_loop_is_an_ordinary_step(tmp_path: Path, places):
    """`--loop` goes on as it went: the step over the seam lies in the range of its neighbours."""
    inbetween((*places, places[1]), tmp_path / "loop.mp4", duration=2, fps=12, loop=True, engine="flow", crf=4)
    reported = report_on(tmp_path / "loop.mp4")
    assert reported.keyframes == (0, 6, 12, 18)
    assert reported.report.loop is not None
    assert reported.report.loop.step.kind == "ordinary"
    assert reported.report.loop.faults == ()


def test_a_film_that_was_changed_is_refused(tmp_path: Path, places):
    film = tmp_path / "film.mp4"
    inbetween(places, film, frames=3, fps=12, engine="crossfade")
    write_clip(film, iter(np.zeros((5, 90, 160, 3), np.uint8)), Fraction(12), overwrite=True)
    with pytest.raises(InputError, match=r"holds 5 frames, and its recipe makes 9: it was changed since"):
        report_on(film)


def test_it_tells_how_far_it_is(tmp_path: Path, places):
    inbetween(places[:2], tmp_path / "film.gif", frames=3, fps=10, engine="crossfade")
    heard: list[Event] = []
    reports.report_on(tmp_path / "film.gif", progress=Progress("report", heard.append))
    assert sum(event.kind == "step" for event in heard) == 5
