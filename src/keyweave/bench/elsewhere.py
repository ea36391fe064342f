"""Clips that other programs made of the same pairs, so that they stand in the same table."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from keyweave.base.errors import InputError, MediaError
from keyweave.base.recipe import sha256_of_file
from keyweave.media.clips import open_frames
from keyweave.media.fit import fit
from keyweave.media.pictures.images import write_image
from keyweave.media.types import Image

if TYPE_CHECKING:
    from keyweave.bench.pairs import Pair
    from keyweave.media.types import Frame

FOLDER = "folder:"
HOW = "Run it on the keyframes that --keyframes writes, and name what it made with --methods {}."
_FORM = re.compile(r"folder:(\w[\w .+-]*)=(.+)")
_FEWEST = 3


@dataclass(frozen=True)
class Elsewhere:
    """What a program made.

    Args:
        name: of the program, as tables call it.
        folder: holds a folder of pictures, or a film, for each pair, called by the number of the pair: 000, 001.
    """

    name: str
    folder: Path

    def place(self, number: int) -> Path:
        """Return what was made of a pair, which is counted from 0."""
        stem = f"{number:03d}"
        found = [path for path in sorted(self.folder.glob(f"{stem}*")) if stem in (path.name, path.stem)]
        if len(found) != 1:
            both = f"both {found[0].name} and {found[1].name}" if found else f"no folder {stem}, nor a film {stem}.mp4"
            raise InputError(f"{self.folder} has {both}, for pair {number}.", "Each pair has one, counted from 000.")
        return found[0]

    def clip(self, number: int, frames: int, size: tuple[int, int]) -> Frame:
        """Return the clip (F, H, W, 3) of a pair: at even times the nearest of its frames, the middle of each."""
        path = self.place(number)
        try:
            with open_frames(path) as source:
                made = list(source.frames())
        except MediaError as fault:
            if fault.hint and "salvage" in fault.hint:  # an option of other commands
                raise MediaError(fault.message, "Write it anew.") from fault
            raise
        if len(made) < _FEWEST:
            raise InputError(
                f"{path} holds {len(made)} frames; a clip has {_FEWEST} or more, its keyframes among them.",
                "Let both keyframes be the first and the last.",
            )
        nearest = [round(Fraction(k * (len(made) - 1), frames - 1)) for k in range(frames)]
        shown = [Image(np.ascontiguousarray(made[k][..., :3])) for k in nearest]
        return np.stack([fit(one, size, "crop").pixels for one in shown])

    def digest(self, number: int) -> str:
        """Return the checksum of what was made of a pair."""
        place, known = self.place(number), hashlib.sha256()
        for path in sorted(path for path in place.rglob("*") if path.is_file()) if place.is_dir() else [place]:
            known.update(path.relative_to(self.folder).as_posix().encode() + b"\0" + sha256_of_file(path).encode())
        return known.hexdigest()


def elsewhere(word: str) -> Elsewhere:
    """Read `folder:NAME=DIR`."""
    found = _FORM.fullmatch(word)
    if found is None:
        raise InputError(f"{word!r} is no method; it should be folder:NAME=DIR.", "Such as folder:FILM=results/film.")
    folder = Path(found[2]).expanduser()
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}, which {word} names.", HOW.format("folder:NAME=DIR"))
    return Elsewhere(found[1].strip(), folder)


def write_keyframes(folder: Path, pairs: tuple[Pair, ...]) -> None:
    """Write both keyframes of each pair, as first.png and last.png in a folder that is called by its number."""
    for number, pair in enumerate(pairs):
        frames = pair.read().frames
        for name, frame in (("first", frames[0]), ("last", frames[-1])):
            picture = Image(np.ascontiguousarray(frame))
            write_image(folder / f"{number:03d}" / f"{name}.png", picture, overwrite=True)
