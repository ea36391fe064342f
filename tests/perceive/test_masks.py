"""Subjects are told from their background: measured on creatures whose outline is known."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyweave.base.errors import InputError, KeyweaveError
from keyweave.media.pictures.images import write_image
from keyweave.media.types import Image
from keyweave.perceive.masks import grown, movement, read_masks, shared_background, subject_boxes, subject_masks
from keyweave.toyworld.creature import posing, shoot_creature

SIZE = 128


@pytest.fixture(scope="module")
def creature():
    shot = shoot_creature(posing(5, 4), width=SIZE, height=SIZE, truth=True)
    assert shot.truth is not None
    return shot.frames, shot.truth.masks()[:, 0]


def overlap(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return (one & other).sum((1, 2)) / (one | other).sum((1, 2))


def test_a_creature_is_cut_out(creature):
    frames, truth = creature
    assert overlap(subject_masks(list(frames)), truth).min() >= 0.93


def test_grain_is_no_subject(creature):
    frames, truth = creature
    chance = np.random.default_rng(0)
    grainy = np.clip(frames + chance.normal(0, 6, frames.shape), 0, 255).astype(np.uint8)
    assert overlap(subject_masks(list(grainy)), truth).min() >= 0.9


def test_of_one_picture_the_middle_is_taken():
    picture = np.full((60, 80, 3), (40, 160, 60), np.uint8)
    picture[15:45, 30:50] = (200, 40, 40)
    truth = np.zeros((1, 60, 80), bool)
    truth[0, 15:45, 30:50] = True
    assert overlap(subject_masks([picture]), truth)[0] >= 0.98


def test_large_pictures_are_looked_at_small(creature):
    frames, truth = creature
    large = [np.repeat(np.repeat(frame, 5, 0), 5, 1) for frame in frames[:2]]
    masks = subject_masks(large)
    assert masks.shape == (2, 5 * SIZE, 5 * SIZE)
    assert overlap(masks, np.repeat(np.repeat(truth[:2], 5, 1), 5, 2)).min() >= 0.93


def test_the_same_pictures_give_the_same_masks(creature):
    frames, _ = creature
    assert np.array_equal(subject_masks(list(frames[:2])), subject_masks(list(frames[:2])))


def test_movement_is_where_something_moved():
    frames = np.full((3, 40, 40, 3), 90, np.uint8)
    frames[0, 5:15, 5:15] = 220
    moved = movement(list(frames))
    assert moved[0, 10, 10] > 60
    assert moved[0, 30:, 30:].max() < 1
    assert moved[1:].max() < 1


def test_the_background_is_what_is_seen_outside_of_masks():
    frames = [np.full((4, 4, 3), level, np.uint8) for level in (10, 20, 60)]
    masks = np.zeros((3, 4, 4), bool)
    masks[2, :2] = True  # two pictures left there: their middle
    masks[:, 3, 3] = True
    background, hidden = shared_background(frames, masks)
    assert (background[:2] == 15).all()
    assert (background[2] == 20).all()
    assert hidden.sum() == 1
    assert hidden[3, 3]


@given(st.integers(1, 6), st.integers(0, 2**32 - 1), st.sampled_from([1, 63, 64, 65, 130]))
def test_the_background_is_the_median_that_numpy_tells(count: int, seed: int, height: int):
    chance = np.random.default_rng(seed)
    frames = chance.integers(0, 256, (count, height, 2, 3), np.uint8)
    masks = chance.random((count, height, 2)) < chance.random()
    shown = np.where(masks[..., None], np.nan, frames.astype(np.float64))
    hidden = masks.all(axis=0)
    shown[:, hidden] = 0
    background, found = shared_background(list(frames), masks)
    assert np.array_equal(found, hidden)
    assert np.array_equal(background, np.nanmedian(shown, axis=0).round())


def test_growing_and_taking_away():
    mask = np.zeros((9, 9), bool)
    mask[4, 4] = True
    assert grown(mask, 0) is mask
    assert grown(mask, 2)[4, 2]
    assert not grown(mask, 2)[2, 2]  # round, not square
    assert np.array_equal(grown(grown(mask, 2), -2), mask)


@pytest.mark.parametrize("pictures", [[np.zeros((8, 8, 3), np.uint8), np.zeros((8, 9, 3), np.uint8)], []])
def test_several_sizes_are_refused(pictures):
    with pytest.raises(InputError, match="have one size"):
        subject_masks(pictures)


def test_nobody_is_said():
    with pytest.raises(InputError, match=r"No subject was found in picture 1 of 1\. Take pictures of one subject"):
        subject_masks([np.full((40, 40, 3), 128, np.uint8)])


def test_boxes_are_drawn_around_subjects(creature):
    frames, truth = creature
    for large in (1, 5):  # looked at small, told in full size
        boxes = subject_boxes([np.repeat(np.repeat(frame, large, 0), large, 1) for frame in frames])
        for box, mask in zip(boxes / large, truth, strict=True):
            rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
            np.testing.assert_allclose(box, (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1), atol=3)


def test_a_box_is_drawn_even_around_nobody():
    """Where nothing can be told apart, the middle is where somebody would be."""
    (box,) = subject_boxes([np.full((50, 100, 3), 128, np.uint8)])
    assert box.tolist() == [12, 6, 88, 44]


SUBJECT = np.zeros((6, 8), bool)
SUBJECT[1:4, 2:7] = True


def test_masks_of_ones_own_are_white_or_not_transparent(tmp_path: Path):
    grey = np.where(SUBJECT[..., None], (200, 190, 210), (90, 20, 30)).astype(np.uint8)
    alpha = np.dstack([np.full((6, 8, 3), 5, np.uint8), np.where(SUBJECT, 180, 40).astype(np.uint8)])
    solid = np.dstack([grey, np.full((6, 8), 255, np.uint8)])
    for name, pixels in (("a.png", grey), ("b.png", alpha), ("c.png", solid)):
        write_image(tmp_path / name, Image(pixels))
    pictures = [Path("elsewhere") / name for name in ("a.png", "b.jpg", "c.png")]
    masks = read_masks(tmp_path, pictures, [(8, 6)] * 3)
    assert np.array_equal(masks, np.stack([SUBJECT] * 3))


@pytest.mark.parametrize(
    ("names", "size", "says"),
    [
        (["a.png", "b.png"], (8, 6), r"has no mask for b\.png\. Put a mask for each"),
        (["a.png"], (8, 7), r"The mask .*a\.png is 8x6, its picture 8x7\. Paint masks as large as"),
        (["empty.png"], (8, 6), r"The mask .*empty\.png marks none of its picture\. Paint the subject white"),
        (["full.png"], (8, 6), r"The mask .*full\.png marks all of its picture"),
        (["one/a.png", "two/a.png"], (8, 6), r"Two of the pictures are called a\.png"),
        (["broken.png"], (8, 6), "broken.png"),
    ],
)
def test_masks_that_do_not_fit_are_refused(tmp_path: Path, names: list[str], size: tuple[int, int], says: str):
    for name, mask in (("a.png", SUBJECT), ("empty.png", SUBJECT & False), ("full.png", SUBJECT | True)):
        write_image(tmp_path / name, Image(np.repeat(np.where(mask, 255, 0).astype(np.uint8)[..., None], 3, axis=2)))
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(KeyweaveError, match=says):
        read_masks(tmp_path, [Path(name) for name in names], [size] * len(names))


def test_masks_of_several_sizes_are_refused(tmp_path: Path):
    with pytest.raises(InputError, match="have one size"):
        read_masks(tmp_path, [Path("a.png"), Path("b.png")], [(8, 6), (8, 7)])


def test_a_folder_that_is_not_there_is_said(tmp_path: Path):
    with pytest.raises(InputError, match=r"There is no folder .*none of masks\. Put a mask for each picture into it"):
        read_masks(tmp_path / "none", [Path("a.png")], [(8, 6)])
