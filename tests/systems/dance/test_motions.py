"""Distances of motions: the paper's equations written out, and what may not change them."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from keyweave.base.errors import InputError
from keyweave.bench.bodies import PARENTS, SWAPPED, body_dance, mirror_pose, places_of, tracked
from keyweave.bench.dancers import CLEAN, Danced, Noise, Tracks
from keyweave.maths.rotations import matrices_of, quaternions_of, turns_between, vectors_of
from keyweave.perceive.poses import BODY, JointTrack, RotationTrack
from keyweave.systems.dance.bearings import steady
from keyweave.systems.dance.motions import SMPL_MIRROR, motion_of

SOURCES = ["rotations", "space", "picture"]
WHOLE = [(0.0, 0.9), (1.0, 1.9), (2.0, 2.9)]


@pytest.fixture(scope="module")
def danced() -> Danced:
    return body_dance(3, Noise())


def part(danced: Danced, count: int = 5) -> list[tuple[float, float]]:
    return list(danced.segments[:count])


def wavering(seed: int = 0, seconds: float = 3.0) -> Tracks:
    """Somebody who never stands still, and does not repeat anything."""
    chance = np.random.default_rng(seed)
    times = np.arange(round(seconds * 30)) / 30
    waves = chance.normal(size=(22, 3, 3)) * 0.3
    angles = 2 * np.pi * times[:, None] * (0.5, 0.8, 1.3)
    pose = np.einsum("tk,jdk->tjd", np.sin(angles), waves)
    return tracked((times, pose, 0.3 * times), CLEAN, chance)


def mirrored_track(track: JointTrack) -> JointTrack:
    """What a tracker says of the mirrored film."""
    other = [BODY.index({"l": "right", "r": "left"}[name[0]] + name[name.index("_") :]) for name in BODY]
    places = track.places[:, other] * (-1, 1) + (track.size[0], 0)
    world = None if track.world is None else track.world[:, other] * (-1, 1, 1)
    return replace(track, places=places, world=world, seen=track.seen[:, other])


def test_equation_7_1_as_printed():
    """One frame a segment: nothing is warped."""
    poses = np.random.default_rng(0).normal(size=(3, 22, 3))
    track = RotationTrack(np.arange(3.0), poses, np.zeros((3, 3)))
    found = motion_of(track).distances([(n, n) for n in range(3)])
    turned = matrices_of(poses)
    for i in range(3):
        for j in range(3):
            logs = [vectors_of(turned[i, n].T @ turned[j, n]) for n in range(22)]
            across = [np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]]) for x, y, z in logs]
            assert found.direct[i, j] == pytest.approx(sum(np.linalg.norm(one) for one in across) / 21, abs=1e-6)


def test_equation_7_3_is_the_mirror_image_of_the_body():
    assert tuple(SWAPPED.tolist()) == SMPL_MIRROR
    assert all(PARENTS[SMPL_MIRROR[n]] == (SMPL_MIRROR[PARENTS[n]] if n else -1) for n in range(22))
    pose = np.random.default_rng(0).normal(size=(1, 22, 3))
    assert_allclose(places_of(mirror_pose(pose)), places_of(pose)[:, SWAPPED] * (-1, 1, 1), atol=1e-12)
    track = RotationTrack(np.arange(2.0), np.concatenate([pose, mirror_pose(pose)]), np.zeros((2, 3)))
    found = motion_of(track).distances([(0, 0), (1, 1)])
    assert found.mirrored[0, 1] == pytest.approx(0, abs=1e-6)
    assert found.mirrored[0, 0] == pytest.approx(found.direct[0, 1]) == pytest.approx(found.mirrored[1, 1])


def test_directions_in_space_are_turns_of_bones():
    """An arm that is raised by an angle moves two bones of ten, one that is bent moves one, a turned body moves one."""
    rest = np.zeros((22, 3))
    raised, bent, turned, twisted = (rest.copy() for _ in range(4))
    raised[16, 2] = bent[18, 2] = turned[0, 1] = twisted[9, 1] = 0.5
    times = np.arange(5.0)
    danced = tracked(
        (times, np.stack([rest, raised, bent, turned, twisted]), np.zeros(5)), CLEAN, np.random.default_rng(0)
    )
    found = motion_of(danced.space).distances([(n, n) for n in range(5)])
    assert found.direct[0].tolist() == pytest.approx([0, 0.1, 0.05, 0.05, 0.05], abs=1e-6)
    assert turns_between(quaternions_of(turned[0]), quaternions_of(rest[0])) == pytest.approx(0.5)


@pytest.mark.parametrize("source", SOURCES)
def test_distances_are_symmetric_and_zero_from_itself(danced: Danced, source: str):
    found = motion_of(getattr(danced.tracks, source)).distances(part(danced))
    for matrix in (found.direct, found.mirrored):
        assert (matrix == matrix.T).all()
        assert (matrix >= 0).all()
    assert_allclose(np.diagonal(found.direct), 0, atol=1e-7)
    assert found.direct[np.triu_indices(5, 1)].min() > 0.01


@pytest.mark.parametrize("source", SOURCES)
def test_a_mirrored_film_has_the_same_distances_and_goes_the_other_way(source: str):
    danced = wavering()
    if source == "rotations":
        plain = danced.rotations
        flipped = replace(plain, rotations=mirror_pose(plain.rotations), moved=plain.moved * (-1, 1, 1))
    else:
        plain = getattr(danced, source)
        flipped = mirrored_track(plain)
    one, other = motion_of(plain), motion_of(flipped)
    assert_allclose(one.distances(WHOLE).direct, other.distances(WHOLE).direct, atol=1e-7)
    assert_allclose(one.distances(WHOLE).mirrored, other.distances(WHOLE).mirrored, atol=1e-7)
    assert one.sideways(WHOLE) == pytest.approx(-other.sideways(WHOLE))
    assert one.sideways(WHOLE).min() > 0.3


@pytest.mark.parametrize("source", ["space", "picture"])
def test_it_does_not_matter_where_somebody_dances_nor_how_tall_they_are(source: str):
    track = getattr(wavering(), source)
    moved = replace(track, places=3 * track.places + 50, world=None if track.world is None else 2 * track.world)
    one, other = motion_of(track), motion_of(moved)
    assert_allclose(one.distances(WHOLE).direct, other.distances(WHOLE).direct, atol=1e-7)
    assert one.sideways(WHOLE) == pytest.approx(other.sideways(WHOLE))


def test_sideways_is_in_lengths_of_the_torso():
    danced = wavering()
    gone = 0.3 * 27 / 30  # of the 28 frames from 0 to 0.9 s
    assert motion_of(danced.rotations).sideways(WHOLE[:1])[0] == pytest.approx(gone / 0.5)
    still = tracked(
        (danced.space.times, np.zeros((90, 22, 3)), 0.3 * danced.space.times), CLEAN, np.random.default_rng(0)
    )
    body = places_of(np.zeros((1, 22, 3)))[0]
    torso = body[16, 1] - body[1, 1]
    assert motion_of(still.space).sideways(WHOLE[1:2])[0] == pytest.approx(gone / torso)


@pytest.mark.parametrize("source", ["space", "picture"])
def test_what_is_out_of_view_hardly_counts(source: str):
    track = getattr(wavering(), source)
    wrist = BODY.index("left_wrist")
    seen = track.seen.copy()
    seen[:, wrist] = 0.2
    hidden = replace(track, seen=seen)
    chance = np.random.default_rng(1)
    invented = replace(hidden, places=track.places.copy(), world=None if track.world is None else track.world.copy())
    for joints in (invented.places, invented.world):
        if joints is not None:
            joints[:, wrist] += 100 * chance.normal(size=joints[:, wrist].shape)
    one, other = (motion_of(each).distances(WHOLE).direct for each in (hidden, invented))
    assert_allclose(one, other, atol=5e-3)
    loud = motion_of(replace(invented, seen=track.seen)).distances(WHOLE).direct
    assert np.abs(loud - one).max() > 0.02


def test_hips_out_of_view_go_nowhere():
    track = wavering().space
    seen = track.seen.copy()
    seen[:, BODY.index("right_hip")] = 0.1
    assert motion_of(replace(track, seen=seen)).sideways(WHOLE).tolist() == [0, 0, 0]


def lost(track: JointTrack, start: int, stop: int) -> JointTrack:
    """The same, with the dancer not found in some frames."""
    places, seen = track.places.copy(), track.seen.copy()
    world = None if track.world is None else track.world.copy()
    for joints in (places, world):
        if joints is not None:
            joints[start:stop] = np.nan
    seen[start:stop] = 0
    return replace(track, places=places, world=world, seen=seen)


@pytest.mark.parametrize("source", ["space", "picture"])
def test_short_gaps_are_bridged(source: str):
    track = getattr(wavering(), source)
    whole = motion_of(track).distances(WHOLE).direct
    assert_allclose(motion_of(lost(track, 10, 14)).distances(WHOLE).direct, whole, atol=0.02)
    motion_of(lost(track, 10, 14)).distances([(10 / 30, 13 / 30)])
    with pytest.raises(InputError, match="not seen from 0.40 to 0.50 s, which is segment 2"):
        motion_of(lost(track, 10, 20)).distances([(0, 0.2), (0.4, 0.5)])


@pytest.mark.parametrize("source", ["space", "picture"])
def test_before_the_dancer_comes_and_after_they_go_nothing_is_made_up(source: str):
    track = lost(lost(getattr(wavering(), source), 0, 3), 87, 90)
    for segment in ((0.0, 2 / 30), (87 / 30, 3.0)):
        with pytest.raises(InputError, match="segment 1"):
            motion_of(track).distances([segment])


def test_nobody_is_nobody():
    with pytest.raises(InputError, match="No dancer was found"):
        motion_of(lost(wavering().space, 0, 90))


def test_joints_are_averaged_by_a_bell_curve_of_40_ms():
    chance = np.random.default_rng(0)
    times = np.cumsum(chance.uniform(0.01, 0.06, 40))  # uneven
    world = chance.normal(size=(40, 12, 3))
    track = JointTrack(times, BODY, np.zeros((40, 12, 2)), np.ones((40, 12)), (9, 9), world)
    found = steady(track).joints.reshape(40, 12, 3)
    for now, smooth in zip(times, found, strict=True):
        near = np.exp(-((times - now) ** 2) / (2 * 0.04**2))
        assert_allclose(smooth, np.tensordot(near / near.sum(), world, 1), atol=5e-3)


def test_the_unit_is_told():
    danced = wavering()
    assert "√2" in motion_of(danced.rotations).unit
    assert "in space" in motion_of(danced.space).unit
    assert "in the picture" in motion_of(danced.picture).unit
