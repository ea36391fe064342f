"""Fitting: exact sizes, no shift, no ringing where nothing is, no dark fringes, the proportions kept or let go."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyweave.base.errors import InputError
from keyweave.media.fit import fit
from keyweave.media.types import Image

SIDES = st.integers(1, 70)
MODES = ("crop", "pad", "stretch")


def ramp(width: int, height: int) -> Image:
    """Columns brighten to the right in red, rows downward in green."""
    right = (np.arange(width) + 0.5) / width * 255
    down = (np.arange(height) + 0.5) / height * 255
    pixels = np.zeros((height, width, 3))
    pixels[..., 0], pixels[..., 1] = right[None], down[:, None]
    return Image(pixels.round().astype(np.uint8))


@given(SIDES, SIDES, SIDES, SIDES, st.sampled_from(MODES), st.sampled_from([3, 4]))
def test_the_size_is_exact_and_flat_stays_flat(width, height, to_width, to_height, mode, channels):
    flat = Image(np.full((height, width, channels), (37, 150, 201, 255)[:channels], np.uint8))
    made = fit(flat, (to_width, to_height), mode)
    assert made.size == (to_width, to_height)
    assert made.has_alpha == flat.has_alpha
    assert made.pixels.flags.writeable
    bars = (made.pixels == 0).all(axis=2)
    assert (made.pixels[~bars] == flat.pixels[0, 0]).all()
    assert mode == "pad" or not bars.any()


@pytest.mark.parametrize("mode", MODES)
def test_the_same_size_is_the_same_picture(mode):
    picture = ramp(30, 20)
    assert fit(picture, (30, 20), mode) is picture


@pytest.mark.parametrize("size", [(0, 5), (5, 0), (-1, 5)])
def test_a_side_of_nothing_is_refused(size):
    with pytest.raises(InputError, match=f"A picture cannot be {size[0]} x {size[1]}; both sides must be at least 1"):
        fit(ramp(3, 3), size, "crop")


@pytest.mark.parametrize("size", [(400, 400), (60, 60), (33, 57), (90, 41)])
def test_crop_takes_the_middle(size):
    """A ramp over the whole picture, cut in the middle, is a ramp between known ends."""
    width, height = 240, 160
    made = fit(ramp(width, height), size, "crop").pixels.astype(float)
    scale = min(width / size[0], height / size[1])
    across = (width / 2 + (np.arange(size[0]) + 0.5 - size[0] / 2) * scale) / width * 255
    along = (height / 2 + (np.arange(size[1]) + 0.5 - size[1] / 2) * scale) / height * 255
    inside_x, inside_y = slice(4, -4), slice(4, -4)
    assert np.abs(made[..., 0] - across)[:, inside_x].max() < 2
    assert np.abs(made[..., 1] - along[:, None])[inside_y].max() < 2


@pytest.mark.parametrize(("size", "inner"), [((100, 100), (100, 67)), ((50, 20), (30, 20)), ((31, 90), (31, 21))])
def test_pad_keeps_all_between_even_bars(size, inner):
    made = fit(Image(np.full((160, 240, 3), 200, np.uint8)), size, "pad").pixels
    columns, rows = np.flatnonzero(made[:, :, 0].any(0)), np.flatnonzero(made[:, :, 0].any(1))
    assert (len(columns), len(rows)) == inner
    for filled, side in ((columns, size[0]), (rows, size[1])):
        assert 0 <= (side - 1 - filled[-1]) - filled[0] <= 1
    assert (made[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] == 200).all()


def test_bars_are_black_or_transparent():
    black = fit(Image(np.full((4, 4, 3), 9, np.uint8)), (8, 4), "pad").pixels
    clear = fit(Image(np.full((4, 4, 4), 9, np.uint8)), (8, 4), "pad").pixels
    assert black[0, 0].tolist() == [0, 0, 0]
    assert clear[0, 0].tolist() == [0, 0, 0, 0]


def test_stretch_lets_go_of_the_shape():
    made = fit(ramp(64, 16), (16, 64), "stretch").pixels.astype(float)
    expected = ramp(16, 64).pixels.astype(float)
    assert np.abs(made - expected)[2:-2, 2:-2].max() < 3


def test_shrinking_takes_every_pixel_into_account():
    """Fine black and white stripes must become grey, not a beat."""
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    made = fit(Image(stripes), (21, 21), "stretch").pixels.astype(float)
    assert np.abs(made - 127.5).max() < 16


def test_enlarging_is_smooth():
    edge = np.zeros((8, 8, 3), np.uint8)
    edge[:, 4:] = 255
    row = fit(Image(edge), (80, 80), "stretch").pixels[40, :, 0].astype(int)
    assert 60 < row[38:42].mean() < 195
    assert (np.diff(row[34:46]) >= 0).all()


@pytest.mark.parametrize("size", [(24, 24), (150, 150)])
def test_what_is_transparent_lends_no_colour(size):
    """A white disc on transparent black stays white up to its edge."""
    y, x = np.mgrid[:64, :64] - 31.5
    disc = np.zeros((64, 64, 4), np.uint8)
    disc[x**2 + y**2 < 500] = 255
    made = fit(Image(disc), size, "stretch").pixels
    edge = (made[..., 3] > 8) & (made[..., 3] < 248)
    assert edge.sum() > 20
    assert made[edge][:, :3].min() > 225
    area = made[..., 3].sum() / 255 / (size[0] * size[1])
    assert area == pytest.approx(disc[..., 3].sum() / 255 / 64**2, rel=0.01)
