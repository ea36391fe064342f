"""The door for films and sounds: what it refuses, which streams it chooses, when its clock begins."""

from __future__ import annotations

import os
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import av
import pytest
from av.error import InvalidDataError, PatchWelcomeError
from av.stream import Disposition

from keyweave.base.errors import InputError, MediaError
from keyweave.media.containers import (
    av_faults,
    clock_zero,
    film_streams,
    open_container,
    packets_of,
    picture_stream,
    sound_stream,
    start_of,
    stated_end,
)
from keyweave.media.limits import Limits
from keyweave.media.sniff import sniff

F = Fraction

INDIRECTIONS = {
    "hls.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{film}\n#EXT-X-ENDLIST\n",
    "list.ffconcat": "ffconcat version 1.0\nfile '{film}'\n",
    "concat.mp4": "ffconcat version 1.0\nfile '{film}'\n",
    "meta.txt": ";FFMETADATA1\ntitle=x\n",
    "talk.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
    "dash.mpd": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"></MPD>',
    "link.webm": "http://example.org/a.webm\n",
    "picture%d.mp4": "image2 would look for others\n",
}


@pytest.mark.parametrize("name", INDIRECTIONS)
def test_files_that_point_elsewhere_are_refused(film, tmp_path, name):
    path = tmp_path / name
    path.write_text(INDIRECTIONS[name].format(film=film("a.mp4", count=1)))
    with pytest.raises(MediaError, match="is not a picture, video or sound file that keyweave reads"):
        open_container(path)


@pytest.mark.parametrize("name", ["http:a.mp4", "pipe:0", "concat:a|b.mp4", "file:a.mp4", "a%03d.mp4", "ä 'q\" $x.mp4"])
def test_a_name_is_only_a_name(film, tmp_path, monkeypatch, name):
    film("plain.mp4", count=3).rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    with open_container(tmp_path.__class__(name)) as container:
        assert sum(1 for packet in container.demux(picture_stream(container)) if packet.size) == 3


def test_only_the_demuxer_that_the_content_names_is_used(film):
    path = film("a.mp4", count=1)
    wrong = path.rename(path.with_suffix(".avi"))
    with open_container(wrong) as container:
        assert container.format.name.startswith("mov")
        assert container.container_options == {}
        assert container.options["protocol_whitelist"] == "file"
    assert sniff(wrong).demuxer == "mov"


def test_a_picture_is_no_film(keyframes):
    with pytest.raises(MediaError, match=r"a\.png is a picture \(png\); a video or sound file is needed\."):
        open_container(keyframes[0])


def test_missing_empty_and_forbidden_files_are_named(tmp_path, film):
    with pytest.raises(InputError, match=r"none\.mp4 does not exist"):
        open_container(tmp_path / "none.mp4")
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(MediaError, match=r"empty\.mp4 is empty"):
        open_container(tmp_path / "empty.mp4")
    path = film("a.mp4", count=1)
    if os.geteuid():
        path.chmod(0)
        with pytest.raises(MediaError, match="permission was denied"):
            open_container(path)


def test_large_files_are_refused(film):
    path = film("a.mp4", count=1)
    with pytest.raises(MediaError, match=r"a\.mp4 has [\d,]+ file bytes; at most 99 are read"):
        open_container(path, limits=Limits(file_bytes=99))


