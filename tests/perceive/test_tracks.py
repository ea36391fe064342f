"""Tracks as files: what is written comes back, what others write is understood, and nothing in a file is trusted."""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyweave.base.errors import InputError, KeyweaveError, MediaError
from keyweave.perceive import tracks
from keyweave.perceive.poses import BODY, JointTrack, RotationTrack
from keyweave.perceive.tracks import read_track, write_track

FRAMES = 5


def a_track(*, world: bool = True) -> JointTrack:
    chance = np.random.default_rng(0)
    joints = (*BODY, "nose")
    places = chance.uniform(0, 90, (FRAMES, len(joints), 2))
    seen = chance.uniform(0, 1, (FRAMES, len(joints)))
    metres = chance.normal(size=(FRAMES, len(joints), 3))
    places[2], metres[2], seen[2] = np.nan, np.nan, 0
    return JointTrack(np.arange(FRAMES) / 25, joints, places, seen, (90, 91), metres if world else None)


def joint_arrays(**changed: Any) -> dict[str, Any]:
    arrays = {"joints": np.array(BODY), "places": np.full((FRAMES, len(BODY), 2), 3.5), "fps": 25}
    return {name: value for name, value in (arrays | changed).items() if value is not None}


def rotation_arrays(**changed: Any) -> dict[str, Any]:
    chance = np.random.default_rng(1)
    arrays = {name: chance.normal(size=(FRAMES, n)) for name, n in zip(SMPL, (63, 3, 3), strict=True)} | {"fps": 30}
    return {name: value for name, value in (arrays | changed).items() if value is not None}


SMPL = ("body_pose", "global_orient", "transl")


def saved(path: Path, arrays: dict[str, Any]) -> Path:
    np.savez(path, **arrays)
    return path


def joints_of(path: Path) -> JointTrack:
    track = read_track(path)
    assert isinstance(track, JointTrack)
    return track


def rotations_of(path: Path) -> RotationTrack:
    track = read_track(path)
    assert isinstance(track, RotationTrack)
    return track


@pytest.mark.parametrize("world", [True, False])
def test_joints_come_back(world: bool, tmp_path: Path):
    track = a_track(world=world)
    write_track(tmp_path / "a.npz", track)
    back = joints_of(tmp_path / "a.npz")
    assert (back.joints, back.size) == (track.joints, track.size)
    for name in ("times", "places", "seen"):
        np.testing.assert_array_equal(getattr(back, name), getattr(track, name))
    assert (back.world is None) == (not world)
    if back.world is not None:
        np.testing.assert_array_equal(back.world, track.world)


def test_rotations_come_back(tmp_path: Path):
    chance = np.random.default_rng(2)
    track = RotationTrack(np.arange(FRAMES) / 30, chance.normal(size=(FRAMES, 22, 3)), chance.normal(size=(FRAMES, 3)))
    write_track(tmp_path / "a.npz", track)
    back = rotations_of(tmp_path / "a.npz")
    for name in ("times", "rotations", "moved"):
        np.testing.assert_array_equal(getattr(back, name), getattr(track, name))


def test_a_track_is_not_written_over_or_under_another_name(tmp_path: Path):
    write_track(tmp_path / "a.npz", a_track())
    with pytest.raises(InputError, match="already exists"):
        write_track(tmp_path / "a.npz", a_track())
    write_track(tmp_path / "a.npz", a_track(), overwrite=True)
    with pytest.raises(InputError, match=r"a.pkl is no name for a track. Let it end in .npz."):
        write_track(tmp_path / "a.pkl", a_track())
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def test_what_may_be_left_out_of_joints(tmp_path: Path):
    places = np.full((FRAMES, len(BODY), 2), 3.5)
    places[:, :, 1], places[1, 4] = 7, np.nan
    track = joints_of(saved(tmp_path / "a.npz", joint_arrays(places=places)))
    np.testing.assert_allclose(track.times, [0, 0.04, 0.08, 0.12, 0.16])
    assert track.world is None
    assert track.size == (5, 8)
    assert track.seen.sum() == FRAMES * len(BODY) - 1
    assert track.seen[1, 4] == 0


