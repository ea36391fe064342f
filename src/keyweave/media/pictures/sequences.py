"""Numbered pictures as a source of frames: a folder, or a pattern such as shots/%05d.png."""

from __future__ import annotations

import re
from fractions import Fraction
from itertools import pairwise
from math import ceil, floor
from typing import TYPE_CHECKING, Self

from keyweave.base.errors import InputError, MediaError
from keyweave.base.files import explain
from keyweave.media.limits import Limits
from keyweave.media.pictures.images import read_header, read_image
from keyweave.media.source import Shown, at_constant_rate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from keyweave.media.types import Frame

# In a folder only these are looked at; what they are is then told by their content.
ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".avif")
_PLACEHOLDER = re.compile(r"(%%|%d|%0[1-9][0-9]?d)")
_NUMBER = re.compile(r"([0-9]+)")


class SequenceReader:
    """Pictures of one size, one after the other; a `FrameSource`.

    A folder is read in natural order, 9 before 10. Where its pictures' names differ in one number only, and always in
    a pattern, a number that is missing is an error: an incomplete copy must not become a shorter film.

    Args:
        place: a folder, or a pattern with one placeholder for the number, such as shots/%05d.png or shots/%d.png.
        rate: frames per second.
        limits: what is refused before it is decoded; from the environment unless given.
    """

    def __init__(self, place: Path, *, rate: Fraction = Fraction(25), limits: Limits | None = None) -> None:
        if rate <= 0:
            raise InputError(f"A frame rate must be above 0; got {rate}.")
        self._limits = limits or Limits.from_environment()
        self._rate = rate
        self._paths = _in_folder(place) if place.is_dir() else _by_pattern(place)
        self._limits.check(str(place), "frames", len(self._paths))
        self._limits.check(str(place), "seconds", float(self.duration))
        # Every header is looked at now, lest hours of work end at the first picture that does not belong.
        headers = [read_header(path, limits=self._limits) for path in self._paths]
        self._width, self._height, _ = headers[0]
        for path, header in zip(self._paths, headers, strict=True):
            if header[:2] != headers[0][:2]:
                raise MediaError(
                    f"{path} is {header.width} x {header.height}; "
                    f"the pictures before it are {self._width} x {self._height}.",
                    "Bring all pictures of a sequence to one size.",
                )
        self._has_alpha = any(header.has_alpha for header in headers)

    @property
    def paths(self) -> tuple[Path, ...]:
        """The pictures, in order."""
        return tuple(self._paths)

    @property
    def width(self) -> int:
        """Columns of every picture."""
        return self._width

    @property
    def height(self) -> int:
        """Rows of every picture."""
        return self._height

    @property
    def has_alpha(self) -> bool:
        """Whether any picture may have alpha; then all frames have a fourth channel."""
        return self._has_alpha

    @property
    def rate(self) -> Fraction:
        """Pictures per second."""
        return self._rate

    @property
    def slack(self) -> Fraction:
        """Nothing: their times are not stored, but counted."""
        return Fraction(0)

    @property
    def duration(self) -> Fraction:
        """Seconds of all pictures together."""
        return len(self._paths) / self._rate

    def shown(self, start: Fraction = Fraction(0), stop: Fraction | None = None) -> Iterator[Shown]:
        """Yield the pictures on screen during [start, stop), with their times."""
        last = len(self._paths) if stop is None else min(ceil(stop * self._rate), len(self._paths))
        for index in range(max(floor(start * self._rate), 0), last):
            yield Shown(index / self._rate, (index + 1) / self._rate, self._frame(self._paths[index]))

    def frames(
        self, start: Fraction = Fraction(0), stop: Fraction | None = None, rate: Fraction | None = None
    ) -> Iterator[Frame]:
        """Yield the picture on screen at start, start + 1/rate, ... before stop: the nearest earlier one."""
        return at_constant_rate(self.shown(start, stop), rate or self._rate, start, stop)

    def close(self) -> None:
        """Nothing is held open between pictures."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _frame(self, path: Path) -> Frame:
        image = read_image(path, limits=self._limits)
        if image.size != (self._width, self._height):
            raise MediaError(f"{path} was replaced while it was read.", "Start again.")
        return (image.with_alpha() if self._has_alpha else image).pixels


def _in_folder(folder: Path) -> list[Path]:
    paths = [path for path in _listed(folder) if path.suffix.lower() in ENDINGS and not path.name.startswith(".")]
    if not paths:
        raise InputError(f"{folder} holds no pictures.", f"Pictures end in {', '.join(ENDINGS)}.")
    paths.sort(key=lambda path: (_tokens(path.name.lower()), path.name))
    _require_all(folder, _numbered(paths))
    return paths


def _by_pattern(pattern: Path) -> list[Path]:
    named = _matcher(pattern.name)
    if named is None:
        what = "one file" if pattern.exists() else "not a folder"
        raise InputError(
            f"{pattern} is {what}; a sequence is a folder, or a pattern with one number in the file's name.",
            "Name the folder, or write a pattern such as shots/%05d.png.",
        )
    pairs = [(int(match[1]), path) for path in _listed(pattern.parent) if (match := named.fullmatch(path.name))]
    if not pairs:
        raise InputError(f"No file matches {pattern}.", "Check the pattern; %05d stands for five digits.")
    pairs.sort()
    _require_all(pattern, pairs)
    return [path for _, path in pairs]


def _matcher(pattern: str) -> re.Pattern[str] | None:
    """Turn a name with one %d or %05d into an expression that finds the number; %% is a percent sign."""
    expression, count = "", 0
    for index, part in enumerate(_PLACEHOLDER.split(pattern)):
        if index % 2 == 0:
            expression += re.escape(part)
        elif part == "%%":
            expression += "%"
        else:
            count += 1
            width = part[2:-1]
            expression += rf"([0-9]{{{width}}}|[1-9][0-9]{{{width},}})" if width else "(0|[1-9][0-9]*)"
    return re.compile(expression) if count == 1 else None


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError as fault:
        raise explain(fault, folder, "read") from fault


def _tokens(name: str) -> list[str | int]:
    """Split a name into text, number, text, and so on, so that names compare as people count."""
    return [int(part) if index % 2 else part for index, part in enumerate(_NUMBER.split(name))]


def _numbered(paths: list[Path]) -> list[tuple[int, Path]]:
    """Pair pictures with their numbers if one number is all that their names differ in; else pair none."""
    rows = [_tokens(path.stem) for path in paths]
    if len({len(row) for row in rows}) > 1:
        return []
    differing = [column for column in zip(*rows, strict=True) if len(set(column)) > 1]
    if len(differing) != 1 or not isinstance(differing[0][0], int):
        return []
    return [(int(number), path) for number, path in zip(differing[0], paths, strict=True)]


def _require_all(place: Path, pairs: list[tuple[int, Path]]) -> None:
    for (number, path), (after, follower) in pairwise(pairs):
        if after == number:
            raise InputError(f"{path} and {follower.name} have the same number.", "Keep one of them.")
        if after > number + 1:
            raise InputError(
                f"{place} lacks number {number + 1}: {path.name} is followed by {follower.name}.",
                "Copy what is missing, or number the pictures anew.",
            )
