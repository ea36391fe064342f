"""At most 256 colours for a whole clip: exactly its own where they suffice, else chosen and mixed in a fixed pattern.

The pattern is tied to the place, not to the frame: what stands still does not flicker, and gradients show no bands.
Error diffusion does the first badly, FFmpeg's ordered dither the second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
import PIL.Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from keyweave.media.types import Frame

MOST = 256
_BITS = 6  # of each channel that the census tells apart
_BINS = 1 << 3 * _BITS
_POSTER = 1 << 18  # pixels of the picture in which each colour has its share, from which the palette is taken
_AT_ONCE = 4096
_BATCH = 1 << 20  # pixels that are counted at once, for a batch costs as much as its bins
_PARTNERS = 32  # nearest colours with which one is tried to be mixed
# How much the eye minds a difference in red, green and blue.
_WEIGHTS = (2, 4, 3)
# How much a mixture is held to be worse for each unit of distance between its two colours: grain is seen too.
_GRAIN = 0.2


class Palette(Protocol):
    """Colours, and which of them stands for each pixel."""

    @property
    def colors(self) -> NDArray[np.uint8]:
        """Red, green and blue of each: (N, 3)."""
        ...

    def index(self, frame: Frame) -> NDArray[np.uint8]:
        """Return the number of a colour for each pixel of a frame (H, W, 3 or more): (H, W)."""
        ...


class Census:
    """Counts the colours of a clip, in memory that does not grow with the clip."""

    def __init__(self) -> None:
        self._waiting: list[NDArray[np.uint8]] = []
        self._distinct = np.empty(0, np.int32)
        self._count = np.zeros(_BINS, np.int64)
        self._sums = np.zeros((_BINS, 3), np.int64)

    def see(self, pixels: NDArray[np.uint8]) -> None:
        """Count the pixels (N, 3) of another frame."""
        self._waiting.append(pixels.copy())
        if sum(map(len, self._waiting)) > _BATCH:
            self._take_in()

    def _take_in(self) -> None:
        pixels = np.concatenate([np.empty((0, 3), np.uint8), *self._waiting])
        self._waiting.clear()
        if len(self._distinct) <= MOST:
            self._distinct = np.union1d(self._distinct, _packed(pixels))[: MOST + 1]
        where = _bins(pixels)
        self._count += np.bincount(where, minlength=_BINS)
        for channel in range(3):
            # The sums of one batch are far below what a double holds exactly.
            self._sums[:, channel] += np.bincount(where, pixels[:, channel], _BINS).astype(np.int64)

    def fits(self, *, clear: bool) -> bool:
        """Tell whether a palette holds all colours, and a number for what is transparent where `clear`."""
        self._take_in()
        return len(self._distinct) <= MOST - clear

    def palette(self, *, clear: bool) -> Palette:
        """Choose colours for all that was seen; one number is left over where `clear`, or where they do not fit."""
        if self.fits(clear=clear):
            return _Exact(self._distinct)
        seen = np.flatnonzero(self._count)
        count = self._count[seen]
        means = (self._sums[seen] + count[:, None] // 2) // count[:, None]
        return _Mixed(seen, means.astype(np.uint8), _chosen(means.astype(np.uint8), count, MOST - 1))


class _Exact:
    def __init__(self, packed: NDArray[np.int32]) -> None:
        self._packed = packed
        self.colors = np.stack([packed >> 16, packed >> 8 & 255, packed & 255], axis=1).astype(np.uint8)

    def index(self, frame: Frame) -> NDArray[np.uint8]:
        return np.searchsorted(self._packed, _packed(frame)).astype(np.uint8)


class _Mixed:
    """For each bin of colours the nearest of the palette, another one, and how many pixels of 64 the other gets."""

    def __init__(self, seen: NDArray[np.int64], means: NDArray[np.uint8], colors: NDArray[np.uint8]) -> None:
        self.colors = colors
        self._near = np.zeros(_BINS, np.uint8)
        self._other = np.zeros(_BINS, np.uint8)
        self._share = np.zeros(_BINS, np.uint8)
        for at in range(0, len(seen), _AT_ONCE):
            part = slice(at, at + _AT_ONCE)
            bins = seen[part]
            self._near[bins], self._other[bins], self._share[bins] = _mixtures(means[part], colors)

    def index(self, frame: Frame) -> NDArray[np.uint8]:
        height, width = frame.shape[:2]
        bins = _bins(frame)
        pattern = np.tile(_PATTERN, (height // 8 + 1, width // 8 + 1))[:height, :width]
        return np.where(pattern < self._share[bins], self._other[bins], self._near[bins])


def _chosen(means: NDArray[np.uint8], count: NDArray[np.int64], most: int) -> NDArray[np.uint8]:
    """Choose colours by median cut, then move them to the middle of what they stand for, until few pixels change."""
    pixels = np.repeat(means, np.maximum(count * _POSTER // count.sum(), 1), axis=0)
    poster = PIL.Image.fromarray(pixels[None])
    reduced = poster.quantize(most, PIL.Image.Quantize.MEDIANCUT, kmeans=_POSTER // 100, dither=PIL.Image.Dither.NONE)
    return np.array(reduced.getpalette(), np.uint8).reshape(-1, 3)[:most]


def _mixtures(
    pixels: NDArray[np.uint8], colors: NDArray[np.uint8]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint8]]:
    """Find for each pixel (N, 3) the nearest colour, and the other colour that with it makes the best mixture.

    No step adds up more than one product at a time, so that all machines agree to the last bit.
    """
    rows = np.arange(len(pixels))
    wanted, given = (np.ascontiguousarray(values.T, np.float32) for values in (pixels, colors))  # (3, N), (3, colours)
    away = wanted[..., None] - given[:, None]  # (3, N, colours)
    near = _dot(away, away).argmin(axis=1)
    between = given[:, None] - given[..., None]  # from the colour of the row to that of the column
    partners = _dot(between, between).argsort(axis=1, kind="stable")[:, : _PARTNERS + 1]
    rest = (wanted - given[:, near])[..., None]  # (3, N, 1)
    apart = between[:, near[:, None], partners[near]]  # (3, N, partners)
    square = _dot(apart, apart)
    share = np.clip(_dot(rest, apart) / np.maximum(square, 1), 0, 0.5)
    left = rest - share * apart
    best = (_dot(left, left) + _GRAIN * square * share).argmin(axis=1)
    return near, partners[near, best], np.round(64 * share[rows, best]).astype(np.uint8)


def _dot(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.floating]:
    """Multiply vectors of red, green and blue (3, ...), weighted as the eye does."""
    red, green, blue = (weight * one * other for weight, one, other in zip(_WEIGHTS, a, b, strict=True))
    return red + green + blue


def _packed(pixels: NDArray[np.uint8]) -> NDArray[np.int32]:
    wide = pixels.astype(np.int32)
    return wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]


def _bins(pixels: NDArray[np.uint8]) -> NDArray[np.int32]:
    wide = pixels.astype(np.int32) >> 8 - _BITS
    return wide[..., 0] << 2 * _BITS | wide[..., 1] << _BITS | wide[..., 2]


def _bayer(size: int) -> NDArray[np.uint8]:
    """Build the ordered-dither matrix of Bayer: each number below size² once, near ones far apart."""
    if size == 1:
        return np.zeros((1, 1), np.uint8)
    half = 4 * _bayer(size // 2)
    return np.block([[half, half + 2], [half + 3, half + 1]]).astype(np.uint8)


_PATTERN = _bayer(8)
