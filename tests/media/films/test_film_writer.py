"""Films come back as they went in: every frame at its time, every sample at its place."""

import errno
from fractions import Fraction as F
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.error import InvalidDataError

from keyweave.base.errors import InputError, MediaError
from keyweave.media.encoders import encoder_faults, has_encoder
from keyweave.media.films import film_writer
from keyweave.media.films.film_writer import EXACT_TICK, FilmWriter

CONTAINERS = ("mp4", "webm", "mov")
RATES = (F(24000, 1001), F(25), F(12), F(25, 2), F(12345, 1007), F(1, 3))


def grey(level: int, width: int = 48, height: int = 32, channels: int = 3) -> np.ndarray:
    return np.full((height, width, channels), level, np.uint8)


def open_writer(path: Path, **settings) -> FilmWriter:
    given = {"width": 48, "height": 32, "has_alpha": False, "rate": F(25)} | settings
    return FilmWriter(path, path.suffix[1:], **given)  # pyright: ignore[reportArgumentType]


def decoded(path: Path) -> list[av.VideoFrame]:
    with av.open(str(path)) as film:
        return list(film.decode(video=0))


def heard(path: Path) -> tuple[np.ndarray, int]:
    """Return all samples (N, C), counted from time 0, and their rate."""
    with av.open(str(path)) as film:
        stream = film.streams.audio[0]
        blocks = []
        for frame in film.decode(stream):
            assert frame.pts is not None
            if not blocks:
                assert abs(frame.pts * float(stream.time_base or 0)) < 0.001  # the first sample is at 0
            array = frame.to_ndarray().astype(np.float64)
            blocks.append(array.T if frame.format.is_planar else array.reshape(-1, stream.channels))
        return np.concatenate(blocks), stream.rate


@pytest.mark.parametrize("rate", RATES, ids=str)
@pytest.mark.parametrize("container", CONTAINERS)
def test_every_frame_is_at_its_tick_of_the_exact_rate(tmp_path: Path, container: str, rate: F):
    path = tmp_path / f"a.{container}"
    with open_writer(path, rate=rate) as film:
        for level in range(0, 240, 20):
            film.add(grey(level))
    with av.open(str(path)) as back:
        stream = back.streams.video[0]
        assert stream.average_rate == rate
        assert stream.time_base is not None
        if container != "webm":  # which counts in milliseconds and states no length of a stream
            assert (stream.duration or 0) * stream.time_base == 12 / rate
        frames = list(back.decode(stream))
        late = [abs((frame.pts or 0) * stream.time_base - k / rate) for k, frame in enumerate(frames)]
    assert len(late) == 12
    assert max(late) <= (F(1, 2000) if container == "webm" else 0)
    levels = [frame.to_ndarray(format="gray").mean() for frame in frames]
    assert np.abs(np.array(levels) - range(0, 240, 20)).max() < 3


@pytest.mark.parametrize("container", CONTAINERS)
def test_exact_times_keep_the_pattern_of_a_variable_rate(tmp_path: Path, container: str):
    path = tmp_path / f"a.{container}"
    times = [F(0), F(1, 60), F(1, 24), F(1, 7), F(1, 2), F(7, 13), F(2), F(2) + EXACT_TICK * 90]
    with open_writer(path, times="exact") as film:
        for k, at in enumerate(times):
            film.add(grey(20 * k), at)
    with av.open(str(path)) as back:
        base = back.streams.video[0].time_base or F(0)
        starts = [(frame.pts or 0) * base for frame in back.decode(video=0)]
    unit = F(1, 1000) if container == "webm" else EXACT_TICK
    assert max(abs(start - at) for start, at in zip(starts, times, strict=True)) <= unit / 2


@pytest.mark.parametrize("container", ["mp4", "mov"])
def test_the_last_frame_lasts_as_long_as_the_rate_says(tmp_path: Path, container: str):
    path = tmp_path / f"a.{container}"
    with open_writer(path, times="exact", rate=F(10)) as film:
        for at in (F(0), F(1, 2), F(3, 5)):
            film.add(grey(9), at)
    with av.open(str(path)) as back:
        stream = back.streams.video[0]
        assert (stream.duration or 0) * (stream.time_base or 0) == F(7, 10)


def test_a_frame_without_a_time_follows_one_tick_later(tmp_path: Path):
    path = tmp_path / "a.mov"
    with open_writer(path, rate=F(10)) as film:
        for at in (None, F(3, 10), None):
            film.add(grey(9), at)
    with av.open(str(path)) as back:
        base = back.streams.video[0].time_base or F(0)
        assert [(frame.pts or 0) * base for frame in back.decode(video=0)] == [0, F(3, 10), F(4, 10)]


