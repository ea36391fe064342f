"""Cuts are found between shots, and not where a picture moves, fades or is noisy."""

import numpy as np
import pytest

from keyweave.media.types import Frame
from keyweave.perceive.cuts import CutFinder
from keyweave.toyworld.landscape import landscape
from keyweave.toyworld.scenes import KINDS, scene_of
from keyweave.toyworld.shots import shoot

WIDE = landscape("noon", 640, 180, boat=(0.5, 0.5)).pixels


def cuts(frames: list[Frame]) -> list[int]:
    finder = CutFinder()
    return [number for number, frame in enumerate(frames) if finder.is_cut(frame)]


def shot(kind, number: int) -> list[Frame]:
    return list(shoot(scene_of("test", number, kind=kind, aspect=16 / 9), width=192, height=108).frames)


@pytest.mark.parametrize(("one", "other"), [("car", "fish"), ("comet", "boat"), ("bird", "walker"), ("fish", "flower")])
def test_a_cut_between_two_places_is_found(one, other):
    assert cuts([*shot(one, 1), *shot(other, 2), *shot(one, 5)]) == [14, 28]


@pytest.mark.parametrize("kind", KINDS)
def test_a_shot_of_one_thing_has_none(kind):
    for number in range(4):
        assert cuts(shot(kind, number)) == []


@pytest.mark.parametrize("step", [2, 10, 32])  # the last is a tenth of the width
def test_a_pan_has_none(step: int):
    assert cuts([WIDE[:, at : at + 320] for at in range(0, 320, step)]) == []


def test_a_fade_has_none():
    noon, night = (landscape(light, 160, 90).pixels.astype(float) for light in ("noon", "night"))
    assert cuts([np.uint8(noon + (night - noon) * t) for t in np.linspace(0, 1, 12)]) == []  # pyright: ignore[reportArgumentType]


def test_noise_has_none():
    chance = np.random.default_rng(0)
    still = landscape("dusk", 160, 90).pixels.astype(int)
    frames = [np.clip(still + chance.normal(0, 30, still.shape), 0, 255).astype(np.uint8) for _ in range(10)]
    assert cuts(frames) == []


def test_black_and_white_frames_and_alpha():
    black, white = np.zeros((2, 90, 160, 4), np.uint8)
    white = white + np.uint8(255)
    assert cuts([black, black, white, white]) == [2]
    assert cuts([black] * 3) == []
