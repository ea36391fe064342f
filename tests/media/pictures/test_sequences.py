"""Folders and patterns of pictures: in the order people count, complete, of one size, one in memory at a time."""

import os
import random
from fractions import Fraction

import numpy as np
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyweave.base.errors import InputError, MediaError
from keyweave.media.limits import Limits
from keyweave.media.pictures import sequences
from keyweave.media.pictures.sequences import SequenceReader


def fill(folder, names, size=(6, 4), mode="RGB"):
    """Write pictures whose first channel is their place in the list; return the folder."""
    folder.mkdir(exist_ok=True)
    order = list(enumerate(names))
    random.Random(1).shuffle(order)
    for place, name in order:
        color = (place, *[90, 91, 92][: len(mode) - 1])
        PIL.Image.new(mode, size, color if len(color) > 1 else place).save(folder / name)
    return folder


def seen(reader, *span, **how) -> list[int]:
    return [int(frame[0, 0, 0]) for frame in reader.frames(*span, **how)]


def refusal(place, error: type[InputError] = InputError, **how) -> str:
    with pytest.raises(error) as caught:
        SequenceReader(place, **how)
    assert caught.value.message.endswith(".")
    assert "\n" not in str(caught.value)
    return str(caught.value)


class TestOrder:
    @pytest.mark.parametrize(
        "names",
        [
            ["1.png", "2.png", "3.png"],
            [f"{k}.png" for k in range(8, 13)],
            [f"shot_{k:04}_v2.png" for k in range(98, 103)],
            ["Frame1.PNG", "frame2.png", "FRAME3.Png"],
            ["1.png", "2.bmp", "3.tiff"],
            ["a.png", "b2.png", "b10.png", "c.bmp"],  # no series, so no gaps
            ["1-9.png", "2-10.png", "2-11.png"],  # two numbers differ
            ["only7.png"],
        ],
    )
    def test_a_folder_is_read_as_people_count(self, names, tmp_path):
        folder = fill(tmp_path / "in", names)
        for stray in (".hidden.png", "notes.txt", "Thumbs.db"):
            (folder / stray).write_text("no picture")
        with SequenceReader(folder) as reader:
            assert seen(reader) == list(range(len(names)))
            assert (reader.width, reader.height, reader.has_alpha) == (6, 4, False)
            assert (reader.rate, reader.duration) == (25, Fraction(len(names), 25))

    @pytest.mark.parametrize(
        ("pattern", "names"),
        [
            ("%d.png", ["0.png", "1.png"]),
            ("%d.png", ["9.png", "10.png", "11.png"]),
            ("%05d.png", ["00099.png", "00100.png"]),
            ("a.%03d.b.png", ["a.998.b.png", "a.999.b.png", "a.1000.b.png"]),
            ("100%%_%d.png", ["100%_7.png", "100%_8.png"]),
            ("50%_%d[1].png", ["50%_1[1].png", "50%_2[1].png"]),
        ],
    )
    def test_a_pattern(self, pattern, names, tmp_path):
        folder = fill(tmp_path / "in", names)
        for stray in ("a.png", "0007.png", "x9.png", "9.pngx", "00012.jpg"):
            (folder / stray).write_text("not in the pattern")
        assert seen(SequenceReader(folder / pattern)) == list(range(len(names)))

    def test_a_folder_may_be_called_like_a_pattern(self, tmp_path):
        assert seen(SequenceReader(fill(tmp_path / "a%d", ["1.png", "2.png"]))) == [0, 1]


