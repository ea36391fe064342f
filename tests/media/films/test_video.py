"""Reading films: which frames, when, in what colours, and what damage does."""

from __future__ import annotations

import gc
import random
import re
import threading
from bisect import bisect_right
from fractions import Fraction
from itertools import accumulate, islice, pairwise
from math import ceil
from pathlib import Path

import av
import numpy as np
import pytest

from keyweave.base.errors import InputError, MediaError
from keyweave.media.films.video import VideoReader
from keyweave.media.limits import Limits

F = Fraction
B_FRAMES = {"bf": "3", "g": "12"}

# name: (codec, its pixel format, its options, sound, container options)
KINDS = {
    "h264.mp4": ("libx264", "yuv420p", B_FRAMES, "aac", {}),
    "fast.mp4": ("libx264", "yuv420p", B_FRAMES, "aac", {"movflags": "faststart"}),
    "fragmented.mp4": ("libx264", "yuv420p", B_FRAMES, "aac", {"movflags": "frag_keyframe+empty_moov"}),
    "open_gop.mkv": ("libx264", "yuv420p", {**B_FRAMES, "x264-params": "open-gop=1"}, "aac", {}),
    "open_gop.mp4": ("libx264", "yuv420p", {**B_FRAMES, "x264-params": "open-gop=1"}, None, {}),
    "h265.mp4": ("libx265", "yuv420p", {"x265-params": "keyint=12:log-level=none"}, None, {}),
    "mpeg4.mp4": ("mpeg4", "yuv420p", B_FRAMES, "aac", {}),
    "vp9.webm": ("libvpx-vp9", "yuv420p", {"g": "12", "deadline": "realtime", "cpu-used": "8"}, "libopus", {}),
    "vp8.webm": ("libvpx", "yuv420p", {"g": "12", "auto-alt-ref": "1", "lag-in-frames": "8"}, None, {}),
    "vp8.ogv": ("libvpx", "yuv420p", {"g": "12"}, "libopus", {}),
    "h264.mkv": ("libx264", "yuv420p", B_FRAMES, "flac", {}),
    "ffv1.mkv": ("ffv1", "yuv420p", {}, None, {}),
    "mjpeg.avi": ("mjpeg", "yuvj420p", {}, "pcm_s16le", {}),
    "mpeg4.avi": ("mpeg4", "yuv420p", B_FRAMES, "libmp3lame", {}),
    "h264.avi": ("libx264", "yuv420p", B_FRAMES, "libmp3lame", {}),
    "h264.ts": ("libx264", "yuv420p", B_FRAMES, "aac", {}),
    "mpeg2.ts": ("mpeg2video", "yuv420p", B_FRAMES, "mp2", {}),
    "mpeg2.mpg": ("mpeg2video", "yuv420p", B_FRAMES, "mp2", {}),
    "h264.flv": ("libx264", "yuv420p", B_FRAMES, "aac", {}),
    "prores.mov": ("prores_ks", "yuv422p10le", {}, "pcm_s16le", {}),
    "qtrle.mov": ("qtrle", "rgb24", {"g": "12"}, None, {}),
}
COUNT = 40


@pytest.fixture
def made(film):
    def make(name: str, **changes) -> Path:
        codec, pixels, options, sound, mux = KINDS[name]
        return film(name, codec, count=COUNT, pixels=pixels, options=options, sound=sound, mux=mux, **changes)

    return make


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_gives_every_frame_once_at_its_time(made, number_of, name):
    """One frame after another, each a 25th of a second, from the start to what the file states as its end."""
    with VideoReader(made(name)) as film:
        shown = list(film.shown())
        assert [number_of(item.frame) for item in shown] == list(range(COUNT))
        first = shown[0].start
        rounding = F(1, 1000) if name.endswith(("mkv", "webm", "flv")) else 0
        for k, item in enumerate(shown):
            assert abs(item.start - (first + F(k, 25))) <= rounding
            assert abs(item.stop - (first + F(k + 1, 25))) <= rounding
        assert 0 <= first < F(1, 10)
        assert (film.width, film.height, film.has_alpha) == (64, 48, False)
        assert (film.rate, film.is_variable) == (25, False)
        assert abs(film.duration - shown[-1].stop) <= rounding
        # Where the picture begins later than the clock, its first frame is held.
        late = ceil(first * 25)
        assert [number_of(frame) for frame in film.frames()] == [0] * late + list(range(COUNT))


