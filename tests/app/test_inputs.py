"""What an output would replace, told before anything is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from keyweave.app.inputs import is_written_to

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("x/1.png", "x/2.png", "x/deep/key.png", "y/1.png", "w/1.webp", "w/film.mp4", "film.mp4"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"something")
    (tmp_path / "y/link.png").symlink_to(tmp_path / "x/1.png")
    (tmp_path / "x/link.png").symlink_to(tmp_path / "y/1.png")
    (tmp_path / "z").symlink_to(tmp_path / "x")
    return tmp_path


@pytest.mark.parametrize(
    ("source", "output"),
    [
        ("x", "x/%d.png"),
        ("x/%d.png", "x/%d.png"),
        ("x/%d.png", "x/%05d.png"),
        ("x/1.png", "x/%d.png"),
        ("x/deep/key.png", "x/%d.png"),
        ("x/deep", "x/%d.png"),
        ("y/../x/1.png", "x/%d.png"),
        ("y/link.png", "x/%d.png"),  # what it shows lies in x
        ("x/link.png", "x/%d.png"),  # the link itself does
        ("z/1.png", "x/%d.png"),
        ("z", "x/%d.png"),
        ("z/%d.png", "x/%d.png"),
        ("x/1.png", "z/%d.png"),
        ("w", "w/1.webp"),  # one film in place of one of the pictures
        ("w/%d.webp", "w/1.webp"),
        ("film.mp4", "film.mp4"),
        ("film.mp4", "x/../film.mp4"),
    ],
)
def test_an_input_that_an_output_would_replace_is_written_to(folder: Path, source: str, output: str):
    assert is_written_to(folder / source, folder / output)


@pytest.mark.parametrize(
    ("source", "output"),
    [
        ("x/1.png", "x/film.mp4"),  # one file replaces no folder
        ("x/1.png", "x/new/%d.png"),
        ("x/1.png", "y/%d.png"),
        ("x", "x/new/%d.png"),
        ("w", "w/new.webp"),
        ("w", "w/film.mp4"),  # an earlier film among the pictures that it was made of
        ("w/%d.webp", "w/film.mp4"),
        ("w", "y/1.webp"),
        ("x", "x.mp4"),
        ("film.mp4", "film/%d.png"),
        ("film.mp4", "other.mp4"),
        ("xy/1.png", "x/%d.png"),
    ],
)
def test_an_input_beside_the_output_is_left_alone(folder: Path, source: str, output: str):
    assert not is_written_to(folder / source, folder / output)
