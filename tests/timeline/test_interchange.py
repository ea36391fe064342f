"""Editing programs get the keyframes at their frames, and give them back."""

from fractions import Fraction as F
from pathlib import Path

import opentimelineio as otio
import pytest

from keyweave.base import extras
from keyweave.base.errors import InputError, MissingExtra
from keyweave.timeline.interchange import bring, export
from keyweave.timeline.project import Project, write_project


def project(**over) -> Project:
    row = {
        "keyweave project": 1,
        "fps": "24000/1001",
        "loop": True,
        "keyframes": [
            {"image": "in/a.png", "at": "1/3", "easing": "ease-in"},
            {"image": "in/b.png", "at": "6/5", "easing": "slow-in(0.7)"},
            {"image": "c.png", "at": 3},
        ],
    }
    return Project.model_validate(row | over)


def exported(folder: Path, made: Project, name: str) -> Path:
    (folder / "cuts").mkdir(exist_ok=True)
    write_project(folder / "film.json", made, overwrite=True)
    export(made, folder / "film.json", folder / "cuts" / name)
    return folder / "cuts" / name


def test_otio_there_and_back_loses_nothing(tmp_path: Path):
    made = project()
    assert bring(exported(tmp_path, made, "film.otio"), tmp_path / "again.json") == made


def test_other_programs_see_stills_with_markers(tmp_path: Path):
    timeline = otio.adapters.read_from_file(str(exported(tmp_path, project(), "film.otio")))
    clips = list(timeline.find_clips())
    assert [clip.name for clip in clips] == ["a.png", "b.png", "c.png"]
    assert [clip.media_reference.target_url for clip in clips] == ["../in/a.png", "../in/b.png", "../c.png"]
    assert [clip.markers[0].name for clip in clips] == ["ease-in", "slow-in(0.7)", "linear"]
    starts = [clip.range_in_parent().start_time.value for clip in clips]
    assert starts == [round(at * F(24000, 1001)) for at in (F(1, 3), F(6, 5), F(3))]


def test_an_edl_keeps_the_frames_and_the_easings(tmp_path: Path):
    made = project(fps="25")
    back = bring(exported(tmp_path, made, "film.edl"), tmp_path / "again.json", "25")
    start = F(8, 25)  # an EDL begins with its first picture
    assert [keyframe.at for keyframe in back.keyframes] == [0, F(6, 5) - start, 3 - start]
    assert [Path(keyframe.image).name for keyframe in back.keyframes] == ["a.png", "b.png", "c.png"]
    assert [str(keyframe.easing) for keyframe in back.keyframes] == ["ease-in", "slow-in(0.7)", "linear"]


def test_timelines_of_others_are_read(tmp_path: Path):
    timeline = otio.schema.Timeline("cut")
    track = otio.schema.Track("V1", kind="Video")
    for name, frames in (("a.png", 12), ("b c.png", 18)):
        url = (tmp_path / name).as_uri()
        length = otio.opentime.TimeRange(
            otio.opentime.RationalTime(0, 29.97), otio.opentime.RationalTime(frames, 29.97)
        )
        track.append(otio.schema.Clip(name, otio.schema.ExternalReference(url), length))
    timeline.tracks.append(track)
    otio.adapters.write_to_file(timeline, str(tmp_path / "cut.otio"))
    found = bring(tmp_path / "cut.otio", tmp_path / "film.json")
    assert found.fps == F(30000, 1001)
    assert [keyframe.image for keyframe in found.keyframes] == ["a.png", "b c.png"]
    assert [str(keyframe.easing) for keyframe in found.keyframes] == ["linear", "linear"]


def test_what_cannot_be_exchanged_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "x.otio").write_text("{nonsense")
    with pytest.raises(InputError, match=r"x\.otio cannot be read as a timeline"):
        bring(tmp_path / "x.otio", tmp_path / "y.json")
    otio.adapters.write_to_file(otio.schema.Timeline("empty"), str(tmp_path / "empty.otio"))
    with pytest.raises(InputError, match="has 0 pictures; a project needs two or more"):
        bring(tmp_path / "empty.otio", tmp_path / "y.json")
    with pytest.raises(InputError, match="is no timeline that keyweave exchanges"):
        export(project(), tmp_path / "film.json", tmp_path / "film.xml")
    with pytest.raises(InputError, match="--fps: 'x' is not a frame rate"):
        bring(tmp_path / "x.otio", tmp_path / "y.json", "x")
    monkeypatch.setitem(extras.EXTRA_OF, "opentimelineio", "editing")
    monkeypatch.setitem(__import__("sys").modules, "opentimelineio", None)
    with pytest.raises(MissingExtra, match=r'pip install "keyweave\[editing\]"'):
        export(project(), tmp_path / "film.json", tmp_path / "film.otio")
