"""The flow engine against scenes that are drawn at every time, and against its promises."""

from fractions import Fraction as F
from itertools import pairwise

import cv2
import numpy as np
import pytest

from keyweave.base.progress import Event, Progress
from keyweave.classical.crossfade import crossfade
from keyweave.classical.flow import _Meeting, flow
from keyweave.classical.mending import mend, without_specks
from keyweave.media.types import Frame, Image
from keyweave.perceive.flow import FlowPair, flow_between
from keyweave.protocols import Inbetweener
from keyweave.toyworld.landscape import landscape

HEIGHT, WIDTH = 120, 200
HALF = F(1, 2)


def texture(seed: int, height: int, width: int, base: float = 128) -> Frame:
    rng = np.random.default_rng(seed)
    layers = np.full((height, width, 3), base, np.float32)
    for grain in (3, 8, 24):
        seeds = rng.normal(size=(height // grain + 2, width // grain + 2, 3)).astype(np.float32)
        layers += 22 * cv2.resize(seeds, (width, height), interpolation=cv2.INTER_CUBIC)
    return layers.clip(0, 255).astype(np.uint8)


GROUND, THING = texture(0, HEIGHT, WIDTH, 110), texture(1, 41, 41, 190)


def scene(t: float) -> Frame:
    """A thing that crosses a third of the picture before a ground that stands still."""
    frame = GROUND.copy()
    x = round(40 + 66 * t)
    frame[40:81, x : x + 41] = THING
    return frame


def middle(a: Frame, b: Frame, *, linear_light: bool = False) -> Frame:
    (frame,) = flow(Image(a), Image(b), [HALF], linear_light=linear_light)
    return frame


def faded(a: Frame, b: Frame, at: F = HALF) -> Frame:
    (frame,) = crossfade(Image(a), Image(b), [at])
    return frame


def error(a: Frame, b: Frame) -> float:
    return float(np.mean((a.astype(float) - b) ** 2))


def test_a_thing_that_hides_the_ground_is_drawn_half_way():
    """7 decibels nearer to the truth than a cross-fade: a fifth of its squared error."""
    frames = list(flow(Image(scene(0)), Image(scene(1)), [F(1, 4), HALF, F(3, 4)]))
    for frame, at in zip(frames, (F(1, 4), HALF, F(3, 4)), strict=True):
        assert error(frame, scene(float(at))) < error(faded(scene(0), scene(1), at), scene(float(at))) / 5
    # What only one picture shows comes from it, without a ghost of what hides it in the other.
    assert error(frames[1][45:76, 40:60], GROUND[45:76, 40:60]) < 80
    assert error(frames[1][45:76, 128:145], GROUND[45:76, 128:145]) < 80


@pytest.mark.parametrize("radius", [9, 13, 18])
def test_a_small_thing_that_goes_far_is_drawn_half_way(radius: int):
    """It has too few features of its own, and is lost in the correlation of whole pictures whose ground drifts too."""
    ground = texture(9, 276, 490, 100)
    y, x = np.mgrid[:270, :480]

    def at(t: float) -> Frame:
        behind = ground[round(4 * t) :, round(8 * t) :][:270, :480]
        inside = np.hypot(x - 110 - 130 * t, y - 120) <= radius
        return np.where(inside[..., None], np.array([200, 170, 150], np.uint8), behind).astype(np.uint8)

    around = slice(95, 145), slice(150, 200)
    faded_error = error(faded(at(0), at(1))[around], at(0.5)[around])
    assert error(middle(at(0), at(1))[around], at(0.5)[around]) < 0.45 * faded_error


def share_at_half(forward: np.ndarray, backward: np.ndarray) -> np.ndarray:
    """How much is seen of the second of two pictures with nothing in common, were these their motions."""
    height, width = forward.shape[:2]
    a, b, believed = texture(10, height, width), texture(11, height, width), np.ones((height, width), np.float32)
    return _Meeting.of(a, b, FlowPair(forward, backward, believed, believed)).at(0.5)[1]


def test_what_is_stretched_has_no_specks():
    """Where a field opens up, points land here and there; which picture is seen still changes area by area."""
    opening = np.zeros((90, 160, 2), np.float32)
    opening[..., 0] = np.linspace(-200, 200, 160)
    share = share_at_half(opening, np.zeros_like(opening))
    assert np.abs(share - cv2.medianBlur(share, 5))[8:-8, 8:-8].max() < 0.42


def test_where_neither_picture_fits_they_dissolve_evenly():
    there, back = (np.broadcast_to(np.array(way, np.float32), (360, 640, 2)).copy() for way in ((6, 0), (3, 2)))
    share = share_at_half(there, back)[10:-10, 10:-10]
    assert np.abs(share - 0.5).mean() < 0.036


def test_stray_motions_are_not_carried():
    still = np.zeros((90, 160, 2), np.float32)
    strayed = still.copy()
    strayed[40:42, 80:82] = 30
    believed = np.ones((90, 160), np.float32)
    meeting = _Meeting.of(GROUND[:90, :160], GROUND[:90, :160], FlowPair(strayed, still, believed, believed))
    assert np.abs(meeting.carried[:, :2]).max() < 1e-3


@pytest.mark.parametrize("shift", [(8, 2), (66, 0), (0, 40)])
def test_a_pan_is_drawn_where_it_is(shift: tuple[int, int]):
    big = texture(2, 2 * HEIGHT, 2 * WIDTH)

    def at(t: float) -> Frame:
        x, y = round(10 + shift[0] * t), round(10 + shift[1] * t)
        return big[y : y + HEIGHT, x : x + WIDTH].copy()

    drawn = middle(at(0), at(1))
    assert error(drawn[4:-4, 4:-4], at(0.5)[4:-4, 4:-4]) < error(faded(at(0), at(1)), at(0.5)) / 10


def test_it_goes_on_beyond_the_ends():
    for at in (F(-1, 4), F(5, 4)):
        (frame,) = flow(Image(scene(0)), Image(scene(1)), [at])
        assert error(frame, scene(float(at))) < 0.4 * error(scene(0 if at < 0 else 1), scene(float(at)))


def test_it_comes_to_rest_in_the_pictures():
    near = F(1, 1000)
    start, stop = flow(Image(scene(0)), Image(scene(1)), [near, 1 - near])
    assert error(start, scene(0)) < 4
    assert error(stop, scene(1)) < 4


def test_neighbouring_times_are_neighbours():
    """No step of a fine walk is much larger than the others: nothing flickers."""
    walk = [frame.astype(float) for frame in flow(Image(scene(0)), Image(scene(1)), [F(k, 100) for k in range(30, 60)])]
    steps = np.array([np.abs(b - a).mean() for a, b in pairwise(walk)])
    assert steps.max() < 1.6 * np.median(steps)
    # And no pixel goes one way and back: second differences stay as small as first ones.
    turns = [np.abs(c - 2 * b + a).mean() for a, b, c in zip(walk, walk[1:], walk[2:], strict=False)]
    assert np.mean(turns) < 1.5 * np.mean(steps)


def test_equal_pictures_stay():
    assert np.abs(middle(GROUND, GROUND).astype(int) - GROUND).max() <= 1


def test_pictures_with_nothing_in_common_dissolve_with_a_word():
    a, b = np.random.default_rng(0).integers(0, 256, (2, HEIGHT, WIDTH, 3), dtype=np.uint8)
    heard: list[Event] = []
    (frame,) = flow(Image(a), Image(b), [F(1, 4)], progress=Progress("x", heard.append))
    assert np.abs(frame.astype(int) - faded(a, b, F(1, 4))).max() <= 1
    (said,) = [event.text for event in heard if event.kind == "warn"]
    assert said.startswith("The two pictures do not seem to show the same scene")
    assert "consider a cut, or the morph engine" in said


def test_related_pictures_pass_without_a_word():
    heard: list[Event] = []
    list(flow(Image(scene(0)), Image(scene(1)), [F(1, 4), HALF], progress=Progress("x", heard.append)))
    assert [event.kind for event in heard] == ["step", "step"]


def test_what_changes_beyond_recognition_dissolves_in_its_place():
    a, b = GROUND.copy(), GROUND.copy()
    a[30:90, 60:140], b[30:90, 60:140] = texture(5, 60, 80), texture(6, 60, 80)
    drawn = middle(a, b)
    inside = slice(38, 82), slice(68, 132)
    assert error(drawn[inside], faded(a, b)[inside]) < 0.15 * error(a[inside], b[inside])
    assert error(drawn[:24], GROUND[:24]) < 4


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (2, 3), (8, 8), (5, 90)])
@pytest.mark.parametrize("channels", [3, 4])
def test_tiny_pictures_are_no_trouble(size: tuple[int, int], channels: int):
    a, b = np.random.default_rng(0).integers(0, 256, (2, *size, channels), dtype=np.uint8)
    for frame in flow(Image(a), Image(b), [F(-3, 10), HALF, F(13, 10)]):
        assert frame.shape == a.shape
        assert frame.dtype == np.uint8


