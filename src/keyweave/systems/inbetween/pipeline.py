"""From keyframes to a timeline: the story of `keyweave inbetween` in one screen."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

from keyweave.base.errors import InputError
from keyweave.media.fit import fit
from keyweave.systems.inbetween.options import MOST_FRAMES
from keyweave.timeline.types import Keyframe, Timeline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keyweave.media.types import Image
    from keyweave.systems.inbetween.options import InbetweenOptions
    from keyweave.timeline.easing import Easing


def inbetween(images: Sequence[Image], options: InbetweenOptions) -> Timeline:
    """Fit the keyframes to one size and lay them out in time; engines fill the gaps."""
    if len(images) < 2:
        raise InputError(f"An in-between needs at least two keyframes; got {len(images)}.", "Give one more picture.")
    size = options.size or images[0].size
    if any(image.has_alpha for image in images):
        images = [image.with_alpha() for image in images]
    fitted = [fit(image, size, options.fit) for image in images]
    round_trip = _round_trip(fitted, options)
    times, end = _times(len(round_trip), options)
    easings = _easings(len(images), options)
    keyframes = [Keyframe(*row) for row in zip(round_trip, times, easings, strict=True)]
    return Timeline.through(
        keyframes, until=end, loop=options.loop or options.ping_pong, there_and_back=options.ping_pong
    )


def _round_trip(images: list[Image], options: InbetweenOptions) -> list[Image]:
    """Add the keyframes that lead back to the beginning, where it is to begin again."""
    if options.loop:
        return [*images, images[0]]
    return [*images, *images[-2::-1]] if options.ping_pong else images


def _times(count: int, options: InbetweenOptions) -> tuple[list[Fraction], Fraction | None]:
    """Return when each keyframe is shown, and when the film ends if that is later."""
    if options.at is None:
        return [tick / options.fps for tick in _ticks(count, options)], None
    given = list(options.at)
    gaps = [after - before for before, after in pairwise(given)]
    if options.ping_pong:
        for gap in reversed(gaps):
            given.append(given[-1] + gap)
    elif options.loop:
        # The way back takes what is left of the duration, or as long as an average gap.
        given.append(options.duration or given[-1] + sum(gaps, Fraction(0)) / max(len(gaps), 1))
    if len(given) != count:
        raise InputError(
            f"--at has {len(options.at)} times for {_pictures(count, options)} keyframes.",
            "Give one time for each keyframe.",
        )
    return given, None if options.loop or options.ping_pong else options.duration


def _pictures(count: int, options: InbetweenOptions) -> int:
    """Count the keyframes that were given, of those on the round trip."""
    return count - 1 if options.loop else (count + 1) // 2 if options.ping_pong else count


def _ticks(count: int, options: InbetweenOptions) -> list[int]:
    """Return the frame number of each keyframe. All lie on the grid, so that each is shown at its exact time."""
    gaps = count - 1
    if options.frames is not None:
        return [k * (options.frames + 1) for k in range(count)]
    if options.duration is None:
        # Below one frame per second, neighbours would fall on one frame.
        return [max(k, round(k * options.fps)) for k in range(count)]
    again = options.loop or options.ping_pong
    last = round(options.duration * options.fps) - (not again)
    if last < gaps:
        shown = gaps if again else count
        raise InputError(
            f"{float(options.duration):g} s at {float(options.fps):g} frames per second is too short: "
            f"these keyframes need at least {shown} frames.",
            "Ask for a longer film or a higher rate.",
        )
    if last > MOST_FRAMES:
        raise InputError(f"A film has at most {MOST_FRAMES:,} frames; {last + 1:,} were asked for.", "Ask for less.")
    return [round(Fraction(k * last, gaps)) for k in range(count)]


def _easings(pictures: int, options: InbetweenOptions) -> list[Easing]:
    """Return an easing for each keyframe of the round trip, the last of which leads nowhere."""
    given = list(options.easing)
    gaps = pictures - (not options.loop)
    if len(given) == 1:
        given *= gaps
    if len(given) != gaps:
        raise InputError(
            f"--easing has {len(given)} easings for {gaps} gaps.", "Give one for all, or one for each gap."
        )
    if options.ping_pong:
        given += [easing.reversed() for easing in reversed(given)]
    return [*given, given[-1]]
