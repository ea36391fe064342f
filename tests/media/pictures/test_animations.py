"""Animations against an independent composer, delays against what was stored, rates against the grid they promise."""

import io
import logging
import struct
import zlib
from fractions import Fraction
from itertools import accumulate, count, pairwise, takewhile
from typing import NamedTuple

import numpy as np
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyweave.base.errors import InputError, MediaError
from keyweave.media.limits import Limits
from keyweave.media.pictures.animations import AnimationReader
from keyweave.media.pictures.images import read_header, read_image

CENTI, MILLI = Fraction(1, 100), Fraction(1, 1000)
RNG = np.random.default_rng(17)
NOISE = RNG.integers(0, 256, (6, 10, 12, 3), np.uint8)
FORMATS = ("gif", "png", "webp")
KEEP, CLEAR, RESTORE = "keep", "clear", "restore"


class Part(NamedTuple):
    """A stored frame: what is laid where, for how long, how, and what becomes of it."""

    left: int
    top: int
    pixels: np.ndarray  # (h, w, 4)
    delay: int  # hundredths
    over: bool
    after: str


def composed(parts: list[Part], size: tuple[int, int]) -> np.ndarray:
    """Lay parts on a canvas by the book: straight alpha in floating point."""
    canvas = np.zeros((size[1], size[0], 4))
    frames = []
    for index, part in enumerate(parts):
        before = canvas.copy()
        rows = slice(part.top, min(part.top + part.pixels.shape[0], size[1]))
        columns = slice(part.left, min(part.left + part.pixels.shape[1], size[0]))
        new = part.pixels[: rows.stop - rows.start, : columns.stop - columns.start].astype(float)
        if part.over:
            old = canvas[rows, columns]
            a, b = new[..., 3:] / 255, old[..., 3:] / 255 * (1 - new[..., 3:] / 255)
            color = (new[..., :3] * a + old[..., :3] * b) / np.maximum(a + b, 1e-9)
            new = np.concatenate([color, 255 * (a + b)], axis=2)
        canvas[rows, columns] = new
        frames.append(canvas.copy())
        if part.after == CLEAR or (part.after == RESTORE and index == 0):
            canvas[rows, columns] = 0
        elif part.after == RESTORE:
            canvas = before
    return np.stack(frames)


