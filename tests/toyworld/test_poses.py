"""Poses: bones keep their lengths, feet stand on the ground, and mirrors do as mirrors do."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyweave.toyworld.dancer import BUILD
from keyweave.toyworld.poses import (
    ANGLES,
    JOINTS,
    REST,
    between,
    invented,
    mirrored,
    mirrored_joints,
    repertoire,
    skeleton,
)

POSES = st.lists(st.floats(-3, 3), min_size=11, max_size=11).map(np.array)
BONES = {
    ("pelvis", "neck"): BUILD.trunk,
    ("neck", "head"): BUILD.neck,
    ("left_shoulder", "left_elbow"): BUILD.upper_arm,
    ("right_elbow", "right_hand"): BUILD.forearm,
    ("left_hip", "left_knee"): BUILD.thigh,
    ("right_knee", "right_foot"): BUILD.shin,
    ("left_shoulder", "right_shoulder"): 2 * BUILD.shoulders,
    ("left_hip", "right_hip"): 2 * BUILD.hips,
}


@given(POSES)
def test_bones_keep_their_lengths_and_the_lower_foot_is_on_the_ground(pose):
    bones = skeleton(BUILD, pose)
    for (start, stop), length in BONES.items():
        assert np.linalg.norm(bones.at[start] - bones.at[stop]) == pytest.approx(length)
    assert max(bones.at["left_foot"][1], bones.at["right_foot"][1]) == pytest.approx(0, abs=1e-12)
    assert bones.at["pelvis"][0] == pytest.approx(pose[0])


@given(POSES)
def test_the_mirrored_pose_has_the_mirrored_joints_and_twice_is_the_pose(pose):
    joints = skeleton(BUILD, pose).joints
    np.testing.assert_allclose(skeleton(BUILD, mirrored(pose)).joints, mirrored_joints(joints, 0.0), atol=1e-12)
    np.testing.assert_array_equal(mirrored(mirrored(pose)), pose)
    np.testing.assert_allclose(mirrored_joints(mirrored_joints(joints, 7.0), 7.0), joints, atol=1e-12)


def test_angles_mean_what_they_say():
    pose = np.zeros(11)
    bones = skeleton(BUILD, pose)
    assert bones.at["left_hand"][0] == bones.at["left_shoulder"][0]  # hangs straight down
    assert bones.at["left_hand"][1] > bones.at["left_shoulder"][1]
    pose[ANGLES.index("left_shoulder")] = np.pi / 2
    pose[ANGLES.index("left_elbow")] = np.pi / 2
    bones = skeleton(BUILD, pose)
    np.testing.assert_allclose(bones.at["left_elbow"] - bones.at["left_shoulder"], (-BUILD.upper_arm, 0), atol=1e-12)
    np.testing.assert_allclose(bones.at["left_hand"] - bones.at["left_elbow"], (0, -BUILD.forearm), atol=1e-12)
    pose[ANGLES.index("lean")] = 0.3
    assert skeleton(BUILD, pose).at["neck"][0] > 0
    pose = np.zeros(11)
    pose[ANGLES.index("right_hip")] = 0.5
    assert skeleton(BUILD, pose).at["right_foot"][0] > BUILD.hips


def test_the_way_between_poses_begins_and_ends_with_them():
    a, b = invented(1), invented(2)
    way = between(a, b, np.array([0, 0.25, 1]))
    np.testing.assert_allclose(way, [a, 0.75 * a + 0.25 * b, b])


def test_invented_poses_differ_to_the_eye_and_stay_the_same():
    poses = repertoire(5, 24)
    np.testing.assert_array_equal(poses, repertoire(5, 24))
    np.testing.assert_array_equal(poses[:6], repertoire(5, 6))  # more poses change none of the first
    assert not np.array_equal(poses, repertoire(6, 24))
    every = np.concatenate([poses, mirrored(poses)])
    joints = np.array([skeleton(BUILD, pose).joints for pose in every])
    apart = np.linalg.norm(joints[:, None] - joints[None], axis=-1).mean(-1) + np.eye(len(every))
    assert apart.min() > 0.05
    assert np.abs(poses[:, 3:]).max() < np.pi
    assert REST.shape == (len(ANGLES),)
    assert joints.shape[1:] == (len(JOINTS), 2)
