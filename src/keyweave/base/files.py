"""Files that are whole or not there at all: write beside, sync, rename."""

from __future__ import annotations

import errno
import glob
import itertools
import os
import secrets
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from keyweave.base.errors import InputError, MediaError

if TYPE_CHECKING:
    from collections.abc import Iterator

_PART, _OLD = ".part", ".old"  # the endings of what is being written, and of what makes room for it
_KEPT = 40  # letters of a name, in that of its part

# What the operating system says, in words that tell what to do.
_OS_FAULTS = {
    errno.ENOSPC: ("the disk is full", "Free some space or choose another place with -o."),
    errno.EDQUOT: ("the disk quota is used up", "Free some space or choose another place with -o."),
    errno.EACCES: ("permission was denied", "Choose a place you may write to, or change its permissions."),
    errno.EPERM: ("permission was denied", "Choose a place you may write to, or change its permissions."),
    errno.EROFS: ("the disk is read-only", "Choose another place with -o."),
    errno.ENOENT: ("there is no such file or folder", "Check the spelling of the path."),
    errno.ENOTDIR: ("a part of the path is a file, not a folder", "Check the spelling of the path."),
    errno.EISDIR: ("it is a folder, not a file", "Name a file inside it."),
    errno.EEXIST: ("there is already a file or folder of that name", "Choose another name."),
    errno.ELOOP: ("its links lead in a circle", "Name the file itself."),
    errno.ENAMETOOLONG: ("the name is too long for this disk", "Choose a shorter name."),
    errno.EMFILE: ("too many files are open", "Close some programs or raise the limit with `ulimit -n`."),
    errno.EFBIG: ("the file is too large for this disk", "Choose another place with -o."),
    errno.EIO: ("the disk reported a fault", "Check the disk, or choose another place."),
}


def explain(fault: OSError, path: Path, doing: str) -> MediaError:
    """Put an operating-system fault into one sentence; `doing` is 'read' or 'write'."""
    words, hint = _OS_FAULTS.get(fault.errno or 0, (fault.strerror or type(fault).__name__, None))
    return MediaError(f"Cannot {doing} {path}: {words}.", hint)


def explained(fault: OSError) -> MediaError | None:
    """Return the sentence of a fault that the place or the name of a file has, or None where it has no such cause."""
    if not isinstance(fault.filename, str) or fault.errno not in _OS_FAULTS:
        return None
    return explain(fault, Path(fault.filename), "use")


def refuse_existing(path: Path, *, overwrite: bool) -> None:
    """Raise unless `path` is free, or may be replaced."""
    with _os_faults(path):
        if path.is_dir():
            raise InputError(f"Cannot write {path}: it is a folder, not a file.", "Name a file inside it.")
        if path.exists() and not overwrite:
            raise InputError(f"{path} already exists.", "Pass --overwrite to replace it, or choose another name.")
        _need_way_into(path.parent)


def refuse_filled(folder: Path, *, overwrite: bool) -> None:
    """Raise unless a folder is free or empty, or may be replaced."""
    with _os_faults(folder):
        if folder.exists() and not folder.is_dir():
            raise InputError(f"Cannot write into {folder}: it is a file, not a folder.", "Choose another folder.")
        if not overwrite and folder.is_dir() and any(folder.iterdir()):
            raise InputError(
                f"{folder} already holds files.", "Pass --overwrite to replace them, or choose another folder."
            )
        _need_way_into(folder.parent)


def refuse_unwritable(folder: Path) -> None:
    """Raise unless files can be made in a folder, which need not be there yet, so that no long work is begun for it."""
    with _os_faults(folder):
        _need_way_into(folder)


