"""The talking face: landmarks turn as a head does, and the voice is as loud as the mouth is open."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyweave.base.errors import InputError
from keyweave.media.sound.track import sample_at
from keyweave.toyworld.face import LANDMARKS, draw_face, rotation, shoot_talk
from keyweave.toyworld.puppets import PuppetTruth
from keyweave.toyworld.speech import DIALS, RATE, Talk, invented_talk, talk

ANGLES = st.floats(-0.7, 0.7)
SENTENCE = "so um we paint a uh flying fish"


def looking(**dials: float) -> np.ndarray:
    return np.array([[{"eyes": 1.0, **dials}.get(name, 0.0) for name in DIALS]])


def landmarks(**dials: float) -> dict[str, np.ndarray]:
    _, truth = draw_face(looking(**dials), width=200, height=200, truth=True)
    assert truth is not None
    return dict(zip(LANDMARKS, truth.points[0], strict=True))


@given(ANGLES, ANGLES, ANGLES)
def test_rotations_are_rotations(yaw: float, pitch: float, roll: float):
    turned = rotation(yaw, pitch, roll)
    np.testing.assert_allclose(turned @ turned.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(turned) == pytest.approx(1)
    np.testing.assert_allclose(rotation(yaw, 0, 0)[:, 2], (np.sin(yaw), 0, np.cos(yaw)), atol=1e-12)
    np.testing.assert_allclose(rotation(0, pitch, 0)[:, 2], (0, np.sin(pitch), np.cos(pitch)), atol=1e-12)


def test_the_head_turns_the_way_the_numbers_say():
    ahead = landmarks()
    assert landmarks(yaw=0.3)["nose"][0] > ahead["nose"][0] + 5
    assert landmarks(pitch=0.3)["nose"][1] > ahead["nose"][1] + 5
    leant = landmarks(roll=0.3)
    across = leant["right_pupil"] - leant["left_pupil"]
    assert np.arctan2(across[1], across[0]) == pytest.approx(0.3, abs=1e-6)
    away = landmarks(yaw=0.5)
    right, left = (away[f"{side}_eye_outer"] - away[f"{side}_eye_inner"] for side in ("right", "left"))
    assert abs(right[0]) < 0.75 * abs(left[0])  # what turns away looks narrower
    assert ahead["left_pupil"][0] + ahead["right_pupil"][0] == pytest.approx(200)


def test_the_mouth_the_eyes_and_the_brows_do_as_told():
    ahead = landmarks()
    for opening in (0.3, 1.0):
        gap = landmarks(mouth=opening)
        assert (gap["lip_lower"] - ahead["lip_lower"])[1] == pytest.approx(
            (opening - 0.04) / 0.96 * (landmarks(mouth=1.0)["lip_lower"] - ahead["lip_lower"])[1]
        )
    shut = landmarks(eyes=0.0)
    assert (shut["left_lid_lower"] - shut["left_lid_upper"])[1] < 0.1 * (
        ahead["left_lid_lower"] - ahead["left_lid_upper"]
    )[1]
    assert landmarks(brows=1.0)["left_brow_inner"][1] < ahead["left_brow_inner"][1] - 2


def test_what_is_drawn_is_where_the_landmarks_are():
    frames, truth = draw_face(looking(mouth=0.9), width=200, height=200, truth=True)
    assert truth is not None
    at = dict(zip(LANDMARKS, np.floor(truth.points[0]).astype(int), strict=True))
    frame = frames[0].astype(int)
    assert frame[at["left_pupil"][1], at["left_pupil"][0]].max() < 70
    x, y = (at["lip_upper"] + at["lip_lower"]) // 2
    assert frame[y, x, 0] > frame[y, x, 1] + 40  # the inside of the mouth is red
    chin = at["chin"]
    skin = frame[at["nose"][1] - 12, at["nose"][0]]
    assert np.abs(frame[chin[1] - 2, chin[0]] - skin).max() < 12
    assert np.abs(frame[chin[1] + 3, chin[0]] - skin).max() > 12
    assert truth.seen[0, [LANDMARKS.index(name) for name in ("nose", "left_pupil", "lip_lower", "right_cheek")]].all()


def test_what_hair_hides_is_not_seen():
    _, truth = draw_face(np.vstack([looking(), looking(pitch=-0.4)]), width=200, height=200, truth=True)
    assert truth is not None
    assert truth.seen[0].all()
    hidden = {name for name, seen in zip(LANDMARKS, truth.seen[1], strict=True) if not seen}
    assert {"left_brow_outer", "right_brow_outer"} <= hidden <= {name for name in LANDMARKS if "brow" in name}


@pytest.mark.parametrize(("width", "height"), [(64, 64), (96, 54), (30, 70)])
def test_any_size_and_the_same_for_the_same_seed(width: int, height: int):
    one, again = (
        shoot_talk(talk("um hello", seed=3), width=width, height=height, truth=truth) for truth in (True, False)
    )
    np.testing.assert_array_equal(one.frames, again.frames)
    assert one.frames.shape[1:] == (height, width, 3)
    assert one.sound is not None
    assert again.sound is not None
    np.testing.assert_array_equal(one.sound.samples, again.sound.samples)
    assert one.sound.duration == len(one.frames) / RATE == len(one.frames) / one.rate
    other = shoot_talk(talk("um hello", seed=4), width=width, height=height)
    assert one.frames.shape != other.frames.shape or not np.array_equal(one.frames, other.frames)


@given(st.integers(0, 2**31), st.lists(st.sampled_from(["um", "a", "boat", "grandmother", "hmm", "fly"]), min_size=1))
def test_words_follow_one_another(seed: int, words: list[str]):
    scene = talk(" ".join(words[:80]), seed=seed)
    heard = scene.words
    assert [word.text for word in heard] == words[:80]
    assert all(word.stop - word.start > 0.1 for word in heard)
    assert all(after.start - before.stop >= Fraction(1, 10) for before, after in pairwise(heard))
    assert [word.filler for word in heard] == [word in ("um", "hmm") for word in words[:80]]
    assert heard[0].start > 0
    assert heard[-1].stop < len(scene.kept) / RATE


def test_the_voice_is_as_loud_as_the_mouth_is_open():
    for scene in (talk(SENTENCE, seed=1), talk(SENTENCE, seed=2).without(1)):
        shot = shoot_talk(scene, width=16, height=16, truth=True)
        assert shot.sound is not None
        assert isinstance(shot.truth, PuppetTruth)
        count = len(shot.frames)
        # The loudness around the time of each frame.
        padded = np.pad(shot.sound.samples[:, 0], 960)[: count * 1920]
        loud = np.sqrt(np.square(padded.reshape(count, 1920)).mean(1))
        mouth = shot.truth.dials[:, DIALS.index("mouth")]
        assert np.corrcoef(loud, mouth)[0, 1] > 0.97
        spoken = np.zeros(len(shot.sound.samples), bool)
        for word in scene.words:
            spoken[sample_at(word.start, 48_000) : sample_at(word.stop, 48_000)] = True
        assert not shot.sound.samples[~spoken].any()
        assert np.abs(shot.sound.samples).max() < 1


def test_a_jump_cut_leaves_out_the_word_and_nothing_else():
    scene = talk(SENTENCE, seed=5)
    whole = shoot_talk(scene, width=32, height=32, truth=True)
    cut = scene.without(1)
    shot = shoot_talk(cut, width=32, height=32, truth=True)
    word = scene.words[1]
    first, after = int(word.start * RATE), -int(-word.stop * RATE // 1)
    left = np.r_[:first, after : len(whole.frames)]
    np.testing.assert_array_equal(shot.frames, whole.frames[left])
    assert whole.sound is not None
    assert shot.sound is not None
    blocks = whole.sound.samples.reshape(-1, 1920, 1)
    np.testing.assert_array_equal(shot.sound.samples, blocks[left].reshape(-1, 1))
    assert cut.joins == (first,)
    assert [w.text for w in cut.words] == [w.text for w in scene.words if w != word]
    assert cut.words[0] == scene.words[0]
    assert cut.words[1].start == scene.words[2].start - (after - first) / RATE
    assert cut.words[1].stop - cut.words[1].start == scene.words[2].stop - scene.words[2].start
    assert isinstance(shot.truth, PuppetTruth)
    moves = np.linalg.norm(np.diff(shot.truth.points[:, 0], axis=0), axis=1)
    assert moves.argmax() == first - 1  # the head jumps


def test_all_fillers_can_go_and_so_can_neighbours():
    scene = talk("um uh so erm", seed=2)
    assert [word.text for word in scene.without_fillers().words] == ["so"]
    assert scene.without_fillers() == scene.without(0).without(0).without(1)
    assert scene.without_fillers().without_fillers() == scene.without_fillers()
    nothing = scene.without_fillers().without(0)
    assert nothing.words == ()
    assert not shoot_talk(nothing, width=16, height=16).sound.samples.any()  # pyright: ignore[reportOptionalMemberAccess]


def test_eyes_are_shut_when_it_blinks_and_open_between():
    scene = invented_talk(3)
    assert isinstance(scene, Talk)
    assert scene.blinks
    eyes = scene.dials(np.array([float(at) for at in scene.blinks]))[:, DIALS.index("eyes")]
    np.testing.assert_allclose(eyes, 0, atol=1e-9)
    times = np.linspace(0, float(scene.script[-1].stop), 500)
    far = np.abs(times[:, None] - [float(at) for at in scene.blinks]).min(1) > 0.12
    assert (scene.dials(times)[far, DIALS.index("eyes")] == 1).all()


def test_a_head_moves_a_little():
    for seed in range(12):
        scene = invented_talk(seed)
        head = scene.dials(np.arange(len(scene.kept)) / 25.0)[:, :3]
        assert np.abs(head).max() < 0.6
        assert np.ptp(head[:, 0]) > 0.1
        assert np.abs(np.diff(head, axis=0)).max() < 0.08
        assert any(word.filler for word in scene.words)


def test_what_it_is_as_plain_values():
    scene = talk("um yes", seed=1).without(0)
    facts = scene.facts()
    assert facts["caption"] == "a face says: yes"
    (word,) = facts["words"]  # pyright: ignore[reportGeneralTypeIssues]
    assert word["text"] == "yes"
    assert not word["filler"]
    assert facts["joins"] == list(scene.joins)


def test_doors():
    for text, says in (("", "1 to 80 words; got 0"), ("a " * 81, "got 81"), ("so what?", "cannot say 'what\\?'")):
        with pytest.raises(InputError, match=says):
            talk(text)
    for number in (-1, 2):
        with pytest.raises(InputError, match=f"There is no word {number}; 2 words are heard"):
            talk("um yes").without(number)
