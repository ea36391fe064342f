"""What jobs start from: each input is known by its checksum, be it a file or a folder of pictures."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

from keyweave.base.errors import InputError
from keyweave.base.files import existing_file
from keyweave.base.recipe import sha256_of_file
from keyweave.media.clips import is_sequence
from keyweave.media.pictures.sequences import ENDINGS, SequenceReader
from keyweave.media.writers import is_numbered

if TYPE_CHECKING:
    from collections.abc import Iterable
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


def refuse_to_replace(inputs: Iterable[Path], output: Path) -> None:
    """Refuse an output that would take the place of what it is made of."""
    for path in inputs:
        if is_written_to(path, output):
            if not is_numbered(output):
                raise InputError(f"{path} is both an input and the output.", "Choose another name with -o.")
            raise InputError(
                f"{path} would be replaced by the pictures {output}, which take the place of their whole folder.",
                "Choose another folder with -o.",
            )


def is_written_to(path: Path, output: Path) -> bool:
    """Tell whether an output would take the place of an input: of the file, of one of many, or of the folder around it.

    Numbered pictures take the place of their whole folder, so nothing in it may be an input, however deep it lies.
    """
    if not is_numbered(output):
        return path.resolve() == output.resolve() or (is_sequence(path) and _is_one_of(path, output))
    folder = output.parent.resolve()
    # Where its name lies, for a link would be lost like a file, and where the file itself does.
    places = [path.parent.resolve(), path.resolve()]
    return any(folder in (place, *place.parents) for place in places)


def _is_one_of(pictures: Path, output: Path) -> bool:
    """Tell whether a file is there that the folder of pictures, or the pattern of their names, would have read."""
    folder, endings = (pictures, ENDINGS) if pictures.is_dir() else (pictures.parent, (pictures.suffix.lower(),))
    return output.exists() and output.parent.resolve() == folder.resolve() and output.suffix.lower() in endings
