"""`keyweave dance` where something is amiss: one sentence, and nothing is lost."""

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from keyweave.app import dance_stages, dancing
from keyweave.cli.main import main
from keyweave.media.pictures.images import write_image
from keyweave.media.sound.audio import write_audio
from keyweave.media.types import Audio, Image
from keyweave.media.writers import write_clip
from keyweave.perceive.blazepose import tracker
from keyweave.perceive.blazepose.detector import anchors
from keyweave.perceive.blazepose.tracker import BlazePose


class Stage:
    """What stands for the pose networks: people whose hips are found where they are said to be."""

    def __init__(self, *people: tuple[float, float]) -> None:
        self.people = people

    def finder(self, picture: np.ndarray) -> list[np.ndarray]:
        assert picture.shape == (224, 224, 3)
        values, scores = np.zeros((1, 2254, 12)), np.full((1, 2254, 1), -100.0)
        for k, (x, y) in enumerate(self.people):
            zero = anchors()[k] * 224
            values[0, k] = [
                x - zero[0],
                y - zero[1],
                20,
                20,
                x - zero[0],
                y - zero[1],
                x - zero[0],
                y - 40 - zero[1],
                *4 * [0],
            ]
            scores[0, k] = 5
        return [scores, values]

    def marker(self, picture: np.ndarray) -> list[np.ndarray]:
        assert picture.shape == (256, 256, 3)
        rows = np.zeros((39, 5))
        rows[:, :2], rows[34, :2] = 128, (128, 28)
        mask, heat = np.zeros((1, 256, 256, 1)), np.zeros((1, 64, 64, 39))
        return [rows.reshape(1, 195), np.array([[0.9]]), mask, heat, np.zeros((1, 117))]


