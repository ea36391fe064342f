"""What jobs start from: each input is known by its checksum, be it a file or a folder of pictures."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

from keyweave.base.errors import InputError
from keyweave.base.files import existing_file
from keyweave.base.recipe import sha256_of_file
from keyweave.media.clips import is_sequence
from keyweave.media.pictures.sequences import SequenceReader

if TYPE_CHECKING:
    from pathlib import Path


def checksum_of(path: Path, *, sequences: bool) -> str:
    """Return the checksum of a file's bytes or, where `sequences` may be given, of the names and bytes of a sequence.

    Raises:
        InputError: there is no such file, or a folder or pattern without pictures.
    """
    if not (sequences and is_sequence(path)):
        return sha256_of_file(existing_file(path))
    sum_ = hashlib.sha256()
    with SequenceReader(path) as pictures:
        for picture in pictures.paths:
            sum_.update(os.fsencode(picture.name) + b"\0" + sha256_of_file(picture).encode())
    return sum_.hexdigest()


def checksum_if_there(path: Path, *, sequences: bool) -> str | None:
    """Return the checksum, or None where there is nothing of that name."""
    if path.is_file():
        return sha256_of_file(path)
    try:
        return checksum_of(path, sequences=sequences)
    except InputError:
        return None


def is_written_to(path: Path, output: Path) -> bool:
    """Tell whether an output would take the place of an input, or of pictures in its folder."""
    if is_sequence(path) and "%" in output.name:
        return (path if path.is_dir() else path.parent).resolve() == output.parent.resolve()
    return path.resolve() == output.resolve()
