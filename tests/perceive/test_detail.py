"""Detail of keyframes in a clip that lost it, against the clip that never did."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyweave.base.progress import Event, Progress
from keyweave.media.types import Frame
from keyweave.perceive.detail import detailed

HEIGHT, WIDTH, FRAMES = 96, 128, 9


def texture(seed: int, width: int = WIDTH) -> Frame:
    """Ground with detail of all sizes."""
    rng = np.random.default_rng(seed)
    layers = [rng.integers(0, 256, (HEIGHT // size + 1, width // size + 1, 3)) for size in (2, 6, 24)]
    large = [cv2.resize(layer.astype(np.float32), (width, HEIGHT), interpolation=cv2.INTER_CUBIC) for layer in layers]
    return np.clip(np.mean(large, axis=0), 0, 255).astype(np.uint8)


def smoothed(clip: Frame) -> Frame:
    """What an autoencoder does to frames."""
    return np.stack([cv2.GaussianBlur(frame, (0, 0), 1.5) for frame in clip])


def pan(speed: int) -> Frame:
    ground = texture(3, WIDTH + speed * FRAMES)
    return np.stack([ground[:, speed * k : speed * k + WIDTH] for k in range(FRAMES)])


def crossing() -> Frame:
    """A disc that goes across the ground, and hides some of it at either end."""
    ground, skin = texture(4), texture(5) // 3 + 150
    y, x = np.mgrid[:HEIGHT, :WIDTH]

    def frame(k: int) -> Frame:
        inside = np.hypot(x - 30 - 8 * k, y - 48) < 16
        return np.where(inside[..., None], np.roll(skin, 8 * k, axis=1), ground).astype(np.uint8)

    return np.stack([frame(k) for k in range(FRAMES)])


def error(a: Frame, b: Frame) -> float:
    return float(np.square(a.astype(float) - b).mean())


def carried(clip: Frame, smooth: Frame) -> Frame:
    return np.stack(list(detailed(smooth, clip[0], clip[-1])))


@pytest.mark.parametrize("speed", [0, 1, 3])
def test_what_stands_and_what_is_panned_over_is_as_sharp_as_in_the_keyframes(speed: int):
    clip = pan(speed)
    smooth = smoothed(clip)
    found = carried(clip, smooth)
    assert np.array_equal(found[[0, -1]], clip[[0, -1]])
    most = 0.01 if speed == 0 else 0.1
    for k in range(1, FRAMES - 1):
        assert error(found[k], clip[k]) < most * error(smooth[k], clip[k])


def test_what_an_end_hides_comes_from_the_other_without_a_ghost():
    clip = crossing()
    smooth = smoothed(clip)
    found = carried(clip, smooth)
    middle = FRAMES // 2
    start, stop = (slice(36, 60), slice(18, 42)), (slice(36, 60), slice(82, 106))
    for place in (start, stop):  # where the disc is at one end, and ground is in the middle
        due = clip[middle][place]
        assert error(found[middle][place], due) < 0.5 * error(smooth[middle][place], due)
    assert error(found[middle], clip[middle]) < 0.15 * error(smooth[middle], clip[middle])


def test_a_clip_that_shows_something_else_keeps_to_itself():
    clip = pan(0)
    other = smoothed(np.stack([texture(9 + k) for k in range(FRAMES)]))
    ends = np.concatenate([smoothed(clip[:1]), other[1:-1], smoothed(clip[-1:])])
    found = carried(clip, ends)
    lost = error(clip[0], ends[0])
    assert all(error(found[k], ends[k]) < 0.2 * lost for k in range(1, FRAMES - 1))


@given(st.integers(0, 2**16), st.integers(2, 5), st.integers(1, 20), st.integers(1, 20))
def test_a_clip_that_lost_nothing_stays_as_it_is(seed: int, frames: int, height: int, width: int):
    clip = np.random.default_rng(seed).integers(0, 256, (frames, height, width, 3), np.uint8)
    assert np.array_equal(carried(clip, clip), clip)


def test_a_fourth_channel_stays_and_each_frame_is_a_step():
    clip = pan(1)
    veiled = np.concatenate([smoothed(clip), np.full((FRAMES, HEIGHT, WIDTH, 1), 255, np.uint8)], axis=3)
    keys = [np.dstack([clip[k], np.full((HEIGHT, WIDTH), 255, np.uint8)]) for k in (0, -1)]
    events: list[Event] = []
    progress = Progress("detail", events.append, total=FRAMES - 2)
    found = np.stack(list(detailed(veiled, keys[0], keys[1], progress)))
    assert (found[..., 3] == 255).all()
    assert np.array_equal(found[..., :3], carried(clip, smoothed(clip)))
    assert sum(event.kind == "step" for event in events) == FRAMES - 2


def test_what_an_end_has_drawn_otherwise_leads_over_and_leaves_no_ghost():
    """A keyframe shows a thing that the clip forgot: its ground, which the flow follows, must not take it along."""
    ground = np.stack([texture(6)] * FRAMES)
    keys = ground.copy()
    thing = slice(30, 60), slice(50, 80)
    keys[0][thing] = 255 - keys[0][thing]
    found = carried(keys, smoothed(ground))
    whole = error(keys[0][thing], ground[0][thing])
    left = [error(found[k][thing], ground[k][thing]) / whole for k in range(FRAMES)]
    assert 0.1 < left[1] < 0.5
    assert max(left[3:]) < 0.02
    # All around, detail comes back.
    assert error(found[4][:, 90:], ground[4][:, 90:]) < 0.1 * error(smoothed(ground)[4][:, 90:], ground[4][:, 90:])
