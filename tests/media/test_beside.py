"""Films side by side: each at its place, at the first one's rate, as long as the longest."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from keyweave.base.errors import InputError
from keyweave.media.beside import beside
from keyweave.media.clips import open_frames
from keyweave.media.source import FrameSource
from keyweave.media.types import Clip, Frame
from keyweave.media.writers import write_clip

RED, GREEN = (220, 20, 20), (20, 180, 20)


def film(path: Path, colors: list[tuple[int, ...]], rate: int, size: tuple[int, int]) -> Path:
    frames = np.stack([np.full((size[1], size[0], len(color)), color, np.uint8) for color in colors])
    write_clip(path, iter(Clip(frames, Fraction(rate)).frames), Fraction(rate))
    return path


def shown(*paths: Path, height: int | None = None) -> list[Frame]:
    sources: list[FrameSource] = [open_frames(path) for path in paths]
    try:
        return list(beside(sources, [path.stem for path in paths], height=height))
    finally:
        for source in sources:
            source.close()


def colors_along(frame: Frame) -> Iterator[tuple[int, ...]]:
    """Yield the colours along the lowest row, each once."""
    before = None
    for pixel in map(tuple, frame[-1]):
        if pixel != before:
            yield pixel
        before = pixel


def test_each_lies_at_its_place_and_the_shorter_one_waits(tmp_path: Path):
    short = film(tmp_path / "a.png.apng", [RED, GREEN], 10, (40, 20))
    long = film(tmp_path / "b.apng", [GREEN, GREEN, GREEN, RED], 10, (30, 20))
    frames = shown(short, long, height=20)
    assert len(frames) == 4
    rows = [[color for color in colors_along(frame) if color in (RED, GREEN)] for frame in frames]
    assert rows == [[RED, GREEN], [GREEN, GREEN], [GREEN, GREEN], [GREEN, RED]]
    assert frames[0].shape[1] == 40 + 12 + 30
    assert all(frame.shape == frames[0].shape and not any(side % 2 for side in frame.shape[:2]) for frame in frames)
    assert (frames[0][:30, :40] != frames[0][0, 0]).any()  # its name


def test_another_rate_and_size_become_the_first_ones(tmp_path: Path):
    first = film(tmp_path / "a.apng", [RED] * 4, 8, (32, 16))
    other = film(tmp_path / "b.apng", [RED, GREEN], 4, (64, 64))
    frames = shown(first, other, height=32)
    assert len(frames) == 4
    assert [list(colors_along(frame))[-1] for frame in frames] == [RED, RED, GREEN, GREEN]
    assert frames[0].shape[1] == 64 + 12 + 32


def test_small_films_are_enlarged_by_whole_numbers(tmp_path: Path):
    path = film(tmp_path / "a.apng", [RED], 8, (64, 64))
    (frame,) = shown(path, path)
    assert frame.shape[1] == 2 * 320 + 12
    assert {tuple(pixel) for pixel in frame[-1]} == {RED, tuple(frame[-1, 325])}


def test_what_is_transparent_lies_over_checks(tmp_path: Path):
    path = film(tmp_path / "a.apng", [(0, 0, 0, 0)], 8, (32, 32))
    (frame,) = shown(path, path, height=32)
    assert {tuple(pixel) for pixel in frame[-1, :32]} == {(92, 92, 92), (116, 116, 116)}


@pytest.mark.parametrize(
    ("count", "height", "says"),
    [(1, None, "2 to 8 films can lie"), (9, None, "got 9"), (2, 8, "16 to 4096 pixels high; got 8")],
)
def test_what_cannot_be_shown_is_refused(tmp_path: Path, count: int, height: int | None, says: str):
    path = film(tmp_path / "a.apng", [RED], 8, (32, 32))
    with pytest.raises(InputError, match=says):
        shown(*[path] * count, height=height)
