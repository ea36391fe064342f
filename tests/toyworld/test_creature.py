"""The creature: its joints lie where it is drawn, and mirroring it is not mirroring its picture."""

import numpy as np
import pytest

from keyweave.base.errors import InputError
from keyweave.toyworld.creature import FURS, Posing, creature, posing, shoot_creature
from keyweave.toyworld.ink import placed
from keyweave.toyworld.poses import ANGLES, JOINTS, invented, mirrored, mirrored_joints
from keyweave.toyworld.puppets import PuppetTruth, capsule, perform, standing


def truth_of(shot) -> PuppetTruth:
    assert isinstance(shot.truth, PuppetTruth)
    return shot.truth


def on_grey(puppet, poses, size=96):
    """Draw poses where nothing else is to be seen."""
    ground = np.full((2 * size, 2 * size, 3), 128, np.uint8)
    return perform(puppet, poses, ground, standing(size, size, tall=0.78, floor=0.93), truth=True)


@pytest.mark.parametrize(("width", "height"), [(64, 64), (128, 72), (40, 80)])
def test_any_size_and_the_same_for_the_same_seed(width: int, height: int):
    one, again = (shoot_creature(posing(7, 3), width=width, height=height, truth=truth) for truth in (False, True))
    assert one.frames.shape == (3, height, width, 3)
    assert one.truth is None
    np.testing.assert_array_equal(one.frames, again.frames)
    other = shoot_creature(posing(8, 3), width=width, height=height)
    assert not np.array_equal(one.frames, other.frames)


def test_the_backdrop_stands_still():
    shot = shoot_creature(posing(3, 6), width=96, height=96, truth=True)
    masks = truth_of(shot).masks()[:, 0]
    # A pixel away from whoever is drawn, the soft edges are gone.
    near = np.array([np.pad(m, 2)[dy : dy + 96, dx : dx + 96] for m in masks for dy in range(5) for dx in range(5)])
    free = ~near.reshape(6, 25, 96, 96).any((0, 1))
    assert free.mean() > 0.3
    assert (np.ptp(shot.frames[:, free].astype(int), axis=0) == 0).all()
    assert 0.12 < masks.mean() < 0.45


@pytest.mark.parametrize("size", [64, 200])
def test_joints_lie_on_the_mask_to_a_pixel(size: int):
    truth = truth_of(shoot_creature(posing(2, 12), width=size, height=size, truth=True))
    masks = truth.masks()[:, 0]
    for mask, joints in zip(masks, truth.points, strict=True):
        y, x = np.nonzero(mask)
        for joint in joints:
            if (joint >= 0).all() and (joint < size).all():
                assert np.hypot(x + 0.5 - joint[0], y + 0.5 - joint[1]).min() < 1
    assert truth.seen.mean() > 0.6


def test_a_paw_is_seen_where_the_truth_says():
    """The middle of the pixels of a paw that nothing hides is its joint."""
    truth = truth_of(shoot_creature(posing(2, 16), width=256, height=256, truth=True))
    pieces, _ = truth.puppet.drawn(truth.dials[0])
    checked = 0
    for name in ("left_hand", "right_hand"):
        (number,) = (k for k, piece in enumerate(pieces, 1) if piece.shows == (name,))
        areas = (truth.owners == number).sum((1, 2))
        for owners, points, area in zip(truth.owners, truth.points, areas, strict=True):
            if area > 0.98 * areas.max():
                y, x = np.nonzero(owners == number)
                middle = np.array([x.mean(), y.mean()]) + 0.5
                assert np.linalg.norm(middle - points[JOINTS.index(name)]) < 0.6
                checked += 1
    assert checked >= 8


def test_what_is_hidden_or_outside_is_not_seen():
    pose = np.zeros(11)
    _, truth = on_grey(creature(), np.stack([pose, pose + np.eye(11)[0] * 5]))
    assert truth is not None
    assert truth.seen[0, JOINTS.index("head")]
    assert truth.seen[0, JOINTS.index("left_hand")]
    assert not truth.seen[0, JOINTS.index("neck")]  # behind the head
    assert not truth.seen[1].any()  # five lengths to the right


