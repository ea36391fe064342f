"""What flows through the house: pictures, clips and sound. Frozen; arrays are shared, never copied."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from keyweave.base.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

Frame = NDArray[np.uint8]  # (H, W, 3 or 4), sRGB, straight alpha
Samples = NDArray[np.float32]  # (N, C), full scale is -1..1


@dataclass(frozen=True, eq=False)
class Image:
    """A still picture in sRGB with straight (not premultiplied) alpha."""

    pixels: Frame  # uint8 (H, W, 3 or 4)

    def __post_init__(self) -> None:
        _check_uint8(self.pixels, 3, "An image", "(height, width, 3 or 4)")

    @property
    def width(self) -> int:
        """Columns of pixels."""
        return self.pixels.shape[1]

    @property
    def height(self) -> int:
        """Rows of pixels."""
        return self.pixels.shape[0]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.width, self.height

    @property
    def has_alpha(self) -> bool:
        """Whether a fourth channel says how opaque each pixel is."""
        return self.pixels.shape[2] == 4

    def with_alpha(self) -> Image:
        """Return the picture with an alpha channel, opaque where it had none."""
        if self.has_alpha:
            return self
        opaque = np.full((*self.pixels.shape[:2], 1), 255, np.uint8)
        return Image(np.concatenate([self.pixels, opaque], axis=2))


@dataclass(frozen=True, eq=False)
class Audio:
    """Sound on the presentation clock: sample n is heard at n / rate seconds."""

    samples: Samples  # float32 (N, C)
    rate: int

    def __post_init__(self) -> None:
        if self.samples.dtype != np.float32 or self.samples.ndim != 2 or self.samples.shape[1] == 0:
            raise InputError(
                f"Sound must be float32 of shape (samples, channels); got {self.samples.dtype} {self.samples.shape}."
            )
        if self.rate <= 0:
            raise InputError(f"A sample rate must be above 0; got {self.rate}.")

    @property
    def channels(self) -> int:
        """1 for mono, 2 for stereo."""
        return self.samples.shape[1]

    @property
    def duration(self) -> Fraction:
        """Exact length in seconds."""
        return Fraction(self.samples.shape[0], self.rate)


@dataclass(frozen=True, eq=False)
class Sound:
    """Sound that flows: blocks of samples that follow one another, for files too long to hold."""

    blocks: Iterable[Samples]  # each (n, channels)
    rate: int
    channels: int


@dataclass(frozen=True, eq=False)
class Clip:
    """Frames at a constant rate, with or without sound, held in memory."""

    frames: Frame  # uint8 (T, H, W, 3 or 4)
    rate: Fraction
    audio: Audio | None = None

    def __post_init__(self) -> None:
        _check_uint8(self.frames, 4, "A clip", "(frames, height, width, 3 or 4)")
        if self.rate <= 0:
            raise InputError(f"A frame rate must be above 0; got {self.rate}.")

    def __len__(self) -> int:
        return self.frames.shape[0]

    @property
    def duration(self) -> Fraction:
        """Exact length in seconds."""
        return len(self) / self.rate


def _check_uint8(array: np.ndarray, dimensions: int, what: str, shape: str) -> None:
    right = array.dtype == np.uint8 and array.ndim == dimensions and array.shape[-1] in (3, 4) and array.size > 0
    if not right:
        raise InputError(f"{what} must be uint8 of shape {shape}; got {array.dtype} {array.shape}.")