@pytest.mark.parametrize("linear_light", [False, True])
def test_flat_colours_meet_half_way(linear_light: bool):
    a, b = np.zeros((20, 30, 3), np.uint8), np.full((20, 30, 3), 255, np.uint8)
    assert np.abs(middle(a, b, linear_light=linear_light).astype(int) - (188 if linear_light else 128)).max() <= 1


def test_linear_light_leaves_what_stays():
    assert np.abs(middle(GROUND, GROUND, linear_light=True).astype(int) - GROUND).max() <= 1


@pytest.mark.parametrize("linear_light", [False, True])
def test_alpha_is_carried_along(linear_light: bool):
    def cel(t: float) -> Frame:
        frame = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
        frame[..., 1] = 255  # a green that must never be seen
        x = round(40 + 20 * t)
        frame[40:81, x : x + 41] = np.dstack([THING, np.full((41, 41, 1), 255, np.uint8)])
        return frame

    drawn = middle(cel(0), cel(1), linear_light=linear_light)
    truth = cel(0.5)
    assert np.abs(drawn[..., 3].astype(int) - truth[..., 3]).mean() < 2
    solid = drawn[..., 3] > 200
    assert solid.sum() > 1400
    assert np.abs(drawn[solid][:, :3].astype(int) - truth[solid][:, :3]).mean() < 12
    part = (drawn[..., 3] > 20) & (drawn[..., 3] < 235)
    greenness = drawn[part][:, 1].astype(int) - drawn[part][:, [0, 2]].max(axis=1)
    assert np.quantile(greenness, 0.95) < 70 if part.any() else True