def test_frames_without_times_do_not_drift(tmp_path: Path):
    path = tmp_path / "a.mp4"
    rate = F(24000, 1001)
    with open_writer(path, rate=rate, times="exact") as film:
        for _ in range(400):
            film.add(grey(9))
    with av.open(str(path)) as back:
        base = back.streams.video[0].time_base or F(0)
        starts = [(packet.pts or 0) * base for packet in back.demux(video=0) if packet.size]
    assert max(abs(start - k / rate) for k, start in enumerate(sorted(starts))) <= EXACT_TICK / 2


@pytest.mark.parametrize("rate", [48_000, 44_100, 11_025, 7_000])
@pytest.mark.parametrize("container", CONTAINERS)
def test_an_impulse_is_heard_when_it_was_written(tmp_path: Path, container: str, rate: int):
    path = tmp_path / f"a.{container}"
    sound = np.zeros((rate, 2), np.float32)
    strikes = (rate // 20, rate // 3, rate * 19 // 20)
    sound[list(strikes)] = 0.9
    with open_writer(path, rate=F(5), sound=(rate, 2)) as film:
        for k in range(5):
            film.add(grey(50))
            film.hear(sound[k * rate // 5 : (k + 1) * rate // 5])
    samples, back_rate = heard(path)
    assert samples.shape[1] == 2
    assert -0.001 < len(samples) / back_rate - 1 < 0.15  # AAC fills its last packet; that is marked as not to be heard
    for strike in strikes:
        near = slice(int((strike / rate - 0.02) * back_rate), int((strike / rate + 0.02) * back_rate))
        found = (near.start + np.abs(samples[near, 0]).argmax()) / back_rate
        assert abs(found - strike / rate) < 0.001


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("channels", [1, 6])
def test_channels_keep_their_order(tmp_path: Path, container: str, channels: int):
    path = tmp_path / f"a.{container}"
    tones = [300, 500, 700, 90, 1100, 1300][:channels]  # the fourth of six is the one for low tones
    times = np.arange(48_000) / 48_000
    sound = np.stack([0.3 * np.sin(2 * np.pi * tone * times) for tone in tones], axis=1).astype(np.float32)
    with open_writer(path, rate=F(2), sound=(48_000, channels)) as film:
        film.hear(sound)
        film.add(grey(9))
        film.add(grey(9))
    samples, _ = heard(path)
    spectrum = np.abs(np.fft.rfft(samples[4800:43_200], axis=0))
    assert np.abs(spectrum.argmax(axis=0) * 48_000 / 38_400 - tones).max() < 2


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_film_may_fall_silent_at_once(tmp_path: Path, container: str):
    path = tmp_path / f"a.{container}"
    with open_writer(path, sound=(48_000, 1)) as film:
        for _ in range(3):
            film.add(grey(9))
    assert len(decoded(path)) == 3


@pytest.mark.parametrize("size", [(101, 75), (1, 1), (2, 3)])
@pytest.mark.parametrize("container", CONTAINERS)
def test_odd_sides_have_no_seam(tmp_path: Path, container: str, size: tuple[int, int]):
    width, height = size
    path = tmp_path / f"a.{container}"
    frame = np.empty((height, width, 3), np.uint8)
    frame[:] = (200, 60, 40)
    with open_writer(path, width=width, height=height) as film:
        for _ in range(3):
            film.add(frame)
    back = decoded(path)[1]
    even = container == "mp4"
    assert (back.width, back.height) == ((width + width % 2, height + height % 2) if even else size)
    assert (film.width, film.height) == (back.width, back.height)
    levels = np.stack([_plane(back, k) / 2 ** (back.format.components[0].bits - 8) for k in range(3)])
    assert np.ptp(levels, axis=(1, 2)).max() <= 1  # luma and both colours reach every border alike
    told = f"{width} x {height} became {back.width} x {back.height}, the last column or row repeated."
    assert film.notes == ((f"MP4 holds even sizes only: {told}",) if even else ())


def _plane(frame: av.VideoFrame, number: int) -> np.ndarray:
    """Return a plane (height, width) with each value repeated to the frame's size."""
    plane = frame.planes[number]
    kind = np.uint8 if frame.format.components[0].bits == 8 else np.uint16
    values = np.frombuffer(bytes(plane), kind).reshape(plane.height, -1)[:, : plane.width]
    rows, columns = -(-frame.height // plane.height), -(-frame.width // plane.width)
    return values.repeat(rows, 0).repeat(columns, 1)[: frame.height, : frame.width].astype(float)


@pytest.mark.parametrize(("container", "decoder"), [("webm", "libvpx-vp9"), ("mov", "prores")])
def test_alpha_survives(tmp_path: Path, container: str, decoder: str):
    path = tmp_path / f"a.{container}"
    frame = grey(120, 96, 64, 4)
    frame[..., 3] = np.repeat([0, 128, 255], 32)
    with open_writer(path, width=96, height=64, has_alpha=True) as film:
        for _ in range(3):
            film.add(frame)
    codec: Any = av.CodecContext.create(decoder, "r")
    with av.open(str(path)) as back:
        packets = [packet for packet in back.demux(video=0) if packet.size]
        frames = [one for packet in packets for one in codec.decode(packet)] + codec.decode(None)
    assert len(frames) == 3
    alpha = _plane(frames[1], 3) / 2 ** (frames[1].format.components[0].bits - 8)
    assert np.abs(alpha[32, [4, 16, 48, 80, 90]] - [0, 0, 128, 255, 255]).max() <= 2
    assert film.notes == ()


def test_alpha_is_laid_over_black_where_it_cannot_be_held(tmp_path: Path):
    path = tmp_path / "a.mp4"
    frame = grey(200, channels=4)
    frame[..., 3] = 127
    with open_writer(path, has_alpha=True) as film:
        film.add(frame)
        film.add(frame)
    assert abs(decoded(path)[0].to_ndarray(format="gray").mean() - 200 * 127 / 255) < 2
    assert film.notes == ("MP4 holds no alpha: the frames were laid over black.",)


def test_sound_of_a_strange_rate_is_told(tmp_path: Path):
    with open_writer(tmp_path / "a.webm", sound=(44_100, 1)) as film:
        film.add(grey(9))
    assert film.notes == ("WebM holds no sound of 44100 Hz: it became 48000 Hz.",)


def test_any_name_is_a_name(tmp_path: Path):
    path = tmp_path / "take:2 %d ä'😀.mp4"
    with open_writer(path) as film:
        film.add(grey(9))
    assert path.read_bytes()[4:8] == b"ftyp"


def test_the_index_is_ahead_of_the_pictures(tmp_path: Path):
    path = tmp_path / "a.mp4"
    with open_writer(path) as film:
        film.add(grey(9))
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_full_disk_is_an_error_of_the_disk(container: str):
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    noise = np.random.default_rng(0)
    with (
        pytest.raises(OSError) as caught,  # noqa: PT011 - its number is checked below
        FilmWriter(Path("/dev/full"), container, width=48, height=32, has_alpha=False, rate=F(25)) as film,  # pyright: ignore[reportArgumentType]
    ):
        for _ in range(100):
            film.add(noise.integers(0, 256, (32, 48, 3), dtype=np.uint8))
    assert caught.value.errno == errno.ENOSPC


def test_what_goes_wrong_inside_comes_out_unchanged(tmp_path: Path):
    fault = KeyError("mine")
    with pytest.raises(KeyError) as caught, open_writer(tmp_path / "a.mp4") as film:
        film.add(grey(9))
        raise fault
    assert caught.value is fault


def test_frames_that_do_not_belong_are_named(tmp_path: Path):
    with open_writer(tmp_path / "a.mp4") as film:
        film.add(grey(9))
        with pytest.raises(InputError, match=r"^Frame 2 is 50 x 32 with alpha; the clip began with 48 x 32 without a"):
            film.add(grey(9, 50, 32, 4))
        with pytest.raises(InputError, match=r"^Frame 2 is float64 \(32, 48, 3\); the clip began with 48 x 32 with"):
            film.add(grey(9).astype(float))
        film.add(grey(9), F(1))
        with pytest.raises(InputError, match=r"^Frame 3 is to be shown at 1\.000000 s, not after the one before it\."):
            film.add(grey(9), F(1))


def test_sound_that_does_not_belong_is_named(tmp_path: Path):
    silence = np.zeros((10, 2), np.float32)
    with open_writer(tmp_path / "a.mp4") as film:
        film.add(grey(9))
        with pytest.raises(InputError, match=r"^Sound of shape \(10, 2\) does not fit a film of 0 channels"):
            film.hear(silence)
    with open_writer(tmp_path / "b.mp4", sound=(48_000, 1)) as film:
        film.add(grey(9))
        with pytest.raises(InputError, match=r"^Sound of shape \(10, 2\) does not fit a film of 1 channels"):
            film.hear(silence)
        with pytest.raises(InputError, match="^The sound holds values that are not numbers"):
            film.hear(silence[:, :1] * np.nan)
    with pytest.raises(InputError, match="^The sound has 7 channels; 1, 2 or 6 can be written"):
        open_writer(tmp_path / "c.mp4", sound=(48_000, 7))


def test_a_missing_encoder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert has_encoder("libx264")
    assert not has_encoder("h264_nothing")
    monkeypatch.setattr(film_writer, "has_encoder", lambda name: name != "libopus")
    with pytest.raises(MediaError, match="^WebM cannot be written: this installation has no encoder libopus"):
        open_writer(tmp_path / "a.webm")


def test_faults_of_an_encoder_are_one_sentence():
    with pytest.raises(MediaError, match="^FFmpeg's libx264 failed: Invalid data found"), encoder_faults("libx264"):
        raise InvalidDataError(1, "Invalid data found when processing input")
