"""GIF, APNG and WebP: the frames, their times and their colours, read back by Pillow."""

import struct
from fractions import Fraction as F
from itertools import accumulate, pairwise
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageSequence
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from keyweave.media.pictures import animation_writer
from keyweave.media.pictures.palette import Census
from keyweave.media.writers import write_clip

KINDS = (".gif", ".apng", ".webp")


def frames_in(path: Path, mode: str = "RGB") -> list[np.ndarray]:
    with PIL.Image.open(path) as picture:
        return [np.array(one.convert(mode)) for one in PIL.ImageSequence.Iterator(picture)]


def gif_delays(path: Path) -> list[int]:
    """Read the delays, in hundredths of a second, straight from the graphic control extensions."""
    data = path.read_bytes()
    at, delays = 13 + (3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0), []
    while data[at : at + 1] != b";":
        if data[at : at + 2] == b"!\xf9":
            delays.append(struct.unpack_from("<H", data, at + 4)[0])
        table = 3 << (data[at + 9] & 7) + 1 if data[at] == ord(",") and data[at + 9] & 0x80 else 0
        at += 11 + table if data[at] == ord(",") else 2
        while data[at]:
            at += 1 + data[at]
        at += 1
    return delays


def apng_delays(path: Path) -> list[F]:
    data, at, delays = path.read_bytes(), 8, []
    while at < len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        if name == b"fcTL":
            delays.append(F(*struct.unpack_from(">HH", data, at + 8 + 20)))
        at += 12 + length
    return delays


def webp_delays(path: Path) -> list[int]:
    data, at, delays = path.read_bytes(), 12, []
    while at < len(data):
        name, length = struct.unpack_from("<4sI", data, at)
        if name == b"ANMF":
            delays.append(int.from_bytes(data[at + 20 : at + 23], "little"))
        at += 8 + length + length % 2
    return delays


