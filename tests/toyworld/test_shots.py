"""The drawn world: the truth about a clip agrees with its pixels, and time runs one way."""

from itertools import pairwise

import numpy as np
import pytest

from keyweave.base.errors import InputError
from keyweave.toyworld.actors import ACTORS, COLORS
from keyweave.toyworld.courses import along, bounces, curve
from keyweave.toyworld.ink import Part, box, chained, draw, mark, placed
from keyweave.toyworld.scenes import KINDS, Role, Scene, invented, scene_of
from keyweave.toyworld.shots import shoot


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("width", "height"), [(64, 64), (96, 54)])
def test_any_size_and_the_same_for_the_same_seed(kind, width: int, height: int):
    scene = scene_of("train", 3, kind=kind, aspect=width / height)
    one, again = (shoot(scene, frames=5, width=width, height=height, truth=truth) for truth in (False, True))
    assert one.frames.shape == (5, height, width, 3)
    np.testing.assert_array_equal(one.frames, again.frames)
    assert not np.array_equal(one.frames, shoot(scene_of("train", 4, kind=kind), frames=5).frames[:, :height, :width])


@pytest.mark.parametrize("aspect", [0.5, 9 / 16, 0.75])
def test_there_are_scenes_for_narrow_pictures(aspect: float):
    for number in range(150):
        scene = scene_of("train", number, kind="flower", aspect=aspect)
        assert all(0 < role.course.points[0, 0] < aspect for role in scene.cast)


def test_splits_never_meet():
    seeds = {
        split: {scene_of(split, number).seed for number in range(400)} for split in ("train", "validation", "test")
    }
    assert all(len(found) == 400 for found in seeds.values())
    assert not seeds["train"] & seeds["test"]
    assert not seeds["train"] & seeds["validation"]
    assert not seeds["validation"] & seeds["test"]
    with pytest.raises(InputError, match="'exam' is no split"):
        scene_of("exam", 0)  # pyright: ignore[reportArgumentType]


def test_what_moves_goes_the_way_it_looks():
    """An actor's nose is on the side it goes to: its poses say so, and its mask follows them."""
    for number in range(40):
        shot = shoot(invented(number), truth=True)
        truth = shot.truth
        assert truth is not None
        for role, pose in zip(shot.scene.cast, truth.poses.transpose(1, 0, 2), strict=True):
            if role.kind == "flower":
                continue
            way = pose[-1, 0] - pose[0, 0] + shot.scene.pan * 64
            assert np.sign(way) == np.sign(np.cos(pose[0, 2]))


@pytest.mark.parametrize("kind", KINDS)
def test_masks_lie_about_the_poses(kind):
    seen = 0
    for number in range(12):
        scene = scene_of("test", number, kind=kind)
        shot = shoot(Scene(scene.place, scene.light, scene.cast[-1:], scene.pan, None, scene.seed), truth=True)
        assert shot.truth is not None
        middles, poses = shot.truth.centroids()[:, 0], shot.truth.poses[:, 0]
        inside = (np.abs(poses[:, :2] - 32) < 32 - poses[:, 3:] * 0.6).all(axis=1)
        apart = np.linalg.norm(middles - poses[:, :2], axis=1)[inside]
        assert (apart < 0.4 * poses[inside, 3]).all()
        seen += int(inside.sum())
    assert seen > 12


@pytest.mark.parametrize("kind", KINDS)
def test_flow_leads_to_the_same_part_with_the_same_colour(kind):
    """Following the flow, what stays visible keeps its colour; standing still, it does not."""
    moved, stayed = [], []
    for number in range(6):
        shot = shoot(scene_of("test", number, kind=kind), frames=6, width=96, height=96, truth=True)
        assert shot.truth is not None
        for start, stop in ((1, 3), (3, 1)):
            flow, visible = shot.truth.flow(start, stop), shot.truth.visible(start, stop)
            visible &= shot.truth.owners[start] > 0
            y, x = np.nonzero(visible)
            if not len(x):
                continue  # it has left the picture
            to = np.rint(np.stack([x, y], axis=1) + flow[y, x]).astype(int)
            a, b = shot.frames[start].astype(float), shot.frames[stop].astype(float)
            moved.append(np.abs(a[y, x] - b[to[:, 1], to[:, 0]]).mean())
            stayed.append(np.abs(a[y, x] - b[y, x]).mean())
    assert np.mean(moved) < 22
    assert np.mean(moved) < 0.62 * np.mean(stayed)