def drawn_parts(seed: int, size: tuple[int, int], form: str) -> list[Part]:
    """Draw parts at random; GIF knows one transparent colour, WebP even places and no restoring."""
    rng = np.random.default_rng(seed)
    step = 2 if form == "webp" else 1
    parts = []
    for _ in range(rng.integers(2, 7)):
        left, top = (int(step * rng.integers(0, side // step)) for side in size)
        width, height = int(rng.integers(1, size[0] - left + 1)), int(rng.integers(1, size[1] - top + 1))
        if rng.random() < 0.3:
            left, top, width, height = 0, 0, *size
        pixels = rng.integers(0, 256, (height, width, 4), np.uint8)
        if rng.random() < 0.4:
            pixels[..., 3] = 255
        after = str(rng.choice([KEEP, CLEAR] if form == "webp" else [KEEP, CLEAR, RESTORE]))
        over = bool(rng.random() < 0.5)
        if form == "gif":
            over = True
            pixels[..., :3] = COLORS[rng.integers(0, 7, (height, width))]
            pixels[..., 3] = np.where(pixels[..., 3] < 90, 0, 255)
        parts.append(Part(left, top, pixels, int(rng.integers(2, 30)), over, after))
    return parts


COLORS = np.arange(24, dtype=np.uint8).reshape(8, 3) * 10 + 5  # the last stands for transparency


def gif(parts: list[Part], size: tuple[int, int], head: bytes = b"", transparent: bool | None = None) -> bytes:
    out = b"GIF89a" + struct.pack("<HHBBB", *size, 0x82, 0, 0) + COLORS.tobytes() + head
    for part in parts:
        height, width = part.pixels.shape[:2]
        index = (part.pixels[..., 0].astype(int) - 5) // 30
        index[part.pixels[..., 3] == 0] = 7
        flags = {KEEP: 1, CLEAR: 2, RESTORE: 3}[part.after] << 2
        flags |= bool((part.pixels[..., 3] == 0).any()) if transparent is None else transparent
        out += struct.pack("<4sHBB", b"!\xf9\x04" + bytes([flags]), part.delay, 7, 0)
        out += struct.pack("<cHHHHB", b",", part.left, part.top, width, height, 0) + lzw(index)
    return out + b";"


def lzw(index: np.ndarray) -> bytes:
    """LZW of eight colours without compression: a clear code (8) before each pixel, so that codes stay at 4 bits."""
    codes = [code for pixel in index.ravel() for code in (8, int(pixel))] + [9, 0]
    data = bytes(low | high << 4 for low, high in zip(codes[::2], codes[1::2], strict=True))
    blocks = [data[at : at + 99] for at in range(0, len(data), 99)]
    return b"\x03" + b"".join(bytes([len(block)]) + block for block in blocks) + b"\0"


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def apng(
    parts: list[Part], size: tuple[int, int], plays: int = 0, delays: list[tuple[int, int]] | None = None
) -> bytes:
    out = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">II5B", *size, 8, 6, 0, 0, 0))
    out += chunk(b"tEXt", b"Comment\0hello") + chunk(b"acTL", struct.pack(">II", len(parts), plays))
    number = 0
    # A default picture that is no part of the animation.
    out += chunk(b"IDAT", zlib.compress(bytes((4 * size[0] + 1) * size[1])))
    for part, delay in zip(parts, delays or [(part.delay, 100) for part in parts], strict=True):
        height, width = part.pixels.shape[:2]
        how = {KEEP: 0, CLEAR: 1, RESTORE: 2}[part.after], part.over
        out += chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, width, height, part.left, part.top, *delay, *how))
        data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in part.pixels))
        for k, piece in enumerate((data[:9], data[9:])):
            out += chunk(b"fdAT", struct.pack(">I", number + 1 + k) + piece)
        number += 3
    return out + chunk(b"IEND", b"")


