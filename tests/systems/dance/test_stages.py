"""The stages of a dance, where they meet files."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from keyweave.base.errors import InputError
from keyweave.media.sound.audio import write_audio
from keyweave.media.types import Audio, Image
from keyweave.systems.dance import stages
from keyweave.systems.dance.assignment import Plan
from keyweave.systems.dance.labels import Label
from keyweave.systems.dance.mirror import Keyframes


def test_hours_of_sound_are_refused_before_they_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def read(path: Path) -> Audio:
        raise AssertionError(f"{path} was read")

    monkeypatch.setattr(stages, "read_audio", read)
    for minutes, seconds in ((30, 1), (41, 0)):
        song = tmp_path / f"{minutes}.wav"
        write_audio(song, Audio(np.zeros(((60 * minutes + seconds) * 100, 1), np.float32), 100))
        with pytest.raises(InputError) as said:
            stages.beats_of(song)
        lasts = f"{minutes}.wav lasts {minutes}:{seconds:02} minutes; a song to dance to lasts 30 at most."
        assert said.value.message.endswith(lasts)
        assert said.value.hint == "Cut out the part that is danced."
    write_audio(tmp_path / "short.wav", Audio(np.zeros((30 * 60 * 100, 1), np.float32), 100))
    with pytest.raises(AssertionError, match="short.wav was read"):
        stages.beats_of(tmp_path / "short.wav")


def test_a_song_whose_length_nobody_says_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    described = stages.describe

    def unsure(path: Path) -> object:
        info = described(path)
        return replace(info, sounds=tuple(replace(sound, duration=None) for sound in info.sounds))

    monkeypatch.setattr(stages, "describe", unsure)
    write_audio(tmp_path / "song.wav", Audio(np.zeros((4 * 8000, 1), np.float32), 8000))
    with pytest.raises(InputError, match="The song is silent"):
        stages.beats_of(tmp_path / "song.wav")


@pytest.mark.parametrize(
    ("pairs", "wished", "said"),
    [
        ([(0, 1), (5, 4)], 0, ["Of 4 keyframes 2 are danced, for they are nearest to each other; --transition 20"]),
        ([(0, 1), (5, 4)], 20, []),  # as it was asked
        ([(0, 1), (2, 4)], 0, []),  # three of four
        ([(0, 1)], 0, []),  # one motion needs no more
    ],
)
def test_a_plan_that_stays_among_a_few_keyframes_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pairs: list[tuple[int, int]], wished: float, said: list[str]
):
    labels = tuple(Label(name) for name in "AB"[: len(pairs)])
    plan = Plan(labels, dict(zip(labels, pairs, strict=True)), dict.fromkeys(labels, 30.0), (), 0.0, 0.0, 12.0, 60.0)
    monkeypatch.setattr(stages, "solve", lambda *_, **__: plan)
    monkeypatch.setattr(stages, "measure_motions", lambda *_, **__: np.zeros((8, 8)))
    picture = Image(np.zeros((4, 4, 3), np.uint8))
    made = Keyframes((picture,) * 8, np.ones((8, 4, 4), bool))
    names = [tmp_path / f"{number}.png" for number in range(8)]
    file, _ = stages.plan_dance(labels, made, names, tmp_path, wishes=stages.Wishes(least_transition=wished))
    assert len(file.notes) == len(said)
    assert all(note.startswith(words) for note, words in zip(file.notes, said, strict=True))


def test_a_plan_that_is_not_proved_says_by_how_much_another_may_be_smoother(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    labels = (Label("A"),)
    plan = Plan(labels, {Label("A"): (0, 1)}, {Label("A"): 30.0}, (), 200.0, 150.0, 12.0, 60.0)
    monkeypatch.setattr(stages, "measure_motions", lambda *_, **__: np.zeros((4, 4)))
    made = Keyframes((Image(np.zeros((4, 4, 3), np.uint8)),) * 4, np.ones((4, 4, 4), bool))
    names = [tmp_path / f"{number}.png" for number in range(4)]
    for bound, proved, gap, words in (
        (150.0, False, 0.25, "a plan may be 25% smoother"),
        (200.0, True, 0, "no plan is smoother"),
    ):
        found = replace(plan, bound=bound)
        monkeypatch.setattr(stages, "solve", lambda *_, found=found, **__: found)
        file, _ = stages.plan_dance(labels, made, names, tmp_path)
        assert (file.proved, file.gap) == (proved, gap)
        assert stages.story(file) == f"A: transitions move 200 px, {words}"
