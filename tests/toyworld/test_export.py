"""The drawn world as files: what is written is what was drawn."""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from keyweave.base.errors import InputError
from keyweave.cli.main import main
from keyweave.media.clips import read_clip
from keyweave.media.pictures.images import read_image
from keyweave.media.sound.audio import read_audio
from keyweave.toyworld.export import export, shots
from keyweave.toyworld.puppets import PuppetTruth
from keyweave.toyworld.scenes import scene_of
from keyweave.toyworld.shots import shoot


def three(**given):
    return shots("validation", 3, **{"size": (48, 32), "frames": 4, "truth": True} | given)


def test_an_export_holds_what_was_drawn(tmp_path: Path):
    export(tmp_path / "out", three(), 3, title="some")
    shot = shoot(scene_of("validation", 1, aspect=1.5), frames=4, width=48, height=32, truth=True)
    place = tmp_path / "out" / "00001"
    frames = np.load(place / "frames.npz")["frames"]
    np.testing.assert_array_equal(frames, shot.frames)
    np.testing.assert_array_equal(read_image(place / "last.png").pixels, shot.frames[-1])
    assert len(read_clip(place / "clip.mp4").frames) == 4
    truth = np.load(place / "truth.npz")
    assert shot.truth is not None
    np.testing.assert_array_equal(truth["forward"][2], shot.truth.flow(2, 3))
    np.testing.assert_array_equal(truth["masks"], shot.truth.masks())
    assert truth["seen_next"].shape == (3, 32, 48)
    assert json.loads((place / "scene.json").read_text())["caption"] == shot.scene.caption
    index = json.loads((tmp_path / "out" / "index.json").read_text())
    assert [row["clip"] for row in index["clips"]] == ["00000", "00001", "00002"]


@pytest.mark.parametrize("cast", ["creature", "dancer", "face"])
def test_puppets_are_exported_with_their_points_and_their_sound(tmp_path: Path, cast):
    (shot,) = shots("test", 1, cast=cast, size=(32, 24), truth=True)
    assert isinstance(shot.truth, PuppetTruth)
    export(tmp_path / "out", iter([shot]), 1)
    place = tmp_path / "out" / "00000"
    truth = np.load(place / "truth.npz")
    assert truth["points"].shape == (len(shot.frames), len(truth["point_names"]), 2)
    assert truth["dials"].shape == (len(shot.frames), len(truth["dial_names"]))
    np.testing.assert_array_equal(truth["points_seen"], shot.truth.seen)
    assert tuple(truth["point_names"]) == shot.truth.puppet.points
    facts = json.loads((place / "scene.json").read_text())
    assert facts["caption"] == shot.scene.caption
    clip = read_clip(place / "clip.mp4")
    assert (len(clip.frames), clip.rate) == (len(shot.frames), Fraction(facts["rate"]))
    if cast == "creature":
        assert clip.audio is None
        assert not (place / "sound.wav").exists()
    else:
        assert shot.sound is not None
        assert clip.audio is not None
        sound = read_audio(place / "sound.wav")
        assert sound is not None
        np.testing.assert_allclose(sound.samples, shot.sound.samples, atol=2 / 32768)
        assert "beats" in facts or "words" in facts


def test_splits_of_puppets_never_meet_and_seeds_hold():
    def first(**given):
        return next(
            shots(**{"split": "test", "count": 1, "cast": "creature", "size": (32, 32), "truth": False} | given)
        )

    frames = first().frames
    assert frames.shape == (14, 32, 32, 3)
    np.testing.assert_array_equal(frames, first().frames)
    for other in ({"split": "train"}, {"seed": 1}):
        assert not np.array_equal(frames, first(**other).frames)


def test_a_folder_of_something_else_is_never_replaced(tmp_path: Path):
    (tmp_path / "diary.txt").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(InputError, match="holds"):
            export(tmp_path, three(), 3, overwrite=overwrite)
    assert (tmp_path / "diary.txt").read_text() == "mine"
    export(tmp_path / "out", three(), 3)
    export(tmp_path / "out", three(frames=1), 3, overwrite=True)
    assert np.load(tmp_path / "out" / "00000" / "truth.npz")["forward"].shape[0] == 0


def test_the_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    sheet = tmp_path / "sheet.png"
    assert main(["toyworld", "show", "-o", str(sheet), "--count", "2", "--kind", "fish"]) == 0
    assert f"{sheet}: " in capsys.readouterr().out
    assert main(["toyworld", "show", "-o", str(tmp_path / "face.png"), "--count", "1", "--cast", "face"]) == 0
    assert "face.png: " in capsys.readouterr().out
    line = ["toyworld", "export", "-o", str(tmp_path / "x"), "--count", "1", "--frames", "2", "--split", "train"]
    assert main(line) == 0
    assert capsys.readouterr().out.endswith("1 clips\n")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--kind", "cow"], "'cow' is no actor of the toy world"),
        (["--count", "0"], "--count is 0; it should be from 1 to 64"),
        (["--size", "8x8"], "16 to 2048 pixels"),
        (["--size", "wide"], "--size"),
        (["--cast", "cow"], "--cast: 'cow' is not known"),
        (["--cast", "face", "--kind", "fish"], "A face is no kind of actor; got 'fish'"),
        (["--cast", "dancer", "--frames", "14"], "A dancer's clips are as long as their sound; got 14 frames"),
        (["--cast", "creature", "--frames", "100"], "1 to 48 poses; got 100"),
    ],
)
def test_doors(tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], says: str):
    assert main(["toyworld", "show", "-o", str(tmp_path / "sheet.png"), *words]) == 2
    assert says in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