@contextmanager
def replacing(path: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Yield a temporary file name beside `path`; when the block succeeds, the file takes its place in one step.

    Whatever happens in between (an exception, Ctrl-C, kill -9), `path` holds its old content or none.
    """
    refuse_existing(path, overwrite=overwrite)
    with _os_faults(path):
        _make_folder(path.parent)
        part = _part_beside(path)
        # Created here so that a place without permission is known before hours of work.
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    try:
        with _os_faults(path):
            yield part
            _sync(part)
            _move_into_place(part, path, overwrite=overwrite)
            _sync(path.parent)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; when the block succeeds, it takes the place of `path`.

    The caller decides before whether an existing folder may go (`overwrite`); an empty one always may. Killed between
    the two names that this takes, it leaves none of that name: `settle_folder` brings it back.
    """
    refuse_filled(path, overwrite=overwrite)
    with _os_faults(path):
        _refuse_protected(path)
        _make_folder(path.parent)
        part = _part_beside(path)
        old = part.with_suffix(_OLD)
        part.mkdir()
    try:
        with _os_faults(path):
            yield part
            for made in part.iterdir():
                _sync(made)
            _sync(part)
            if path.exists():
                path.rename(old)
            part.rename(path)
            _sync(path.parent)
            if old.exists():
                shutil.rmtree(old)
    finally:
        if old.exists() and not path.exists():  # stopped between the two
            old.rename(path)
        shutil.rmtree(part, ignore_errors=True)


def settle_folder(path: Path) -> None:
    """Bring back a folder that a kill in `replacing_folder` left without its name, and clear what kills left beside it.

    For the start of a program that alone writes this folder: what another is writing just now would be cleared, too.
    """
    beside = path.parent.glob(f".{glob.escape(path.name[:_KEPT])}.*")
    left = [one for one in beside if one.suffix in (_PART, _OLD) and one.is_dir()]
    old = max((one for one in left if one.suffix == _OLD), key=lambda one: one.stat().st_mtime, default=None)
    with _os_faults(path):
        if old and not path.exists():
            new = old.with_suffix(_PART)  # whole, or the old one would have its name still
            (new if new.exists() else old).rename(path)
            _sync(path.parent)
        for one in left:
            if one.exists():
                shutil.rmtree(one)


def put_aside(path: Path) -> Path:
    """Rename what a person may have worked on, plan.json to plan.old.json or plan.old-2.json; return its new path."""
    stem, ending = (path.stem, path.suffix) if path.is_file() else (path.name, "")
    names = (f"{stem}.old{'' if number == 1 else f'-{number}'}{ending}" for number in itertools.count(1))
    aside = next(place for name in names if not (place := path.with_name(name)).exists())
    with _os_faults(path):
        path.rename(aside)
    return aside


def write_text(path: Path, text: str, *, overwrite: bool = False) -> None:
    """Write a whole text file, or nothing."""
    with replacing(path, overwrite=overwrite) as part:
        part.write_text(text, encoding="utf-8")


def existing_file(path: Path) -> Path:
    """Return `path` if it is a readable file with something in it; say what is wrong if not."""
    try:
        if path.is_dir():
            raise InputError(f"{path} is a folder; a file is needed.", "Name a file inside it.")
        if not path.exists():
            raise InputError(f"{path} does not exist.", "Check the spelling of the path.")
        if not path.is_file():
            raise InputError(f"{path} is not a regular file.", "Copy its content into a file first.")
        with path.open("rb") as file:
            if not file.read(1):
                raise MediaError(f"{path} is empty (0 bytes).", "Copy or download it again.")
    except OSError as fault:
        raise explain(fault, path, "read") from fault
    return path


def _refuse_protected(folder: Path) -> None:
    """Raise if a folder could be renamed but not removed, which would leave it lying beside what replaced it."""
    for place, _, _ in os.walk(folder):
        if not os.access(place, os.R_OK | os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), place)


def _need_way_into(folder: Path) -> None:
    there = next((place for place in (folder, *folder.absolute().parents) if place.exists()), None)
    fault = errno.ENOENT if there is None else 0
    if there is not None and not there.is_dir():
        fault = errno.ENOTDIR
    elif there is not None and not os.access(there, os.W_OK | os.X_OK):
        fault = errno.EACCES
    if fault:
        raise OSError(fault, os.strerror(fault), str(folder))


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError:  # which exist_ok keeps for what is no folder
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path)) from None


def _part_beside(path: Path) -> Path:
    # A long name plus our suffix could pass the disk's limit of 255 bytes; the random part alone keeps it unique.
    return path.parent / f".{path.name[:_KEPT]}.{secrets.token_hex(6)}{_PART}"


@contextmanager
def _os_faults(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as fault:
        raise explain(fault, path, "write") from fault


def _sync(path: Path) -> None:
    """Force a file or folder onto the disk; folders cannot be synced on Windows, and need not be."""
    if os.name == "nt" and path.is_dir():
        return
    handle = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _move_into_place(part: Path, path: Path, *, overwrite: bool) -> None:
    if overwrite:
        part.replace(path)
        return
    try:
        # Unlike rename, link refuses to replace a file that appeared while we worked.
        path.hardlink_to(part)
    except OSError:
        # It did appear, or this disk has no hard links.
        refuse_existing(path, overwrite=False)
        part.rename(path)
