"""Is a picture file as long as it says? Told before decoding, so that a cut-off download is called one."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from keyweave.base.errors import MediaError
from keyweave.media.pictures.webp import WebP

if TYPE_CHECKING:
    import PIL.Image

    from keyweave.media.pictures.picture_file import PictureFile

_STRIP_OFFSETS, _STRIP_BYTES, _TILE_OFFSETS, _TILE_BYTES = 273, 279, 324, 325  # tags of TIFF
# Pillow unpacks these in Python, pixel by pixel.
_MOST_RUN_LENGTH_PIXELS = 1 << 24


def require_whole(file: PictureFile) -> None:
    """Refuse a file that ends before the parts that its head announces."""
    if file.kind.name == "webp":
        WebP(file).require_whole()
    elif file.kind.name == "avif":
        _require_boxes(file)
    elif file.kind.name == "tiff":
        _require_directory(file)


def require_pixels(file: PictureFile, picture: PIL.Image.Image) -> None:
    """Refuse a file that ends before the pixels that its directory announces; `picture` is open, not decoded."""
    if file.kind.name == "bmp":
        codec, box, offset, layout = picture.tile[0]  # pyright: ignore[reportAttributeAccessIssue]
        if codec == "raw":
            file.need(offset + layout[1] * box[3])
        elif box[2] * box[3] > _MOST_RUN_LENGTH_PIXELS:
            raise MediaError(
                f"{file.path} is a run-length packed BMP of {box[2]:,} x {box[3]:,} pixels, which would take minutes.",
                "Save it as a PNG.",
            )
    elif file.kind.name == "tiff":
        tags = picture.tag_v2  # pyright: ignore[reportAttributeAccessIssue]
        for offsets, counts in ((_STRIP_OFFSETS, _STRIP_BYTES), (_TILE_OFFSETS, _TILE_BYTES)):
            pairs = zip(_numbers(tags, offsets), _numbers(tags, counts), strict=False)
            file.need(max((offset + count for offset, count in pairs), default=0))


def _numbers(tags: Any, tag: int) -> tuple[int, ...]:
    found = tags.get(tag, ())
    return tuple(found) if isinstance(found, tuple) else (found,)


def _require_directory(file: PictureFile) -> None:
    order = "<" if file.read(0, 2) == b"II" else ">"
    big = struct.unpack(order + "H", file.read(2, 2))[0] == 43
    at = struct.unpack(order + ("Q" if big else "I"), file.read(8, 8) if big else file.read(4, 4))[0]
    file.need(at + 2)


def _require_boxes(file: PictureFile) -> None:
    at = 0
    while at < file.size:
        length = int.from_bytes(file.read(at, 4))
        if length == 0:  # to the end of the file
            return
        if length == 1:
            length = int.from_bytes(file.read(at + 8, 8))
        if length < 8:
            raise file.damaged(f" past byte {at:,}")
        at += length
    file.need(at)