def test_the_same_again():
    again: Inbetweener = flow
    times = [F(1, 3), F(2, 3)]
    first, second = (
        np.stack(
            list(again(Image(scene(0)), Image(scene(1)), times, seed=seed, progress=Progress("x", lambda _: None)))
        )
        for seed in (1, 2)
    )
    np.testing.assert_array_equal(first, second)


def test_frames_come_one_by_one_in_the_order_asked():
    times = [F(3, 4), F(1, 4), F(3, 4)]
    frames = flow(Image(scene(0)), Image(scene(1)), times)
    late, early, again = frames
    np.testing.assert_array_equal(late, again)
    assert error(late, scene(0.75)) < error(early, scene(0.75))


def test_large_pictures_are_carried_on_a_smaller_grid():
    a, truth, b = (scene(t).repeat(5, axis=0).repeat(5, axis=1) for t in (0, 0.5, 1))
    assert error(middle(a, b), truth) < error(faded(a, b), truth) / 5


def test_mending_follows_colour():
    """An unknown strip of the ground's colour moves with the ground, though a moving thing is as near."""
    guide = np.full((40, 60, 3), 50, np.uint8)
    guide[:, 30:] = 200
    motion = np.zeros((40, 60, 2), np.float32)
    motion[:, 30:, 0] = 9
    trust = np.ones((40, 60), np.float32)
    unknown = slice(None), slice(22, 30)
    trust[unknown] = 0
    broken = motion.copy()
    broken[unknown] = 77
    mended = mend(broken, trust, guide)
    assert np.abs(mended[unknown]).max() < 0.5
    np.testing.assert_allclose(mended[:, 30:], motion[:, 30:], atol=1e-4)


def test_mending_without_any_trust_stands_still():
    noise = np.random.default_rng(0).normal(size=(30, 20, 2)).astype(np.float32)
    assert not mend(noise, np.zeros((30, 20), np.float32), np.zeros((30, 20, 3), np.uint8)).any()


def test_a_few_stray_motions_are_taken_away_and_edges_stay():
    motion = np.zeros((40, 60, 2), np.float32)
    motion[:, 30:, 0] = 9
    strayed = motion.copy()
    strayed[10:12, 10:12], strayed[20, 45] = 50, -50
    np.testing.assert_array_equal(without_specks(strayed), motion)


def test_where_the_light_changes_nothing_stands_out_like_a_patch():
    """Noon becomes dusk while a boat passes: what only one picture shows is not taken from it alone."""

    def share(before: str, after: str) -> np.ndarray:
        a, b = (landscape(light, 160, 90, boat=(at, 0.4)).pixels for light, at in ((before, 0.4), (after, 0.55)))
        return _Meeting.of(a, b, flow_between(a, b)).at(0.25)[1]

    np.testing.assert_allclose(share("noon", "dusk"), 0.25, atol=0.02)
    assert np.abs(share("noon", "noon") - 0.25).max() > 0.2
