"""The files of a dance: written, edited, read back, and every mistake named by its place."""

import json
from fractions import Fraction
from pathlib import Path

import pytest

from keyweave.base.errors import InputError
from keyweave.systems.dance.files import BeatsFile, ChoreographyFile, PlanFile, pictures_of, read_file, write_file
from keyweave.systems.dance.labels import read_labels

BEATS = {"keyweave beats": 1, "beats": [0.5, 1, "3/2", 2.25]}
CHOREOGRAPHY = {"keyweave choreography": 1, "beats": [0.5, 1, 1.5, 2], "labels": "A-A'"}
PLAN = {
    "keyweave plan": 1,
    "labels": "A-A'-A",
    "pictures": ["a.png", "in/b.png", "c.png", "d.png"],
    "pairs": {"A": [1, 2], "A'": [3, 4]},
}


def written(folder: Path, row: dict) -> Path:
    path = folder / "x.json"
    path.write_text(json.dumps(row))
    return path


def test_beats_are_exact(tmp_path: Path):
    beats = read_file(written(tmp_path, BEATS), BeatsFile)
    assert beats.beats == (Fraction(1, 2), 1, Fraction(3, 2), Fraction(9, 4))
    assert [(one.first, one.last) for one in beats.segments()] == [(0, 1), (2, 3)]
    third = beats.model_copy(update={"beats": (Fraction(1, 3), Fraction(123, 1000))[::-1]})
    write_file(tmp_path / "third.json", third)
    row = json.loads((tmp_path / "third.json").read_text())
    assert row["beats"] == [0.123, "1/3"]  # a number where that says the same
    assert row["parity"] == 0  # what may be changed is there
    assert read_file(tmp_path / "third.json", BeatsFile) == third


def test_a_choreography_is_a_string_and_times(tmp_path: Path):
    found = read_file(written(tmp_path, CHOREOGRAPHY), ChoreographyFile)
    assert found.labels == read_labels("A-A'")
    write_file(tmp_path / "again.json", found)
    row = json.loads((tmp_path / "again.json").read_text())
    assert (row["labels"], row["beats"]) == ("A-A'", [0.5, 1, 1.5, 2])
    assert read_file(tmp_path / "again.json", ChoreographyFile) == found


def test_a_plan_is_a_walk(tmp_path: Path):
    plan = read_file(written(tmp_path, PLAN), PlanFile)
    assert plan.walk == (1, 2, 3, 4, 1, 2)
    assert pictures_of(plan, Path("y"))[1] == Path("y/in/b.png")
    write_file(tmp_path / "again.json", plan)
    assert read_file(tmp_path / "again.json", PlanFile) == plan


@pytest.mark.parametrize(
    ("model", "row", "says"),
    [
        (BeatsFile, BEATS | {"beats": [1, 1]}, r"x\.json: .*beat 2 is at 1 s, after one at 1 s"),
        (BeatsFile, BEATS | {"beats": [1]}, "x.json: beats: .*at least 2"),
        (BeatsFile, BEATS | {"beats": [1, "soon"]}, "x.json: beats: .*soon"),
        (BeatsFile, BEATS | {"meter": "7/8"}, "x.json: meter: "),
        (BeatsFile, BEATS | {"bests": 1}, "x.json: bests: "),
        (BeatsFile, CHOREOGRAPHY, "is not a keyweave beats"),
        (ChoreographyFile, CHOREOGRAPHY | {"labels": "A-?"}, "labels: label 2 of the choreography is '\\?'"),
        (ChoreographyFile, CHOREOGRAPHY | {"labels": "A-B-C"}, "there are 3 labels for 2 segments"),
        (ChoreographyFile, CHOREOGRAPHY | {"beats": [1, 2], "parity": 1}, "needs 2 beats"),
        (PlanFile, PLAN | {"pairs": {"A": [1, 2]}}, "pairs has no keyframes for the label A'"),
        (PlanFile, PLAN | {"pairs": {"A": [1, 2], "A'": [3, 5]}}, "pairs gives A' keyframe 5; there are 1 to 4"),
        (PlanFile, PLAN | {"pictures": ["a.png"]}, "pictures: .*at least 2"),
    ],
)
def test_what_does_not_fit_is_named_by_its_place(tmp_path: Path, model, row: dict, says: str):
    with pytest.raises(InputError, match=says):
        read_file(written(tmp_path, row), model)