def webp(parts: list[Part], size: tuple[int, int], plays: int = 0) -> bytes:
    def riff(name: bytes, data: bytes) -> bytes:
        return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)

    def three(*values: int) -> bytes:
        return b"".join(value.to_bytes(3, "little") for value in values)

    body = riff(b"VP8X", bytes([0x12, 0, 0, 0]) + three(size[0] - 1, size[1] - 1))
    body += riff(b"ANIM", struct.pack("<IH", 0xFFFFFFFF, plays))
    for part in parts:
        still = io.BytesIO()
        PIL.Image.fromarray(part.pixels).save(still, "webp", lossless=True, exact=True)
        place = three(part.left // 2, part.top // 2, part.pixels.shape[1] - 1, part.pixels.shape[0] - 1)
        how = (not part.over) << 1 | (part.after == CLEAR)
        picture = still.getvalue()[12:]
        if picture.startswith(b"VP8X"):
            picture = picture[18:]
        body += riff(b"ANMF", place + three(10 * part.delay) + bytes([how]) + picture)
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


MAKERS = {"gif": gif, "png": apng, "webp": webp}


def save(path, frames: np.ndarray, form: str, **how):
    """Let Pillow write an animation of whole frames."""
    pictures = [PIL.Image.fromarray(frame) for frame in frames]
    pictures[0].save(path, form, save_all=True, append_images=pictures[1:], lossless=True, exact=True, **how)
    return path


def played(path, **how) -> np.ndarray:
    """All stored frames, (T, H, W, C)."""
    with AnimationReader(path, **how) as reader:
        frames = np.stack([shown.frame for shown in reader.shown()])
        assert frames.shape[1:] == (reader.height, reader.width, 4 if reader.has_alpha else 3)
        return frames


def filled(frames: np.ndarray) -> np.ndarray:
    """Add alpha where there is none."""
    if frames.shape[-1] == 4:
        return frames
    return np.concatenate([frames, np.full((*frames.shape[:-1], 1), 255, frames.dtype)], axis=-1)


class TestComposition:
    @pytest.mark.parametrize("seed", range(24))
    @pytest.mark.parametrize("form", FORMATS)
    def test_frames_are_what_the_book_says(self, form, seed, tmp_path):
        parts = drawn_parts(seed, (14, 9), form)
        (tmp_path / "a").write_bytes(MAKERS[form](parts, (14, 9)))
        got, expected = filled(played(tmp_path / "a")).astype(int), composed(parts, (14, 9))
        assert got.shape == expected.shape
        assert np.abs(got[..., 3] - expected[..., 3]).max() <= 1
        # Colours matter by as much as they are seen; 8 bits of Porter and Duff round more where little is.
        seen = expected[..., 3:] / 255
        assert (np.abs(got - expected)[..., :3] * seen).max() <= 1.5

    @pytest.mark.parametrize("seed", range(24, 40))
    def test_libwebp_composes_the_same(self, seed, tmp_path):
        (tmp_path / "a").write_bytes(webp(drawn_parts(seed, (14, 9), "webp"), (14, 9)))
        got = filled(played(tmp_path / "a")).astype(int)
        with PIL.Image.open(tmp_path / "a") as picture:
            for index, frame in enumerate(got):
                picture.seek(index)
                expected = np.asarray(picture.convert("RGBA")).astype(int)
                assert (np.abs(frame - expected) * (expected[..., 3:] / 255)).max() <= 2

    @pytest.mark.parametrize("form", FORMATS)
    def test_the_still_is_the_first_frame(self, form, tmp_path):
        parts = drawn_parts(5, (14, 9), form)
        (tmp_path / "a").write_bytes(MAKERS[form](parts, (14, 9)))
        first = filled(read_image(tmp_path / "a").pixels)
        expected = np.zeros_like(first) if form == "png" else filled(played(tmp_path / "a"))[0]
        assert np.array_equal(first, expected)
        assert read_header(tmp_path / "a")[:2] == (14, 9)

    @pytest.mark.parametrize("form", ["png", "webp"])
    def test_whole_frames_come_back(self, form, tmp_path):
        assert np.array_equal(played(save(tmp_path / "a", NOISE, form)), NOISE)

    def test_alpha_is_announced_only_where_it_may_show(self, tmp_path):
        whole = Part(0, 0, np.full((4, 4, 4), (5, 15, 25, 255), np.uint8), 5, over=True, after=KEEP)
        part = whole._replace(pixels=whole.pixels[:2])
        holes = whole._replace(pixels=whole.pixels * np.array([1, 1, 1, 0], np.uint8))
        cases = [
            (False, [whole, part, holes, whole]),  # what is below is opaque
            (False, [whole._replace(after=CLEAR), whole]),  # what is cleared is covered
            (False, [whole, part._replace(after=RESTORE), part]),
            (True, [part, whole]),
            (True, [holes, whole]),
            (True, [whole._replace(after=CLEAR), part]),
            (True, [whole._replace(after=RESTORE), part]),  # there was nothing before
            (True, [whole, part._replace(after=CLEAR), part]),
        ]
        for expected, parts in cases:
            (tmp_path / "a").write_bytes(gif(parts, (4, 4)))
            frames = played(tmp_path / "a")
            assert (frames.shape[-1] == 4) == expected
        (tmp_path / "a").write_bytes(apng([whole, holes._replace(over=False)], (4, 4)))
        assert played(tmp_path / "a").shape[-1] == 4
        # A transparent colour that the first frame does not use is no transparency.
        (tmp_path / "a").write_bytes(gif([whole, whole], (4, 4), transparent=True))
        assert played(tmp_path / "a").shape[-1] == 3

    def test_a_gif_grows_to_its_first_image_and_clips_the_others(self, tmp_path):
        first = Part(1, 0, np.full((3, 4, 4), (5, 15, 25, 255), np.uint8), 5, over=True, after=KEEP)
        (tmp_path / "a").write_bytes(gif([first, first._replace(left=3, top=2)], (2, 2)))
        assert played(tmp_path / "a").shape == (2, 3, 5, 4)

    def test_a_gif_may_lack_its_trailer_and_be_padded(self, tmp_path):
        data = gif(drawn_parts(1, (6, 5), "gif"), (6, 5))
        (tmp_path / "a").write_bytes(data)
        (tmp_path / "b").write_bytes(data[:-1])
        (tmp_path / "c").write_bytes(data[:-1] + bytes(5))
        assert np.array_equal(played(tmp_path / "a"), played(tmp_path / "b"))
        assert np.array_equal(played(tmp_path / "a"), played(tmp_path / "c"))

    def test_a_gif_may_say_nothing_of_how_an_image_is_shown(self, tmp_path):
        first, second = drawn_parts(1, (6, 5), "gif")[:2]
        head = gif([first], (6, 5), transparent=True)[:-1]
        bare = gif([second], (6, 5))[13 + 24 + 8 :]  # after the colours, without its control
        (tmp_path / "a").write_bytes(head + bare)
        with AnimationReader(tmp_path / "a") as reader:
            last = list(reader.shown())[-1]
            assert last.stop - last.start == Fraction(1, 10)
            rows = slice(second.top, second.top + second.pixels.shape[0])
            columns = slice(second.left, second.left + second.pixels.shape[1])
            assert (last.frame[rows, columns, 3] == 255).all()

    @pytest.mark.parametrize(("code", "same"), [(4, RESTORE), (0, KEEP), (5, KEEP), (7, KEEP)])
    def test_unusual_disposals_of_a_gif(self, code, same, tmp_path):
        parts = [part._replace(after=same) for part in drawn_parts(4, (6, 5), "gif")]
        data = gif(parts, (6, 5))
        (tmp_path / "a").write_bytes(data)
        usual = {RESTORE: 3, KEEP: 1}[same] << 2
        for transparent in (0, 1):
            data = data.replace(
                b"!\xf9\4" + bytes([usual | transparent]), b"!\xf9\4" + bytes([code << 2 | transparent])
            )
        (tmp_path / "b").write_bytes(data)
        assert np.array_equal(filled(played(tmp_path / "a")), filled(played(tmp_path / "b")))

    def test_an_empty_image_of_a_gif_only_waits(self, tmp_path):
        whole = drawn_parts(3, (6, 5), "gif")[0]._replace(after=KEEP)
        empty = Part(0, 0, np.zeros((0, 0, 4), np.uint8), 5, over=True, after=KEEP)
        (tmp_path / "a").write_bytes(gif([whole, empty], (6, 5)))
        frames = played(tmp_path / "a")
        assert np.array_equal(frames[0], frames[1])

    @pytest.mark.parametrize("form", ["png", "webp", "avif"])
    def test_colours_are_taken_from_their_profile(self, form, tmp_path, caplog):
        profile = b"no profile at all"
        save(tmp_path / "a", np.repeat(np.repeat(NOISE, 4, 1), 4, 2), form, icc_profile=profile)
        assert len(played(tmp_path / "a")) == len(NOISE)
        assert "its colour profile cannot be used" in caplog.text

    def test_alpha_beside_lossy_colours(self, tmp_path):
        moving = np.cumsum(RNG.integers(0, 3, (3, 32, 32, 4)), axis=1).astype(np.uint8) * 2
        pictures = [PIL.Image.fromarray(frame) for frame in moving]
        pictures[0].save(tmp_path / "a", "webp", save_all=True, append_images=pictures[1:], quality=80)
        assert b"ALPH" in (tmp_path / "a").read_bytes()
        got = played(tmp_path / "a").astype(int)
        with PIL.Image.open(tmp_path / "a") as picture:
            for index, frame in enumerate(got):
                picture.seek(index)
                expected = np.asarray(picture).astype(int)
                assert np.abs(frame - expected)[expected[..., 3] > 0].max() <= 2

    def test_frames_hold_when_the_next_is_drawn(self, tmp_path):
        frames = played(save(tmp_path / "a.png", NOISE, "png"))
        assert len({frame.tobytes() for frame in frames}) == len(NOISE)


class TestTime:
    def test_delays_are_exact(self, tmp_path):
        parts = [
            part._replace(delay=delay)
            for part, delay in zip(drawn_parts(2, (6, 5), "gif") * 2, (7, 3, 11), strict=False)
        ]
        for form, unit in (("gif", CENTI), ("png", CENTI), ("webp", CENTI)):
            (tmp_path / "a").write_bytes(MAKERS[form](parts, (6, 5)))
            with AnimationReader(tmp_path / "a") as reader:
                times = [(shown.start, shown.stop) for shown in reader.shown()]
                assert times == [(0, 7 * unit), (7 * unit, 10 * unit), (10 * unit, 21 * unit)]
                assert reader.duration == 21 * unit

    def test_fractions_of_an_apng(self, tmp_path):
        parts = drawn_parts(2, (6, 5), "png")[:2]
        (tmp_path / "a").write_bytes(apng(parts, (6, 5), delays=[(1001, 30000), (1001, 30000)]))
        with AnimationReader(tmp_path / "a") as reader:
            assert reader.rate == Fraction(30000, 1001)
            assert reader.duration == Fraction(2002, 30000)

    def test_a_delay_of_none_is_a_tenth(self, tmp_path):
        parts = [
            part._replace(delay=delay) for part, delay in zip(drawn_parts(2, (6, 5), "gif"), (0, 1, 2), strict=False)
        ]
        (tmp_path / "a").write_bytes(gif(parts, (6, 5)))
        with AnimationReader(tmp_path / "a") as reader:
            assert [shown.stop - shown.start for shown in reader.shown()] == [10 * CENTI, 10 * CENTI, 2 * CENTI]
        for form in ("png", "webp"):
            (tmp_path / "a").write_bytes(MAKERS[form]([part._replace(delay=0) for part in parts[:2]], (6, 5)))
            with AnimationReader(tmp_path / "a") as reader:
                assert reader.duration == 20 * CENTI
        (tmp_path / "a").write_bytes(apng(parts[:2], (6, 5), delays=[(7, 0), (0, 0)]))
        with AnimationReader(tmp_path / "a") as reader:
            assert reader.duration == 17 * CENTI

    @pytest.mark.parametrize(("repeats", "plays"), [(None, 1), (0, 0), (1, 2), (300, 301)])
    def test_plays_of_a_gif(self, repeats, plays, tmp_path):
        head = b"" if repeats is None else b"!\xff\x0bNETSCAPE2.0\x03\x01" + struct.pack("<H", repeats) + b"\0"
        (tmp_path / "a").write_bytes(gif(drawn_parts(1, (6, 5), "gif"), (6, 5), b"!\xfe\x05hello\0" + head))
        with AnimationReader(tmp_path / "a") as reader:
            assert reader.plays == plays

    @pytest.mark.parametrize("form", ["png", "webp"])
    @pytest.mark.parametrize("plays", [0, 3])
    def test_plays(self, form, plays, tmp_path):
        (tmp_path / "a").write_bytes(MAKERS[form](drawn_parts(1, (6, 4), form), (6, 4), plays))
        with AnimationReader(tmp_path / "a") as reader:
            assert reader.plays == plays

    def test_avif(self, tmp_path):
        pictures = [PIL.Image.new("RGBA", (48, 32), (60 * k, 30, 200, 255 - 60 * k)) for k in range(4)]
        rest = pictures[1:]
        pictures[0].save(
            tmp_path / "a", "avif", save_all=True, append_images=rest, duration=[40, 33, 33, 34], quality=95
        )
        with AnimationReader(tmp_path / "a") as reader:
            shown = list(reader.shown())
            assert [each.stop - each.start for each in shown] == [MILLI * ms for ms in (40, 33, 33, 34)]
            assert [each.frame[9, 9, 3] for each in shown] == pytest.approx([255, 195, 135, 75], abs=4)
            assert [each.frame[9, 9, 0] for each in shown] == pytest.approx([0, 60, 120, 180], abs=4)
            assert (reader.width, reader.height, reader.has_alpha) == (48, 32, True)

    @pytest.mark.parametrize("form", ["png", "jpeg", "gif", "webp", "avif", "tiff", "bmp"])
    def test_a_still_is_one_frame_of_a_25th(self, form, tmp_path):
        PIL.Image.fromarray(NOISE[0]).save(tmp_path / "a", form)
        with AnimationReader(tmp_path / "a") as reader:
            assert (reader.rate, reader.duration, reader.plays) == (25, Fraction(1, 25), 1)
            (frame,) = reader.frames()
            assert np.array_equal(frame, read_image(tmp_path / "a").pixels)

    def test_an_animation_of_one_frame_too(self, tmp_path):
        (tmp_path / "a").write_bytes(gif(drawn_parts(1, (6, 5), "gif")[:1], (6, 5)))
        with AnimationReader(tmp_path / "a") as reader:
            assert (reader.rate, reader.duration) == (25, Fraction(1, 25))


@pytest.fixture(scope="module")
def animation(tmp_path_factory):
    """A GIF of 12 frames a second, each of which is its number, and when each of them ends."""
    delays = [8, 8, 9, 8, 8, 9, 8, 8, 9]
    path = tmp_path_factory.mktemp("spans") / "a.gif"
    pictures = [PIL.Image.new("L", (8, 8), k) for k in range(len(delays))]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=[10 * delay for delay in delays])
    return path, [end * CENTI for end in accumulate(delays)]


