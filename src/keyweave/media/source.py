"""Where frames come from: one face for films, animations and folders of pictures, read by span."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from keyweave.media.types import Frame


class Shown(NamedTuple):
    """A frame and the exact time, in seconds from the start of the file, during which it is on screen."""

    start: Fraction
    stop: Fraction
    frame: Frame  # (H, W, 3 or 4)


class FrameSource(Protocol):
    """Frames that can be read by span, in order, without holding the clip in memory."""

    @property
    def width(self) -> int:
        """Columns as displayed: after rotation and for square pixels."""
        ...

    @property
    def height(self) -> int:
        """Rows as displayed."""
        ...

    @property
    def has_alpha(self) -> bool:
        """Whether frames have a fourth channel."""
        ...

    @property
    def rate(self) -> Fraction:
        """The constant rate at which `frames` yields unless asked otherwise."""
        ...

    @property
    def slack(self) -> Fraction:
        """Seconds by which frames may begin too early or too late, since the file's clock is coarse."""
        ...

    @property
    def duration(self) -> Fraction:
        """Seconds, as the file states; the true end is known once it is read."""
        ...

    def shown(self, start: Fraction = Fraction(0), stop: Fraction | None = None) -> Iterator[Shown]:
        """Yield the frames on screen during [start, stop), with their own exact times; the first may begin before."""
        ...

    def frames(
        self, start: Fraction = Fraction(0), stop: Fraction | None = None, rate: Fraction | None = None
    ) -> Iterator[Frame]:
        """Yield the frame on screen at start, start + 1/rate, ... before stop: the nearest earlier one."""
        ...

    def close(self) -> None:
        """Let the file go."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


def at_constant_rate(
    shown: Iterable[Shown],
    rate: Fraction,
    start: Fraction = Fraction(0),
    stop: Fraction | None = None,
    tolerance: Fraction = Fraction(0),
) -> Iterator[Frame]:
    """Sample frames on the grid start + k / rate, each the nearest earlier one; before the first frame, the first.

    `tolerance` forgives presentation times that the container rounded: a frame that begins at most that much after
    a grid point counts as begun.
    """
    tick = 0
    for item in shown:
        while (at := start + tick / rate) + tolerance < item.stop:
            if stop is not None and at >= stop:
                return
            yield item.frame
            tick += 1
