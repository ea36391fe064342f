"""The text that a film or picture carries along: where each format keeps it, and how it is read back."""

from __future__ import annotations

import re
import struct
import zlib
from typing import TYPE_CHECKING

from keyweave.base.errors import InputError, MediaError
from keyweave.base.files import explain
from keyweave.media.containers import open_container
from keyweave.media.limits import Limits
from keyweave.media.pictures.picture_file import PictureFile
from keyweave.media.pictures.png import Png
from keyweave.media.sniff import sniff

if TYPE_CHECKING:
    from pathlib import Path

PNG_KEYWORD = "Comment"
MOST_BYTES = 1 << 20
_MOST_PARTS = 1_000_000  # chunks, segments or blocks that are looked through
_EXIF_POINTER, _USER_COMMENT = 0x8769, 0x9286
_UNICODE = b"UNICODE\0"
_PICTURE = re.compile(r".*\.(png|jpe?g|webp|gif)", re.IGNORECASE)
_PLACEHOLDER = re.compile(r"%0?[0-9]*d")


def read_comment(path: Path) -> str | None:
    """Read the text in a film or picture; None if it holds none.

    Of a folder, or of a pattern such as shots/%05d.png, the first picture is read.

    Raises:
        InputError: the folder holds no picture.
        MediaError: the file is missing or damaged, no film or picture, or its text is longer than 1 MiB.
    """
    if path.is_dir() or ("%" in path.name and not path.exists()):
        path = _first_picture(path)
    kind = sniff(path)
    if kind.family != "picture":
        return _in_film(path)
    read = {"png": _in_png, "jpeg": _in_jpeg, "gif": _in_gif, "webp": _in_webp}.get(kind.name)
    if read is None:
        return None
    with PictureFile(path, Limits.from_environment()) as file:
        return read(file)


def exif_with_comment(text: str) -> bytes:
    """Build a block of EXIF that holds nothing but a UserComment."""
    data = _UNICODE + text.encode("utf-16-be")
    # Two directories of one entry each: (tag, type, count, value or position), then "no further directory".
    first = struct.pack(">HHHIII", 1, _EXIF_POINTER, 4, 1, 26, 0)
    second = struct.pack(">HHHIII", 1, _USER_COMMENT, 7, len(data), 44, 0)
    return b"MM\0*" + struct.pack(">I", 8) + first + second + data


def _in_film(path: Path) -> str | None:
    with open_container(path) as container:
        texts = [text for key, text in container.metadata.items() if key.lower() == "comment"]
    if not texts:
        return None
    _check_length(path, len(texts[0].encode("utf-8", "replace")))
    return texts[0]


def _in_png(file: PictureFile) -> str | None:
    keyword = PNG_KEYWORD.encode() + b"\0"
    for chunk in Png(file).chunks():
        # Of a chunk of any length, read the keyword first.
        if chunk.name not in (b"tEXt", b"zTXt", b"iTXt") or chunk.length < len(keyword):
            continue
        if file.read(chunk.at, len(keyword)) != keyword:
            continue
        _check_length(file.path, chunk.length)
        data = file.read(chunk.at, chunk.length).removeprefix(keyword)
        if chunk.name == b"tEXt":
            return data.decode("latin-1")
        if chunk.name == b"zTXt":
            return _unpacked(file, data[1:]).decode("latin-1")
        # iTXt: whether it is packed, how, then language, translated keyword and text, each ended by a zero.
        text = data[2:].split(b"\0", 2)[-1]
        return _utf8(_unpacked(file, text) if data[:1] == b"\1" else text)
    return None


def _unpacked(file: PictureFile, packed: bytes) -> bytes:
    try:
        data = zlib.decompressobj().decompress(packed, MOST_BYTES + 1)
    except zlib.error as fault:
        raise file.damaged() from fault
    _check_length(file.path, len(data))
    return data


def _in_jpeg(file: PictureFile) -> str | None:
    at = 2
    for _ in range(_MOST_PARTS):
        mark, name, length = struct.unpack(">BBH", file.read(at, 4))
        # Comments come before the picture data, which begin with the mark DA.
        if mark != 0xFF or name == 0xDA:
            return None
        if name == 0xFE and length > 2:
            return _utf8(file.read(at + 4, length - 2))
        at += 2 + length
    return None


def _in_gif(file: PictureFile) -> str | None:
    flags = file.read(10, 1)[0]
    at = 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
    # Ours is ahead of the first image; beyond it nothing is looked for.
    for _ in range(_MOST_PARTS):
        if file.read(at, 1) != b"!":
            break
        is_comment = file.read(at + 1, 1) == b"\xfe"
        text, at = _sub_blocks(file, at + 2)
        if is_comment:
            return _utf8(text)
    return None


def _sub_blocks(file: PictureFile, at: int) -> tuple[bytes, int]:
    """Read blocks of at most 255 bytes up to the empty one; also return where they end."""
    parts: list[bytes] = []
    while length := file.read(at, 1)[0]:
        parts.append(file.read(at + 1, length))
        at += 1 + length
        _check_length(file.path, 255 * len(parts))
    return b"".join(parts), at + 1


def _in_webp(file: PictureFile) -> str | None:
    at = 12
    for _ in range(_MOST_PARTS):
        if at + 8 > file.size:
            break
        name, length = struct.unpack("<4sI", file.read(at, 8))
        if name == b"EXIF":
            _check_length(file.path, length // 2)  # the text is stored with two bytes a character
            return _in_exif(file.read(at + 8, length).removeprefix(b"Exif\0\0"))
        at += 8 + length + length % 2
    return None


def _in_exif(block: bytes) -> str | None:
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None:
        return None
    try:
        (first,) = struct.unpack_from(order + "I", block, 4)
        pointer = _entry(block, order, first, _EXIF_POINTER)
        found = pointer and _entry(block, order, pointer[1], _USER_COMMENT)
    except struct.error:
        return None
    if not found:
        return None
    count, position = found
    code, text = block[position : position + 8], block[position + 8 : position + count]
    if code == _UNICODE:
        # The encoding has the byte order of the block, in the files of most cameras; ours is the one it should be.
        return text.decode("utf-16-le" if order == "<" else "utf-16-be", "replace")
    return _utf8(text.rstrip(b"\0"))


def _entry(block: bytes, order: str, directory: int, wanted: int) -> tuple[int, int] | None:
    """Find the count and the value (or its position) of an entry in a directory."""
    (entries,) = struct.unpack_from(order + "H", block, directory)
    for at in range(directory + 2, directory + 2 + 12 * entries, 12):
        tag, _, count, value = struct.unpack_from(order + "HHII", block, at)
        if tag == wanted:
            return count, value
    return None


def _utf8(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _check_length(path: Path, length: int) -> None:
    if length > MOST_BYTES:
        raise MediaError(f"{path} carries a text of {length:,} bytes; at most {MOST_BYTES:,} are read.")


def _first_picture(place: Path) -> Path:
    folder, wanted = place, _PICTURE
    if not place.is_dir():
        folder = place.parent
        parts = [re.escape(part) for part in _PLACEHOLDER.split(place.name.replace("%%", "%"))]
        wanted = re.compile("[0-9]+".join(parts))
    try:
        names = [path.name for path in folder.iterdir() if wanted.fullmatch(path.name) and path.is_file()]
    except OSError as fault:
        raise explain(fault, folder, "read") from fault
    if not names:
        raise InputError(f"{place} holds no pictures." if folder == place else f"No file matches {place}.")
    # Shorter names first: 9.png comes before 10.png.
    return folder / min(names, key=lambda name: (len(name), name))
