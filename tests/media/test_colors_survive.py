"""Colours do not drift: what is written is what is read, in every format, at every size."""

from fractions import Fraction as F
from itertools import product
from pathlib import Path

import av
import numpy as np
import PIL.Image
import PIL.ImageSequence
import pytest

from keyweave.media.writers import FORMATS, write_clip

FILMS = (".mp4", ".webm", ".mov")
LEVELS = (0, 85, 170, 255)
MOST = 3  # of 255 levels, in any channel


def lattice(side: int, seed: int) -> np.ndarray:
    """Draw 64 flat squares of `side` pixels in every combination of four levels, shuffled."""
    colors = np.array(list(product(LEVELS, repeat=3)), np.uint8)
    np.random.default_rng(seed).shuffle(colors)
    return colors.reshape(8, 8, 3).repeat(side, 0).repeat(side, 1)


def centers(frame: np.ndarray, side: int) -> np.ndarray:
    return frame[side // 2 :: side, side // 2 :: side]


def read_back(path: Path) -> list[np.ndarray]:
    """Decode all frames by means that share nothing with the writers."""
    if path.suffix in FILMS:
        with av.open(str(path)) as film:
            return [to_rgb(frame) for frame in film.decode(video=0)]
    if "%" in path.name:
        return [np.array(PIL.Image.open(one).convert("RGB")) for one in sorted(path.parent.iterdir())]
    with PIL.Image.open(path) as picture:
        return [np.array(one.convert("RGB")) for one in PIL.ImageSequence.Iterator(picture)]


def to_rgb(frame: av.VideoFrame) -> np.ndarray:
    """Convert by the formulas of BT.709 with limited range, in floating point, after looking at the tags."""
    assert (frame.colorspace, frame.color_range, frame.color_primaries, frame.color_trc) == (1, 1, 1, 1)
    planes = []
    for plane, component in zip(frame.planes[:3], frame.format.components, strict=False):
        kind = np.uint8 if component.bits == 8 else np.uint16
        values = np.frombuffer(bytes(plane), kind).reshape(plane.height, -1)[:, : plane.width] / 2.0 ** (
            component.bits - 8
        )
        rows, columns = -(-frame.height // plane.height), -(-frame.width // plane.width)
        planes.append(values.repeat(rows, 0).repeat(columns, 1)[: frame.height, : frame.width])
    luma, blue, red = (planes[0] - 16) / 219, (planes[1] - 128) / 224, (planes[2] - 128) / 224
    r, b = luma + 1.5748 * red, luma + 1.8556 * blue
    g = (luma - 0.2126 * r - 0.0722 * b) / 0.7152
    return np.clip(np.round(255 * np.stack([r, g, b], axis=-1)), 0, 255).astype(np.uint8)


def place_for(folder: Path, ending: str) -> Path:
    return folder / ("out/%05d" + ending if FORMATS[ending].numbered else "out" + ending)


@pytest.mark.parametrize(("side", "seed", "count"), [(16, 9, 8), (16, 2, 2), (17, 5, 8), (24, 3, 1)])
@pytest.mark.parametrize("ending", FORMATS)
def test_flat_colours_stay_within_three_levels(tmp_path: Path, ending: str, side: int, seed: int, count: int):
    path = place_for(tmp_path, ending)
    drawn = lattice(side, seed)
    write_clip(path, [drawn] * count, F(25))
    back = read_back(path)
    assert len(back) == count
    for frame in (back[0], back[count // 2], back[-1]):
        off = np.abs(centers(frame, side).astype(int) - centers(drawn, side))
        assert off.max() <= MOST


@pytest.mark.parametrize("ending", FORMATS)
def test_small_films_are_not_taken_for_old_television(tmp_path: Path, ending: str):
    """Players that guess by size take a film of few lines for BT.601, which shifts greens and reds."""
    drawn = np.zeros((64, 64, 3), np.uint8)
    drawn[:32, :32], drawn[:32, 32:], drawn[32:, :32], drawn[32:, 32:] = (255, 0, 0), (0, 255, 0), (0, 0, 255), 128
    path = place_for(tmp_path, ending)
    write_clip(path, [drawn] * 4, F(25))
    for frame in read_back(path):
        assert np.abs(frame[16::32, 16::32].astype(int) - drawn[16::32, 16::32]).max() <= MOST


@pytest.mark.parametrize("ending", [".apng", ".png"])
def test_what_claims_to_be_lossless_is(tmp_path: Path, ending: str):
    noise = np.random.default_rng(5).integers(0, 256, (3, 21, 34, 3), dtype=np.uint8)
    path = place_for(tmp_path, ending)
    write_clip(path, noise, F(25))
    assert (np.stack(read_back(path)) == noise).all()


def test_grey_stays_grey_and_ends_stay_ends(tmp_path: Path):
    ramp = np.arange(256, dtype=np.uint8).repeat(2)[None, :, None].repeat(64, 0).repeat(3, 2)
    for ending in FILMS:
        path = tmp_path / f"ramp{ending}"
        write_clip(path, [ramp] * 4, F(25))
        frame = read_back(path)[2].astype(int)
        assert np.abs(frame[32] - ramp[32]).max() <= 2
        assert np.ptp(frame[32], axis=1).max() <= 2  # no channel leaves the others
        assert frame[32, 0].max() <= 1
        assert frame[32, -1].min() >= 254
