"""Clips that took long to make, kept in a folder and used again where the very same is asked for."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from keyweave.base.files import replacing, write_text

_SEED = "seed.txt"
_ROOM = 2**28  # bytes of clips that are remembered

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Keeper:
    """Keeps clips by all that decides them.

    Args:
        folder: where they lie, one file each; it is made with the first.
        mark: the same where everything but the pictures and the seed is the same.
        seed: of the job, noted so that the same job can be gone on with when nobody remembers its seed.
    """

    folder: Path
    mark: str
    seed: int

    def clip(self, pictures: Sequence[Pixels], seed: int, make: Callable[[], Pixels]) -> Pixels:
        """Return the clip (F, H, W, C) of these pictures and this seed, made only if it is not there yet.

        A file that cannot be read, such as one that was cut short, counts as not there.
        """
        path = self.folder / f"{_name(self.mark, pictures, seed)}.npy"
        found = _read(path)
        if found is None:
            found = make()
            write_text(self.folder / _SEED, f"{self.seed}\n", overwrite=True)
            with replacing(path, overwrite=True) as part, part.open("wb") as file:
                np.save(file, found, allow_pickle=False)
        return found


@dataclass
class Recent:
    """Remembers the clips that it returned last: a film that goes back the way it came needs each of them twice.

    Args:
        keeper: of clips in a folder, if they are kept.
        room: how many bytes of clips are remembered; of the last one always as many as it has.
    """

    keeper: Keeper | None = None
    room: int = _ROOM
    _clips: dict[str, Pixels] = field(default_factory=dict)

    def clip(self, pictures: Sequence[Pixels], seed: int, make: Callable[[], Pixels]) -> Pixels:
        """Return the clip (F, H, W, C) of these pictures and this seed, as `Keeper.clip` does."""
        name = _name("", pictures, seed)
        found = self._clips.pop(name, None)
        if found is None:
            found = make() if self.keeper is None else self.keeper.clip(pictures, seed, make)
        self._clips[name] = found
        while len(self._clips) > 1 and sum(clip.nbytes for clip in self._clips.values()) > self.room:
            self._clips.pop(next(iter(self._clips)))
        return found


def kept_seed(folder: Path) -> int | None:
    """Return the seed of the job whose clips were last kept in a folder, if any were."""
    try:
        return int((folder / _SEED).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _name(mark: str, pictures: Sequence[Pixels], seed: int) -> str:
    shapes = [picture.shape for picture in pictures]
    known = hashlib.sha256(json.dumps([mark, seed, shapes]).encode())
    for picture in pictures:
        known.update(np.ascontiguousarray(picture).tobytes())
    return known.hexdigest()[:32]


def _read(path: Path) -> Pixels | None:
    try:
        found = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return found if isinstance(found, np.ndarray) and found.dtype == np.uint8 and found.ndim == 4 else None