def test_what_is_nowhere_is_not_seen(tmp_path: Path):
    places = np.full((FRAMES, len(BODY), 2), np.nan)
    seen = np.ones(places.shape[:2])
    assert not joints_of(saved(tmp_path / "a.npz", joint_arrays(places=places, seen=seen))).seen.any()


@pytest.mark.parametrize("shape", [(FRAMES, 63), (FRAMES, 21, 3), (FRAMES, 69), (FRAMES, 23, 3)])
def test_bodies_of_the_family_are_read(shape: tuple[int, ...], tmp_path: Path):
    pose = np.random.default_rng(3).normal(size=shape).astype(np.float32)
    arrays = rotation_arrays(body_pose=pose)
    track = rotations_of(saved(tmp_path / "a.npz", arrays))
    assert track.rotations.shape == (FRAMES, 22, 3)
    np.testing.assert_array_equal(track.rotations[:, 0], arrays["global_orient"])
    np.testing.assert_array_equal(track.rotations[:, 1:].reshape(FRAMES, -1), pose.reshape(FRAMES, -1)[:, :63])
    np.testing.assert_array_equal(track.moved, arrays["transl"])
    np.testing.assert_allclose(track.times[-1], 4 / 30)


def test_the_drawn_dancer_is_read(tmp_path: Path):
    """The drawn sides are those of the picture, and the dancer shows their face: the drawn left hand is the right."""
    from keyweave.toyworld.export import export, shots

    export(tmp_path / "made", shots("train", 1, cast="dancer", size=(32, 24), truth=True), 1)
    file = tmp_path / "made" / "00000" / "truth.npz"
    track = joints_of(file)
    with np.load(file) as drawn:
        names = list(drawn["point_names"])
        np.testing.assert_array_equal(
            track.places[:, track.joints.index("right_wrist")], drawn["points"][:, names.index("left_hand")]
        )
        np.testing.assert_array_equal(
            track.seen[:, track.joints.index("left_ankle")], drawn["points_seen"][:, names.index("right_foot")]
        )
        assert len(track.times) == len(drawn["points"])
    assert track.size == (32, 24)
    np.testing.assert_allclose(np.diff(track.times), 1 / 25)
    right, left = (track.places[0, track.joints.index(f"{side}_shoulder"), 0] for side in ("right", "left"))
    assert right < left
    (file.parent / "scene.json").write_text(json.dumps({"rate": "1/0"}))
    with pytest.raises(MediaError, match="it has neither times nor fps"):
        read_track(file)


def test_the_drawn_creature_is_no_dancer(tmp_path: Path):
    arrays = {"point_names": np.array(["head"]), "points": np.zeros((1, 1, 2)), "points_seen": np.ones((1, 1))}
    with pytest.raises(MediaError, match="it is of no dancer: nobody drawn has a left_shoulder"):
        read_track(saved(tmp_path / "truth.npz", arrays))


