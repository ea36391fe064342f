"""Numbered pictures in a folder of their own, which appears whole or not at all."""

from __future__ import annotations

import io
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import PIL.Image

from keyweave.base.errors import InputError
from keyweave.base.files import explain, refuse_filled, replacing_folder
from keyweave.media.encoders import over_black
from keyweave.media.pictures.images import encode_png

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from keyweave.media.types import Frame

FIRST_NUMBER = 1
SIDECAR = "recipe.json"  # what a job puts beside the pictures
_ONE_NUMBER = re.compile(r"(?:[^%]|%%)*%(?:0[1-9])?d(?:[^%]|%%)*")
_JPEG_QUALITY = 95


@contextmanager
def replacing_sequence(pattern: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Yield a pattern in a temporary folder; when the block succeeds, the folder takes the place of `pattern`'s.

    What may go (`overwrite`) is an earlier sequence of the same pattern, and nothing else.
    """
    _refuse_strangers(pattern, overwrite=overwrite)
    with replacing_folder(pattern.parent, overwrite=overwrite) as folder:
        yield folder / pattern.name
        # Hours may have passed: somebody may have put a file there.
        _refuse_strangers(pattern, overwrite=overwrite)


def write_pictures(pattern: Path, frames: Iterable[Frame], comment: str | None) -> None:
    """Write each frame (H, W, 3 or 4) as a PNG or JPEG, numbered from 1, with the comment; JPEG lays it over black."""
    for number, frame in enumerate(frames, FIRST_NUMBER):
        data = encode_png(frame, comment) if pattern.suffix.lower() == ".png" else _jpeg(frame, comment)
        # Written here, not by `write_image`: the folder is what must appear whole.
        pattern.with_name(pattern.name % number).write_bytes(data)


def _jpeg(frame: Frame, comment: str | None) -> bytes:
    out = io.BytesIO()
    opaque = over_black(frame) if frame.shape[2] == 4 else np.ascontiguousarray(frame)
    note = (comment or "").encode()
    PIL.Image.fromarray(opaque).save(out, "jpeg", quality=_JPEG_QUALITY, subsampling="4:4:4", comment=note)
    return out.getvalue()


def check_pattern(pattern: Path) -> None:
    """Refuse a name that does not number its pictures, or no folder for them alone."""
    if not _ONE_NUMBER.fullmatch(pattern.name):
        raise InputError(
            f"{pattern} names one picture; those of a clip need a number each.",
            f"Write a pattern such as {pattern.parent / 'frames'}/%05d{pattern.suffix}.",
        )
    if not pattern.parent.name or "%" in pattern.parent.name:
        raise InputError(
            f"{pattern} names no folder for the pictures alone.", f"Write a pattern such as frames/{pattern.name}."
        )


def check_place(pattern: Path, *, overwrite: bool) -> None:
    """Refuse a folder that is not free, unless it may be replaced and nobody would lose files."""
    refuse_filled(pattern.parent, overwrite=overwrite)
    _refuse_strangers(pattern, overwrite=overwrite)


def _refuse_strangers(pattern: Path, *, overwrite: bool) -> None:
    """Refuse a folder in which somebody would lose files."""
    folder = pattern.parent
    if not (overwrite and folder.is_dir()):
        return  # `replacing_folder` refuses what is there
    try:
        names = {path.name for path in folder.iterdir()} - {SIDECAR}
    except OSError as fault:
        raise explain(fault, folder, "read") from fault
    strangers = names - {pattern.name % (FIRST_NUMBER + k) for k in range(len(names))}
    if strangers:
        raise InputError(
            f"{folder} holds {min(strangers)}, which is no picture of an earlier {pattern.name}.",
            "Choose a new folder; this one would be replaced as a whole.",
        )
