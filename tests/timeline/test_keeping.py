"""Clips are made once, whoever asks again, and a damaged one is made again."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyweave.timeline.keeping import Keeper, Recent, kept_seed


class Maker:
    """Makes a clip that tells how often it was asked."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> np.ndarray:
        self.times += 1
        return np.full((2, 3, 4, 3), self.times, np.uint8)


def pictures(*levels: int) -> list[np.ndarray]:
    return [np.full((3, 4, 3), level, np.uint8) for level in levels]


def test_a_clip_is_made_once(tmp_path: Path):
    make = Maker()
    for _ in range(2):
        found = Keeper(tmp_path / "clips", "a", 1).clip(pictures(1, 2), 5, make)
        np.testing.assert_array_equal(found, np.full((2, 3, 4, 3), 1, np.uint8))
    assert make.times == 1


@pytest.mark.parametrize(
    ("mark", "levels", "shape", "seed"),
    [
        ("b", (1, 2), (3, 4, 3), 5),
        ("a", (2, 1), (3, 4, 3), 5),
        ("a", (1, 3), (3, 4, 3), 5),
        ("a", (1, 2), (4, 3, 3), 5),
        ("a", (1, 2), (3, 4, 3), 6),
    ],
)
def test_whatever_differs_is_another_clip(
    tmp_path: Path, mark: str, levels: tuple[int, int], shape: tuple[int, ...], seed: int
):
    make = Maker()
    Keeper(tmp_path, "a", 1).clip(pictures(1, 2), 5, make)
    Keeper(tmp_path, mark, 1).clip([picture.reshape(shape) for picture in pictures(*levels)], seed, make)
    assert make.times == 2


@given(cut=st.integers(0, 127 + 72))
def test_a_file_that_was_cut_short_is_made_again(tmp_path_factory: pytest.TempPathFactory, cut: int):
    folder, make = tmp_path_factory.mktemp("clips"), Maker()
    keeper = Keeper(folder, "a", 1)
    keeper.clip(pictures(1, 2), 5, make)
    (path,) = folder.glob("*.npy")
    path.write_bytes(path.read_bytes()[:cut])
    assert (keeper.clip(pictures(1, 2), 5, make) == 2).all()
    assert (keeper.clip(pictures(1, 2), 5, make) == 2).all()
    assert make.times == 2


def test_the_last_clips_are_remembered_as_far_as_there_is_room():
    make = Maker()
    recent = Recent(room=2 * 2 * 3 * 4 * 3)
    for seed, made in ((1, 1), (2, 2), (1, 1), (3, 3), (1, 1), (2, 4)):
        assert (recent.clip(pictures(1, 2), seed, make) == made).all()
    small = Recent(room=1)
    assert [int(small.clip(pictures(1), seed, make)[0, 0, 0, 0]) for seed in (1, 1, 2, 1)] == [5, 5, 6, 7]


def test_what_is_remembered_is_kept_as_well(tmp_path: Path):
    make = Maker()
    for _ in range(2):
        recent = Recent(Keeper(tmp_path, "a", 1))
        assert [int(recent.clip(pictures(1, 2), 5, make)[0, 0, 0, 0]) for _ in range(2)] == [1, 1]
    assert len(list(tmp_path.glob("*.npy"))) == 1


def test_what_is_no_clip_is_made_again(tmp_path: Path):
    make, keeper = Maker(), Keeper(tmp_path, "a", 1)
    keeper.clip(pictures(1, 2), 5, make)
    (path,) = tmp_path.glob("*.npy")
    for wrong in (np.zeros((2, 3, 4, 3)), np.zeros((3, 4, 3), np.uint8), np.array([{}], dtype=object)):
        np.save(path, wrong)
        keeper.clip(pictures(1, 2), 5, make)
    assert make.times == 4


def test_nothing_is_left_of_a_clip_that_failed(tmp_path: Path):
    def fail() -> np.ndarray:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Keeper(tmp_path / "clips", "a", 1).clip(pictures(1), 5, fail)
    assert not (tmp_path / "clips").exists()
    assert kept_seed(tmp_path / "clips") is None


def test_the_seed_of_the_job_is_remembered(tmp_path: Path):
    assert kept_seed(tmp_path) is None
    Keeper(tmp_path, "a", 77).clip(pictures(1), 5, Maker())
    assert kept_seed(tmp_path) == 77
    (tmp_path / "seed.txt").write_text("seven", encoding="ascii")
    assert kept_seed(tmp_path) is None
