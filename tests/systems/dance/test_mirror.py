"""Mirrored keyframes: compared with creatures that were drawn in the mirrored pose."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from keyweave.base.errors import InputError
from keyweave.media.types import Image
from keyweave.metrics.fidelity import psnr
from keyweave.perceive.masks import grown
from keyweave.systems.dance.mirror import empty_scene, mirror_keyframes
from keyweave.toyworld.creature import posing, shoot_creature

SIZE = 128


@pytest.fixture(scope="module")
def drawn():
    """Pictures of a creature without left and right, its masks, and the same poses mirrored."""
    scene = replace(posing(3, 4), marked=False)
    shot = shoot_creature(scene, width=SIZE, height=SIZE, truth=True)
    assert shot.truth is not None
    return shot.frames, shot.truth.masks()[:, 0], shoot_creature(scene.mirrored(), width=SIZE, height=SIZE).frames


def images(frames: np.ndarray) -> list[Image]:
    return [Image(frame) for frame in frames]


def test_the_mirrored_pose_is_what_would_be_drawn(drawn):
    frames, masks, expected = drawn
    found = mirror_keyframes(images(frames), axis=SIZE / 2, masker=lambda _: masks)
    assert len(found.pictures) == 8
    for made, real, before in zip(found.pictures[4:], expected, frames, strict=True):
        # What the creature always hides is not known; everything else is.
        assert psnr(made.pixels, real) > 24
        assert psnr(made.pixels, real) > psnr(before, real) + 6


def test_masks_are_found_without_help(drawn):
    frames, masks, expected = drawn
    found = mirror_keyframes(images(frames), axis=SIZE / 2)
    assert ((found.masks[:4] & masks).sum() / (found.masks[:4] | masks).sum()) > 0.88
    assert np.mean([psnr(a.pixels, b) for a, b in zip(found.pictures[4:], expected, strict=True)]) > 23


def test_keyframes_stay_about_as_they_were_before_one_background(drawn):
    frames, masks, _ = drawn
    found = mirror_keyframes(images(frames), masker=lambda _: masks)
    outside = ~grown(masks.any(axis=0), 3)  # the outline is soft
    for made, before in zip(found.pictures[:4], frames, strict=True):
        assert psnr(made.pixels, before) > 26
        assert np.abs(made.pixels[outside].astype(int) - found.background.pixels[outside]).max() <= 1
    kept = mirror_keyframes(images(frames), masker=lambda _: masks, keep=True)
    assert all(np.array_equal(a.pixels, b) for a, b in zip(kept.pictures[:4], frames, strict=True))


def test_mirroring_twice_about_one_line_brings_masks_back(drawn):
    frames, masks, _ = drawn
    found = mirror_keyframes(images(frames), axis=60.5, masker=lambda _: masks)
    again = mirror_keyframes(found.pictures[4:], axis=60.5, masker=lambda _: found.masks[4:])
    assert np.array_equal(again.masks[4:], masks)
    assert found.axis == 60.5
    assert found.mirror.tolist() == [4, 5, 6, 7, 0, 1, 2, 3]


def test_the_middle_of_the_subjects_is_the_axis(drawn):
    frames, masks, _ = drawn
    columns = np.flatnonzero(masks.any(axis=(0, 1)))
    found = mirror_keyframes(images(frames), masker=lambda _: masks)
    assert found.axis == (columns[0] + columns[-1] + 1) / 2
    assert found.notes == ()
    there = np.flatnonzero(found.masks.any(axis=(0, 1)))
    assert (there[0], there[-1]) == (columns[0], columns[-1])


def test_a_keyframe_in_a_slightly_other_light_is_brought_to_that_of_the_others(drawn):
    frames, masks, _ = drawn
    tinted = frames.copy()
    tinted[1] = np.clip(tinted[1] * np.array([1.06, 1.0, 0.94]), 0, 255)
    found = mirror_keyframes(images(tinted), masker=lambda _: masks)
    assert psnr(found.pictures[1].pixels, frames[1]) > psnr(tinted[1], frames[1]) + 2


def test_who_leaves_the_picture_is_said(drawn):
    frames, masks, _ = drawn
    found = mirror_keyframes(images(frames), axis=20, masker=lambda _: masks)
    assert found.notes == (
        "Turned about the line at 20, a part of the subject leaves the picture in keyframe 1, 2, 3, 4.",
    )


def test_the_hole_is_filled_smoothly():
    ramp = np.repeat(np.linspace(40, 200, 96)[:, None], 96, axis=1)
    frame = np.repeat(ramp[..., None], 3, axis=2).astype(np.uint8)
    masks = np.zeros((1, 96, 96), bool)
    masks[0, 30:60, 30:60] = True
    hidden = frame.copy()
    hidden[masks[0]] = 255
    filled = empty_scene([hidden], masks)
    assert np.abs(filled.astype(int) - frame).mean(axis=2)[masks[0]].mean() < 12
    assert np.array_equal(filled[:20], frame[:20])


@pytest.mark.parametrize(
    ("given", "axis", "says"),
    [
        ([], None, "There are no keyframes"),
        ([(8, 8, 3), (8, 9, 3)], None, "one size and no alpha; got 8x8, 9x8"),
        ([(8, 8, 4)], None, "one size and no alpha; got 8x8"),
        ([(8, 8, 3)], 8, "from 0 to 8; got 8"),
    ],
)
def test_what_cannot_be_mirrored_is_refused(given, axis, says):
    def middle(frames):
        masks = np.zeros((len(frames), 8, 8), bool)
        masks[:, 3:5, 3:5] = True
        return masks

    with pytest.raises(InputError, match=says):
        mirror_keyframes([Image(np.zeros(shape, np.uint8)) for shape in given], axis=axis, masker=middle)


def test_a_subject_that_hides_everything_is_refused():
    with pytest.raises(InputError, match="hides all of the background"):
        empty_scene([np.zeros((8, 8, 3), np.uint8)], np.ones((1, 8, 8), bool))


def peak(count: int, *, keep: bool = False) -> int:
    """Return the most bytes that mirroring so many keyframes takes, besides themselves and their masks."""
    frames = np.random.default_rng(count).integers(0, 256, (count, TALL, 48, 3), np.uint8)
    masks = np.zeros(frames.shape[:3], bool)
    for number in range(count):
        masks[number, 40 * number : 40 * number + 200, 10:30] = True
    tracemalloc.start()
    mirror_keyframes(images(frames), masker=lambda _: masks, keep=keep)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most


TALL = 960  # rows, many bands of them


@pytest.mark.parametrize(("keep", "held"), [(False, 3 + 3 + 2), (True, 3 + 2)])
def test_each_keyframe_more_takes_little_more_memory_than_its_pictures(keep: bool, held: int):
    """Two pictures, or one, and two masks are held; what is computed is for one keyframe at a time."""
    more = (peak(12, keep=keep) - peak(4, keep=keep)) / (8 * TALL * 48)
    assert held - 0.5 < more < held + 2


def test_one_keyframe_takes_little_memory_too():
    assert peak(1) / (TALL * 48) < 50