@pytest.mark.parametrize("name", KINDS)
def test_a_span_equals_the_same_slice_of_a_full_read(made, name):
    with VideoReader(made(name)) as film:
        whole = list(film.shown())
        grid = list(film.frames())
        rng = np.random.default_rng(len(name))
        for _ in range(12):
            start, stop = sorted(F(int(t), 1000) for t in rng.integers(0, 1600, 2))
            expected = [item for item in whole if item.stop > start and item.start < stop]
            got = list(film.shown(start, stop))
            assert [(item.start, item.stop) for item in got] == [(item.start, item.stop) for item in expected]
            assert all(np.array_equal(a.frame, b.frame) for a, b in zip(got, expected, strict=True))
        for first, last in ((0, 1), (3, 17), (11, 13), (12, 12), (25, 40), (39, 40)):
            got = list(film.frames(F(first, 25), F(last, 25)))
            assert len(got) == last - first
            assert all(np.array_equal(a, b) for a, b in zip(got, grid[first:last], strict=True))


OPEN = {"bf": "3", "g": "8"}


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("a.mp4", "libx264", {**OPEN, "x264-params": "scenecut=0:open-gop=0"}),
        ("b.mp4", "libx264", {**OPEN, "x264-params": "scenecut=0:open-gop=1"}),
        ("c.mkv", "libx264", {**OPEN, "x264-params": "scenecut=0:open-gop=1"}),
        ("d.mp4", "mpeg4", OPEN),
        ("e.mov", "mpeg2video", OPEN),
        ("f.mkv", "mpeg2video", OPEN),
        ("g.mp4", "libx265", {"x265-params": "log-level=none:keyint=8:open-gop=1:bframes=3:scenecut=0"}),
    ],
)
def test_a_span_may_begin_at_any_frame(film, name, codec, options):
    """In MP4 the index goes by decoding time, so a seek may land on a key frame that is shown only after the time."""
    with VideoReader(film(name, codec, count=40, options=options)) as reader:
        for whole in list(reader.shown()):
            (item,) = reader.shown(whole.start, whole.stop)
            assert (item.start, item.stop) == (whole.start, whole.stop)
            assert np.array_equal(item.frame, whole.frame)


UNEVEN = [F(k, 1000) for k in accumulate([0, 33, 67, 33, 34, 66, 33, 34, 100, 33, 33, 34, 200, 33])]


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.webm", "a.ts", "a.flv", "a.mov"])
@pytest.mark.parametrize("rate", [F(30), F(24), F(60), F(7)])
def test_variable_rates_are_sampled_by_the_nearest_earlier_frame(film, number_of, name, rate):
    codec = "libvpx" if name == "a.webm" else "libx264"
    path = film(name, codec, starts=UNEVEN, count=len(UNEVEN), tick=F(1, 1000), rate=30, options={"g": "5"})
    with VideoReader(path) as reader:
        shown = list(reader.shown())
        starts, end = [item.start for item in shown], shown[-1].stop
        assert [at - starts[0] for at in starts] == UNEVEN
        assert reader.is_variable
        assert reader.duration == end
        tolerance = F(1, 1000)
        grid = [k / rate for k in range(ceil(end * rate))]
        wanted = [max(0, bisect_right(starts, at + tolerance) - 1) for at in grid if at + tolerance < end]
        assert [number_of(frame) for frame in reader.frames(rate=rate)] == wanted