class TestRefusals:
    def test_gaps(self, tmp_path):
        folder = fill(tmp_path / "in", [f"s2_{k:03}.png" for k in (1, 2, 5, 9)])
        for place in (folder, folder / "s2_%03d.png"):
            says = f"{place} lacks number 3: s2_002.png is followed by s2_005.png. Copy what is missing"
            assert refusal(place).startswith(says)

    def test_one_number_twice(self, tmp_path):
        folder = fill(tmp_path / "in", ["1.png", "2.png", "02.png", "3.png"])
        assert "2.png and " in (says := refusal(folder))
        assert "have the same number. Keep one of them." in says

    def test_another_size(self, tmp_path):
        folder = fill(tmp_path / "in", ["1.png", "2.png", "3.png", "4.png"])
        for name in ("3.png", "4.png"):
            PIL.Image.new("RGB", (4, 6)).save(folder / name)
        says = f"{folder / '3.png'} is 4 x 6; the pictures before it are 6 x 4. Bring all pictures"
        assert refusal(folder, MediaError).startswith(says)

    def test_a_broken_picture_is_found_before_any_is_read(self, tmp_path):
        folder = fill(tmp_path / "in", ["1.png", "2.png"])
        os.truncate(folder / "2.png", 50)
        assert f"{folder / '2.png'} is cut off: 50 of at least" in refusal(folder, MediaError)

    def test_places_that_hold_none(self, tmp_path):
        (tmp_path / "notes.txt").write_text("hello")
        assert f"{tmp_path} holds no pictures. Pictures end in .png, .jpg" in refusal(tmp_path)
        assert "No file matches" in refusal(tmp_path / "%d.png")
        assert "notes.txt is one file; a sequence is a folder, or a pattern" in refusal(tmp_path / "notes.txt")
        assert "nowhere is not a folder; a sequence is" in refusal(tmp_path / "nowhere")
        for pattern in ("%d_%d.png", "%s.png", "%5d.png", "%%d.png", "%0d.png"):
            assert f"{pattern} is not a folder; a sequence is a folder, or" in refusal(tmp_path / pattern)
        assert "Cannot read" in refusal(tmp_path / "nowhere" / "%d.png", MediaError)

    def test_limits(self, tmp_path):
        folder = fill(tmp_path / "in", ["1.png", "2.png", "3.png"])
        assert "has 3 frames; at most 2" in refusal(folder, limits=Limits(frames=2))
        assert "has 6 seconds; at most 5" in refusal(folder, rate=Fraction(1, 2), limits=Limits(seconds=5))
        assert "1.png has 24 pixels; at most 23" in refusal(folder, limits=Limits(pixels=23))

    def test_rate(self, tmp_path):
        assert refusal(tmp_path, rate=Fraction(0)) == "A frame rate must be above 0; got 0."


class TestFrames:
    def test_alpha_for_all_where_one_has_it(self, tmp_path):
        folder = fill(tmp_path / "in", ["1.png", "2.png", "3.png"])
        PIL.Image.new("RGBA", (6, 4), (1, 2, 3, 4)).save(folder / "2.png")
        with SequenceReader(folder) as reader:
            assert reader.has_alpha
            assert [frame[0, 0].tolist() for frame in reader.frames()] == [
                [0, 90, 91, 255],
                [1, 2, 3, 4],
                [2, 90, 91, 255],
            ]

    @given(
        st.fractions(0, 2, max_denominator=41),
        st.one_of(st.none(), st.fractions(0, 2, max_denominator=43)),
        st.one_of(st.none(), st.sampled_from([Fraction(3), Fraction(8), Fraction(24000, 1001)])),
    )
    def test_spans(self, folder, start, stop, rate):
        reader = SequenceReader(folder, rate=Fraction(8))
        shown = [(each.start, each.stop, int(each.frame[0, 0, 0])) for each in reader.shown(start, stop)]
        every = [(Fraction(k, 8), Fraction(k + 1, 8), k) for k in range(11)]
        assert shown == [each for each in every if each[1] > start and (stop is None or each[0] < stop)]
        end = min(Fraction(11, 8), Fraction(9) if stop is None else stop)
        ticks = [start + k / (rate or Fraction(8)) for k in range(60)]
        assert seen(reader, start, stop, rate=rate) == [int(at * 8) for at in ticks if at < end]

    def test_one_picture_at_a_time(self, folder, monkeypatch):
        read = []
        monkeypatch.setattr(
            sequences, "read_image", lambda path, limits: read.append(path.name) or original(path, limits=limits)
        )
        frames = SequenceReader(folder).frames()
        assert read == []
        next(frames)
        next(frames)
        assert read == ["0.png", "1.png"]

    def test_a_picture_that_changes_meanwhile(self, tmp_path):
        folder = fill(tmp_path / "in", ["1.png", "2.png"])
        reader = SequenceReader(folder)
        PIL.Image.new("RGB", (5, 5)).save(folder / "2.png")
        with pytest.raises(MediaError, match=r"2\.png was replaced while it was read"):
            list(reader.frames())

    def test_frames_are_exact(self, tmp_path):
        pictures = np.random.default_rng(0).integers(0, 256, (3, 5, 7, 3), np.uint8)
        for number, picture in enumerate(pictures):
            PIL.Image.fromarray(picture).save(tmp_path / f"{number}.png")
        assert np.array_equal(list(SequenceReader(tmp_path).frames()), pictures)


original = sequences.read_image


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return fill(tmp_path_factory.mktemp("eleven") / "in", [f"{k}.png" for k in range(11)])
