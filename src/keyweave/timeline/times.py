"""Times and rates as people write them, kept exact."""

from __future__ import annotations

import re
from fractions import Fraction

_SECONDS = re.compile(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d+)?|\.\d+|\d+/[1-9]\d*)s?")
_RATE = re.compile(r"(\d+(?:\.\d+)?)(?:/(\d+))?")
_FRAME = re.compile(r"(\d+)f")
_SIZE = re.compile(r"([1-9]\d{0,4})[xX]([1-9]\d{0,4})")
MOST_FPS = 1000


def parse_seconds(text: str) -> Fraction:
    """Read '2', '2.5', '2.5s', '125/2', '1:02.5' or '1:00:02' as exact seconds; raises ValueError with a sentence."""
    match = _SECONDS.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a time; write seconds such as 2.5, or 1:02.5, or a frame such as 48f")
    hours, minutes, seconds = match.groups()
    return Fraction(seconds) + 60 * int(minutes or 0) + 3600 * int(hours or 0)


def parse_moment(text: str, rate: Fraction) -> Fraction:
    """Read a time as `parse_seconds` does, or as a frame of a film: '48f' at 24 frames per second is 2 seconds."""
    match = _FRAME.fullmatch(text.strip())
    return int(match[1]) / rate if match else parse_seconds(text)


def parse_rate(text: str) -> Fraction:
    """Read '25', '23.976' or '24000/1001' as exact frames per second; raises ValueError with a sentence."""
    match = _RATE.fullmatch(text.strip())
    rate = Fraction(match[1]) / int(match[2] or 1) if match and match[2] != "0" else None
    if rate is None or not 0 < rate <= MOST_FPS:
        raise ValueError(
            f"{text!r} is not a frame rate; write a number up to {MOST_FPS}, or a fraction such as 24000/1001"
        )
    return rate


def parse_size(text: str) -> tuple[int, int]:
    """Read '640x360' as width and height; raises ValueError with a sentence."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a size; write width x height such as 640x360")
    return int(match[1]), int(match[2])
