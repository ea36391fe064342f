"""The drawn world as files: what is written is what was drawn."""

import json
from pathlib import Path

import numpy as np
import pytest

from keyweave.base.errors import InputError
from keyweave.cli.main import main
from keyweave.media.clips import read_clip
from keyweave.media.pictures.images import read_image
from keyweave.toyworld.export import export, shots
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
    ],
)
def test_doors(tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], says: str):
    assert main(["toyworld", "show", "-o", str(tmp_path / "sheet.png"), *words]) == 2
    assert says in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
