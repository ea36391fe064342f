"""The stages of a dance, where they meet files."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from keyweave.base.errors import InputError
from keyweave.media.sound.audio import write_audio
from keyweave.media.types import Audio
from keyweave.systems.dance import stages


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
