"""Cutting: flashes and beeps that were together stay together, measured with PyAV alone."""

from __future__ import annotations

import threading
from bisect import bisect_right
from fractions import Fraction
from itertools import accumulate, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keyweave.base.errors import Cancelled, InputError, MediaError
from keyweave.base.progress import Progress
from keyweave.media.cutting import Kept, cut_and_join, kept_frames, kept_sound
from keyweave.media.pictures.images import write_image
from keyweave.media.sound.track import sample_at
from keyweave.media.source import Shown
from keyweave.media.types import Image

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.video.stream import VideoStream

TICK = Fraction(1, 90_000)


def write_film(
    path: Path,
    times: list[Fraction],
    greys: list[int],
    *,
    sound: np.ndarray | None,  # (N,)
    rate: int = 48_000,
    start: Fraction = Fraction(0),
    codecs: tuple[str, str] = ("libx264", "aac"),
) -> Path:
    """Write grey frames at the given times, and mono sound."""
    with av.open(str(path), "w") as container:
        options = {"preset": "ultrafast"} if codecs[0] == "libx264" else {"deadline": "realtime", "cpu-used": "8"}
        picture = cast("VideoStream", container.add_stream(codecs[0], 30, options, width=64, height=48, time_base=TICK))
        picture.pix_fmt = "yuv420p"
        heard = cast("AudioStream", container.add_stream(codecs[1], rate, layout="mono")) if sound is not None else None
        done = 0
        for at, grey in zip(times, greys, strict=True):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), grey, np.uint8), "rgb24")
            frame.pts, frame.time_base = round((at + start) / TICK), TICK
            container.mux(picture.encode(frame))
            due = round(at * rate) if at < times[-1] else 10**9
            while heard and sound is not None and done < min(due, len(sound)):
                block = av.AudioFrame.from_ndarray(sound[None, done : done + 960].astype(np.float32), "flt", "mono")
                block.sample_rate, block.pts, block.time_base = rate, done + round(start * rate), Fraction(1, rate)
                container.mux(heard.encode(block))
                done += 960
        container.mux([*picture.encode(None), *(heard.encode(None) if heard else [])])
    return path