@pytest.mark.parametrize(
    ("rate", "name"),
    [
        (F(24000, 1001), "a.mp4"),
        (F(24000, 1001), "a.mkv"),
        (F(24000, 1001), "a.webm"),
        (F(30000, 1001), "a.ts"),
        (F(30000, 1001), "a.avi"),
        (F(24), "a.webm"),
        (F(60000, 1001), "a.flv"),
        (F(240), "a.mp4"),
        (F(15, 2), "a.mov"),
        (F(1), "a.mkv"),
    ],
)
def test_the_rate_is_exact_even_where_times_are_rounded(film, number_of, rate, name):
    codec = {"webm": "libvpx", "avi": "mpeg4"}.get(name[2:], "libx264")
    path = film(name, codec, rate=rate, count=100, size=(32, 24), options={"g": "30"})
    with VideoReader(path) as reader:
        assert reader.rate == rate
        assert not reader.is_variable
        frames = [number_of(frame) for frame in reader.frames()]
        assert frames[frames.count(0) - 1 :] == list(range(100))


def test_a_film_that_becomes_uneven_late_is_found_to_be_so(film):
    """The header's average gives it away, so all packets are looked at and not only the first ones."""
    starts = [F(k, 30) for k in range(300)] + [10 + F(k, 15) for k in range(100)]
    with VideoReader(film("a.mp4", starts=starts, count=400, tick=F(1, 30), rate=30, size=(32, 24))) as reader:
        assert (reader.rate, reader.is_variable) == (30, True)


def test_a_film_of_one_frame(film, number_of):
    with VideoReader(film("a.mp4", count=1)) as reader:
        assert [number_of(frame) for frame in reader.frames()] == [0]
        assert reader.rate == 25
        (item,) = reader.shown()
        assert (item.start, item.stop, reader.duration) == (0, F(1, 25), F(1, 25))


def test_late_pictures_hold_their_first_frame(film, number_of):
    starts = [F(1, 2) + F(k, 25) for k in range(10)]
    path = film("a.mp4", starts=starts, count=10, tick=F(1, 50), sound="aac", seconds=1)
    with VideoReader(path) as reader:
        assert [item.start for item in reader.shown()] == starts
        # The grid meets frame k at or after its start: 13 points lie before 0.52, where frame 0 is still shown.
        assert [number_of(frame) for frame in reader.frames()] == [0] * 13 + list(range(10))
        assert [number_of(frame) for frame in reader.frames(F(0), F(1, 5))] == [0] * 5
        assert list(reader.shown(F(0), F(1, 5))) == []


def test_odd_sizes_keep_every_column_and_row(film):
    rng = np.random.default_rng(5)
    picture = np.kron(rng.integers(0, 256, (11, 17, 3), np.uint8), np.ones((3, 3, 1), np.uint8))
    path = film("a.mkv", "ffv1", pictures=[picture], size=(51, 33), pixels="bgr0")
    with VideoReader(path) as reader:
        assert np.array_equal(next(reader.frames()), picture)


def test_the_default_video_stream_is_read_and_cover_art_is_not(film, joined):
    cover = film("cover.mp4", "mjpeg", count=1, size=(128, 96), pixels="yuvj420p")
    small, large = film("small.mp4", count=4), film("large.mp4", count=7, size=(96, 64))
    path = joined("a.mp4", [(cover, "attached_pic"), (small, None), (large, "default")])
    with VideoReader(path) as reader:
        assert (reader.width, reader.height) == (96, 64)
        assert len(list(reader.frames())) == 7


def test_sound_may_be_longer_or_shorter_than_the_picture(film):
    for name in ("a.mp4", "a.mkv", "a.webm", "a.ts", "a.flv"):
        codec, sound = ("libvpx", "libopus") if name == "a.webm" else ("libx264", "aac")
        for seconds in (F(1, 5), 4):
            with VideoReader(film(name, codec, count=20, sound=sound, seconds=seconds)) as reader:
                assert len(list(reader.shown())) == 20


def test_a_film_without_a_header_length_is_measured_by_its_packets(film):
    path = film("live.webm", "libvpx", mux={"live": "1"}, count=30)
    with VideoReader(path) as reader:
        assert len(list(reader.shown())) == 30
        assert abs(reader.duration - F(30, 25)) <= F(1, 1000)


def test_an_edit_that_hides_the_end_is_not_damage(film, number_of):
    path = film("a.mp4", count=50)
    data = bytearray(path.read_bytes())
    at = data.index(b"elst") + 12
    data[at : at + 4] = (1000).to_bytes(4)  # milliseconds: half of the film
    path.write_bytes(data)
    with VideoReader(path) as reader:
        assert [number_of(frame) for frame in reader.frames()] == list(range(25))


