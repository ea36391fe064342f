"""Subjects are told from their background: measured on creatures whose outline is known."""

import numpy as np
import pytest

from keyweave.base.errors import InputError
from keyweave.perceive.masks import grown, movement, shared_background, subject_masks
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