TWICE = np.array([*BODY[:-1], BODY[0]])
PLACES = np.zeros((FRAMES, len(BODY), 2))


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"a": np.zeros(1)}, r"a.npz is no track: it has a. An .npz of joints has joints and places; one of rotations"),
        (joint_arrays(places=None), "cannot be used as a track: it has no places. An .npz of joints"),
        (joint_arrays(fps=None), "it has neither times nor fps"),
        (joint_arrays(fps=0), "0 frames per second cannot be"),
        (joint_arrays(fps=np.nan), "fps holds numbers that are not finite"),
        (joint_arrays(times=np.zeros(FRAMES)), "times do not rise"),
        (joint_arrays(times=np.arange(3)), r"times has the shape \(3,\) instead of \(5\)"),
        (joint_arrays(joints=np.array(BODY[1:])), "joints has no left_shoulder"),
        (joint_arrays(joints=TWICE), "joints has a name twice"),
        (joint_arrays(joints=np.arange(12)), "joints is no list of names"),
        (joint_arrays(joints=np.array("left")), "joints is no list of names"),
        (joint_arrays(places=PLACES[..., :1]), r"places has the shape \(5, 12, 1\) instead of \(any, 12, 2\)"),
        (joint_arrays(places=PLACES[:0]), "places is empty"),
        (joint_arrays(places=PLACES + np.inf), "places holds numbers that are not finite"),
        (joint_arrays(places=PLACES.astype(str)), "places holds no numbers"),
        (joint_arrays(seen=np.full(PLACES.shape[:2], 2)), "seen is not between 0 and 1"),
        (joint_arrays(seen=np.full(PLACES.shape[:2], np.nan)), "seen holds numbers that are not finite"),
        (joint_arrays(world=np.zeros((FRAMES, 12, 2))), r"world has the shape \(5, 12, 2\) instead of \(5, 12, 3\)"),
        (joint_arrays(size=[0, 4]), "its frames have the size 0x4"),
        (
            rotation_arrays(body_pose=np.zeros((FRAMES, 60))),
            r"body_pose has the shape \(5, 60\) instead of \(any, 63",
        ),
        (rotation_arrays(body_pose=np.array(0.0)), "body_pose has the shape"),
        (rotation_arrays(body_pose=np.zeros((0, 63))), "body_pose is empty"),
        (rotation_arrays(global_orient=np.zeros((3, 3))), r"global_orient has the shape \(3, 3\) instead of \(5, 3\)"),
        (rotation_arrays(transl=np.full((FRAMES, 3), np.nan)), "transl holds numbers that are not finite"),
        (rotation_arrays(transl=None), "it has no transl"),
    ],
)
def test_doors(arrays: dict[str, Any], words: str, tmp_path: Path):
    with pytest.raises(MediaError, match=words):
        read_track(saved(tmp_path / "a.npz", arrays))


def test_a_pickle_is_refused_unread(tmp_path: Path):
    with pytest.raises(MediaError, match=r"places.npy holds Python objects, which can run code"):
        read_track(saved(tmp_path / "a.npz", joint_arrays(places=np.array([{}], object))))


def test_a_shape_that_lies_takes_no_memory(tmp_path: Path):
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as file:
        head = b"{'descr': '<f8', 'fortran_order': False, 'shape': (900000000000, 12, 2), }\n"
        file.writestr("places.npy", b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head)
    with pytest.raises(MediaError, match=r"places.npy is damaged"):
        read_track(path)


def test_what_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = saved(tmp_path / "a.npz", joint_arrays())
    monkeypatch.setenv("KEYWEAVE_MAX_FRAMES", "4")
    with pytest.raises(MediaError, match=r"a.npz has 5 frames; at most 4 are read"):
        read_track(path)
    monkeypatch.setattr(tracks, "_MOST_BYTES", 900)
    with pytest.raises(MediaError, match="places is larger than 0 MB"):
        read_track(path)


@pytest.mark.parametrize("content", [b"x" * 40, b"PK\x03\x04" + bytes(40)])
def test_what_is_no_archive(content: bytes, tmp_path: Path):
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(MediaError, match=r"it is no .npz, or is damaged"):
        read_track(tmp_path / "a.npz")
    with pytest.raises(InputError, match="does not exist"):
        read_track(tmp_path / "b.npz")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("whole") / "a.npz"
    write_track(path, a_track())
    return path.read_bytes()


@given(data=st.data())
def test_no_damage_is_a_traceback(data: st.DataObject, whole: bytes, tmp_path_factory: pytest.TempPathFactory):
    content = bytearray(whole)
    # Most damage in the packed numbers is found by their checksum; that of names and headers is the rest.
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damaged") / "a.npz"
    path.write_bytes(content[: data.draw(st.integers(1, len(content)))] if data.draw(st.booleans()) else content)
    try:
        read_track(path)
    except KeyweaveError:
        return
