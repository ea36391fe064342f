"""Sound: against the samples that went in, and against closed forms."""

from __future__ import annotations

import math
import struct
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, cast

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keyweave.base.errors import InputError, MediaError
from keyweave.media.limits import Limits
from keyweave.media.sound.audio import cut, join, read_audio, silence, stream_audio, write_audio
from keyweave.media.sound.track import Flow, sample_at
from keyweave.media.types import Audio

if TYPE_CHECKING:
    from av.audio.stream import AudioStream


def chirp(count: int, channels: int, rate: int) -> np.ndarray:
    """Rise from 200 Hz, other in each channel, so that every shift and swap shows."""
    at = np.arange(count)[:, None] / rate
    return (0.4 * np.sin(2 * np.pi * (200 + 150 * at + 31 * np.arange(channels)) * at)).astype(np.float32)


def encode(
    path: Path, samples: np.ndarray, rate: int, codec: str, *, pts: list[tuple[int, int]] | None = None, picture=False
) -> Path:
    """Write samples with PyAV alone; `pts` moves the packets from sample n on to begin at pts."""
    with av.open(str(path), "w") as container:
        stream = cast("AudioStream", container.add_stream(codec, rate, layout=f"{samples.shape[1]}c"))
        if picture:
            video = container.add_stream("libx264", rate=25, width=32, height=32)
            video.pix_fmt = "yuv420p"
            for number in range(8):
                frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), "rgb24")
                frame.pts, frame.time_base = number, Fraction(1, 25)
                container.mux(video.encode(frame))
            container.mux(video.encode(None))
        size = stream.codec_context.frame_size or 1000
        for begin in range(0, len(samples), size):
            packed = np.ascontiguousarray(samples[begin : begin + size]).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(packed, "flt", f"{samples.shape[1]}c")
            moved = [at - n for n, at in pts or [(0, 0)] if n <= begin]
            frame.sample_rate, frame.pts, frame.time_base = rate, begin + moved[-1], Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def read(path: Path, start: Fraction = Fraction(0), stop: Fraction | None = None, **more) -> Audio:
    audio = read_audio(path, start, stop, **more)
    assert audio is not None
    return audio


@pytest.mark.parametrize(
    ("codec", "exact"),
    [
        ("pcm_u8", 1 / 128),
        ("pcm_s16le", 1 / 32768),
        ("pcm_s24le", 1e-6),
        ("pcm_s32le", 1e-6),
        ("pcm_s64le", 1e-6),
        ("pcm_f32le", 0),
        ("pcm_f64le", 0),
    ],
)
@pytest.mark.parametrize(("channels", "rate"), [(1, 8000), (2, 44_100), (6, 48_000), (8, 11_025), (3, 96_000)])
def test_every_sample_format_and_number_of_channels_comes_back(tmp_path, codec, exact, channels, rate):
    samples = chirp(5000, channels, rate)
    audio = read(encode(tmp_path / "a.wav", samples, rate, codec))
    assert audio.rate == rate
    assert audio.samples.shape == samples.shape
    assert np.abs(audio.samples - samples).max() <= exact


LOSSY = [
    ("a.mp3", "libmp3lame", 44_100),
    ("a.m4a", "aac", 44_100),
    ("a.ogg", "libopus", 48_000),
    ("a.webm", "libopus", 48_000),
    ("a.mkv", "aac", 48_000),
]
LOSSLESS = [("a.wav", "pcm_s16le", 22_050), ("a.flac", "flac", 44_100), ("a.mov", "pcm_s24le", 48_000)]


@pytest.mark.parametrize(("name", "codec", "rate"), LOSSY + LOSSLESS)
def test_sound_lies_where_it_was_put_in_every_format(tmp_path, name, codec, rate):
    samples = chirp(rate, 2, rate)
    audio = read(encode(tmp_path / name, samples, rate, codec))
    assert rate <= len(audio.samples) <= rate + 1024  # lossy formats may end with a part of a frame
    off = [np.abs(np.roll(audio.samples[:rate], shift, axis=0) - samples)[500:-500].mean() for shift in (-1, 0, 1)]
    assert off[1] < 0.02
    assert np.argmin(off) == 1