def test_the_flow_of_a_pan_is_that_of_the_camera():
    scene = Scene("meadow", "noon", (), pan=0.25, seed=5)
    shot = shoot(scene, frames=5, truth=True)
    assert shot.truth is not None
    np.testing.assert_allclose(shot.truth.flow(0, 2), np.broadcast_to([-0.125 * 64, 0], (64, 64, 2)), atol=1e-4)
    moved = shot.frames[0][:, 8:].astype(int) - shot.frames[2][:, :-8]
    assert np.abs(moved).mean() < 1


def test_flowers_only_grow():
    for number in range(6):
        scene = scene_of("train", number, kind="flower")
        flowers = tuple(role for role in scene.cast if role.kind == "flower")[:1]
        shot = shoot(Scene(scene.place, scene.light, flowers, seed=1), truth=True)
        assert shot.truth is not None
        sizes = shot.truth.masks()[:, 0].sum((1, 2))
        assert (np.diff(sizes) >= -0.06 * sizes.max()).all()  # petals turn over leaves
        assert sizes[-1] > 3 * sizes[0]


def test_balls_bounce_lower_each_time():
    course = bounces(np.array([0.2, 0.2]), 0.8, 0.8, 12.0)
    heights = 0.8 - course.points[:, 1]
    tops = [k for k in range(1, len(heights) - 1) if heights[k - 1] < heights[k] >= heights[k + 1]]
    assert heights[0] == pytest.approx(0.6)
    assert heights.min() >= -1e-9
    assert len(tops) >= 1
    peaks = [heights[0], *heights[tops]]
    assert all(later < 0.6 * earlier for earlier, later in pairwise(peaks))
    # The first fall takes as long as Galileo says.
    lands = np.argmax(np.diff(heights) > 0) / (len(heights) - 1)
    assert lands == pytest.approx(np.sqrt(2 * 0.6 / 12), abs=0.02)


def test_curves_are_followed_at_a_steady_speed():
    course = curve(np.array([0.1, 0.5]), np.array([0.9, 0.4]), 0.3)
    at, heading, gone = course.at(np.linspace(0, 1, 41))
    steps = np.linalg.norm(np.diff(at, axis=0), axis=1)
    assert steps.max() < 1.02 * steps.min()
    assert gone[-1] == pytest.approx(steps.sum(), rel=0.01)
    np.testing.assert_allclose(at[[0, -1]], [[0.1, 0.5], [0.9, 0.4]], atol=1e-9)
    assert abs(heading[0] - heading[-1]) > 0.5


def test_a_square_is_followed_around_its_corners():
    course = along(np.array([(0, 0), (1, 0), (1, 1)], float))
    assert course.length == pytest.approx(2)
    np.testing.assert_allclose(course.at(np.array([0.25, 0.75]))[0], [[0.5, 0], [1, 0.5]], atol=1e-9)


def test_places_chain_as_matrices_do():
    a, b = placed(3, 4, size=2, turn=0.3, high=-1), placed(-1, 2, turn=1.1, wide=0.5)
    bottom = [[0, 0, 1]]
    np.testing.assert_allclose(np.vstack([chained(a, b), bottom]), np.vstack([a, bottom]) @ np.vstack([b, bottom]))


def test_ink_falls_where_the_outline_is():
    canvas, owners = np.zeros((20, 30, 3), np.uint8), np.zeros((20, 30), np.uint8)
    part = Part(box(0, 0, 2, 1), (200, 100, 50), placed(10, 5, size=5))
    draw(canvas, [part])
    mark(owners, [part], 7)
    assert (canvas[6:9, 11:19] == (200, 100, 50)).all()
    assert not canvas[:4].any()
    assert not canvas[:, 22:].any()
    assert (owners[6:9, 11:19] == 7).all()
    assert abs(int((owners == 7).sum()) - 50) <= 16


@pytest.mark.parametrize("kind", KINDS)
def test_every_part_always_has_a_place(kind):
    for gone in np.linspace(0, 4, 33):
        for part in ACTORS[kind].parts(COLORS["red"], gone, gone / 4):
            assert abs(np.linalg.det(part.place[:, :2])) > 1e-4


def test_captions_say_who_where_and_when():
    role = Role("car", "orange", 0.3, curve(np.array([0.2, 0.7]), np.array([0.8, 0.7]), 0))
    scene = Scene("road", "dusk", (role,))
    assert scene.caption == "an orange car drives to the right along a road at dusk"
