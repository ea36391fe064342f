"""What a benchmark has made and measured, kept under the checksum of what decided it."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np

from keyweave.base.files import replacing, write_text

if TYPE_CHECKING:
    from pathlib import Path

    from keyweave.media.types import Frame


class Kept:
    """A folder of clips and numbers; what is damaged or not there is made again.

    Args:
        folder: where; it is made when the first is kept.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def clip(self, digest: str) -> Frame | None:
        """Return a clip (F, H, W, 3) that was kept."""
        path = self.path(digest, "npz")
        if not zipfile.is_zipfile(path):  # its index is at the end: what is cut short has none
            return None
        try:
            with np.load(path, allow_pickle=False) as file:
                return np.asarray(file["frames"], np.uint8)
        except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile):
            return None

    def keep_clip(self, digest: str, frames: Frame) -> None:
        """Keep a clip."""
        with replacing(self.path(digest, "npz"), overwrite=True) as part, part.open("wb") as file:
            np.savez_compressed(file, frames=frames)

    def numbers(self, digest: str) -> dict[str, Any] | None:
        """Return numbers that were kept."""
        try:
            row = json.loads(self.path(digest, "json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return row if isinstance(row, dict) else None

    def keep_numbers(self, digest: str, row: dict[str, Any]) -> None:
        """Keep numbers."""
        write_text(self.path(digest, "json"), json.dumps(row), overwrite=True)

    def path(self, digest: str, ending: str) -> Path:
        """Return where something lies, or would."""
        return self._folder / digest[:2] / f"{digest}.{ending}"
