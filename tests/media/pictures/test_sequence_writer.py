"""Numbered pictures: a folder that is whole or not there, and nobody else's files in danger."""

import json
import subprocess
import sys
from fractions import Fraction as F
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from keyweave.base.errors import InputError, MediaError
from keyweave.media.comments import read_comment
from keyweave.media.writers import write_clip


def greys(*levels: int, channels: int = 3) -> list[np.ndarray]:
    return [np.full((6, 9, channels), level, np.uint8) for level in levels]


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("%05d.png", ["00001.png", "00002.png"]),
        ("%d.jpg", ["1.jpg", "2.jpg"]),
        ("shot %03d (100%%).JPEG", ["shot 001 (100%).JPEG", "shot 002 (100%).JPEG"]),
    ],
)
def test_pictures_are_numbered_from_one(tmp_path: Path, pattern: str, names: list[str]):
    written = write_clip(tmp_path / "new" / "out" / pattern, greys(30, 200), F(10), comment="hello")
    assert names_in(tmp_path / "new" / "out") == names
    assert names_in(tmp_path / "new") == ["out"]
    assert (written.frames, written.width, written.height, written.duration) == (2, 9, 6, F(1, 5))
    assert written.path == tmp_path / "new" / "out" / pattern
    for name, level in zip(names, (30, 200), strict=True):
        path = tmp_path / "new" / "out" / name
        assert np.abs(np.array(PIL.Image.open(path)).astype(int) - level).max() <= 1
        assert read_comment(path) == "hello"


def test_alpha_is_kept_in_png_and_laid_over_black_in_jpeg(tmp_path: Path):
    frames = greys(200, channels=4)
    frames[0][..., 3] = 102
    assert write_clip(tmp_path / "p" / "%d.png", frames, F(1)).notes == ()
    assert (np.array(PIL.Image.open(tmp_path / "p" / "1.png")) == frames[0]).all()
    told = write_clip(tmp_path / "j" / "%d.jpg", frames, F(1)).notes
    assert told == ("JPEG holds no alpha: the frames were laid over black.",)
    assert abs(np.array(PIL.Image.open(tmp_path / "j" / "1.jpg")).mean() - 80) <= 1


def test_an_earlier_sequence_is_replaced_as_a_whole(tmp_path: Path):
    pattern = tmp_path / "out" / "%03d.png"
    write_clip(pattern, greys(1, 2, 3), F(10))
    (tmp_path / "out" / "recipe.json").write_text(json.dumps({}))
    with pytest.raises(InputError, match=r"out already holds files\. Pass --overwrite"):
        write_clip(pattern, greys(9), F(10))
    assert len(names_in(tmp_path / "out")) == 4
    write_clip(pattern, greys(9), F(10), overwrite=True)
    assert names_in(tmp_path / "out") == ["001.png"]
    assert names_in(tmp_path) == ["out"]


def test_an_empty_folder_may_be_filled(tmp_path: Path):
    (tmp_path / "out").mkdir()
    write_clip(tmp_path / "out" / "%d.png", greys(1), F(10))
    assert names_in(tmp_path / "out") == ["1.png"]


@pytest.mark.parametrize("stranger", ["notes.txt", "004.png", "000.png", "001.jpg", ".hidden"])
def test_nobody_loses_files(tmp_path: Path, stranger: str):
    pattern = tmp_path / "out" / "%03d.png"
    write_clip(pattern, greys(1, 2), F(10))
    (tmp_path / "out" / stranger).write_text("dear")
    with pytest.raises(InputError) as caught:
        write_clip(pattern, greys(9), F(10), overwrite=True)
    assert str(caught.value) == (
        f"{tmp_path / 'out'} holds {stranger}, which is no picture of an earlier %03d.png. "
        "Choose a new folder; this one would be replaced as a whole."
    )
    assert (tmp_path / "out" / stranger).read_text() == "dear"
    assert len(names_in(tmp_path / "out")) == 3


def test_nobody_loses_a_file_that_came_meanwhile(tmp_path: Path):
    pattern = tmp_path / "out" / "%d.png"
    write_clip(pattern, greys(1), F(10))

    def slow():
        yield from greys(5)
        (tmp_path / "out" / "thesis.txt").write_text("dear")

    with pytest.raises(InputError, match=r"holds thesis\.txt"):
        write_clip(pattern, slow(), F(10), overwrite=True)
    assert names_in(tmp_path / "out") == ["1.png", "thesis.txt"]
    assert names_in(tmp_path) == ["out"]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (
            "out.png",
            r"out\.png names one picture; those of a clip need a number each\. Write a pattern such as .*/frames/%",
        ),
        ("out/%05d%d.png", "names one picture"),
        ("out/%s.png", "names one picture"),
        ("out/%5d.png", "names one picture"),
        ("%02d/%05d.png", r"names no folder for the pictures alone\. Write a pattern such as frames/%05d\.png"),
    ],
)
def test_names_that_number_nothing_are_refused(tmp_path: Path, path: str, words: str):
    with pytest.raises(InputError, match=words):
        write_clip(tmp_path / path, greys(1), F(10))
    assert names_in(tmp_path) == []


def test_the_working_folder_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="names no folder for the pictures alone"):
        write_clip(Path("%05d.png"), greys(1), F(10))


def test_places_that_are_no_folder_are_named(tmp_path: Path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="it is a file, not a folder"):
        write_clip(tmp_path / "file" / "%d.png", greys(1), F(10), overwrite=True)
    with pytest.raises(MediaError, match=r"^Cannot write .*below: "):
        write_clip(tmp_path / "file" / "below" / "%d.png", greys(1), F(10), overwrite=True)


def test_a_broken_clip_leaves_nothing(tmp_path: Path):
    def broken():
        yield from greys(1, 2)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_clip(tmp_path / "out" / "%d.png", broken(), F(10))
    assert names_in(tmp_path) == []


KILL = """
import os, random, signal, sys, time
from fractions import Fraction
from pathlib import Path
import numpy as np
from keyweave.media.writers import write_clip
folder = Path(sys.argv[1])
noise = np.random.default_rng(0).integers(0, 256, (40, 60, 80, 3), dtype=np.uint8)
def state():
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}
def write(frames):
    write_clip(folder / "%d.png", frames, Fraction(10), overwrite=True)
write(noise[20:])
old = state()
began = time.monotonic()
write(noise)
new, lasts = state(), time.monotonic() - began
chance = random.Random(5)
for _ in range(7):
    if not folder.exists():
        write(noise[20:])
    child = os.fork()
    if not child:
        write(noise)
        os._exit(0)
    time.sleep(chance.uniform(0, 1.1 * lasts))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    print(["none", "old", "new"][({}, old, new).index(state())])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork, and no SIGKILL")
def test_killed_at_any_moment_the_folder_is_the_old_the_new_or_none(tmp_path: Path):
    run = subprocess.run([sys.executable, "-c", KILL, tmp_path / "out"], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert len(run.stdout.split()) == 7