def test_a_recording_without_its_index_says_so(film):
    path = film("a.mp4", count=20)
    data = path.read_bytes()
    for end in (len(data) // 2, data.index(b"moov") - 5, data.index(b"moov") + 100):
        path.write_bytes(data[:end])
        with pytest.raises(MediaError) as caught:
            picture_stream(open_container(path))
        assert caught.value.message == f"{path} was cut off before its index was written; nothing can be decoded."
        assert "untrunc" in (caught.value.hint or "")


def test_an_index_beyond_a_box_of_64_bits_is_found(film):
    path = film("a.mp4", count=2)
    data = bytearray(path.read_bytes())
    at = data.index(b"mdat") - 4
    # A box whose length takes 64 bits says 1, and the length comes after the name: the free box before is used up.
    assert data[at - 4 : at] == b"free"
    size = int.from_bytes(data[at : at + 4])
    data[at - 8 : at + 8] = (1).to_bytes(4) + b"mdat" + (size + 8).to_bytes(8)
    path.write_bytes(data)
    with open_container(path) as container:
        assert picture_stream(container).frames == 2
    path.write_bytes(data.replace(b"avc1", b"????").replace(b"moov", b"moor"))
    with pytest.raises(MediaError, match="before its index was written"):
        open_container(path)


def test_a_bad_header_is_damage(film):
    path = film("a.mkv", count=2)
    path.write_bytes(path.read_bytes()[:4] + bytes(2000))
    with pytest.raises(MediaError, match=r"a\.mkv is damaged: it cannot be read\."):
        open_container(path)


def test_faults_inside_a_block_become_one_sentence(tmp_path):
    for fault, words in (
        (InvalidDataError(1, "x"), "is damaged: it cannot be read"),
        (ValueError("x"), "is damaged: it cannot be read"),
        (PatchWelcomeError(1, "x"), "is encoded in a way that this FFmpeg cannot decode"),
    ):
        with pytest.raises(MediaError, match=f"a.mp4 {words}"), av_faults(tmp_path / "a.mp4"):
            raise fault


def test_sound_alone_is_not_a_film(film, joined):
    source = film("a.mkv", count=5, sound="aac")
    path = source.with_name("b.mkv")
    with av.open(str(source)) as one, av.open(str(path), "w") as two:
        stream = two.add_stream_from_template(one.streams.audio[0])
        for packet in one.demux(one.streams.audio[0]):
            if packet.dts is not None:
                packet.stream = stream
                two.mux(packet)
    with open_container(path) as container:
        assert film_streams(container) == []
        with pytest.raises(MediaError, match=r"b\.mkv has no video stream\."):
            picture_stream(container)


def test_a_file_with_neither_picture_nor_sound_is_refused(film):
    path = film("a.mkv", count=2)
    path.write_bytes(path.read_bytes().replace(b"\x16\x54\xae\x6b", b"\x16\x54\xae\x6c"))
    with pytest.raises(MediaError, match=r"a\.mkv "):
        picture_stream(open_container(path))


def test_cover_art_is_not_a_film(film, joined):
    cover = film("cover.mp4", "mjpeg", count=1, pixels="yuvj420p")
    with open_container(joined("a.mp4", [(cover, "attached_pic")])) as container:
        assert len(container.streams.video) == 1
        with pytest.raises(MediaError, match="has no video stream"):
            picture_stream(container)


def test_an_unknown_codec_is_named_as_the_reason(film):
    path = film("a.mp4", count=1)
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzzz"))
    with open_container(path) as container:
        with pytest.raises(MediaError, match="holds video in a codec that this FFmpeg cannot decode") as caught:
            picture_stream(container)
        assert caught.value.hint == "Convert it first, for instance to MP4 with H.264."
        assert clock_zero(container) == 0


def test_the_default_stream_wins_then_the_largest(film, joined):
    small, large = film("small.mp4", count=1), film("large.mp4", count=1, size=(96, 64))
    for marks, width in (((None, None), 96), (("default", None), 64), ((None, "default"), 96)):
        with open_container(joined("a.mkv", list(zip((small, large), marks, strict=True)))) as container:
            assert picture_stream(container).width == width
            assert [stream.width for stream in film_streams(container)] in ([64, 96], [96, 64])


def test_sound_is_the_default_stream_then_the_richest(tmp_path):
    for default, channels in ((None, 2), (0, 1)):
        path = tmp_path / f"{default}.mkv"
        with av.open(str(path), "w") as out:
            streams = [out.add_stream("flac", rate=8000, layout=layout) for layout in ("mono", "stereo")]
            for number, stream in enumerate(streams):
                stream.disposition = Disposition(number == default)
                frame = av.AudioFrame(format="s16", layout=stream.layout.name, samples=800)
                frame.sample_rate, frame.pts = 8000, 0
                out.mux(stream.encode(frame))
                out.mux(stream.encode())
        with open_container(path) as container:
            chosen = sound_stream(container)
            assert chosen is not None
            assert chosen.channels == channels


def test_a_stream_that_appears_on_the_way_ends_the_file_properly(film):
    with open_container(film("a.mp4", count=3)) as container:
        stream = picture_stream(container)

        def demux(*streams):
            yield from container.demux(*streams)
            raise IndexError("list index out of range")  # as PyAV does then

        broadcast: Any = SimpleNamespace(demux=demux)
        assert [packet.size > 0 for packet in packets_of(broadcast, [stream])] == [True, True, True, False]


def test_no_sound_is_none(film):
    with open_container(film("a.mp4", count=1)) as container:
        assert sound_stream(container) is None
        assert clock_zero(container) == 0


CLOCKS = [
    ("a.mp4", "libx264", "aac"),
    ("a.mov", "libx264", "pcm_s16le"),
    ("a.mkv", "libx264", "aac"),
    ("a.webm", "libvpx", "libopus"),
    ("a.avi", "mpeg4", "libmp3lame"),
]


@pytest.mark.parametrize(("name", "codec", "sound"), CLOCKS)
def test_codecs_that_warm_up_do_not_move_the_clock(film, name, codec, sound):
    with open_container(film(name, codec, sound=sound)) as container:
        assert clock_zero(container) == 0


def test_broadcasts_begin_at_the_earlier_of_picture_and_sound(film):
    path = film("a.ts", sound="aac", starts=[F(k, 25) for k in range(5, 15)], count=10, seconds=1)
    with open_container(path) as container:
        picture, sound = picture_stream(container), sound_stream(container)
        assert sound is not None
        begins = [start_of(picture), start_of(sound)]
        assert None not in begins
        assert clock_zero(container) == min(begins)  # pyright: ignore[reportArgumentType]
    late = film("b.ts", starts=[100 + F(k, 25) for k in range(10)], count=10)
    with open_container(late) as container:
        assert clock_zero(container) == start_of(picture_stream(container))
        assert clock_zero(container) >= 100


@pytest.mark.parametrize(("starts", "zero"), [((-312, 0), 0), ((None, None), 0), ((-1, 96000), 0), ((48000, 96000), 1)])
def test_a_start_below_zero_moves_nothing(starts, zero):
    """A codec that warms up begins before 0; that is not when the film begins."""
    sound, picture = (
        SimpleNamespace(
            start_time=start, time_base=F(1, 48000), disposition=0, codec_context=1, channels=1, width=1, height=1
        )
        for start in starts
    )
    container: Any = SimpleNamespace(streams=SimpleNamespace(audio=[sound], video=[picture]))
    assert clock_zero(container) == zero


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
def test_the_stated_end_is_that_of_the_stream(film, name):
    with open_container(film(name, count=25, sound="aac", seconds=3)) as container:
        picture, sound = picture_stream(container), sound_stream(container)
        assert sound is not None
        assert stated_end(picture) == (start_of(picture) or 0) + 1
        assert abs((stated_end(sound) or 0) - (start_of(sound) or 0) - 3) < F(1, 20)


def test_streams_of_live_recordings_state_no_end(film):
    with open_container(film("a.webm", "libvpx", mux={"live": "1"}, count=5)) as container:
        assert stated_end(picture_stream(container)) is None