def test_without_marks_a_mirrored_pose_is_the_mirrored_picture():
    poses = np.array([invented(number) for number in range(8)])
    poses[:, 3:7] = np.abs(poses[:, 3:7])  # no arm crosses the other or the body
    plain, _ = on_grey(creature(marked=False), poses)
    mirror, _ = on_grey(creature(marked=False), mirrored(poses))
    difference = np.abs(plain[:, :, ::-1].astype(int) - mirror)
    assert np.percentile(difference, 99) <= 24  # the rounding of corners, along edges
    assert difference.mean() < 0.6


def test_with_marks_it_differs_and_only_near_the_marks():
    poses = np.array([invented(number) for number in range(8)])
    poses[:, 3:7] = np.abs(poses[:, 3:7])
    frames, mirror = on_grey(creature(), poses)[0], on_grey(creature(), mirrored(poses))[0]
    plain = [on_grey(creature(marked=False), each)[0] for each in (poses, mirrored(poses))]
    marks = [np.abs(a.astype(int) - b).max(-1) > 8 for a, b in zip((frames, mirror), plain, strict=True)]
    either = marks[0][:, :, ::-1] | marks[1]
    differs = np.abs(frames[:, :, ::-1].astype(int) - mirror).max(-1) > 80
    assert differs.sum((1, 2)).min() > 150  # a look tells one from the other
    assert (differs & ~either).sum() < 0.01 * differs.sum()


def test_the_left_arm_is_striped():
    pose = np.zeros((1, 11))
    pose[0, [ANGLES.index("left_shoulder"), ANGLES.index("right_shoulder")]] = 1.5
    (marked, truth), (plain, _) = (on_grey(creature(marked=marked), pose) for marked in (True, False))
    assert truth is not None
    differs = np.abs(marked[0].astype(int) - plain[0]).max(-1) > 40
    (left_x, left_y), (right_x, right_y) = (
        np.floor(truth.points[0, JOINTS.index(f"{side}_hand")]).astype(int) for side in ("left", "right")
    )
    assert differs[left_y - 4 : left_y + 4, left_x : left_x + 9].sum() > 8
    assert not differs[right_y - 4 : right_y + 4, right_x - 9 : right_x].any()


def test_the_truth_of_a_mirrored_shot_is_mirrored():
    scene = posing(4, 5)
    ours, theirs = (truth_of(shoot_creature(s, width=80, height=64, truth=True)) for s in (scene, scene.mirrored()))
    np.testing.assert_allclose(theirs.points, mirrored_joints(ours.points, 80.0), atol=1e-9)
    np.testing.assert_array_equal(theirs.dials, mirrored(ours.dials))


def test_flow_carries_joints_to_joints():
    scene = posing(6, 2).moving(0, 1, 9)
    truth = truth_of(shoot_creature(scene, width=128, height=128, truth=True))
    flow = truth.flow(2, 3)
    for name in ("head", "left_hand", "right_foot", "pelvis"):
        number = JOINTS.index(name)
        if truth.seen[2, number]:
            x, y = np.floor(truth.points[2, number]).astype(int)
            assert np.linalg.norm(flow[y, x] - (truth.points[3, number] - truth.points[2, number])) < 0.5
    np.testing.assert_array_equal(scene.poses[[0, -1]], posing(6, 2).poses)


def test_a_capsule_is_as_long_and_thick_as_told():
    outline = capsule(0.5, 0.2, 0.1)
    assert outline[:, 1].min() == pytest.approx(-0.1)
    assert outline[:, 1].max() == pytest.approx(0.55)
    assert np.ptp(outline[:, 0]) == pytest.approx(0.2)
    assert not outline.flags.writeable
    assert standing(64, 64, tall=0.5, floor=1.0) == pytest.approx(placed(32, 64, size=32))


@pytest.mark.parametrize("fur", FURS)
def test_furs(fur: str):
    scene = Posing(np.zeros((1, 11)), fur=fur)
    assert fur in scene.caption
    assert scene.facts()["fur"] == fur
    assert shoot_creature(scene, width=32, height=32).frames.std() > 10


def test_doors():
    with pytest.raises(InputError, match="1 to 48 poses; got 0"):
        posing(0, 0)
    with pytest.raises(InputError, match="16 to 2048 pixels wide and high; got 8x64"):
        shoot_creature(posing(0, 1), width=8)