@pytest.fixture
def people(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def there(*places: tuple[float, float]) -> None:
        stage = Stage(*places)
        for room in (dancing, dance_stages):
            monkeypatch.setattr(room, "find_people", Path)
        monkeypatch.setattr(tracker, "pose_tracker", lambda _, at: BlazePose(stage.finder, stage.marker, at))

    return there


def test_scenery_without_a_dancer_is_one_sentence(
    people: Callable[..., None], place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    people()
    mine = tmp_path / "film.dance" / "plan-keyframes" / "mine.png"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"mine")
    label = ["label", str(place / "ref.mp4"), "--beats", str(place / "beats.json"), "-o", str(tmp_path / "c.json")]
    whole = [
        *[str(place / f"k{number}.png") for number in (1, 2, 3, 4)],
        "--reference",
        str(place / "ref.mp4"),
        "-o",
        str(tmp_path / "film.mp4"),
    ]
    for argv in (label, whole):
        assert main(["dance", *argv]) == 2
        said = capsys.readouterr().err.strip().splitlines()[-1]
        assert "There is no dancer in any of the" in said
        assert "Take a film that shows a whole person" in said
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [mine]


def test_of_two_dancers_it_is_said_who_is_followed_and_how_to_choose(
    people: Callable[..., None], place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    people((60, 110), (160, 110))
    argv = ["dance", "label", str(place / "ref.mp4"), "--beats", str(place / "beats.json")]
    main([*argv, "-o", str(tmp_path / "c.json")])
    said = capsys.readouterr().err
    assert "2 people of similar size are in view; the largest is followed, near" in said
    assert "Name a point on another one (--dancer X,Y) to follow them" in said
    main([*argv, "--dancer", "46,31", "-o", str(tmp_path / "d.json")])
    assert "people of similar size" not in capsys.readouterr().err


def test_a_dance_that_cannot_be_labelled_leaves_nothing_behind(
    people: Callable[..., None], place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    people((60, 110))
    (tmp_path / "late.json").write_text(json.dumps({"keyweave beats": 1, "beats": [100, 101]}))
    argv = ["dance", "label", str(place / "ref.mp4"), "--beats", str(tmp_path / "late.json")]
    assert main([*argv, "-o", str(tmp_path / "c.json")]) == 2
    assert "The dancer is not seen from 100.00 to 101.00 s" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["late.json"]


WHOLE = ["k1.png", "k2.png", "--reference"]


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["k1.png"], "required: --reference"),
        (["nosuch.png"], "nosuch.png does not exist. Check the spelling of the path."),
        (["k1.png", "nosuch.png", "-o", "f.mp4"], "nosuch.png does not exist."),
        (["label.png"], "label.png does not exist."),
        (["empty"], "empty is a folder; a file is needed."),
        (
            ["lable", "ref.mp4", "-o", "c.json"],
            "'lable' is neither a stage of keyweave dance nor a picture. Did you mean label? Stages: beats, label",
        ),
        (
            ["Waltz"],
            "'Waltz' is neither a stage of keyweave dance nor a picture. Stages: beats, label, mirror, plan, ren",
        ),
        (["plan", "k1.png", "k2.png", "-o", "p.json"], "Give --labels or --choreography"),
        (["plan", "k1.png", "k2.png", "--labels", "A-1", "-o", "p.json"], "Label 2 of the choreography is '1'"),
        (["plan", "k1.png", "k2.png", "--labels", "A", "--pin", "A2", "-o", "p.json"], "--pin is 'A2'. Write a label"),
        (["plan", "k1.png", "k2.png", "--labels", "A", "--pin", "A=1>9", "-o", "p.json"], "1 to 2, and 1m to 2m"),
        (["plan", "k1.png", "k2.png", "--labels", "A", "--motion", "3", "-o", "p.json"], "--motion is '3'"),
        (["plan", "k1.png", "k2.png", "--labels", "A-B-C-D-E-F-G-H", "-o", "p.json"], "Add keyframes"),
        (["plan", "k1.png", "k2.png", "--labels", "A--B", "-o", "p.json"], "Label 2 of the choreography is nothing"),
        (["plan", "k1.png", "k2.png", "--labels", "A-A''", "-o", "p.json"], "Label 2 of the choreography is \"A''\""),
        (
            ["plan", "k1.png", "k2.png", "--choreography", "odd.json", "-o", "p.json"],
            "odd.json: labels: label 2 of the choreography is '?'",
        ),
        (["plan", "k1.png", "--labels", "A", "-o", "p.json"], "needs 2 keyframes or more; got 1"),
        (
            ["plan", "k1.png", "small.png", "--labels", "A", "-o", "p.json"],
            "have one size; small.png is 48x48, k1.png 96x96. Fit them to one size first.",
        ),
        (["k1.png", "small.png", "--reference", "ref.mp4", "-o", "f.mp4"], "small.png is 48x48, k1.png 96x96"),
        (["mirror", "k1.png", "small.png", "-o", "m"], "one size and no alpha; got 48x48, 96x96"),
        (["mirror", "k1.png", "k2.png", "--masks", "none", "-o", "m"], "There is no folder none of masks"),
        (["mirror", "k1.png", "k2.png", "--masks", ".", "--axis", "900", "-o", "m"], "The axis lies in the picture"),
        (["plan", "k1.png", "k2.png", "--labels", "A", "--masks", "empty", "-o", "p.json"], "has no mask for k1.png"),
        (["k1.png", "k2.png", "--reference", "ref.mp4", "--masks", "empty", "-o", "f.mp4"], "has no mask for k1.png"),
        (["mirror", "k1.png", "k2.png", "--masks", "sam:toy-video", "-o", "m"], "here one of kind part is needed"),
        (["label", "ref.mp4", "--offset", "x", "-o", "c.json"], "--offset is 'x'"),
        (["beats", "ref.mp4", "--parity", "2", "-o", "b.json"], "The first strong beat is number 0 to 1; got 2."),
        (["beats", "ref.mp4", "--beats-by", "me", "-o", "b.json"], "librosa or beat-this:FILE; got 'me'"),
        (
            ["k1.png", "k2.png", "--reference", "ref.mp4", "--reference-tempo", "x2", "-o", "f.mp4"],
            "--reference-tempo is for a dance to another song than that of the reference. Give that song as --music",
        ),
        (
            [
                "k1.png",
                "k2.png",
                "--reference",
                "ref.mp4",
                "--music",
                "ref.mp4",
                "--reference-offset",
                "x",
                "-o",
                "f.mp4",
            ],
            "--reference-offset is 'x'; it should be seconds",
        ),
        (["label", "ref.mp4", "--crop", "1,2", "-o", "c.json"], "should be 4 numbers"),
        (["label", "ref.mp4", "--beats", "k1.png", "-o", "c.json"], "k1.png is not JSON"),
        (["beats", "silent.mp4", "-o", "b.json"], "silent.mp4 has no sound, in which beats would be heard. Name a"),
        (
            [*WHOLE, "silent.mp4", "--poses", "poses.npz", "-o", "f.gif"],
            "or write beats by hand for `keyweave dance la",
        ),
        ([*WHOLE, "ref.mp4", "--music", "hush.wav", "--poses", "poses.npz", "-o", "f.gif"], "The song is silent"),
        ([*WHOLE, "ref.mp4", "--poses", "poses.npz", "--crop", "0,0,9,9", "-o", "f.gif"], "--crop is for a dancer who"),
        ([*WHOLE, "ref.mp4", "--poses", "poses.npz", "--threshold", "0", "-o", "f.gif"], "a threshold above 0; got 0"),
        (["label", "ref.mp4", "--beats", "beats.json", "--threshold", "-1", "-o", "c.json"], "above 0; got -1"),
        (["label", "ref.mp4", "--beats", "far.json", "-o", "c.json"], "far.json: beats: beat 2 is '9999"),
        ([*WHOLE, "ref.mp4", "-o", "."], ". cannot be written: a clip's name must end in .mp4"),
        ([*WHOLE, "ref.mp4", "-o", "k1.png/f.gif"], "k1.png/f.gif: a part of the path is a file, not a folder."),
        (
            [*WHOLE, "ref.mp4", "-o", f"{'x' * 300}.gif"],
            "xxx.gif: the name is too long for this disk. Choose a shorter",
        ),
        (["render", "long.json", "--beats", "beats.json", "--music", "ref.mp4", "-o", "f.gif"], "the name is too long"),
        ([*WHOLE, "ref.mp4", "-o", "taken.gif"], "taken.dance, which is to hold what the dance is made of, is a file."),
        (
            [*WHOLE, "ref.mp4", "-o", "ref.mp4", "--overwrite"],
            "ref.mp4 is both an input and the output. Choose another",
        ),
        (
            [*WHOLE, "song.mp4", "--music", "ref.mp4", "-o", "song.mp4", "--overwrite"],
            "song.mp4 is both an input and the output",
        ),
        (
            ["pics/1.png", "pics/2.png", "--reference", "ref.mp4", "-o", "pics/%d.png", "--overwrite"],
            "pics/1.png would be replaced by the pictures pics/%d.png, which",
        ),
        (
            [*WHOLE, "ref.mp4", "--masks", "pics", "-o", "pics/%d.png", "--overwrite"],
            "pics would be replaced by the pictures pics/%d.png",
        ),
        (
            ["render", "own.json", "--beats", "beats.json", "--music", "ref.mp4", "-o", "pics/%d.png", "--overwrite"],
            "pics/1.png would be replaced by the pictures pics/%d.png",
        ),
        ([*WHOLE, "silent.mp4", "--poses", "poses.npz", "-o", "no/where/f.gif"], "silent.mp4 has no sound"),
        (["beats", "hush.wav", "-o", "b.json"], "The song is silent; there is no beat to find"),
        (["label", "hush.wav", "--poses", "poses.npz", "-o", "c.json"], "The song is silent"),
        (["render", "none.json", "--beats", "beats.json", "--music", "ref.mp4", "-o", "f.mp4"], "none.json"),
        (["k1.png", "--reference", "ref.mp4", "-o", "f.mp4"], "needs 2 keyframes or more; got 1"),
        (["k1.png", "k2.png", "--reference", "none.mp4", "-o", "f.mp4"], "none.mp4"),
        (["k1.png", "none.png", "--reference", "ref.mp4", "-o", "f.mp4"], "none.png"),
    ],
)
def test_mistakes_are_one_sentence_and_nothing_is_left(
    place: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    argv: list[str],
    says: str,
):
    monkeypatch.chdir(tmp_path)
    for path in place.iterdir():
        (tmp_path / path.name).symlink_to(path)
    write_image(tmp_path / "small.png", Image(np.zeros((48, 48, 3), np.uint8)))
    write_clip(tmp_path / "silent.mp4", iter(np.zeros((4, 16, 16, 3), np.uint8)), Fraction(25))
    write_audio(tmp_path / "hush.wav", Audio(np.zeros((40_000, 1), np.float32), 8000))
    (tmp_path / "empty").mkdir()
    (tmp_path / "pics").mkdir()
    for number in (1, 2):
        (tmp_path / "pics" / f"{number}.png").symlink_to(place / f"k{number}.png")
    (tmp_path / "song.mp4").symlink_to(place / "ref.mp4")
    (tmp_path / "taken.dance").write_text("mine")
    plan = {"keyweave plan": 1, "labels": "A", "pictures": ["k1.png", "x" * 300], "pairs": {"A": [1, 2]}}
    (tmp_path / "long.json").write_text(json.dumps(plan))
    (tmp_path / "own.json").write_text(json.dumps(plan | {"pictures": ["pics/1.png", "pics/2.png"]}))
    (tmp_path / "far.json").write_text(json.dumps({"keyweave beats": 1, "beats": [0.5, "9" * 400]}))
    odd = {"keyweave choreography": 1, "beats": [0.5, 1, 1.5, 2], "labels": "A-?"}
    (tmp_path / "odd.json").write_text(json.dumps(odd))
    before = sorted(path.name for path in tmp_path.rglob("*"))
    unsolved = "Add keyframes" in says  # understood and tried, but there is no answer
    assert main(["dance", *argv]) == (4 if unsolved else 2)
    said = capsys.readouterr().err.strip().splitlines()
    assert says in said[-1]
    assert len(said) == 1 or all("%" in line for line in said[:-1])
    assert sorted(path.name for path in tmp_path.rglob("*")) == before
