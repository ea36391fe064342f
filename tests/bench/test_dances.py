"""`keyweave bench dance`: dances whose labels are known, figures written out, the folder of annotated films, doors."""

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from keyweave.base.progress import SILENT, Progress
from keyweave.bench import dances
from keyweave.bench.annotations import read_annotation
from keyweave.bench.bodies import body_dance
from keyweave.bench.dance_table import mean_rows, write_dance_report
from keyweave.bench.dancers import CLEAN, Danced, Noise, Tracks, drawn_dance
from keyweave.bench.dances import CONDITIONS, Clip, Dances, Entry, folder_dances, invented_dances
from keyweave.bench.kept import Kept
from keyweave.bench.labelled import THRESHOLDS, Found, bench_dances, measured
from keyweave.cli.main import main
from keyweave.media.writers import write_clip
from keyweave.perceive.tracks import write_track
from keyweave.systems.dance.labels import read_labels, write_labels

NAN = float("nan")


@pytest.fixture(scope="module")
def danced() -> Danced:
    return drawn_dance(3, CLEAN)


def of(danced: Danced, *, count: int = 1) -> Dances:
    clips = tuple(Clip(f"clip {number}", lambda _kept, _progress: danced) for number in range(count))
    return Dances("some", (Entry("picture", "says", "picture", clips),))


def mistold(danced: Danced) -> Danced:
    """The same with its second label told wrong."""
    labels = list(danced.labels)
    labels[1] = labels[0]
    return replace(danced, labels=tuple(labels))


# Dances


def test_the_same_seed_dances_the_same_with_any_noise():
    still, moved = drawn_dance(3, CLEAN), drawn_dance(3, Noise())
    assert still.labels == moved.labels
    lengths = [np.diff(one.segments, axis=1)[:, 0] for one in (still, moved)]
    assert np.ptp(lengths[0]) == pytest.approx(0)
    assert 0.02 < np.abs(lengths[1] / lengths[0] - 1).max() <= Noise.tempo
    once = drawn_dance(3, Noise())
    assert np.array_equal(once.tracks.picture.places, moved.tracks.picture.places)


def test_the_drawn_dancer_strikes_the_poses_of_the_labels(danced: Danced):
    """At the beginning of a motion the same joints are at the same place, turned about the middle if mirrored."""
    track = danced.tracks.picture
    at = [np.abs(track.times - start).argmin() for start, _ in danced.segments]
    wrist, other = (track.joints.index(f"{side}_wrist") for side in ("left", "right"))
    places = track.places[at] - (track.size[0] / 2, 0)
    hips = [track.places[0, track.joints.index(f"{side}_hip"), 0] for side in ("left", "right")]
    assert hips[0] > hips[1]  # the dancer's own left is at the right of the picture
    first = danced.labels[0]
    same = [n for n, label in enumerate(danced.labels) if label == first]
    turned = [n for n, label in enumerate(danced.labels) if label == first.mirror]
    assert len(same) > 1
    assert turned
    for n in same:
        assert places[n, wrist] == pytest.approx(places[0, wrist], abs=4)
    for n in turned:
        assert places[n, other] == pytest.approx(places[0, wrist] * (-1, 1), abs=4)


def test_noise_is_as_large_as_it_says():
    seen = drawn_dance(5, Noise(0, 0, 0.02, 0, 0), height=170).tracks.picture.places
    assert np.std(seen - drawn_dance(5, CLEAN, height=170).tracks.picture.places) == pytest.approx(2, rel=0.05)
    turned = [body_dance(5, Noise(0, jitter, 0, 0, 0)).tracks.rotations.rotations for jitter in (0.0, 0.03)]
    assert np.std(turned[1] - turned[0]) == pytest.approx(0.03, rel=0.05)
    assert Noise().times(2) == CONDITIONS["double"][0] == Noise(0.3, 0.06, 0.04, 0.3, 0.5)


def test_what_trackers_know_of_whom():
    assert drawn_dance(0, CLEAN).tracks.known == ("picture",)
    body = body_dance(0, CLEAN).tracks
    assert body.known == ("rotations", "space", "picture")
    assert body.by("picture") is not None
    assert body.picture.world is None
    assert body.space.world is not None


