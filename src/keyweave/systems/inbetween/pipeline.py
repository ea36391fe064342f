"""From keyframes to a timeline: the story of `keyweave inbetween` in one screen."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from keyweave.base.errors import InputError
from keyweave.systems.inbetween.options import MOST_FRAMES
from keyweave.media.fit import fit
from keyweave.timeline.types import Keyframe, Timeline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keyweave.systems.inbetween.options import InbetweenOptions
    from keyweave.media.types import Image


def inbetween(images: Sequence[Image], options: InbetweenOptions) -> Timeline:
    """Fit the keyframes to one size and lay them on the frame grid, evenly; engines fill the gaps."""
    ticks = _ticks(len(images), options)
    size = options.size or images[0].size
    if any(image.has_alpha for image in images):
        images = [image.with_alpha() for image in images]
    fitted = [fit(image, size, options.fit) for image in images]
    return Timeline.through([Keyframe(image, tick / options.fps) for image, tick in zip(fitted, ticks, strict=True)])


def _ticks(count: int, options: InbetweenOptions) -> list[int]:
    """Return the frame number of each keyframe. All lie on the grid, so that each is shown exactly."""
    gaps = count - 1
    if gaps < 1:
        raise InputError(f"An in-between needs at least two keyframes; got {count}.", "Give one more picture.")
    if options.frames is not None:
        return [k * (options.frames + 1) for k in range(count)]
    if options.duration is None:
        # Below one frame per second, neighbours would fall on one frame.
        return [max(k, round(k * options.fps)) for k in range(count)]
    last = round(options.duration * options.fps) - 1
    if last < gaps:
        raise InputError(
            f"{float(options.duration):g} s at {float(options.fps):g} frames per second is {max(last + 1, 0)} frames; "
            f"{count} keyframes need at least {count}.",
            "Ask for a longer film or a higher rate.",
        )
    if last > MOST_FRAMES:
        raise InputError(f"A film has at most {MOST_FRAMES:,} frames; {last + 1:,} were asked for.", "Ask for less.")
    return [round(Fraction(k * last, gaps)) for k in range(count)]
