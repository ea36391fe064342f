"""One door for all that moves."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from PIL import Image as PillowImage

from keyweave.base.errors import InputError, KeyweaveError, MediaError
from keyweave.media.clips import is_sequence, open_frames, read_clip
from keyweave.media.films.video import VideoReader
from keyweave.media.limits import Limits
from keyweave.media.pictures.animations import AnimationReader
from keyweave.media.pictures.sequences import SequenceReader

F = Fraction


@pytest.fixture
def shots(tmp_path):
    folder = tmp_path / "shots"
    folder.mkdir()
    for k in range(5):
        PillowImage.fromarray(np.full((6, 8, 3), 40 * k, np.uint8)).save(folder / f"{k:05d}.png")
    return folder


@pytest.fixture
def gif(tmp_path):
    pictures = [PillowImage.fromarray(np.full((6, 8, 3), 60 * k, np.uint8)) for k in range(4)]
    pictures[0].save(tmp_path / "a.gif", save_all=True, append_images=pictures[1:], duration=100)
    return tmp_path / "a.gif"


def test_each_kind_gets_its_reader(film, gif, shots):
    for path, reader in (
        (film("a.mp4", count=2), VideoReader),
        (gif, AnimationReader),
        (shots / "00000.png", AnimationReader),
        (shots, SequenceReader),
        (shots / "%05d.png", SequenceReader),
    ):
        with open_frames(path) as source:
            assert isinstance(source, reader)
            assert len(list(source.frames())) >= 1


def test_only_sequences_take_a_rate(film, shots):
    with open_frames(shots) as plain, open_frames(shots, rate=F(12)) as slow:
        assert (plain.rate, slow.rate) == (25, 12)
    with open_frames(film("a.mp4", count=2), rate=F(12)) as reader:
        assert reader.rate == 25


def test_a_percent_sign_in_the_name_of_a_film_is_no_pattern(film, shots):
    path = film("100%.mp4", count=2)
    assert not is_sequence(path)
    assert len(read_clip(path)) == 2
    assert is_sequence(shots / "%03d.png")


def test_sound_and_nonsense_are_refused(film, tmp_path):
    sound = film("a.mkv", count=2, sound="flac").with_name("a.flac")
    sound.write_bytes(b"fLaC" + bytes(60))
    with pytest.raises(
        MediaError, match=r"a\.flac is a sound file \(flac\); a video or a folder of pictures is needed"
    ):
        open_frames(sound)
    with pytest.raises(InputError, match=r"none\.mp4 does not exist"):
        open_frames(tmp_path / "none.mp4")
    (tmp_path / "a.txt").write_text("hello, this is no film")
    with pytest.raises(MediaError, match="is not a picture, video or sound file"):
        open_frames(tmp_path / "a.txt")


def test_limits_and_salvage_are_handed_on(film, gif, shots):
    for path in (film("a.mp4", count=2), gif, shots):
        with pytest.raises(KeyweaveError, match="pixels; at most 5"):
            open_frames(path, limits=Limits(pixels=5))
    path = film("b.mkv", "ffv1", count=40)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(MediaError, match="is damaged"):
        read_clip(path)
    assert 5 < len(read_clip(path, salvage=True)) < 35


def test_a_clip_is_frames_and_the_sound_that_goes_with_them(film, number_of):
    path = film("a.mp4", count=50, sound="aac", seconds=3)
    whole = read_clip(path)
    assert [number_of(frame) for frame in whole.frames] == list(range(50))
    assert (whole.rate, whole.frames.shape, whole.duration) == (25, (50, 48, 64, 3), 2)
    assert whole.audio is not None
    assert (whole.audio.rate, whole.audio.duration) == (48000, 2)
    part = read_clip(path, F(10, 25), F(20, 25))
    assert np.array_equal(part.frames, whole.frames[10:20])
    assert part.audio is not None
    assert part.audio.duration == F(10, 25)
    assert np.abs(part.audio.samples - whole.audio.samples[19200:38400]).max() < 0.02


def test_short_sound_is_followed_by_silence(film):
    clip = read_clip(film("a.mkv", count=25, sound="flac", seconds=F(1, 2)))
    assert clip.audio is not None
    assert clip.audio.duration == 1
    assert np.abs(clip.audio.samples[1000:20000]).max() > 0.1
    assert np.abs(clip.audio.samples[24500:]).max() == 0


def test_what_has_no_sound_has_none(film, gif, shots):
    for path, count, rate in ((film("a.mp4", count=3), 3, 25), (gif, 4, 10), (shots, 5, 25)):
        clip = read_clip(path)
        assert (clip.audio, len(clip), clip.rate) == (None, count, rate)


def test_alpha_is_kept(film):
    pictures = [np.full((24, 32, 4), 70, np.uint8)] * 2
    clip = read_clip(film("a.mov", "qtrle", pictures=pictures, size=(32, 24), pixels="argb"))
    assert np.array_equal(clip.frames, np.full((2, 24, 32, 4), 70))


def test_a_span_beyond_the_end_says_how_long_the_film_is(film):
    path = film("a.mp4", count=50)
    with pytest.raises(InputError, match=r"a\.mp4 has no frame from 5\.00 s to the end; it is 2\.00 s long\."):
        read_clip(path, F(5))
    with pytest.raises(InputError, match=r"has no frame from 1\.00 s to 1\.00 s"):
        read_clip(path, F(1), F(1))
