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


def test_the_smallest_number_is_read_as_it_is_written(tmp_path: Path):
    beats = read_file(written(tmp_path, BEATS | {"beats": ["1/100000", 1]}), BeatsFile)
    write_file(tmp_path / "again.json", beats)
    assert json.loads((tmp_path / "again.json").read_text())["beats"] == [1e-05, 1]
    assert read_file(tmp_path / "again.json", BeatsFile) == beats


HUGE = "9" * 400  # more than a floating-point number holds


@pytest.mark.parametrize(
    ("model", "row", "says"),
    [
        (BeatsFile, BEATS | {"beats": [1, 1]}, "beats: beat 2 is at 1 s, after one at 1 s."),
        (BeatsFile, BEATS | {"beats": [1]}, "beats: a dance has 2 to 4096 beats; got 1."),
        (BeatsFile, BEATS | {"beats": list(range(5000))}, "beats: a dance has 2 to 4096 beats; got 5000."),
        (BeatsFile, BEATS | {"beats": [1, "soon"]}, "beats: beat 2 is 'soon'; write seconds from 0 to 86400, such as "),
        (BeatsFile, BEATS | {"beats": [1, None]}, "beats: beat 2 is None; write seconds"),
        (BeatsFile, BEATS | {"beats": [True, 2]}, "beats: beat 1 is True; write seconds"),
        (BeatsFile, BEATS | {"beats": [-0.5, 2]}, "beats: beat 1 is -0.5; write seconds"),
        (BeatsFile, BEATS | {"beats": [1, float("inf")]}, "beats: beat 2 is inf; write seconds"),
        (BeatsFile, BEATS | {"beats": [1, HUGE]}, "beats: beat 2 is '9999"),
        (BeatsFile, BEATS | {"beats": [int(HUGE), 1]}, "beats: beat 1 is 9999"),
        (BeatsFile, BEATS | {"beats": [1, 100_000]}, "beats: beat 2 is 100000; write seconds"),
        (BeatsFile, BEATS | {"beats": {"a": 1}}, "beats: write a list of seconds, such as [0.5, 1.0]."),
        (BeatsFile, BEATS | {"parity": 2}, "in 4/4, the first strong beat is number 0 or 1; got 2."),
        (
            BeatsFile,
            BEATS | {"beats": [1, 2], "parity": 1},
            "a dance in 4/4 needs 2 beats from the first strong one on",
        ),
        (BeatsFile, BEATS | {"meter": "7/8"}, "meter: "),
        (BeatsFile, BEATS | {"bests": 1}, "bests: "),
        (ChoreographyFile, CHOREOGRAPHY | {"labels": "A-?"}, "labels: label 2 of the choreography is '?'"),
        (ChoreographyFile, CHOREOGRAPHY | {"labels": ["A", "B"]}, 'labels: write one text, such as "A-A\'-B".'),
        (
            ChoreographyFile,
            CHOREOGRAPHY | {"labels": "A-B-C"},
            "labels: there are 3 labels for 2 segments; the beats make one",
        ),
        (ChoreographyFile, CHOREOGRAPHY | {"beats": [2, 1]}, "beats: beat 2 is at 1 s, after one at 2 s."),
        (ChoreographyFile, CHOREOGRAPHY | {"beats": [1, 2], "parity": 1}, "labels: a dance in 4/4 needs 2 beats"),
        (PlanFile, PLAN | {"labels": {"A": 1}}, "labels: write one text"),
        (PlanFile, PLAN | {"pairs": {"A": [1, 2]}}, "pairs: there are no keyframes for the label A'."),
        (
            PlanFile,
            PLAN | {"pairs": {"A": [1, 2], "A'": [3, 5]}},
            "pairs: the label A' has keyframe 5; there are 1 to 4.",
        ),
        (
            PlanFile,
            PLAN | {"pairs": {"A": [1, 2], "A'": [3, 0]}},
            "pairs: the label A' has keyframe 0; there are 1 to 4.",
        ),
        (PlanFile, PLAN | {"pairs": {"A": [1, int(HUGE)], "A'": [3, 4]}}, "pairs: the label A has keyframe 9999"),
        (PlanFile, PLAN | {"pictures": ["a.png"]}, "pictures: "),
        (PlanFile, PLAN | {"pictures": ["a.png", "", "c.png", "d.png"]}, "pictures 2: "),
        (PlanFile, PLAN | {"pictures": ["a.png", "b.png", "c\0.png", "d.png"]}, "pictures 3: "),
    ],
)
def test_what_does_not_fit_is_named_by_its_place(tmp_path: Path, model, row: dict, says: str):
    path = written(tmp_path, row)
    with pytest.raises(InputError) as fault:
        read_file(path, model)
    assert str(fault.value).startswith(f"{path}: {says}")
    assert len(str(fault.value)) < 300 + len(str(path))


def test_one_file_is_not_another(tmp_path: Path):
    with pytest.raises(InputError, match="is not a keyweave beats"):
        read_file(written(tmp_path, CHOREOGRAPHY), BeatsFile)