def test_dances_are_decided_by_the_seed_and_their_number(tmp_path: Path):
    def read(kind: str, number: int, seed: int = 0) -> str:
        clips = invented_dances(kind, 2, seed=seed).entries[0].clips
        return write_labels(clips[number].read(Kept(tmp_path), SILENT).labels)

    first = read("toyworld", 0)
    assert first == read("toyworld", 0)
    assert len({first, read("toyworld", 1), read("toyworld", 0, seed=1), read("bodies", 0)}) == 4


# Figures


@pytest.mark.parametrize(
    ("labels", "truth", "figures"),
    [
        ("A-B-A", "B-A-B", (1, 1, NAN, NAN, NAN, 1)),
        ("A-A'-A", "A'-A-A'", (1, 1, 1, 1, 1, 1)),
        # One label for all tells nothing of two, and a mirror that is missed is recalled by nobody.
        ("A-A-A", "A-A'-A", (0, 0, NAN, 0, 0, 0)),
        # Calling mirrored what is not is imprecise, and no mirrored pair was there to be recalled.
        ("A-A'-A", "A-B-A", (1, 1, 0, NAN, 0, 0)),
        # Of two pairs that are called one is there: 1/2; of the two that are, 1/2.
        ("A-A'-B-A'", "A-A'-A'-B", (-0.2, 2 / 3, 1 / 2, 1 / 2, 1 / 2, 0)),
    ],
)
def test_figures_by_hand(labels: str, truth: str, figures: tuple[float, ...]):
    found = measured(read_labels(labels), read_labels(truth))
    values = [found.rand, found.information, found.precision, found.recall, found.balance, found.right]
    assert values == pytest.approx(list(figures), nan_ok=True)


# The benchmark


def test_dances_are_labelled_with_thresholds_around(danced: Danced, tmp_path: Path):
    found = bench_dances(of(danced), tmp_path)
    (row,) = found.lines[0].rows
    assert row.figures.right == 1
    inside = [rand for at, rand in zip(THRESHOLDS, row.rand, strict=True) if row.band[0] < at <= row.band[1]]
    assert len(inside) > 5
    assert set(inside) == {1}
    assert row.rand[-1] < 0.5
    assert found.lines[0].means["rand"] is None  # of a single dance nothing else can be told


