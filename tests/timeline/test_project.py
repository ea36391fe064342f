"""Project files: what is written is read again, and what does not fit is named by its place."""

import json
from fractions import Fraction as F
from pathlib import Path

import pytest

from keyweave.base.errors import InputError
from keyweave.timeline.project import Project, pictures_of, read_project, schema, write_project

ROW = {
    "keyweave project": 1,
    "fps": "24000/1001",
    "keyframes": [
        {"image": "a.png", "at": "0", "easing": "ease-in"},
        {"image": "in/b.png", "at": "1:02.5", "easing": "cubic-bezier(0.3, 0, 0.1, 1)"},
        {"image": "c.png", "at": 63},
    ],
    "seed": 4,
}


def written(folder: Path, row: object) -> Path:
    path = folder / "film.json"
    path.write_text(json.dumps(row))
    return path


def test_round_trip(tmp_path: Path):
    project = read_project(written(tmp_path, ROW))
    assert [keyframe.at for keyframe in project.keyframes] == [0, F(125, 2), 63]
    assert list(pictures_of(project, Path("x"))) == [Path("x/a.png"), Path("x/in/b.png"), Path("x/c.png")]
    write_project(tmp_path / "again.json", project)
    assert read_project(tmp_path / "again.json") == project
    assert "crf" not in (tmp_path / "again.json").read_text()  # only what differs from the defaults


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"keyweave project": 2}, "is a project of format 2; this keyweave reads format 1"),
        ({"keyframes": ROW["keyframes"][:1]}, "keyframes: tuple should have at least 2 items"),
        ({"fps": "fast"}, "fps: 'fast' is not a frame rate"),
        ({"sparkle": 1}, "sparkle: extra inputs are not permitted"),
        ({"keyframes": [{"image": "a.png"}, {}]}, "keyframes 1, at: field required"),
        (
            {"keyframes": [{"image": "a.png", "at": "0", "easing": "wobble"}, {}]},
            "keyframes 1, easing: 'wobble' is not an",
        ),
    ],
)
def test_what_does_not_fit_is_named_by_its_place(tmp_path: Path, change: dict, words: str):
    with pytest.raises(InputError) as caught:
        read_project(written(tmp_path, ROW | change))
    assert words in str(caught.value)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"), [("{", "is not JSON"), ("[]", "is not a keyweave project"), ("{}", "is not a")]
)
def test_what_is_no_project(tmp_path: Path, text: str, words: str):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(InputError, match=words):
        read_project(tmp_path / "x.json")


def test_huge_files_are_not_read(tmp_path: Path):
    (tmp_path / "x.json").write_bytes(b" " * (17 << 20))
    with pytest.raises(InputError, match="too large to be a project"):
        read_project(tmp_path / "x.json")


def test_the_schema_describes_the_file():
    published = schema()
    assert set(ROW) <= set(published["properties"])
    assert set(published["properties"]) == {field.alias or name for name, field in Project.model_fields.items()}
