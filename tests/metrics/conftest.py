"""Clips whose every number is known beforehand."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from typing import Self

import numpy as np
import pytest

from keyweave.media.source import Shown, at_constant_rate
from keyweave.media.types import Frame

HEIGHT, WIDTH = 48, 96
Draw = Callable[..., Frame]


@pytest.fixture
def square() -> Draw:
    """Draw a square of 16 at x, y with sub-pixel edges: each pixel is as bright as the square covers it."""

    def draw(x: float, y: float = 16, *, light: int = 240, ground: int = 0) -> Frame:
        def cover(begin: float, count: int) -> np.ndarray:
            pixel = np.arange(count)
            return (np.minimum(pixel + 1, begin + 16) - np.maximum(pixel, begin)).clip(0, 1)

        shape = cover(y, HEIGHT)[:, None] * cover(x, WIDTH)
        gray = np.rint(ground + (light - ground) * shape).astype(np.uint8)
        return np.repeat(gray[..., None], 3, axis=2)

    return draw


@pytest.fixture
def grating() -> Draw:
    """Draw a sine grating of 16 pixels a period that tiles the frame, moved to the right by a number of pixels."""

    def draw(shift: float, *, amplitude: float = 100, middle: float = 128) -> Frame:
        wave = middle + amplitude * np.sin(2 * np.pi * (np.arange(WIDTH) - shift) / 16)
        return np.broadcast_to(np.rint(wave).astype(np.uint8)[None, :, None], (HEIGHT, WIDTH, 3)).copy()

    return draw


class Held:
    """Frames in memory as a `FrameSource`."""

    def __init__(self, frames: Sequence[Frame] | np.ndarray, rate: int = 24) -> None:
        self.shots = list(frames)
        self.rate = Fraction(rate)
        self.slack = Fraction(0)
        self.height, self.width = self.shots[0].shape[:2] if self.shots else (HEIGHT, WIDTH)
        self.has_alpha = False

    @property
    def duration(self) -> Fraction:
        return len(self.shots) / self.rate

    def shown(self, start: Fraction = Fraction(0), stop: Fraction | None = None) -> Iterator[Shown]:
        return (Shown(k / self.rate, (k + 1) / self.rate, frame) for k, frame in enumerate(self.shots))

    def frames(
        self, start: Fraction = Fraction(0), stop: Fraction | None = None, rate: Fraction | None = None
    ) -> Iterator[Frame]:
        return at_constant_rate(self.shown(), rate or self.rate, start, stop)

    def close(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...


@pytest.fixture
def held() -> type[Held]:
    return Held


@pytest.fixture
def flat() -> Draw:
    def draw(level: int | Iterable[int]) -> Frame:
        return np.full((HEIGHT, WIDTH, 3), level, np.uint8)

    return draw