def test_what_is_kept_is_taken_and_the_truth_is_part_of_it(
    danced: Danced, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def told(found: Found) -> str:
        return json.dumps(found.as_dict())

    first = bench_dances(of(danced, count=2), tmp_path)
    assert len(list(tmp_path.rglob("*.json"))) == 1  # it is the same dance twice
    wrong = bench_dances(of(mistold(danced)), tmp_path)
    assert wrong.lines[0].rows[0].figures.rand < 1
    monkeypatch.setattr("keyweave.bench.labelled.motion_of", None)
    assert told(bench_dances(of(danced, count=2), tmp_path)) == told(first)
    with pytest.raises(TypeError):
        bench_dances(of(danced), tmp_path, threshold=0.3)


def test_thresholds_that_are_given_are_taken(danced: Danced, tmp_path: Path):
    row = bench_dances(of(danced), tmp_path, threshold=9, mirror_threshold=0.001).lines[0].rows[0]
    assert (row.threshold, set(row.labels.split("-"))) == (9, {"A"})


def test_what_cannot_be_labelled_is_left_out_and_said(danced: Danced, tmp_path: Path):
    nobody = replace(danced.tracks.picture, places=np.full_like(danced.tracks.picture.places, np.nan))
    lost = replace(danced, tracks=Tracks(replace(nobody, seen=np.zeros_like(nobody.seen))))
    (entry,) = of(danced).entries
    clips = (*entry.clips, Clip("nobody", lambda _kept, _progress: lost))
    found = bench_dances(Dances("some", (replace(entry, clips=clips),), ("x.mp4: y",)), tmp_path)
    assert len(found.lines[0].rows) == 1
    assert found.left_out[0] == "x.mp4: y"
    assert found.left_out[1].startswith("nobody: No dancer was found")


def test_the_page_has_both_tables_and_what_was_wrong(danced: Danced, tmp_path: Path):
    entry = of(danced, count=3).entries[0]
    clips = (*entry.clips, Clip("mistold", lambda _kept, _progress: mistold(danced)))
    found = bench_dances(Dances("some", (replace(entry, clips=clips),)), tmp_path / "cache", threshold=0.2)
    page = write_dance_report(tmp_path, found).read_text()
    assert "| thesis, table 7.1 |     20 | 0.94 " in page
    assert "The threshold is 0.2 for all." in page
    assert "| picture | mistold |" in page
    paper, ours = mean_rows(found)
    assert list(paper.values())[1:] == [20, "0.94", "0.98", "0.93", "0.91", "0.92", "-"]
    assert ours["right"] == "0.75 (0.25 to 1.00)"
    row = json.loads((tmp_path / "report.json").read_text())
    assert row["lines"][0]["means"]["right"]["value"] == 0.75
    assert len(row["lines"][0]["dances"][0]["rand"]) == len(row["thresholds"])
    assert all((tmp_path / name).is_file() for name in ("measures.png", "thresholds.png"))


# A folder of annotated dances


@pytest.fixture
def folder(danced: Danced, tmp_path: Path) -> Path:
    """Poses of a dance, its beats, and its labels."""
    folder = tmp_path / "clips"
    folder.mkdir()
    write_track(folder / "one.npz", danced.tracks.picture)
    beats = [round(at, 6) for segment in danced.segments for at in segment]
    (folder / "one.beats.json").write_text(json.dumps({"keyweave beats": 1, "beats": beats}))
    (folder / "one.txt").write_text(write_labels(danced.labels) + "\n")
    return folder


def test_poses_and_labels_of_a_folder(folder: Path, danced: Danced, tmp_path: Path):
    (folder / "another.mp4").write_bytes(b"")
    found = bench_dances(folder_dances(folder), tmp_path / "cache")
    assert [line.entry.name for line in found.lines] == ["picture"]  # it has neither rotations nor places in space
    assert found.lines[0].rows[0].figures.right == 1
    assert found.lines[0].rows[0].truth == write_labels(danced.labels)
    assert found.left_out[0].startswith("another.mp4: nobody annotated it")


def test_the_dancer_of_a_film_is_followed_as_its_annotation_says_and_once(
    folder: Path, danced: Danced, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from keyweave.perceive.blazepose import tracker

    asked: list[tuple[Path, tuple[float, float], tuple[int, int, int, int]]] = []

    def followed(film: Path, at: tuple[float, float], *, crop: tuple[int, int, int, int], progress: Progress):
        asked.append((film, at, crop))
        return danced.tracks.picture

    (folder / "one.npz").unlink()
    write_clip(folder / "one.mp4", iter(np.zeros((4, 16, 16, 3), np.uint8)), Fraction(25))
    (folder / "one.txt").unlink()
    row = {"keyweave annotation": 1, "labels": write_labels(danced.labels), "crop": [0, 0, 8, 16], "dancer": [3, 4]}
    (folder / "one.json").write_text(json.dumps(row))
    monkeypatch.setattr(dances, "find_people", lambda: None)
    monkeypatch.setattr(tracker, "pose_tracker", lambda _, *, at: at)
    monkeypatch.setattr(dances, "track_dancer", followed)
    found = bench_dances(folder_dances(folder), tmp_path / "cache")
    assert found.lines[0].rows[0].figures.right == 1
    assert asked == [(folder / "one.mp4", (3, 4), (0, 0, 8, 16))]
    again = bench_dances(folder_dances(folder), tmp_path / "cache")
    assert again.lines[0].rows == found.lines[0].rows
    assert len(asked) == 1


def test_an_annotation_as_an_object(tmp_path: Path):
    path = tmp_path / "one.json"
    row = {"keyweave annotation": 1, "labels": "A-A'", "crop": [0, 0, 320, 240], "dancer": [9, 9.5], "parity": 1}
    path.write_text(json.dumps(row))
    found = read_annotation(path)
    assert (found.labels, found.crop, found.dancer) == (read_labels("A-A'"), (0, 0, 320, 240), (9, 9.5))
    assert (found.parity, found.tempo, found.meter) == (1, "x1", "4/4")


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("one.txt", "A-B-b", "one.txt: Label 3 of the choreography is 'b'."),
        ("one.json", '{"labels": "A"}', "one.json is not a keyweave annotation."),
        ("one.json", '{"keyweave annotation": 2, "labels": "A"}', "is a annotation of format 2"),
        ("one.json", '{"keyweave annotation": 1, "labels": "A-?"}', "one.json: labels: label 2"),
        ("one.json", '{"keyweave annotation": 1, "labels": "A", "parity": 3}', "one.json: parity: input should be"),
    ],
)
def test_what_is_no_annotation_is_said_before_anything_is_done(
    folder: Path, name: str, text: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (folder / "one.txt").unlink()
    (folder / name).write_text(text)
    assert main(["bench", "dance", "--data", str(folder), "-o", str(tmp_path / "r")]) == 2
    assert says in capsys.readouterr().err
    assert not (tmp_path / "r").exists()


def test_labels_that_do_not_fit_the_beats(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (folder / "one.txt").write_text("A-B")
    assert main(["bench", "dance", "--data", str(folder), "-o", str(tmp_path / "r")]) == 2
    said = capsys.readouterr().err
    assert "No dance could be labelled. one: " in said
    assert "pairs of beats and 2 labels" in said
    (folder / "one.beats.json").unlink()
    assert main(["bench", "dance", "--data", str(folder), "-o", str(tmp_path / "r")]) == 2
    assert "one: poses tell no beats. Lay one.beats.json beside them" in capsys.readouterr().err


# The command


def test_from_end_to_end_and_once_more(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    argv = ["bench", "dance", "-o", str(tmp_path), "--clips", "1", "--conditions", "true,noise"]
    assert main(argv) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[1].startswith("thesis, table 7.1      20  0.94  0.98")
    assert [line.split("  ")[0] for line in shown[2:4]] == ["picture, true", "picture, noise"]
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.json")}
    assert len(kept) == 2
    assert main([*argv, "--json"]) == 0
    *_, last = map(json.loads, capsys.readouterr().out.splitlines())
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.json")} == kept
    assert last["event"] == "benchmarked"
    assert [row["dances"][0]["figures"]["rand"] for row in last["lines"]] == [1, 1]
    assert last["lines"][0]["dances"][0]["truth"] == last["lines"][1]["dances"][0]["truth"]


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["--clips", "0"], "A benchmark needs 1 dance or more; got 0."),
        (["--representation", "space"], "Of the drawn dancer only picture is known, not space. Add --data bodies."),
        (["--representation", "hands"], "There is no representation 'hands'. Choose from: rotations, space, picture."),
        (["--conditions", "true,rain"], "There is no condition 'rain'. Choose from: true, tempo, noise, double."),
        (["--threshold", "-1"], "--threshold is -1; it should be above 0."),
        (["--mirror-threshold", "nan"], "--mirror-threshold is nan; it should be above 0."),
        (["--data", "nowhere"], "There is no folder nowhere. Name a folder of dances, or toyworld or bodies."),
        (["--data", "."], "holds no dance that is annotated"),
        (["--data", ".", "--clips", "3"], "--clips is for dances that are invented"),
        (["--data", ".", "--seed", "0"], "--seed is for dances that are invented"),
        (["--pairs", "3"], "keyweave bench dance does not know '--pairs'."),
    ],
)
def test_bad_input_is_one_sentence(
    argv: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    assert main(["bench", "dance", "-o", str(tmp_path / "r"), *argv]) == 2
    said = capsys.readouterr().err
    assert says in said
    assert len(said.splitlines()) == 1
    assert not (tmp_path / "r").exists()


def test_a_file_where_the_report_should_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "r").touch()
    assert main(["bench", "dance", "-o", str(tmp_path / "r")]) == 2
    assert "is a file; the report is a folder" in capsys.readouterr().err