@pytest.mark.parametrize(
    ("codec", "options"),
    [
        ("libx264", B_FRAMES),
        ("libx264", {"bf": "0", "x264-params": "intra-refresh=1:keyint=10:scenecut=0"}),
        ("mpeg2video", B_FRAMES),
    ],
)
def test_broadcasts_may_begin_anywhere(film, number_of, codec, options):
    path = film("a.ts", codec, count=60, rate=24, options=options)
    data = path.read_bytes()
    path.write_bytes(data[len(data) // 3 // 188 * 188 :])
    with VideoReader(path) as reader:
        shown = list(reader.shown())
        numbers = [number_of(item.frame) for item in shown]
        assert numbers == list(range(numbers[0], 60))
        assert 10 < numbers[0] < 40
        assert reader.duration == shown[-1].stop
        assert (reader.rate, reader.is_variable) == (24, False)


@pytest.mark.parametrize(
    ("codec", "blank"), [("mpeg2video", False), ("mpeg2video", True), ("mpeg4", True), ("libx264", True)]
)
def test_a_broadcast_with_a_bad_first_frame_begins_at_the_next_key_frame(film, number_of, codec, blank):
    path = film("a.ts", codec, count=40, size=(192, 144), options={"g": "12", "sc_threshold": "1000000000"})
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        first, second = [packet.pos or 0 for packet in container.demux(container.streams.video[0])][:2]
    rng = random.Random(2)
    # Of each transport packet of the first frame, what comes after its headers.
    for at in range(first, second, 188):
        if data[at + 1] & 0x1F == 1 and data[at + 2] == 0:
            data[at + 60 : at + 188] = bytes(128) if blank else rng.randbytes(128)
    path.write_bytes(data)
    with VideoReader(path) as reader:
        numbers = [number_of(item.frame) for item in reader.shown()]
    assert numbers == list(range(numbers[0], 40))
    assert numbers[0] in (11, 12)  # where x264 may see a change of scene, or all a key frame


def test_two_recordings_in_one_file_are_told_apart(film, number_of):
    path = film("a.ts", count=40)
    path.write_bytes(path.read_bytes() * 2)
    with pytest.raises(MediaError, match=r"is damaged: it decodes up to 1\.6\d s"):
        list(VideoReader(path).shown())
    assert [number_of(item.frame) for item in VideoReader(path, salvage=True).shown()] == list(range(40))


def test_a_clock_that_trembles_backwards_drops_a_frame(film, number_of):
    """A few frames that come again, as where two parts of a broadcast overlap."""
    path = film("a.ts", count=20, options={"bf": "0"})
    again = film("b.ts", starts=[F(k, 25) for k in range(15, 40)], count=25, options={"bf": "0"})
    path.write_bytes(path.read_bytes() + again.read_bytes())
    shown = list(VideoReader(path).shown())
    assert all(one.stop == other.start for one, other in pairwise(shown))
    assert [number_of(item.frame) for item in shown] == [*range(20), *range(5, 25)]


def test_a_change_of_size_is_scaled_within_the_limits(film):
    path = film("a.ts", count=10, options={"bf": "0"})
    other = film("b.ts", starts=[F(k, 25) for k in range(10, 20)], count=10, size=(320, 240), options={"bf": "0"})
    path.write_bytes(path.read_bytes() + other.read_bytes())
    assert [frame.shape for frame in VideoReader(path).frames()][-20:] == [(48, 64, 3)] * 20
    with pytest.raises(MediaError, match="is damaged: it decodes up to 0"):
        list(VideoReader(path, limits=Limits(pixels=5000)).frames())


def test_an_index_that_calls_every_frame_a_key_frame_does_no_harm(film):
    path = film("a.mp4", "mpeg4", count=40, size=(192, 144), options={"g": "12", "sc_threshold": "1000000000"})
    path.write_bytes(path.read_bytes().replace(b"stss", b"skip"))
    with VideoReader(path) as reader:
        whole = list(reader.shown())
        for k in (5, 17, 30):
            (item,) = reader.shown(F(k, 25), F(k + 1, 25))
            assert np.array_equal(item.frame, whole[k].frame)


def test_the_order_of_storing_does_not_look_like_an_uneven_rate(film):
    with VideoReader(film("a.mp4", count=300, size=(32, 24), options=B_FRAMES)) as reader:
        assert (reader.rate, reader.is_variable) == (25, False)


def test_a_header_that_promises_less_than_there_is_is_not_quoted(film):
    path = film("a.mp4", "mpeg4", count=20)
    data = bytearray(path.read_bytes())
    at = data.index(b"mdhd") + 20
    data[at : at + 4] = (512).to_bytes(4)
    path.write_bytes(data)
    spoil(path, 12, slice(0, None), blank=True)
    with pytest.raises(MediaError, match=r"it decodes up to 0\.4\d s\."):
        list(VideoReader(path).shown())


CUT = {
    "fast.mp4": 0.5,
    "h264.mkv": 0.6,
    "vp9.webm": 0.6,
    "mjpeg.avi": 0.5,
    "h264.flv": 0.5,
    "ffv1.mkv": 0.5,
}


@pytest.mark.parametrize("name", CUT)
def test_a_film_that_was_cut_off_says_so_and_can_be_salvaged(made, number_of, name):
    path = made(name)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * CUT[name])])
    reader = VideoReader(path)
    seen = []
    with pytest.raises(MediaError) as caught:
        for frame in reader.frames():
            seen.append(number_of(frame))  # noqa: PERF401
    late = seen.count(0) - 1
    got = len(seen) - late
    # The last frames may build on some that were cut off although they are shown before; those are held instead.
    assert seen[late : late + got - 4] == list(range(got - 4))
    assert seen == sorted(seen)
    assert 5 < got < COUNT - 5
    assert str(path) in caught.value.message
    (end,) = re.findall(r"is damaged: it decodes up to (\S+) s", caught.value.message)
    assert len(seen) - 1 <= float(end) * 25 <= len(seen)
    assert caught.value.hint == "Pass --salvage to use what is there."
    saved = [number_of(frame) for frame in VideoReader(path, salvage=True).frames()]
    assert saved == seen
    # What comes before the damage can be read without a word.
    assert len(list(reader.frames(F(0), F(5, 25)))) == 5