STARTS = st.fractions(0, 1, max_denominator=97)
STOPS = st.one_of(st.none(), st.fractions(0, 1, max_denominator=89))


class TestSpans:
    @given(
        STARTS, STOPS, st.one_of(st.none(), st.sampled_from([Fraction(7), Fraction(24), Fraction(30), Fraction(61)]))
    )
    def test_frames_are_those_on_screen(self, animation, start, stop, rate):
        path, ends = animation
        with AnimationReader(path) as reader:
            got = [int(frame[0, 0, 0]) for frame in reader.frames(start, stop, rate)]
            assert reader.rate == 12
        ticks = takewhile(
            lambda at: stop is None or at < stop, (start + tick / (rate or Fraction(12)) for tick in count())
        )
        # 8, 8 and 9 hundredths begin no later than 12 a second would, so that none is forgiven.
        assert got == [sum(end <= at for end in ends) for at in takewhile(lambda at: at < ends[-1], ticks)]

    def test_lateness_is_forgiven(self, tmp_path):
        path = save(tmp_path / "a.gif", NOISE, "gif", duration=[90, 80, 80, 90, 80, 80])
        with AnimationReader(path) as reader:
            assert reader.rate == 12
            every = [shown.frame for shown in reader.shown()]
            assert np.array_equal(list(reader.frames()), every)
            assert np.array_equal(list(reader.frames(stop=Fraction(1, 4))), every[:3])
            # The second begins after this span ends, but by rounding only.
            assert np.array_equal(list(reader.frames(Fraction(1, 12), Fraction(1, 12) + Fraction(1, 1000))), every[1:2])
            assert np.array_equal(list(reader.frames(Fraction(1, 12), Fraction(3, 12) + Fraction(1, 1000))), every[1:4])

    @given(STARTS, STOPS)
    def test_shown_are_those_that_overlap(self, animation, start, stop):
        path, ends = animation
        with AnimationReader(path) as reader:
            got = [(shown.start, shown.stop, int(shown.frame[0, 0, 0])) for shown in reader.shown(start, stop)]
        every = [(begin, end, k) for k, (begin, end) in enumerate(pairwise([Fraction(0), *ends]))]
        assert got == [each for each in every if each[1] > start and (stop is None or each[0] < stop)]