def write_flashes(path: Path, times: list[Fraction], *, rate: int = 48_000, **more) -> Path:
    """Write a film in which every eleventh frame is white and begins together with a beep of 40 ms."""
    white = range(5, len(times), 11)
    beep = 0.7 * np.sin(2 * np.pi * 1000 * np.arange(rate // 25) / rate)
    sound = np.zeros(round((times[-1] + Fraction(1, 5)) * rate))
    for number in white:
        begin = round(times[number] * rate)
        sound[begin : begin + len(beep)] = beep
    greys = [235 if number in white else 16 + number * 7 % 40 for number in range(len(times))]
    return write_film(path, times, greys, sound=sound, rate=rate, **more)


class Measured(NamedTuple):
    flashes: np.ndarray  # (F,) seconds from the start of the file
    beeps: np.ndarray  # (B,)
    times: np.ndarray  # (N,) of all frames
    greys: list[int]  # (N,)


def seconds(ticks: int | None, tick: Fraction | None) -> float:
    assert ticks is not None
    assert tick is not None
    return float(ticks * tick)


def time_of(frame: av.VideoFrame | av.AudioFrame) -> float:
    return seconds(frame.pts, frame.time_base)


def measure(path: Path) -> Measured:
    """Decode with PyAV and find where white begins and where sound begins."""
    with av.open(str(path)) as container:
        zero = max(0.0, min(seconds(stream.start_time, stream.time_base) for stream in container.streams))
        frames = [(time_of(frame) - zero, frame.to_ndarray(format="gray")) for frame in container.decode(video=0)]
    times = np.array([at for at, _ in frames])
    greys = [round(float(grey.mean())) for _, grey in frames]
    white = np.array(greys) > 140
    beeps: list[float] = []
    last = -1.0
    with av.open(str(path)) as container:
        resampler = av.AudioResampler("flt")
        for frame in container.decode(audio=0) if container.streams.audio else ():
            begin = time_of(frame) - zero
            loud = np.flatnonzero(np.abs(resampler.resample(frame)[0].to_ndarray()[0]) > 0.3)
            for at in begin + loud / frame.sample_rate:
                if at - last > 0.02:
                    beeps.append(at)
                last = at
    return Measured(times[white & ~np.r_[False, white[:-1]]], np.array(beeps), times, greys)


def nearest(found: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """How far off the nearest of `found` is, for each that is wanted."""
    return np.array([found[np.abs(found - at).argmin()] - at for at in wanted])


def random_ranges(count: int, total: float, seed: int) -> list[tuple[Fraction, Fraction]]:
    """Rising ranges whose ends are aligned with nothing."""
    edges = np.sort(np.random.default_rng(seed).uniform(0.05, total, 2 * count))
    spans = [
        (Fraction(a).limit_denominator(10_007), Fraction(b).limit_denominator(10_007)) for a, b in edges.reshape(-1, 2)
    ]
    return [(start, stop) for start, stop in spans if stop - start > Fraction(1, 25)]


def uneven(total: int, seed: int = 1) -> list[Fraction]:
    """Frame times 33 or 67 ms apart."""
    steps = np.random.default_rng(seed).choice([1, 1, 2], 30 * total)
    times = np.cumsum([0, *steps])
    return [Fraction(int(at), 30) for at in times if at < 30 * total]


STEADY = [Fraction(number, 25) for number in range(250)]
TELEVISION = [Fraction(1001 * number, 30_000) for number in range(300)]
OPUS = ("libvpx-vp9", "libopus")
# The last column is what the clock of a container allows: WebM and Matroska count milliseconds.
CASES = [
    pytest.param("a.mp4", "b.mp4", STEADY, 6, {}, 0.0001, id="25 fps"),
    pytest.param("a.mp4", "b.mp4", TELEVISION, 6, {"rate": 44_100}, 0.0001, id="29.97 fps"),
    pytest.param("a.mp4", "b.mp4", uneven(40), 40, {}, 0.0001, id="variable, 40 ranges"),
    pytest.param("a.mp4", "b.mp4", STEADY, 6, {"start": Fraction(1, 2)}, 0.0001, id="start time 0.5 s"),
    pytest.param("a.mkv", "b.mp4", uneven(10), 9, {"start": Fraction(1, 2)}, 0.0011, id="variable, Matroska, 0.5 s"),
    pytest.param("a.webm", "b.webm", uneven(10), 9, {"codecs": OPUS}, 0.0015, id="variable, WebM"),
    pytest.param("a.ts", "b.mp4", STEADY, 6, {}, 0.0001, id="transport stream"),
    pytest.param("a.mp4", "b.mov", uneven(6), 6, {}, 0.0001, id="variable, to ProRes and PCM"),
]


@pytest.mark.parametrize(("name", "made", "times", "count", "how", "most"), CASES)
def test_flash_and_beep_stay_together_at_every_join(tmp_path, name, made, times, count, how, most):
    source = write_flashes(tmp_path / name, times, **how)
    before = measure(source)
    own = nearest(before.beeps, before.flashes)
    ranges = random_ranges(count, float(times[-1]), seed=len(times))
    cut = cut_and_join(source, ranges, tmp_path / made)

    after = measure(tmp_path / made)
    # Those whose flash and beep were not cut through must be where their range went.
    wanted = [
        float(at) + flash - float(start)
        for (start, stop), at in zip(ranges, [Fraction(0), *cut.joins], strict=True)
        for flash in before.flashes
        if start + 0.012 < flash < stop - 0.012
    ]
    assert len(wanted) > len(ranges) // 3
    assert np.abs(nearest(after.flashes, np.array(wanted))).max() < most
    whole = after.flashes[np.abs(nearest(np.array(wanted), after.flashes)) < 0.002]
    apart = nearest(after.beeps, whole) - np.median(own)
    assert np.abs(apart).max() < min(most + np.ptp(own), 0.002)
    assert cut.duration == sum(stop - start for start, stop in ranges)
    assert (*cut.joins, cut.duration) == tuple(accumulate(stop - start for start, stop in ranges))
    # The very first frame may be what is left of one; after it nothing flickers.
    assert np.diff(after.times)[1:].min() > 0.2 / 30


def test_a_whole_film_keeps_each_time_of_its_variable_rate(tmp_path):
    times = uneven(4)
    source = write_flashes(tmp_path / "a.mp4", times)
    cut_and_join(source, [(Fraction(0), times[-1])], tmp_path / "b.mp4")
    assert measure(tmp_path / "b.mp4").times == pytest.approx([float(at) for at in times[:-1]], abs=1e-5)


def test_ranges_may_come_in_any_order_and_more_than_once(tmp_path):
    source = write_film(tmp_path / "a.mov", STEADY[:100], [50 + number for number in range(100)], sound=None)
    tenths = [(20, 22), (5, 7), (6, 8), (5, 7)]
    cut = cut_and_join(source, [(Fraction(a, 10), Fraction(b, 10)) for a, b in tenths], tmp_path / "b.mov")
    greys = measure(tmp_path / "b.mov").greys
    wanted = [50 + number for a, b in tenths for number in range(100) if a * 2.5 <= number < b * 2.5]
    # 0.5 s lies in the middle of frame 12, of which half is left to show.
    wanted[5:5], wanted[16:16] = [62], [62]
    assert greys == pytest.approx(wanted, abs=2)
    assert cut.joins == (Fraction(1, 5), Fraction(2, 5), Fraction(3, 5))


def test_the_frame_on_screen_at_a_start_is_shown_from_there_unless_it_would_flicker(tmp_path):
    source = write_film(tmp_path / "a.mp4", STEADY[:50], [50 + 3 * number for number in range(50)], sound=None)

    def first_after_join(second: Fraction) -> tuple[int, Fraction]:
        ranges = [(Fraction(0), Fraction(1, 5)), (second, second + Fraction(1, 5))]
        cut_and_join(source, ranges, tmp_path / "b.mp4", overwrite=True)
        made = measure(tmp_path / "b.mp4")
        return round((made.greys[5] - 50) / 3), Fraction(made.times[5]).limit_denominator(1000)

    assert first_after_join(Fraction("1.01")) == (25, Fraction("0.2"))  # 30 ms of frame 25 are left
    assert first_after_join(Fraction("1.035")) == (26, Fraction("0.205"))  # 5 ms are too few


def test_a_folder_of_pictures_can_be_cut_too(tmp_path):
    for number in range(10):
        picture = np.full((32, 32, 3), 50 + 10 * number, np.uint8)
        write_image(tmp_path / "in" / f"{number}.png", Image(picture))
    ranges = [(Fraction(1, 5), Fraction(8, 25)), (Fraction(0), Fraction(2, 25))]
    cut_and_join(tmp_path / "in", ranges, tmp_path / "b.mp4")
    assert measure(tmp_path / "b.mp4").greys == pytest.approx([100, 110, 120, 50, 60], abs=2)


def test_a_film_whose_picture_comes_late_shows_its_first_frame_from_the_start(tmp_path):
    late = [at + Fraction(1, 2) for at in STEADY[:50]]
    source = write_film(tmp_path / "a.mp4", late, [60] * 25 + [90] * 25, sound=np.zeros(120_000))
    cut_and_join(source, [(Fraction(1, 5), Fraction(2))], tmp_path / "b.mp4")
    made = measure(tmp_path / "b.mp4")
    assert made.times[0] == 0
    assert made.greys[0] == pytest.approx(60, abs=2)
    assert made.times[1] == pytest.approx(0.34, abs=1e-4)


def samples_of(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        resampler = av.AudioResampler("flt")
        blocks = [resampler.resample(frame)[0].to_ndarray()[0] for frame in container.decode(audio=0)]
    return np.concatenate(blocks)


def test_sound_is_cut_at_the_sample_and_rounding_never_adds_up(tmp_path):
    sound = np.linspace(-1, 1, 3 * 44_100)
    source = write_film(
        tmp_path / "a.mov", STEADY[:75], [50] * 75, sound=sound, rate=44_100, codecs=("libx264", "pcm_s24le")
    )
    # Each range is 101.4 samples long, so that 25 rounded lengths would be 10 samples short.
    length = Fraction(1014, 441_000)
    ranges = [(Fraction(k, 10), Fraction(k, 10) + length) for k in range(25)]
    cut_and_join(source, ranges, tmp_path / "b.mov")
    made = samples_of(tmp_path / "b.mov")
    assert len(made) == round(25 * 101.4)
    for k, (start, _) in enumerate(ranges):
        middle = round(101.4 * k) + 50
        assert made[middle] == pytest.approx(sound[round(start * 44_100) + 50], abs=2e-5)


def test_sound_is_smooth_where_ranges_meet_and_untouched_where_they_follow_one_another(tmp_path):
    sound = np.r_[np.full(48_000, 0.5), np.full(48_000, -0.5)] + 0.1 * np.sin(np.arange(96_000) / 20)
    source = write_film(tmp_path / "a.mov", STEADY[:50], [50] * 50, sound=sound, codecs=("libx264", "pcm_s24le"))
    parts = [(Fraction(1, 5), Fraction(1, 2)), (Fraction(1, 2), Fraction(4, 5)), (Fraction(6, 5), Fraction(8, 5))]
    cut_and_join(source, parts, tmp_path / "b.mov")
    made, join = samples_of(tmp_path / "b.mov"), 28_800
    plain = np.r_[sound[9600:38_400], sound[57_600:76_800]]
    far = np.abs(np.arange(len(plain)) - join) > 72
    assert np.abs(made - plain)[far].max() < 1e-5
    assert np.abs(np.diff(made)).max() < 0.03  # a step of 1 in the plain one


def test_a_last_frame_that_is_held_is_held_to_the_end(tmp_path):
    times = [*STEADY[:10], Fraction(4)]
    source = write_film(tmp_path / "a.mp4", times, [50] * 10 + [90], sound=None)
    cut_and_join(source, [(Fraction(0), Fraction(2))], tmp_path / "b.mp4")
    with av.open(str(tmp_path / "b.mp4")) as container:
        ends = [seconds(packet.pts, packet.time_base) + 1 / 25 for packet in container.demux() if packet.size]
    assert max(ends) == pytest.approx(2, abs=1e-4)


# ---- laws, against brute force


class Played:
    """A source whose frames hold their own number."""

    def __init__(self, steps: list[int]) -> None:
        self.rate = Fraction(30)
        edges = np.cumsum([0, *steps])
        self.items = [
            Shown(Fraction(int(a), 90), Fraction(int(b), 90), np.full((1, 1, 3), number, np.uint8))
            for number, (a, b) in enumerate(pairwise(edges))
        ]

    def shown(self, start, stop):
        return (item for item in self.items if item.stop > start and item.start < stop)


def place(ranges: list[tuple[Fraction, Fraction]]) -> list[Kept]:
    at, placed = Fraction(0), []
    for start, stop in ranges:
        placed.append(Kept(start, stop, at))
        at += stop - start
    return placed


spans = st.lists(
    st.tuples(st.fractions(0, 3, max_denominator=997), st.fractions(0, 3, max_denominator=997))
    .map(sorted)
    .map(tuple)
    .filter(lambda span: span[0] < span[1]),
    min_size=1,
    max_size=6,
)


@given(st.randoms(use_true_random=False), spans)
@settings(max_examples=50, deadline=None)
def test_at_every_instant_the_right_frame_is_shown(chance, ranges):
    steps = [chance.randint(1, 9) for _ in range(120)]
    film = Played(steps)
    kept = place(ranges)
    made = list(kept_frames(film, kept))  # type: ignore[arg-type]
    times = [at for at, _ in made]
    if not made:
        assert all(one.stop - one.start < Fraction(1, 120) for one in kept)
        return
    assert times[0] == 0
    assert all(after - before >= TICK for before, after in pairwise(times))
    starts = [item.start for item in film.items]
    for one in kept:
        for into in (k * (one.stop - one.start) / 11 for k in range(11)):
            number = bisect_right(times, one.at + into) - 1
            right = bisect_right(starts, one.start + into) - 1
            near_an_end = min(into, one.stop - one.start - into) < Fraction(1, 120)
            assert number == 0 or near_an_end or made[number][1][0, 0, 0] == right


class Numbered:
    """A track whose sample n has the value n / 2**20."""

    rate, channels = 997, 1

    def span(self, first, last):
        yield (np.arange(first, last, dtype=np.float32) / 2**20)[:, None]


@given(spans)
@settings(max_examples=50, deadline=None)
def test_every_sample_is_the_one_at_its_time(ranges):
    kept = place(ranges)
    made = np.concatenate(list(kept_sound(Numbered(), kept)))[:, 0] * 2**20  # type: ignore[arg-type]
    assert len(made) == sample_at(sum((one.stop - one.start for one in kept), Fraction(0)), 997)
    for one in kept:
        first, last = sample_at(one.at, 997) + 3, sample_at(one.at + one.stop - one.start, 997) - 3
        wanted = (np.arange(first, last) / 997 + float(one.start - one.at)) * 997
        assert np.abs(made[first:last] - wanted).max(initial=0) <= 2


# ---- doors


@pytest.fixture
def film(tmp_path) -> Path:
    return write_film(tmp_path / "film.mp4", STEADY[:50], [50] * 50, sound=np.zeros(96_000))


def test_ranges_that_cannot_be_are_refused(film, tmp_path):
    def refused(*ranges: tuple[float, float]) -> str:
        with pytest.raises(InputError) as caught:
            cut_and_join(film, ranges, tmp_path / "out.mp4")  # type: ignore[arg-type]
        return str(caught.value)

    assert refused() == "No range to keep was given. Give the start and stop of one or more."
    assert "Range 2 (1 to 1 s) does not stop after it starts." in refused((0, 1), (1, 1))
    assert "Range 1 (2.5 to 2.51 s) does not lie within" in refused((2.5, 2.51))
    assert "Range 1 (1.5 to 1 s) does not stop after it starts." in refused((1.5, 1))
    assert "Range 1 (-1 to 1 s) does not lie within" in refused((-1, 1))
    assert "film.mp4, which lasts 1.993 s." in refused((0, 2.5))
    assert "Range 1 is not made of finite numbers." in refused((0, float("inf")))
    assert "Range 1 is not made of finite numbers." in refused((float("nan"), 1))
    assert "Range 1 is not made of finite numbers." in refused((0, 10**400))
    assert [path.name for path in tmp_path.iterdir()] == ["film.mp4"]


def test_outputs_that_cannot_be_are_refused(film, tmp_path):
    one = [(Fraction(0), Fraction(1))]
    with pytest.raises(InputError, match=r"GIF holds no exact times and no sound; a cut's name must end in \.mp4, "):
        cut_and_join(film, one, tmp_path / "a.gif")
    with pytest.raises(InputError, match=r"a\.txt cannot be written: a clip's name must end in"):
        cut_and_join(film, one, tmp_path / "a.txt")
    (tmp_path / "a.mp4").write_text("mine")
    with pytest.raises(InputError, match=r"a\.mp4 already exists"):
        cut_and_join(film, one, tmp_path / "a.mp4")
    assert (tmp_path / "a.mp4").read_text() == "mine"


def test_ranges_without_a_picture_are_refused(tmp_path):
    source = write_film(tmp_path / "a.mp4", [Fraction(1), Fraction(2)], [50, 50], sound=np.zeros(96_000))
    with pytest.raises(MediaError, match="The ranges to keep hold no picture"):
        cut_and_join(source, [(Fraction(0), Fraction(1, 2))], tmp_path / "b.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_it_can_be_stopped_and_leaves_nothing(film, tmp_path):
    stop = threading.Event()
    seen: list[float] = []

    def hear(event) -> None:
        seen.append(event.fraction)
        if event.fraction > 0.3:
            stop.set()

    with pytest.raises(Cancelled):
        cut_and_join(film, [(Fraction(0), Fraction(2))], tmp_path / "b.mp4", progress=Progress("cut", hear, stop=stop))
    assert 0.3 < seen[-1] < 0.5
    assert [path.name for path in tmp_path.iterdir()] == ["film.mp4"]


def test_a_film_may_be_cut_in_place_and_carries_its_comment(film):
    cut_and_join(film, [(Fraction(1, 2), Fraction(1))], film, comment="from here to there", overwrite=True)
    with av.open(str(film)) as container:
        assert container.metadata["comment"] == "from here to there"
        assert len(list(container.decode(video=0))) == 13


def test_what_could_not_be_kept_is_told(film, tmp_path):
    cut = cut_and_join(film, [(Fraction(0), Fraction(1))], tmp_path / "b.webm")
    assert cut.notes == ()
    source = write_film(tmp_path / "a.mp4", STEADY[:25], [50] * 25, sound=np.zeros(44_100), rate=44_100)
    cut = cut_and_join(source, [(Fraction(0), Fraction(1))], tmp_path / "c.webm")
    assert "44100 Hz" in cut.notes[0]


def test_a_quality_that_the_format_does_not_have_is_refused_at_once(tmp_path: Path) -> None:
    for name, words in (("out.mp4", "The crf of MP4 is 1"), ("out.mov", "cannot be written with crf 60")):
        with pytest.raises(InputError, match=words):
            cut_and_join(tmp_path / "none.mp4", [(Fraction(0), Fraction(1))], tmp_path / name, crf=60)