@pytest.mark.parametrize("name", ["h264.mp4", "mpeg4.mp4", "open_gop.mp4", "prores.mov", "ffv1.mkv"])
def test_damage_in_the_middle_ends_the_film_there(made, number_of, name):
    """A stretch of noise over the packets from the middle on; what was decoded before is right."""
    path = made(name)
    data = bytearray(path.read_bytes())
    half = len(data) // 2
    data[half : half + len(data) // 8] = random.Random(3).randbytes(len(data) // 8)
    path.write_bytes(data)
    with pytest.raises(MediaError, match=r"is damaged: it decodes up to [01]\.\d\d s"):
        list(VideoReader(path).frames())
    saved = [number_of(frame) for frame in VideoReader(path, salvage=True).frames()]
    assert saved == list(range(len(saved)))
    assert 4 < len(saved) < COUNT


def spoil(path: Path, number: int, part: slice, *, blank: bool = False) -> None:
    """Overwrite a part of one video packet with noise, or with zeros."""
    with av.open(str(path)) as container:
        packet = list(container.demux(container.streams.video[0]))[number]
        at, size = packet.pos, packet.size
    assert at is not None
    data = bytearray(path.read_bytes())
    spoilt = range(at, at + size)[part]
    data[spoilt.start : spoilt.stop] = bytes(len(spoilt)) if blank else random.Random(1).randbytes(len(spoilt))
    path.write_bytes(data)


def test_a_frame_that_the_decoder_had_to_make_up_is_damage(film, number_of):
    """H.264 conceals what it cannot decode and says so; nothing is raised."""
    rng = np.random.default_rng(1)
    pictures = [rng.integers(0, 256, (48, 64, 3), np.uint8) for _ in range(12)]
    path = film("a.mp4", pictures=pictures, options={"bf": "0", "g": "4"})
    good = [item.frame for item in VideoReader(path).shown()]
    spoil(path, 6, slice(400, 460))
    with pytest.raises(MediaError, match=r"it decodes up to 0\.24 s of 0\.48 s"):
        list(VideoReader(path).shown())
    saved = [item.frame for item in VideoReader(path, salvage=True).shown()]
    assert len(saved) == 6
    assert all(np.array_equal(one, other) for one, other in zip(saved, good, strict=False))


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "mpeg4"), ("a.avi", "mpeg4"), ("a.mov", "prores_ks")])
def test_a_last_frame_that_cannot_be_decoded_is_missed(film, monkeypatch, name, codec):
    """The fault of a packet that one of many decoding threads still held when the file ended is swallowed by PyAV."""
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    path = film(name, codec, count=10, pixels="yuv422p10le" if codec == "prores_ks" else "yuv420p")
    spoil(path, 9, slice(0, None), blank=True)
    with pytest.raises(MediaError, match=r"it decodes up to 0\.36 s"):
        list(VideoReader(path).shown())


