"""The dancer: key poses fall on beats, labels say what is danced, and the song is heard when it is danced to."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyweave.base.errors import InputError
from keyweave.media.sound.onsets import OnsetFinder
from keyweave.media.sound.track import sample_at
from keyweave.toyworld.creature import Posing, shoot_creature
from keyweave.toyworld.dancer import RATE, dance, invented_dance, shoot_dance
from keyweave.toyworld.poses import JOINTS, REST, mirrored
from keyweave.toyworld.puppets import LOOKS, PuppetTruth, look_of
from keyweave.toyworld.songs import SOUND_RATE, tune

LABELS = st.lists(st.sampled_from(["A", "B", "C", "A'", "B'", "D'"]), min_size=1, max_size=10)


@given(LABELS, st.integers(40, 240))
def test_beats_are_exact_and_labelled(labels: list[str], tempo: int):
    scene = dance("-".join(labels), tempo=tempo)
    assert scene.labels == tuple(labels)
    assert scene.beats[0] == scene.beat == Fraction(60, tempo)
    assert {after - before for before, after in zip(scene.beats, scene.beats[1:], strict=False)} == {
        Fraction(60, tempo)
    }
    assert scene.labels_at_beats == tuple(np.repeat(labels, 2))
    assert abs(scene.frames / RATE - scene.beats[-1] - scene.beat) <= 1 / (2 * RATE)


@pytest.mark.parametrize("tempo", [120, 97, Fraction(1001, 9)])
def test_key_poses_fall_on_beats_and_everybody_stands_still_there(tempo):
    scene = dance("AA'BCB'", tempo=tempo, seed=3)
    beats = np.array([float(at) for at in scene.beats])
    np.testing.assert_allclose(scene.poses(beats), scene.steps, atol=1e-9)
    np.testing.assert_allclose(scene.poses(np.array([0.0, 1e6])), [REST, REST], atol=1e-12)
    for at in beats:  # for a moment, nothing moves
        moved = scene.poses(np.array([at - 1e-4, at + 1e-4])) - scene.poses(np.array([at]))
        assert np.abs(moved).max() < 1e-4


def test_motion_is_fastest_shortly_before_the_beat():
    scene = dance("AB", seed=1)
    times = np.linspace(float(scene.beats[0]), float(scene.beats[1]), 101)
    arms = scene.poses(times)[:, 3:7]  # the knees give besides
    speed = np.abs(np.diff(arms, axis=0)).sum(1)
    assert 0.55 < speed.argmax() / 100 < 0.75


def test_labels_say_what_is_danced():
    scene = dance("ABA'AC", seed=9)
    pairs = scene.steps.reshape(5, 2, -1)
    np.testing.assert_array_equal(pairs[0], pairs[3])
    np.testing.assert_array_equal(pairs[2], mirrored(pairs[0]))
    for a, b in ((0, 1), (0, 2), (0, 4), (1, 4)):
        assert np.abs(pairs[a] - pairs[b]).max() > 0.3
    np.testing.assert_array_equal(dance("C", seed=9).steps, pairs[4])  # whatever else is danced
    np.testing.assert_array_equal(dance("A'B", seed=9).steps, np.concatenate([pairs[2], pairs[1]]))


def test_frames_show_the_poses_of_their_times():
    scene = dance("AB", tempo=150, seed=2)  # a beat is ten frames
    shot = shoot_dance(scene, width=96, height=96, truth=True)
    assert isinstance(shot.truth, PuppetTruth)
    assert len(shot.frames) == scene.frames == 50
    np.testing.assert_allclose(shot.truth.dials[10:50:10], scene.steps, atol=1e-9)
    masks = shot.truth.masks()[:, 0]
    for mask, joints in zip(masks[::5], shot.truth.points[::5], strict=True):
        y, x = np.nonzero(mask)
        gaps = np.hypot(x[:, None] + 0.5 - joints[:, 0], y[:, None] + 0.5 - joints[:, 1]).min(0)
        inside = ((joints >= 0) & (joints < 96)).all(1)
        assert gaps[inside].max() < 1
    assert shot.truth.seen[:, JOINTS.index("head")].all()


def test_the_song_is_heard_when_it_is_danced():
    scene = dance("ABA'C", tempo=112, seed=4)
    shot = shoot_dance(scene, width=16, height=16)
    assert shot.sound is not None
    assert len(shot.sound.samples) == sample_at(len(shot.frames) / RATE, SOUND_RATE)
    assert 0.3 < np.abs(shot.sound.samples).max() < 1
    onsets = np.array(OnsetFinder(SOUND_RATE, 1).hear(shot.sound.samples)) / SOUND_RATE
    beats = np.array([float(at) for at in scene.beats])
    half = float(scene.beat) / 2
    assert np.abs(onsets[:, None] - beats).min(0).max() < 0.006  # every beat is heard
    halves = np.concatenate([beats, beats + half])
    assert np.abs(onsets[:, None] - halves).min(1).max() < 0.016  # and nothing else than beats and notes between
    samples = [sample_at(at, SOUND_RATE) for at in scene.beats]
    assert not shot.sound.samples[: samples[0]].any()
    loud = [np.square(shot.sound.samples[at : at + 4800]).mean() for at in samples]
    assert min(loud[0::2]) > 1.2 * max(loud[1::2])  # strong beats begin labels


def test_the_same_melody_comes_back_with_its_label():
    scene = dance("ABA'", tempo=120, seed=6)
    sound, length = scene.song().samples, 2 * SOUND_RATE // 2
    first, other, again = (sound[sample_at(at, SOUND_RATE) :][:length, 0] for at in scene.beats[::2])
    alike, unlike = (np.corrcoef(first, each)[0, 1] for each in (again, other))
    assert alike > 0.9  # only the noise of the snare differs
    assert unlike < alike - 0.1
    assert tune(6, "A", 4) == tune(6, "A'", 4) != tune(6, "B", 4)


def test_seeds_and_sizes():
    one, again, other = (shoot_dance(invented_dance(seed), width=48, height=32) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.frames, again.frames)
    assert one.sound is not None
    assert again.sound is not None
    np.testing.assert_array_equal(one.sound.samples, again.sound.samples)
    assert one.frames.shape[1:] == (32, 48, 3)
    assert one.frames.shape != other.frames.shape or not np.array_equal(one.frames, other.frames)
    assert {look_of(seed) for seed in range(40)} == set(LOOKS)


def test_the_creature_can_dance_what_the_dancer_does():
    scene = dance("AB", seed=5)
    keys = shoot_creature(Posing(scene.steps), width=32, height=32, truth=True)
    assert keys.truth is not None
    np.testing.assert_array_equal(keys.truth.dials, scene.steps)  # pyright: ignore[reportAttributeAccessIssue]


def test_what_it_is_as_plain_values():
    facts = dance("AB'", tempo=90).facts()
    assert facts["labels"] == ["A", "B'"]
    assert facts["beats"][2] == {"at": "2", "label": "B'"}  # pyright: ignore[reportIndexIssue]
    assert facts["caption"] == "a dancer dances A-B' at 90 beats per minute"


@pytest.mark.parametrize("labels", ["", "ab", "A''", "'A", "A1", "A,B", "--"])
def test_what_is_no_string_of_labels(labels: str):
    with pytest.raises(InputError, match="is no string of labels"):
        dance(labels)


def test_doors():
    with pytest.raises(InputError, match="1 to 64 labels; got 65"):
        dance("A" * 65)
    for tempo in (39, 241, 39.9, float("nan")):
        with pytest.raises(InputError, match="40 to 240 beats per minute; got"):
            dance("A", tempo=tempo)