def moving_disc(count: int, size: tuple[int, int] = (96, 64), channels: int = 3) -> list[np.ndarray]:
    """Draw a disc that crosses a gradient; with alpha, a hole that crosses it the other way."""
    width, height = size
    down, right = np.mgrid[:height, :width]
    made = []
    for k in range(count):
        frame = np.stack([right * 255 // width, down * 255 // height, 128 + 0 * down], axis=-1).astype(np.uint8)
        at = width * k // count
        frame[(right - at) ** 2 + (down - height // 2) ** 2 < 100] = (255, 60, 20)
        if channels == 4:
            hole = (right - width + at) ** 2 + (down - height // 3) ** 2 < 81
            frame = np.dstack([frame, np.where(hole, 0, 255).astype(np.uint8)])
        made.append(frame)
    return made


def flats(count: int, size: tuple[int, int] = (8, 6)) -> list[np.ndarray]:
    return [np.full((size[1], size[0], 3), 40 + 170 * (k % 2), np.uint8) for k in range(count)]


def test_gif_times_are_rounded_without_drift(tmp_path: Path):
    path = tmp_path / "a.gif"
    write_clip(path, flats(300), F(12))
    delays = gif_delays(path)
    assert delays[:6] == [8, 9, 8, 8, 9, 8]
    assert sum(delays) == 2500
    ends = np.cumsum(delays)
    assert np.abs(ends - np.arange(1, 301) * 100 / 12).max() <= 0.5


@pytest.mark.parametrize(("rate", "delays"), [(F(25), 4), (F(50), 2), (F(10), 10), (F(1, 3), 300)])
def test_gif_times_that_fit_are_exact(tmp_path: Path, rate: F, delays: int):
    path = tmp_path / "a.gif"
    write_clip(path, flats(5), rate)
    assert gif_delays(path) == [delays] * 5


def test_a_gif_faster_than_browsers_drops_frames_and_says_so(tmp_path: Path):
    path = tmp_path / "a.gif"
    frames = [np.full((6, 8, 3), 2 * k, np.uint8) for k in range(120)]
    written = write_clip(path, frames, F(60))
    delays = gif_delays(path)
    assert min(delays) >= 2
    assert sum(delays) == 200
    assert written.frames == len(delays) < 120
    assert written.duration == 2
    assert written.notes == (f"GIF shows at most 50 frames a second: of 120 frames {len(delays)} were kept.",)
    starts = np.cumsum([0, *delays[:-1]])
    shown = [frame[0, 0, 0] / 2 for frame in frames_in(path)]
    assert np.abs(starts * 0.6 - shown).max() <= 0.5  # each is shown at its own time


@pytest.mark.parametrize("rate", [F(24000, 1001), F(12), F(60), F(1000), F(1, 600)], ids=str)
def test_apng_times_are_exact(tmp_path: Path, rate: F):
    path = tmp_path / "a.apng"
    write_clip(path, flats(4), rate)
    assert apng_delays(path) == [1 / rate] * 4


def test_apng_times_too_fine_for_it_do_not_drift(tmp_path: Path):
    path = tmp_path / "a.apng"
    rate = F(120_000, 1001)
    write_clip(path, flats(100), rate)
    ends = accumulate(apng_delays(path))
    assert max(abs(end - (k + 1) / rate) for k, end in enumerate(ends)) <= F(1, 20_000)


def test_webp_times_are_rounded_without_drift(tmp_path: Path):
    path = tmp_path / "a.webp"
    write_clip(path, flats(90), F(30))
    assert webp_delays(path)[:4] == [33, 34, 33, 33]
    assert sum(webp_delays(path)) == 3000


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize(("kind", "most"), [(".gif", 12), (".apng", 0), (".webp", 12)])
def test_what_moves_leaves_no_trace(tmp_path: Path, kind: str, most: float, channels: int):
    path = tmp_path / f"a{kind}"
    drawn = moving_disc(12, channels=channels)
    write_clip(path, drawn, F(12))
    back = frames_in(path, "RGBA")
    assert len(back) == 12
    for frame, wanted in zip(back, drawn, strict=True):
        shown = np.ones(wanted.shape[:2], bool) if channels == 3 else wanted[..., 3] == 255
        assert (frame[..., 3] == np.where(shown, 255, 0)).all()
        off = np.abs(frame[..., :3].astype(int) - wanted[..., :3])[shown]
        assert off.mean() <= most / 2
        # A disc or hole that stayed where it had been would be far off; single pixels at edges are not.
        assert np.percentile(off, 98) <= 2 * most


@pytest.mark.parametrize("kind", KINDS)
def test_animations_play_for_ever(tmp_path: Path, kind: str):
    path = tmp_path / f"a{kind}"
    write_clip(path, flats(3), F(10))
    with PIL.Image.open(path) as picture:
        assert picture.is_animated  # pyright: ignore[reportAttributeAccessIssue]
        assert picture.info["loop"] == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_clip_that_stands_still_keeps_its_frames(tmp_path: Path, kind: str):
    path = tmp_path / f"a{kind}"
    write_clip(path, [flats(1)[0]] * 4, F(10))
    delays = {".gif": gif_delays, ".apng": apng_delays, ".webp": webp_delays}[kind](path)
    assert len(delays) == 4
    for frame in frames_in(path):
        assert np.abs(frame.astype(int) - 40).max() <= 1


@pytest.mark.parametrize("kind", KINDS)
def test_frames_may_be_drawn_into_one_array(tmp_path: Path, kind: str):
    """A generator may reuse its array: what was seen must not change after the fact."""
    canvas = np.zeros((16, 24, 3), np.uint8)

    def draw():
        for k in range(6):
            canvas[:] = 10 * k
            canvas[4:12, 4 * k : 4 * k + 4] = 250 - 20 * k
            yield canvas

    path = tmp_path / f"a{kind}"
    write_clip(path, draw(), F(10))
    most = 12 if kind == ".webp" else 0
    for k, frame in enumerate(frames_in(path)):
        assert abs(int(frame[8, 4 * k + 2, 0]) - (250 - 20 * k)) <= most
        assert abs(int(frame[8, 4 * ((k + 3) % 6) + 2, 0]) - 10 * k) <= most


small_clips = st.tuples(
    st.integers(1, 4), st.integers(1, 9), st.integers(1, 9), st.sampled_from([3, 4])
).flatmap(lambda shape: arrays.arrays(np.uint8, shape, elements=st.sampled_from([0, 1, 77, 128, 255])))  # fmt: skip


@given(clip=small_clips)
@settings(max_examples=25)
def test_apng_is_lossless_whatever_changes(tmp_path_factory: pytest.TempPathFactory, clip: np.ndarray):
    path = tmp_path_factory.mktemp("x") / "a.apng"
    write_clip(path, clip, F(10))
    back = np.stack(frames_in(path, "RGBA" if clip.shape[3] == 4 else "RGB"))
    assert (back == clip).all()


@given(clip=small_clips)
@settings(max_examples=25)
def test_gif_keeps_few_colours_exactly(tmp_path_factory: pytest.TempPathFactory, clip: np.ndarray):
    """At most 125 colours occur: each must come back as it was, and alpha as nothing or all."""
    path = tmp_path_factory.mktemp("x") / "a.gif"
    write_clip(path, clip, F(10))
    back = np.stack(frames_in(path, "RGBA"))
    shown = clip[..., 3] >= 128 if clip.shape[3] == 4 else np.ones(clip.shape[:3], bool)
    assert (back[..., 3] == np.where(shown, 255, 0)).all()
    assert (back[shown][:, :3] == clip[shown][:, :3]).all()


@pytest.mark.parametrize(("colors", "channels"), [(256, 3), (257, 3), (255, 4), (256, 4)])
def test_256_colours_are_exact_and_more_are_told(tmp_path: Path, colors: int, channels: int):
    path = tmp_path / "a.gif"
    told = colors > (256 if channels == 3 else 255)
    first = np.full((16, 32, channels), 255, np.uint8)
    first[..., :3] = 0
    first.reshape(-1, channels)[:colors, 0] = np.arange(colors) % 256
    first.reshape(-1, channels)[:colors, 1] = np.arange(colors) // 256
    second = first[::-1].copy()
    written = write_clip(path, [first, second], F(10))
    assert (written.notes != ()) == told
    if not told:
        assert (np.stack(frames_in(path, "RGBA"))[..., :channels] == np.stack([first, second])).all()


def test_what_stands_still_in_a_gif_does_not_flicker_nor_band(tmp_path: Path):
    path = tmp_path / "a.gif"
    drawn = moving_disc(10, (160, 120))
    written = write_clip(path, drawn, F(10))
    assert written.notes == (
        "GIF holds 256 colours, transparency being one; this clip has more, which were mixed of those.",
    )
    back = np.stack(frames_in(path)).astype(float)
    still = (np.ptp(np.stack(drawn), axis=0) == 0).all(axis=-1)
    assert np.ptp(back, axis=0)[still].max() == 0
    # Seen from afar, as the mean over 8 x 8 pixels, the gradient has no bands: with each pixel in the nearest colour
    # the mean is off by 0.76.
    blocks = (back[0, :40] - drawn[0][:40]).reshape(5, 8, 20, 8, 3).mean(axis=(1, 3))
    assert np.abs(blocks).mean() < 0.55


def test_a_gif_of_nothing_is_transparent(tmp_path: Path):
    write_clip(tmp_path / "a.gif", np.zeros((2, 4, 4, 4), np.uint8), F(10))
    assert (np.stack(frames_in(tmp_path / "a.gif", "RGBA"))[..., 3] == 0).all()


def test_half_transparency_in_a_gif_is_told(tmp_path: Path):
    frame = np.zeros((4, 4, 4), np.uint8)
    frame[..., 3] = [[0, 127, 128, 255]]
    written = write_clip(tmp_path / "a.gif", [frame], F(10))
    assert written.notes == ("GIF knows no half transparency: pixels became wholly opaque or wholly transparent.",)
    assert (frames_in(tmp_path / "a.gif", "RGBA")[0][..., 3] == [0, 0, 255, 255]).all()


@given(
    pixels=arrays.arrays(np.uint8, st.tuples(st.integers(300, 700), st.just(3))),
    parts=st.lists(st.integers(1, 300), min_size=1, max_size=4),
)
@settings(max_examples=25)
def test_a_census_does_not_depend_on_how_pixels_arrive(pixels: np.ndarray, parts: list[int]):
    at_once, in_parts = Census(), Census()
    at_once.see(pixels)
    for start, stop in pairwise([0, *np.cumsum(parts).clip(max=len(pixels)), len(pixels)]):
        in_parts.see(pixels[start:stop])
    one, other = at_once.palette(clear=True), in_parts.palette(clear=True)
    assert (one.colors == other.colors).all()
    assert len(one.colors) <= 255
    frame = pixels[None, :300]
    assert (one.index(frame) == other.index(frame)).all()
    # Whatever stands for a pixel is near it on the average, for 255 colours have to serve a few hundred.
    assert np.abs(one.colors[one.index(frame)].astype(int) - frame).mean() < 20


def test_a_webp_beyond_its_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(animation_writer, "_MOST_32_BITS", 140_000)
    noise = np.random.default_rng(1).integers(0, 256, (4, 64, 64, 3), dtype=np.uint8)
    with pytest.raises(Exception, match=r"^A WebP holds at most 4 GB; this clip needs more\. Write a \.webm or \.mp4"):
        write_clip(tmp_path / "a.webp", noise, F(10))
    assert list(tmp_path.iterdir()) == []