def test_a_film_without_one_good_frame_says_so(film):
    path = film("a.mp4", count=2, mux={"movflags": "faststart"})
    data = bytearray(path.read_bytes())
    at = data.rindex(b"mdat") + 4
    data[at:] = bytes(len(data) - at)
    path.write_bytes(data)
    for salvage in (False, True):
        with pytest.raises(MediaError, match=r"a\.mp4 is damaged: not one frame can be decoded\."):
            VideoReader(path, salvage=salvage)


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Limits(pixels=64 * 48 - 1), "3,072 pixels; at most 3,071"),
        (Limits(seconds=1), "2 seconds; at most 1"),
        (Limits(file_bytes=100), "file bytes; at most 100"),
    ],
)
def test_limits_hold_before_anything_is_decoded(film, limits, words):
    path = film("a.mp4", count=50)
    with pytest.raises(MediaError, match=words):
        VideoReader(path, limits=limits)


def test_frames_are_counted_as_they_come(film):
    path = film("a.mp4", count=20)
    seen = []
    with pytest.raises(MediaError, match="has 11 frames; at most 10 are read"):
        seen.extend(VideoReader(path, limits=Limits(frames=10)).shown())


def test_a_widened_picture_counts_as_shown(film):
    path = film("a.mp4", count=1, sample_aspect_ratio=F(4))
    with pytest.raises(MediaError, match="12,288 pixels"):
        VideoReader(path, limits=Limits(pixels=5000))


def test_nonsense_spans_and_rates_are_refused(film):
    reader = VideoReader(film("a.mp4", count=2))
    for start, stop in ((F(-1), None), (F(2), F(1))):
        with pytest.raises(InputError, match="A span from"):
            reader.shown(start, stop)
    with pytest.raises(InputError, match="rate must be above 0"):
        reader.frames(rate=F(0))
    assert list(reader.frames(F(5))) == list(reader.shown(F(5), F(6))) == []


def test_readings_do_not_disturb_one_another(film, number_of):
    reader = VideoReader(film("a.mp4", count=30, options=B_FRAMES))
    one, two = reader.frames(), reader.frames(F(10, 25))
    numbers = [(number_of(a), number_of(b)) for a, b in zip(islice(one, 20), two, strict=True)]
    assert numbers == [(k, k + 10) for k in range(20)]


def test_threads_may_read_the_same_film(film, number_of):
    reader = VideoReader(film("a.mp4", count=30, options=B_FRAMES))
    found: dict[int, list[int]] = {}

    def read(at: int) -> None:
        found[at] = [number_of(frame) for frame in reader.frames(F(at, 25))]

    threads = [threading.Thread(target=read, args=(at,)) for at in (0, 7, 15)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {at: list(range(at, 30)) for at in (0, 7, 15)}


def test_readings_that_are_left_half_way_let_the_file_go(film):
    path = film("a.mp4", count=30)
    left = [VideoReader(path).frames() for _ in range(5)]
    assert all(len(next(frames)) == 48 for frames in left)
    left.clear()
    gc.collect()
    held = [link for link in Path("/proc/self/fd").iterdir() if link.exists() and link.resolve() == path.resolve()]
    assert held == []