@pytest.mark.parametrize(("name", "codec", "rate"), LOSSY + LOSSLESS)
@pytest.mark.parametrize("target", [None, 16_000])
def test_a_span_is_the_slice_of_the_whole(tmp_path, name, codec, rate, target):
    path = encode(tmp_path / name, chirp(2 * rate, 2, rate), rate, codec)
    whole = read(path, rate=target)
    for start, stop in [(0, "1/7"), ("1/3", "2/3"), ("1001/1000", "1003/1000"), ("7/6", "11/6"), ("3/2", None)]:
        first, last = Fraction(start), None if stop is None else Fraction(stop)
        span = read(path, first, last, rate=target).samples
        wanted = whole.samples[sample_at(first, whole.rate) : last and sample_at(last, whole.rate)]
        assert span.shape == wanted.shape
        # AAC draws a little noise anew each time.
        assert np.abs(span - wanted).max(initial=0) <= (0.01 if codec == "aac" else 1e-6)


@pytest.mark.parametrize(("name", "codec", "size"), [("a.mov", "alac", 4096), ("a.mkv", "flac", 4608)])
def test_late_sound_gaps_and_overlaps_keep_the_clock(tmp_path, name, codec, size):
    rate = 48_000
    samples = chirp(10 * size, 2, rate)
    # It begins 3 late, then leaves a gap of 4, and then half a packet is there twice.
    moves = [(0, 3 * size), (4 * size, 11 * size), (8 * size, 29 * size // 2)]
    path = encode(tmp_path / name, samples, rate, codec, pts=moves, picture=True)
    audio = read(path).samples
    wanted = np.zeros((33 * size // 2, 2), np.float32)
    wanted[3 * size : 7 * size] = samples[: 4 * size]
    wanted[11 * size : 15 * size] = samples[4 * size : 8 * size]
    wanted[15 * size :] = samples[17 * size // 2 :]
    assert audio.shape == wanted.shape
    assert np.abs(audio - wanted).max() < 1e-4
    span = read(path, Fraction(2 * size, rate), Fraction(12 * size, rate))
    assert np.array_equal(span.samples, audio[2 * size : 12 * size])


def test_a_jittering_clock_makes_no_holes(tmp_path):
    samples = chirp(20 * 4096, 1, 48_000)
    moves = [(n, n + n * 37 % 300) for n in range(0, 20 * 4096, 4096)]
    audio = read(encode(tmp_path / "a.mov", samples, 48_000, "alac", pts=moves))
    assert audio.samples.shape == samples.shape
    assert np.abs(audio.samples - samples).max() < 1e-4


def test_a_clock_too_coarse_to_count_samples_is_counted_from_the_start(tmp_path):
    samples = chirp(8 * 4096, 1, 48_000)
    path = encode(tmp_path / "a.mov", samples, 48_000, "alac")
    boxes = path.read_bytes()
    # Let the sound's clock count milliseconds: 4096 samples are 85.3 of them.
    clock, steps = boxes.rindex(b"mdhd") + 16, boxes.rindex(b"stts") + 16
    assert boxes[clock : clock + 4] + boxes[steps : steps + 4] == struct.pack(">II", 48_000, 4096)
    path.write_bytes(
        boxes[:clock] + struct.pack(">I", 1000) + boxes[clock + 4 : steps] + struct.pack(">I", 85) + boxes[steps + 4 :]
    )
    whole = read(path).samples
    assert np.abs(whole - samples).max() < 1e-4
    assert np.array_equal(read(path, Fraction(1, 2), Fraction(3, 5)).samples, whole[24_000:28_800])


def test_where_a_seek_would_land_elsewhere_none_is_made(tmp_path):
    samples = chirp(5 * 48_000, 1, 48_000)
    samples[24_000:96_000] = 0  # takes fewer bytes, which misleads whoever seeks by them
    path = encode(tmp_path / "a.ogg", samples, 48_000, "flac")
    assert np.abs(read(path, Fraction(3), Fraction(31, 10)).samples - samples[144_000:148_800]).max() < 1e-4


@given(st.fractions(-10, 10), st.integers(1, 200_000))
@settings(deadline=None)
def test_the_sample_at_a_time_is_the_nearest(at, rate):
    assert abs(Fraction(sample_at(at, rate), rate) - at) <= Fraction(1, 2 * rate)


def test_before_and_after_the_sound_there_is_silence(tmp_path):
    path = encode(tmp_path / "a.wav", np.ones((4000, 1), np.float32) / 2, 8000, "pcm_f32le")
    audio = read(path, Fraction(1, 4), Fraction(1)).samples[:, 0]
    assert audio.tolist() == [0.5] * 2000 + [0.0] * 4000
    assert read(path, Fraction(2)).samples.shape == (0, 1)
    assert read(path, Fraction(1, 8), Fraction(1, 8)).samples.shape == (0, 1)
    assert read(path, Fraction(3), Fraction(4), rate=4000).samples.shape == (4000, 1)


@pytest.mark.parametrize(("own", "rate"), [(44_100, 48_000), (48_000, 44_100), (48_000, 16_000), (8000, 44_101)])
def test_resampling_keeps_a_tone_and_the_length(tmp_path, own, rate):
    def tone(count: int, per_second: int) -> np.ndarray:
        return 0.5 * np.sin(2 * np.pi * 997 * np.arange(count) / per_second + 0.3)[:, None]

    count = own + 777
    path = encode(tmp_path / "a.wav", tone(count, own).astype(np.float32), own, "pcm_f32le")
    audio = read(path, rate=rate)
    assert audio.rate == rate
    assert len(audio.samples) == sample_at(Fraction(count, own), rate)
    assert np.abs(audio.samples - tone(len(audio.samples), rate))[rate // 50 : -rate // 50].max() < 2e-4


def test_resampling_lets_no_tone_through_that_the_new_rate_cannot_hold(tmp_path):
    high = 0.5 * np.sin(2 * np.pi * 9500 * np.arange(48_000) / 48_000)[:, None]
    audio = read(encode(tmp_path / "a.wav", high.astype(np.float32), 48_000, "pcm_f32le"), rate=16_000)
    assert np.abs(audio.samples[1000:-1000]).max() < 1e-3


def test_the_flow_has_blocks_of_one_size_and_equals_the_whole(tmp_path):
    path = encode(tmp_path / "a.flac", chirp(20_000, 2, 44_100), 44_100, "flac")
    sound = stream_audio(path, block=3001)
    assert sound is not None
    blocks = list(sound.blocks)
    assert [len(block) for block in blocks] == [3001] * 6 + [20_000 - 6 * 3001]
    assert np.array_equal(np.concatenate(blocks), read(path).samples)


def test_a_film_without_sound_has_none(tmp_path):
    with av.open(str(tmp_path / "mute.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25, width=32, height=32)
        stream.pix_fmt = "yuv420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), "rgb24")))
        container.mux(stream.encode(None))
    assert read_audio(tmp_path / "mute.mp4") is None
    assert stream_audio(tmp_path / "mute.mp4") is None


@pytest.mark.parametrize("damage", [b"\x00", b"\xff", b"Z"])  # FFmpeg finds another fault in each
def test_a_damaged_packet_is_heard_as_silence(tmp_path, damage):
    samples = np.full((10 * 4096, 1), 0.5, np.float32)
    path = encode(tmp_path / "a.mov", samples, 44_100, "alac")
    with av.open(str(path)) as container:
        packet = list(container.demux())[4]
        place, size = packet.pos, packet.size
    assert place is not None
    whole = path.read_bytes()
    path.write_bytes(whole[:place] + damage * size + whole[place + size :])
    audio = read(path).samples
    assert audio.shape == samples.shape
    heard = np.abs(audio.reshape(10, 4096) - 0.5).max(axis=1) < 1e-3
    assert heard.tolist() == [True] * 4 + [False] + [True] * 5
    assert not audio[4 * 4096 : 5 * 4096].any()


def test_sound_of_which_nothing_decodes_is_refused(tmp_path):
    path = encode(tmp_path / "a.flac", chirp(9000, 1, 44_100), 44_100, "flac")
    whole = path.read_bytes()
    path.write_bytes(whole[:8300] + bytes(len(whole) - 8300))
    with pytest.raises(MediaError, match=r"a\.flac .*(none of it can be decoded|damaged)"):
        read_audio(path)


def test_values_that_are_no_numbers_are_silent(tmp_path):
    path = encode(tmp_path / "a.wav", np.full((8, 1), 0.25, np.float32), 8000, "pcm_f32le")
    path.write_bytes(path.read_bytes().replace(struct.pack("<f", 0.25), struct.pack("<f", math.nan), 3))
    assert read(path).samples[:, 0].tolist() == [0, 0, 0] + [0.25] * 5


def test_a_far_leap_of_the_clock_is_refused_before_it_is_filled(tmp_path):
    samples = chirp(8 * 4096, 1, 48_000)
    path = encode(tmp_path / "a.mkv", samples, 48_000, "flac", pts=[(0, 0), (2 * 4608, 48_000 * 5000)])
    with pytest.raises(MediaError, match=r"a\.mkv has .* seconds; at most 3,600 are read"):
        read_audio(path, limits=Limits(seconds=3600))


@pytest.mark.parametrize(
    ("span", "words"),
    [
        ((Fraction(-1), None), "Sound from -1 s to the end was asked for. Start at 0 s or later, and stop after that."),
        ((Fraction(2), Fraction(1)), "Sound from 2 s to 1 s was asked for. Start at 0 s or later"),
    ],
)
def test_a_span_that_cannot_be_is_refused(tmp_path, span, words):
    with pytest.raises(InputError) as caught:
        read_audio(tmp_path / "never-opened.wav", *span)
    assert words in str(caught.value)


def test_doors_of_reading(tmp_path):
    with pytest.raises(InputError, match="A sample rate must be above 0; got 0"):
        read_audio(tmp_path / "never-opened.wav", rate=0)
    with pytest.raises(InputError, match=r"missing\.wav does not exist"):
        read_audio(tmp_path / "missing.wav")


# ---- cut, join, silence


def steps(count: int, channels: int = 1, rate: int = 1000) -> Audio:
    return Audio(np.linspace(0, 1, count * channels, dtype=np.float32).reshape(count, channels), rate)


@given(st.fractions(0, 1), st.fractions(0, 1), st.sampled_from([7, 44_100, 48_000]))
@settings(deadline=None)
def test_cutting_in_two_loses_and_doubles_nothing(one, two, rate):
    audio = Audio(np.arange(rate, dtype=np.float32)[:, None] / rate, rate)
    early, late = sorted((one, two))
    parts = [cut(audio, *span) for span in ((Fraction(0), early), (early, late), (late, Fraction(1)))]
    assert np.array_equal(np.concatenate([part.samples for part in parts]), audio.samples)
    assert abs(len(parts[1].samples) - (late - early) * rate) <= 1


def test_a_cut_outside_is_refused():
    for span in ((Fraction(-1), Fraction(1)), (Fraction(1), Fraction(3)), (Fraction(1), Fraction(1, 2))):
        with pytest.raises(InputError, match=r"A cut from .* s does not lie within 2 s of sound"):
            cut(steps(2000), *span)


sounds = st.lists(st.integers(0, 40), min_size=1, max_size=6)


@given(sounds, st.fractions(0, Fraction(1, 20)), st.randoms())
@settings(deadline=None)
def test_a_join_is_as_long_as_its_parts_never_louder_and_the_same_far_from_the_joins(lengths, fade, chance):
    pieces = [
        Audio(np.array([chance.uniform(-1, 1) for _ in range(n)], np.float32).reshape(n, 1), 1000) for n in lengths
    ]
    plain = np.concatenate([piece.samples for piece in pieces])
    made = join(pieces, fade=fade).samples
    assert made.shape == plain.shape
    reach = math.floor(fade * 1000 / 2)
    joins = np.cumsum(lengths)[:-1]
    far = [n for n in range(len(plain)) if all(abs(n + 0.5 - at) > reach for at in joins)]
    assert np.array_equal(made[far], plain[far])
    assert np.abs(made).max(initial=0) <= np.abs(plain).max(initial=0) + 1e-6


def test_a_join_keeps_the_level_and_takes_the_click_away():
    rate = 48_000
    level = join([Audio(np.full((4800, 2), 0.5, np.float32), rate)] * 3)
    assert np.array_equal(level.samples, np.full((14_400, 2), 0.5, np.float32))
    up, down = (Audio(np.full((4800, 1), side, np.float32), rate) for side in (0.8, -0.8))
    made = join([up, down]).samples[:, 0]
    assert np.abs(np.diff(made)).max() < 1.6 * math.pi / 2 / 142  # the steepest that a cosine of 3 ms gets
    assert np.abs(np.diff(join([up, down], fade=Fraction(0)).samples[:, 0])).max() == pytest.approx(1.6)
    assert np.all(np.diff(made) <= 0)


def test_a_piece_shorter_than_the_fade_still_begins_and_ends_where_it_does():
    pieces = [Audio(np.full((n, 1), value, np.float32), 48_000) for n, value in ((4800, 0.0), (20, 1.0), (4800, 0.0))]
    made = join(pieces).samples[:, 0]
    assert len(made) == 9620
    assert made[4800 - 10 : 4820 + 10].max() == 1
    assert made[: 4800 - 10].max() == made[4820 + 10 :].max() == 0


def test_joining_one_changes_nothing():
    assert np.array_equal(join([steps(50)]).samples, steps(50).samples)


def test_doors_of_joining():
    with pytest.raises(InputError, match="There is no sound to join"):
        join([])
    with pytest.raises(InputError, match="A fade lasts 0 s or longer; got -1 s"):
        join([steps(9)], fade=Fraction(-1))
    with pytest.raises(InputError, match="Sound 2 has 2 channels at 1000 Hz, the first 1 at 1000 Hz"):
        join([steps(9), steps(9, channels=2)])
    with pytest.raises(InputError, match=r"Sound 3 has 1 channels at 999 Hz.*Read them all with one rate"):
        join([steps(9), steps(9), steps(9, rate=999)])


def test_silence_is_as_long_as_asked():
    quiet = silence(Fraction(1, 3), 44_100, 2)
    assert quiet.samples.shape == (14_700, 2)
    assert not quiet.samples.any()


@given(st.lists(st.integers(0, 9)), st.lists(st.integers(0, 9)))
@settings(deadline=None)
def test_a_flow_gives_what_came_in_order(lengths, takes):
    stream = np.arange(sum(lengths), dtype=np.float32)[:, None]
    edges = np.cumsum([0, *lengths])
    flow = Flow((stream[a:b] for a, b in pairwise(edges)), 1)
    got = [flow.read(count) for count in takes]
    assert np.array_equal(np.concatenate([stream[:0], *got]), stream[: sum(takes)])
    assert np.array_equal(np.concatenate([stream[:0], *flow.in_blocks(4)]), stream[sum(takes) :])


# ---- write


@pytest.mark.parametrize("channels", [1, 2, 3, 8])
@pytest.mark.parametrize(("bits", "exact"), [(16, 0.5 / 32768 + 1e-7), (32, 0)])
def test_what_is_written_is_read_again(tmp_path, channels, bits, exact):
    audio = Audio(chirp(50_001, channels, 44_100), 44_100)
    write_audio(tmp_path / "a.wav", audio, bits=bits)
    again = read(tmp_path / "a.wav")
    assert again.rate == 44_100
    assert again.samples.shape == audio.samples.shape
    assert np.abs(again.samples - audio.samples).max() <= exact


def test_beyond_full_scale_16_bits_clip_and_floats_do_not(tmp_path):
    loud = Audio(np.array([[2.0], [-2.0]], np.float32), 8000)
    write_audio(tmp_path / "a.wav", loud)
    assert np.abs(read(tmp_path / "a.wav").samples - [[1], [-1]]).max() < 1e-4
    write_audio(tmp_path / "a.wav", loud, bits=32, overwrite=True)
    assert read(tmp_path / "a.wav").samples.tolist() == [[2], [-2]]


def test_doors_of_writing(tmp_path):
    with pytest.raises(InputError, match=r"Sound is written as WAV; got a\.mp3. Let the name end in \.wav\."):
        write_audio(tmp_path / "a.mp3", steps(9))
    (tmp_path / "a.wav").write_text("mine")
    with pytest.raises(InputError, match=r"a\.wav already exists"):
        write_audio(tmp_path / "a.wav", steps(9))
    assert (tmp_path / "a.wav").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]
