"""Whether the films that are filled are those that were learnt from: then a benchmark tells what is remembered."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from keyweave.base.recipe import sha256_of_file

if TYPE_CHECKING:
    from collections.abc import Container
    from pathlib import Path

    from keyweave.base.progress import Progress


def overlap(filled: Path, learnt: Path, sums: Container[str], progress: Progress) -> str:
    """Say what a folder of films to fill has in common with one to learn from; empty where that is nothing.

    Args:
        filled: the folder of those that are filled.
        learnt: the folder of those that are learnt from.
        sums: checksums of its films and pictures.
        progress: may stop the look at all files.
    """
    here, there = filled.resolve(), learnt.resolve()
    if here == there or here in there.parents or there in here.parents:
        what = "the same folder, or one lies in the other"
    else:
        # As deep as films, and pictures in folders, are looked for.
        for path in sorted(path for path in chain(here.glob("*"), here.glob("*/*")) if path.is_file()):
            progress.check()
            if sha256_of_file(path) in sums:
                what = f"both hold the same file, such as {path.relative_to(here).as_posix()}"
                break
        else:
            return ""
    return f"--data and --train-videos share films ({what}): adapters are measured on what they learnt from."
