"""What is told of a file."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pytest
from PIL import ExifTags, ImageCms
from PIL import Image as PillowImage

from keyweave.base.errors import InputError, MediaError
from keyweave.media.info import describe
from keyweave.media.limits import Limits

F = Fraction


def test_a_film_is_described(film):
    path = film(
        "a.mp4",
        count=30,
        rate=F(30000, 1001),
        sound="aac",
        options={"bf": "2"},
        color_range=1,
        colorspace=1,
        color_primaries=1,
        color_trc=1,
        sample_aspect_ratio=F(4, 3),
        rotation=(90, False, False),
    )
    info = describe(path)
    assert (info.path, info.kind, info.bytes) == (str(path), "mp4", path.stat().st_size)
    assert info.duration is not None
    assert abs(info.duration - F(1001, 1000)) < F(1, 50)
    assert (info.picture, info.others, info.comment) == (None, (), None)
    video = info.video
    assert video is not None
    assert (video.codec, video.pixel_format, video.bits, video.alpha) == ("h264", "yuv420p", 8, False)
    assert (video.coded_width, video.coded_height, video.pixel_aspect) == (64, 48, F(4, 3))
    assert (video.width, video.height, video.rotation, video.mirrored) == (48, 85, 270, False)
    assert (video.matrix, video.range, video.primaries, video.transfer) == ("BT.709", "limited", "BT.709", "BT.709")
    assert (video.rate, video.variable_rate) == (F(30000, 1001), False)
    assert (video.frames, video.frames_counted) == (30, False)
    assert (video.start, video.duration) == (0, F(1001, 1000))
    (sound,) = info.sounds
    assert (sound.codec, sound.rate, sound.channels, sound.layout, sound.start) == ("aac", 48000, 1, "mono", 0)
    assert abs((sound.duration or 0) - F(1001, 1000)) < F(1, 40)


@pytest.mark.parametrize(
    ("turn", "told"),
    [
        ((0, False, False), (0, False)),
        ((90, False, False), (270, False)),
        ((180, False, False), (180, False)),
        ((-90, False, False), (90, False)),
        ((0, True, False), (0, True)),
        ((0, False, True), (180, True)),
        ((90, True, False), (90, True)),
    ],
)
def test_turns_are_told_clockwise_after_mirroring(film, turn, told):
    video = describe(film("a.mov", "qtrle", count=1, pixels="rgb24", rotation=turn)).video
    assert video is not None
    assert (video.rotation, video.mirrored) == told


def test_what_headers_do_not_say_is_counted_or_none(film):
    info = describe(film("a.mkv", "ffv1", count=12, pixels="yuv420p10le", sound="flac"))
    video = info.video
    assert video is not None
    assert (video.frames, video.frames_counted, video.bits) == (12, True, 10)
    assert (video.matrix, video.primaries, video.transfer) == (None, None, None)
    assert info.kind == "webm"
    (sound,) = info.sounds
    assert abs((sound.duration or 0) - F(12, 25)) < F(1, 10)


def test_lengths_are_counted_from_the_start_of_each_stream(film):
    info = describe(film("a.ts", count=25, options={"bf": "3"}, sound="aac"))
    assert info.video is not None
    (sound,) = info.sounds
    assert sound.start == 0
    assert abs((sound.duration or 0) - 1) < F(1, 25)
    assert 0 < info.video.start < F(1, 10)
    assert info.video.duration == 1


def test_variable_rates_late_starts_and_alpha(film):
    starts = [F(1, 2) + at for at in (F(0), F(1, 30), F(3, 30), F(4, 30), F(7, 30))]
    video = describe(
        film("a.mov", "qtrle", starts=starts, count=5, tick=F(1, 30), rate=30, pixels="argb", sound="aac", seconds=1)
    ).video
    assert video is not None
    assert (video.variable_rate, video.rate, video.alpha, video.start) == (True, 30, True, F(1, 2))


def test_hdr_is_named(film):
    path = film("a.mp4", count=1, colorspace=9, color_primaries=9, color_trc=16, color_range=1)
    video = describe(path).video
    assert video is not None
    assert (video.matrix, video.primaries, video.transfer) == ("BT.2020", "BT.2020", "PQ")


def test_other_streams_are_listed(film, joined):
    cover, small, large = (
        film("c.mp4", "mjpeg", count=1, pixels="yuvj420p"),
        film("s.mp4", "mpeg4", count=2),
        film("l.mp4", count=3, size=(96, 64)),
    )
    info = describe(joined("a.mp4", [(cover, "attached_pic"), (small, None), (large, "default")]))
    assert info.video is not None
    assert (info.video.codec, info.video.width) == ("h264", 96)
    assert {(other.type, other.codec) for other in info.others} == {("video", "mjpeg"), ("video", "mpeg4")}


def test_a_sound_file_has_no_video(film, tmp_path):
    import wave

    path = tmp_path / "a.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(32000))
    info = describe(path)
    assert (info.kind, info.video, info.picture, info.duration) == ("wav", None, None, 1)
    (sound,) = info.sounds
    assert (sound.codec, sound.rate, sound.channels, sound.duration) == ("pcm_s16le", 8000, 2, 1)


def test_pictures_are_described(tmp_path):
    picture = PillowImage.fromarray(np.zeros((10, 20, 4), np.uint8))
    path = tmp_path / "a.png"
    picture.save(path, icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    info = describe(path)
    assert (info.kind, info.video, info.duration) == ("png", None, None)
    told = info.picture
    assert told is not None
    assert (told.width, told.height, told.alpha, told.frames, told.mode, told.bits) == (20, 10, True, 1, "RGBA", 8)
    assert (told.orientation, told.plays, told.duration) == (1, None, None)
    assert told.profile is not None
    assert "sRGB" in told.profile


@pytest.mark.parametrize("form", ["png", "jpeg", "webp"])
def test_turned_photographs_are_told_as_displayed(tmp_path, form):
    exif = PillowImage.Exif()
    exif[ExifTags.Base.Orientation] = 6
    path = tmp_path / f"a.{form}"
    PillowImage.fromarray(np.zeros((10, 20, 3), np.uint8)).save(path, exif=exif)
    told = describe(path).picture
    assert told is not None
    assert (told.width, told.height, told.orientation, told.mode) == (10, 20, 6, "RGB")


@pytest.mark.parametrize("form", ["png", "jpeg"])
def test_broken_exif_and_profiles_do_not_hide_a_picture(tmp_path, form):
    path = tmp_path / f"a.{form}"
    picture = PillowImage.fromarray(np.zeros((10, 20, 3), np.uint8))
    picture.save(path, exif=b"Exif\0\0MM\0*\0\0\xff\xff", icc_profile=b"nonsense" * 20)
    told = describe(path).picture
    assert told is not None
    assert (told.width, told.orientation, told.profile) == (20, 1, "unreadable")


def test_bits_of_deep_and_shallow_pictures(tmp_path):
    for name, picture, bits, mode in (
        ("deep.png", PillowImage.fromarray(np.zeros((4, 4), np.uint16)), 16, "L"),
        ("deep.tiff", PillowImage.fromarray(np.zeros((4, 4), np.uint16)), 16, "I;16"),
        ("ink.bmp", PillowImage.new("1", (8, 8)), 1, "1"),
        ("gray.jpeg", PillowImage.new("L", (8, 8)), 8, "L"),
    ):
        picture.save(tmp_path / name)
        told = describe(tmp_path / name).picture
        assert told is not None
        assert (told.bits, told.mode) == (bits, mode), name


def test_animations_tell_their_frames_and_plays(tmp_path):
    pictures = [PillowImage.fromarray(np.full((6, 8, 3), 60 * k, np.uint8)) for k in range(4)]
    pictures[0].save(tmp_path / "a.gif", save_all=True, append_images=pictures[1:], duration=100, loop=0)
    info = describe(tmp_path / "a.gif")
    assert info.picture is not None
    assert (info.picture.frames, info.picture.plays, info.picture.duration) == (4, 0, F(2, 5))
    assert info.duration == F(2, 5)


def test_folders_and_patterns_are_counted(tmp_path):
    for k in range(3):
        PillowImage.new("RGB", (8, 6)).save(tmp_path / f"{k:03d}.png")
    for place, kind in ((tmp_path, "folder"), (tmp_path / "%03d.png", "pattern")):
        info = describe(place)
        assert info.picture is not None
        assert (info.kind, info.bytes, info.picture.frames) == (kind, None, 3)
        assert (info.picture.width, info.picture.height, info.picture.alpha) == (8, 6, False)


def test_the_comment_is_told(film):
    import av

    source = film("a.mp4", count=2)
    path = source.with_name("b.mp4")
    with av.open(str(source)) as one, av.open(str(path), "w") as two:
        two.metadata["comment"] = "made by hand"
        stream = two.add_stream_from_template(one.streams.video[0])
        for packet in one.demux():
            if packet.dts is not None:
                packet.stream = stream
                two.mux(packet)
    assert describe(path).comment == "made by hand"


def test_all_of_it_goes_through_json(film, tmp_path):
    info = describe(film("a.mp4", count=3, rate=F(24000, 1001), sound="aac"))
    row = json.loads(json.dumps(info.as_dict()))
    assert row["video"]["rate"] == "24000/1001"
    assert row["video"]["duration"] == round(3 * 1001 / 24000, 6)
    assert row["video"]["pixel_aspect"] == "1"
    assert row["sounds"][0]["codec"] == "aac"
    assert row["comment"] is None
    PillowImage.new("RGB", (8, 6)).save(tmp_path / "a.png")
    assert json.loads(json.dumps(describe(tmp_path / "a.png").as_dict()))["picture"]["width"] == 8


def test_what_cannot_be_described_is_refused(film, tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        describe(tmp_path / "none.mp4")
    path = film("a.mp4", count=5)
    with pytest.raises(MediaError, match="pixels; at most 5"):
        describe(path, limits=Limits(pixels=5))
    path.write_bytes(path.read_bytes()[:700])
    with pytest.raises(MediaError, match="cut off before its index"):
        describe(path)