class TestBroken:
    @pytest.mark.parametrize("form", FORMATS)
    def test_cut_off(self, form, tmp_path):
        path = save(tmp_path / "a", NOISE, form, duration=40)
        data = path.read_bytes()
        whole = played(path)
        path.write_bytes(data[: len(data) * 3 // 4])
        says = (
            r"is cut off: [\d,]+ of at least [\d,]+ bytes are there; before that it holds 4 frames of 0\.16 seconds\."
        )
        with pytest.raises(MediaError, match=says + " Copy or download it again, or take what is whole with salvage"):
            AnimationReader(path)
        with AnimationReader(path, salvage=True) as reader:
            assert reader.duration == Fraction(16, 100)
        assert np.array_equal(played(path, salvage=True), whole[:4])

    @pytest.mark.parametrize("form", FORMATS)
    def test_nothing_is_left_to_salvage(self, form, tmp_path):
        path = save(tmp_path / "a", NOISE, form, duration=40)
        path.write_bytes(path.read_bytes()[:150])
        for salvage in (False, True):
            with pytest.raises(MediaError, match=r"is cut off: 150 of at least [\d,]+ bytes are there\. Copy"):
                AnimationReader(path, salvage=salvage)

    @pytest.mark.parametrize("form", FORMATS)
    def test_damaged_in_the_middle(self, form, tmp_path, caplog):
        path = save(tmp_path / "a", NOISE, form, duration=40)
        whole = played(path)
        data = bytearray(path.read_bytes())
        mark, spare = {"gif": (b"\0!\xf9", 19), "png": (b"fcTL", 60), "webp": (b"ANMF", 40)}[form]
        place = -1
        for _ in range(4):
            place = data.index(mark, place + 1)
        if form == "gif":
            colors = 3 << (data[place + spare - 1] & 7) + 1
            data[place + spare + colors] = 13  # bits of a pixel, at most 8
        else:
            end = data.index(mark, place + 1) - 20
            data[place + spare : end] = bytes(byte ^ 0x5A for byte in data[place + spare : end])
        path.write_bytes(data)
        with AnimationReader(path) as reader:
            shown = reader.shown()
            got = [next(shown).frame for _ in range(3)]
            with pytest.raises(MediaError, match=r"a cannot be read at frame 3: it is damaged"):
                next(shown)
        assert np.array_equal(got, whole[:3])
        with caplog.at_level(logging.WARNING):
            assert np.array_equal(played(path, salvage=True), whole[:3])
        assert "Its first 0.12 seconds are taken." in caplog.text

    def test_fewer_frames_than_promised(self, tmp_path):
        data = apng(drawn_parts(1, (6, 5), "png")[:2], (6, 5))
        fewer = data.replace(chunk(b"acTL", struct.pack(">II", 2, 0)), chunk(b"acTL", struct.pack(">II", 3, 0)))
        (tmp_path / "a").write_bytes(fewer)
        with pytest.raises(MediaError, match="its end is missing; before that it holds 2 frames of"):
            AnimationReader(tmp_path / "a")
        assert len(played(tmp_path / "a", salvage=True)) == 2

    def test_frames_beyond_the_canvas(self, tmp_path):
        parts = drawn_parts(1, (6, 5), "png")[:1]
        (tmp_path / "a").write_bytes(apng([parts[0]._replace(left=40)], (6, 5)))
        with pytest.raises(MediaError, match="is damaged"):
            AnimationReader(tmp_path / "a")

    def test_controls_of_an_odd_size(self, tmp_path):
        data = apng(drawn_parts(1, (6, 5), "png")[:2], (6, 5))
        at = data.rindex(b"fcTL") - 4
        (tmp_path / "a").write_bytes(data[:at] + chunk(b"fcTL", data[at + 8 : at + 33]) + data[at + 38 :])
        with pytest.raises(MediaError, match="at frame 1: it is damaged.*before that it holds 1 frame of"):
            AnimationReader(tmp_path / "a")
        (tmp_path / "b").write_bytes(webp(drawn_parts(1, (6, 4), "webp")[:1], (6, 4)) + b"ANMF\2\0\0\0ab")
        (tmp_path / "c").write_bytes(webp(drawn_parts(1, (6, 4), "webp")[:1], (6, 4)).replace(b"VP8L", b"VP8?"))
        for name in "bc":
            data = bytearray((tmp_path / name).read_bytes())
            data[4:8] = struct.pack("<I", len(data) - 8)
            (tmp_path / name).write_bytes(data)
            with pytest.raises(MediaError, match="cannot be read past byte"):
                AnimationReader(tmp_path / name)

    def test_more_data_than_pixels(self, tmp_path):
        part = Part(0, 0, np.full((1, 1, 4), (5, 15, 25, 255), np.uint8), 5, over=True, after=KEEP)
        data = gif([part], (1, 1))
        (tmp_path / "a").write_bytes(data[:-2] + (b"\xff" + bytes(255)) * 300 + b"\0;")
        data = webp([part], (2, 2))
        more = len(data) - data.index(b"ANMF") - 8 + 70_000
        data = data.replace(data[data.index(b"ANMF") :][:8], b"ANMF" + struct.pack("<I", more)) + bytes(70_000)
        (tmp_path / "b").write_bytes(b"RIFF" + struct.pack("<I", len(data) - 8) + data[8:])
        data = apng([part], (1, 1))
        spam = chunk(b"fdAT", bytes(70_000))
        (tmp_path / "c").write_bytes(data[:-12] + spam + data[-12:])
        for name in "abc":
            with pytest.raises(MediaError, match="it is damaged"):
                AnimationReader(tmp_path / name)

    def test_a_part_that_lies_about_its_size(self, tmp_path):
        part = Part(0, 0, np.full((4, 4, 4), 200, np.uint8), 5, over=True, after=KEEP)
        data = bytearray(webp([part, part], (4, 4)))
        data[data.index(b"ANMF") + 8 + 6] += 1  # a width of one more
        (tmp_path / "a").write_bytes(data)
        with pytest.raises(MediaError, match="cannot be read at frame 0"):
            AnimationReader(tmp_path / "a")

    def test_an_animation_without_frames(self, tmp_path):
        (tmp_path / "a").write_bytes(webp([], (4, 4)))
        with pytest.raises(MediaError, match="is damaged"):
            AnimationReader(tmp_path / "a")
        with pytest.raises(MediaError, match="is damaged"):
            read_image(tmp_path / "a")
        (tmp_path / "b").write_bytes(gif([], (4, 4)))
        with pytest.raises(MediaError, match="is damaged"):
            AnimationReader(tmp_path / "b")

    @pytest.mark.parametrize("form", FORMATS)
    def test_limits(self, form, tmp_path):
        path = save(tmp_path / "a", NOISE, form, duration=2000)
        with pytest.raises(MediaError, match="has 6 frames; at most 5 are read"):
            AnimationReader(path, limits=Limits(frames=5), salvage=True)
        with pytest.raises(MediaError, match="has 12 seconds; at most 11 are read"):
            AnimationReader(path, limits=Limits(seconds=11))
        with pytest.raises(MediaError, match="has 120 pixels; at most 119 are read"):
            AnimationReader(path, limits=Limits(pixels=119))
        assert len(played(path, limits=Limits(pixels=120, frames=6, seconds=12))) == 6

    def test_a_part_larger_than_the_limits(self, tmp_path):
        small = Part(0, 0, np.full((2, 2, 4), (5, 15, 25, 255), np.uint8), 5, over=True, after=KEEP)
        large = small._replace(pixels=np.full((40, 40, 4), (5, 15, 25, 255), np.uint8))
        (tmp_path / "a").write_bytes(gif([small, large], (2, 2)))
        with pytest.raises(MediaError, match="has 1,600 pixels; at most 100 are read"):
            AnimationReader(tmp_path / "a", limits=Limits(pixels=100))

    def test_a_video_is_none(self, tmp_path):
        (tmp_path / "a").write_bytes(b"\0\0\0 ftypisom")
        with pytest.raises(InputError, match="is a video; a picture is needed"):
            AnimationReader(tmp_path / "a")
