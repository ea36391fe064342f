"""Sheets: the right frames, at the right times, in the right places, as they were."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keyweave.base.errors import InputError, MediaError
from keyweave.media.sheet import compare_sheet, contact_sheet, strip
from keyweave.media.source import Shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keyweave.media.types import Frame, Image

PAPER = (24, 24, 26)


class Film:
    """A source that remembers what it was asked and how much it had to decode."""

    def __init__(self, frames: list[Frame], rate: int = 10, stated: Fraction | None = None) -> None:
        self.pictures = frames
        self.height, self.width = frames[0].shape[:2] if frames else (1, 1)
        self.has_alpha = bool(frames) and frames[0].shape[2] == 4
        self.rate = Fraction(rate)
        self.slack = Fraction(0)
        self.duration = stated or len(frames) / self.rate
        self.asked: list[Fraction] = []
        self.decoded = 0

    def shown(self, start: Fraction = Fraction(0), stop: Fraction | None = None) -> Iterator[Shown]:
        self.asked.append(start)
        for number, frame in enumerate(self.pictures):
            if (number + 1) / self.rate > start and (stop is None or number / self.rate < stop):
                self.decoded += 1
                yield Shown(number / self.rate, (number + 1) / self.rate, frame)

    def frames(
        self, start: Fraction = Fraction(0), stop: Fraction | None = None, rate: Fraction | None = None
    ) -> Iterator[Frame]:
        raise NotImplementedError

    def close(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...


def colour(number: int) -> tuple[int, int, int]:
    """A colour for each number, as far from the paper as from one another."""
    return 90 + number % 7 * 25, 90 + number // 7 % 7 * 25, 255 - number // 49 * 40


def plain(count: int, size: tuple[int, int] = (32, 20), channels: int = 3) -> list[Frame]:
    return [np.full((size[1], size[0], channels), (*colour(k), 255)[:channels], np.uint8) for k in range(count)]


class Cell(NamedTuple):
    top: int
    left: int
    width: int
    height: int
    number: int


def cells(sheet: Image) -> list[Cell]:
    """Find the rectangles of one known colour, in reading order."""
    packed = sheet.pixels.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    known = {(red << 16) + (green << 8) + blue: k for k in range(343) for red, green, blue in [colour(k)]}
    found = []
    for value in known.keys() & set(np.unique(packed).tolist()):
        number = known[value]
        rows, columns = np.nonzero(packed == value)
        if len(rows) >= 100:
            (top, left), (bottom, right) = (rows.min(), columns.min()), (rows.max() + 1, columns.max() + 1)
            assert len(rows) == (bottom - top) * (right - left)
            found.append(Cell(int(top), int(left), int(right - left), int(bottom - top), number))
    return sorted(found)


def numbers(sheet: Image) -> list[int]:
    return [cell.number for cell in cells(sheet)]


@given(st.integers(1, 60), st.integers(1, 16), st.integers(1, 9))
@settings(max_examples=30, deadline=None)
def test_frames_are_evenly_spaced_from_the_first_to_the_last_in_reading_order(length, count, columns):
    sheet = contact_sheet(Film(plain(length)), count=count, columns=columns, cell_width=32)
    wanted = sorted({int(Fraction((length - 1) * k, max(1, count - 1))) for k in range(count)})
    assert numbers(sheet) == wanted
    places = cells(sheet)
    assert len({cell.left for cell in places}) == min(columns, len(wanted))
    assert len({cell.top for cell in places}) == -(-len(wanted) // columns)
    assert {(cell.width, cell.height) for cell in places} == {(32, 20)}


def test_by_default_there_are_four_rows_of_eight():
    places = cells(contact_sheet(Film(plain(100)), cell_width=32))
    assert len({cell.left for cell in places}) == 8
    assert len({cell.top for cell in places}) == 4


def test_a_stated_duration_that_runs_past_the_end_still_ends_with_the_last_real_frame():
    assert numbers(contact_sheet(Film(plain(30), stated=Fraction(60)), count=3, cell_width=32)) == [0, 14, 29]


def test_near_frames_are_read_in_one_pass_and_far_ones_by_leaps():
    near = Film(plain(60))
    contact_sheet(near, count=6, cell_width=32)
    assert near.asked == [Fraction(4), Fraction(0)]
    far = Film(plain(300))
    assert numbers(contact_sheet(far, count=4, cell_width=32)) == [0, 99, 199, 299]
    assert len(far.asked) == 5
    assert far.decoded == 20 + 4


@pytest.mark.parametrize(
    ("size", "cell_width", "wanted"),
    [
        ((640, 360), 240, (240, 135)),
        ((1080, 1920), 240, (180, 320)),  # portrait: no taller than a third more than wide
        ((64, 48), 240, (192, 144)),  # pixel art: three times, not 3.75
        ((200, 100), 240, (200, 100)),  # not enlarged by a part
        ((3000, 4), 240, (240, 1)),
    ],
)
def test_frames_fit_their_cells(size, cell_width, wanted):
    (cell,) = cells(contact_sheet(Film(plain(1, size)), count=1, cell_width=cell_width))
    assert (cell.width, cell.height) == wanted


def test_small_frames_stay_crisp():
    frame = np.random.default_rng(1).integers(0, 256, (12, 16, 3), np.uint8)
    sheet = strip([("", [frame])], cell_width=64).pixels
    wanted = frame.repeat(4, axis=0).repeat(4, axis=1)
    windows = np.lib.stride_tricks.sliding_window_view(sheet, wanted.shape)[:, :, 0]
    assert (windows == wanted).all(axis=(2, 3, 4)).sum() == 1


def test_large_frames_are_averaged_not_skipped():
    lines = np.zeros((480, 640, 3), np.uint8)
    lines[::2] = 200
    sheet = strip([("", [lines])], cell_width=160).pixels
    inner = sheet[40:140, 40:180].astype(int)
    assert np.abs(inner - 100).max() < 8


def test_what_is_transparent_lies_over_a_chequerboard():
    frame = np.zeros((64, 64, 4), np.uint8)
    frame[:, 32:] = (*colour(3), 255)
    sheet = strip([("", [frame])], cell_width=64).pixels
    (cell,) = cells(strip([("", [frame])], cell_width=64))
    assert (cell.width, cell.height) == (32, 64)
    board = sheet[cell.top : cell.top + 64, cell.left - 32 : cell.left]
    assert sorted(np.unique(board)) == [92, 116]
    assert (board[:8, :8] == board[8:16, 8:16]).all()
    assert (board[:8, :8] != board[8:16, :8]).all()


def differing(one: Image, other: Image) -> tuple[int, int, int, int]:
    """The box, left, top, right and bottom, within which two sheets differ."""
    mask = (one.pixels != other.pixels).any(axis=2)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def test_times_stand_under_their_frames():
    """Two rates show the same pictures at other times: the sheets differ only under the cells and in the heading."""
    slow, fast = (contact_sheet(Film(plain(3), rate), count=3, cell_width=240, title="a") for rate in (10, 7))
    places = cells(slow)
    mask = (slow.pixels != fast.pixels).any(axis=2)
    top = places[0].top
    for cell in places[1:]:
        under = mask[top + cell.height : top + cell.height + 24, cell.left : cell.left + cell.width]
        assert under.any()
        under[:] = False
    assert not mask[top:].any()
    assert mask[:top].any()


def test_times_are_written_as_a_clock_does():
    frame = plain(1)[0]

    def sheet(*seconds: str) -> Image:
        return strip([("", [frame] * len(seconds))], times=[Fraction(one) for one in seconds], cell_width=240)

    assert np.array_equal(sheet("59.9996").pixels, sheet("60").pixels)
    assert not np.array_equal(sheet("59.9994").pixels, sheet("60").pixels)
    hour = differing(sheet("3600"), sheet("600"))
    assert hour[2] - hour[0] > 10


def test_text_is_smooth_and_can_be_read():
    sheet = contact_sheet(Film(plain(4)), count=4, title="A clip", cell_width=120)
    heading = sheet.pixels[: cells(sheet)[0].top]
    levels = np.unique(heading.max(axis=2))
    assert levels[0] == max(PAPER)
    assert levels[-1] > 200
    assert len(levels) > 20


@pytest.mark.parametrize("title", ["short", "a name far too long to fit beside the facts " * 5, "two\nlines"])
def test_a_heading_never_runs_into_the_facts_or_the_frames(title):
    film = Film(plain(2))
    headed, bare = (contact_sheet(film, count=2, title=text, cell_width=32) for text in (title, ""))
    left, top, right, bottom = differing(headed, bare)
    facts = np.flatnonzero((bare.pixels[: cells(bare)[0].top] != PAPER).any(axis=(0, 2)))
    assert 32 <= left < right < facts[0]
    assert 24 <= top < bottom < cells(headed)[0].top


def test_a_title_of_two_lines_is_written_in_one():
    two, one = (strip([("", plain(1))], title=title, cell_width=240) for title in ("two\n  lines", "two lines"))
    assert np.array_equal(two.pixels, one.pixels)


def test_a_strip_has_its_labels_left_and_its_rows_under_one_another():
    rows = [("before", plain(4)), ("after, with a label that does not fit in the space for labels", plain(7)[4:])]
    sheet = strip(rows, times=[Fraction(k) for k in range(4)], title="Compared", cell_width=32)
    assert numbers(sheet) == [0, 1, 2, 3, 4, 5, 6]
    places = cells(sheet)
    assert [cell.left for cell in places[:3]] == [cell.left for cell in places[4:]]
    labels = sheet.pixels[places[0].top : places[-1].top + 20, : places[0].left]
    assert (labels != PAPER).any()
    assert (sheet.pixels[:, :32] == PAPER).all()
    assert (labels[:, -20:] == PAPER).all()


def test_frames_of_several_sizes_are_laid_in_the_middle_of_equal_cells():
    large, small, tiny = plain(1, (64, 40))[0], plain(2, (48, 30))[1], plain(3, (32, 20))[2]
    one, two, three = sorted(cells(strip([("", [large, small, tiny])], cell_width=64)), key=lambda cell: cell.number)
    assert (two.left - one.left, two.top - one.top) == (64 + 12 + 8, 5)
    # Half as large is enlarged to as large.
    assert three == (one.top, one.left + 2 * (64 + 12), 64, 40, 2)


def test_two_clips_are_compared_at_the_same_times_as_far_as_both_go():
    before, after = Film(plain(41), rate=10), Film(plain(343)[100:150], rate=20)
    sheet = compare_sheet(before, after, count=4, names=("in", "out"), cell_width=32)
    # The second lasts until 2.5 s; its last frame begins at 2.45 s.
    assert numbers(sheet) == [0, 8, 16, 24, 100, 116, 132, 149]


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"columns": 0}, "A sheet needs 1 column or more; got 0."),
        ({"count": 0}, "A sheet needs 1 frame or more; got 0."),
        ({"cell_width": 15}, "Frames on a sheet are 16 to 4096 pixels wide; got 15."),
        ({"count": 100_000}, "A sheet of 100000 frames of 240 pixels is too large. Ask for fewer or smaller."),
    ],
)
def test_doors(how, words):
    film = Film(plain(3))
    with pytest.raises(InputError) as caught:
        contact_sheet(film, **how)
    assert str(caught.value) == words
    assert not film.asked


def test_nothing_to_lay_out_is_refused():
    for rows in ([], [("empty", [])]):
        with pytest.raises(InputError, match="A sheet needs 1 frame or more; got 0"):
            strip(rows)
    with pytest.raises(MediaError, match="The clip holds no frame that can be shown"):
        contact_sheet(Film([], stated=Fraction(1)))
