"""Still pictures in and out."""

from __future__ import annotations

import io
import struct
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import PIL.Image
from PIL import ExifTags, ImageOps
from PIL.Image import Transpose
from PIL.PngImagePlugin import PngInfo

from keyweave.base.errors import InputError
from keyweave.base.files import replacing
from keyweave.media.limits import Limits
from keyweave.media.pictures.cels import Strip, compose
from keyweave.media.pictures.color import to_srgb
from keyweave.media.pictures.gif import Gif
from keyweave.media.pictures.picture_file import PictureFile
from keyweave.media.pictures.png import Png
from keyweave.media.pictures.webp import WebP
from keyweave.media.pictures.whole import require_pixels, require_whole
from keyweave.media.types import Frame, Image

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_WRITERS = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp"}
_LONGEST_SIDE = {"jpeg": 65_500, "webp": 16_383}
_MOST_JPEG_COMMENT = 65_533
_TURNS = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}
_WHITE_IS_ZERO = 0
_ORIENTATION, _PHOTOMETRIC = 274, 262  # tags of TIFF and EXIF


class Header(NamedTuple):
    """What is known of a picture before it is decoded: its size as displayed, and whether it may have alpha."""

    width: int
    height: int
    has_alpha: bool


def read_image(path: Path, *, limits: Limits | None = None) -> Image:
    """Read a picture as eight bits of sRGB, upright; of an animation the first frame, of a TIFF the first page.

    PNG, JPEG, WebP, TIFF, BMP, GIF and AVIF are told by their content, not their name. An alpha channel is kept.

    Args:
        path: the file.
        limits: what is refused before it is decoded; from the environment unless given.

    Raises:
        MediaError: the file is missing, cut off, damaged, too large or of an unknown kind.
        InputError: it is a video, a sound or a folder.
    """
    with PictureFile(path, limits or Limits.from_environment()) as file:
        return image_in(file)


def image_in(file: PictureFile) -> Image:
    """Read the picture in an open file."""
    strip = strip_in(file)
    if strip:
        canvas = next(compose(file, strip))
        is_opaque = canvas.getchannel("A").getextrema() == (255, 255)
        return Image(np.array(canvas.convert("RGB") if is_opaque else canvas))
    with _still(file) as (picture, orientation, profile):
        picture.load()
        color = to_srgb(_turned(picture, orientation), str(file.path), profile)
        return Image(np.array(ImageOps.invert(color) if _is_negative(picture) else color))


def image_size(path: Path, *, limits: Limits | None = None) -> tuple[int, int]:
    """Return width and height as displayed, without decoding."""
    return read_header(path, limits=limits)[:2]


def read_header(path: Path, *, limits: Limits | None = None) -> Header:
    """Tell size and alpha without decoding; `has_alpha` may be true of a picture that turns out opaque."""
    with PictureFile(path, limits or Limits.from_environment()) as file:
        if file.kind.name == "png":
            png = Png(file)
            return _header(png.header[:2], png.has_alpha, _orientation(png.exif()))
        strip = strip_in(file)
        if strip:
            return _header(strip.size, not any(strip.covers(cel) for cel in islice(strip.cels(), 1)))
        with _still(file) as (picture, orientation, _):
            return _header(picture.size, picture.has_transparency_data, orientation)


def strip_in(file: PictureFile) -> Strip | None:
    """Return the cels of a GIF or animated WebP, whose first may be a part of the canvas; None for whole pictures."""
    if file.kind.name == "gif":
        return Gif(file).strip()
    if file.kind.name == "webp":
        webp = WebP(file)
        return webp.strip() if webp.is_animated else None
    return None


def write_image(
    path: Path,
    image: Image,
    *,
    comment: str | None = None,
    background: tuple[int, int, int] | None = None,
    overwrite: bool = False,
) -> None:
    """Write a picture whole or not at all, as PNG or WebP (both lossless) or JPEG, as the path ends.

    Args:
        path: ends in .png, .jpg, .jpeg or .webp.
        image: what to write.
        comment: text to carry along: in PNG under the keyword Comment, in JPEG as its comment, in WebP as the
            UserComment of EXIF.
        background: the colour, red, green and blue, to lay under a transparent picture; JPEG needs it for one.
        overwrite: replace a file that is there.

    Raises:
        InputError: the ending, the size or the transparency does not suit, or the file exists.
        MediaError: the disk refuses it.
    """
    form = _WRITERS.get(path.suffix.lower())
    if form is None:
        raise InputError(
            f"{path} cannot be written: a picture's name must end in {', '.join(_WRITERS)}.", "Choose one of these."
        )
    most = _LONGEST_SIDE.get(form)
    if most and max(image.size) > most:
        raise InputError(
            f"{path} cannot be written: {form.upper()} holds at most {most:,} pixels a side, "
            f"this picture is {image.width:,} x {image.height:,}.",
            "Write a .png instead.",
        )
    frame = image.pixels if background is None else _flattened(image.pixels, background)
    data = _encode(form, path, frame, comment)
    with replacing(path, overwrite=overwrite) as part:
        part.write_bytes(data)


def encode_png(frame: Frame, comment: str | None = None) -> bytes:
    """Pack a frame, (H, W, 3 or 4), as a PNG; the comment goes under the keyword Comment."""
    notes = PngInfo()
    if comment is not None:
        notes.add_itxt("Comment", comment)
    return _saved(frame, "png", pnginfo=notes)


def _encode(form: str, path: Path, frame: Frame, comment: str | None) -> bytes:
    if form == "png":
        return encode_png(frame, comment)
    if form == "webp":
        return _saved(frame, "webp", lossless=True, exact=True, exif=_user_comment(comment) if comment else b"")
    if frame.shape[2] == 4 and frame[..., 3].min() < 255:
        raise InputError(
            f"{path} cannot be written: JPEG has no transparency, and this picture is transparent.",
            "Write a .png instead, or choose a background colour.",
        )
    note = (comment or "").encode()
    if len(note) > _MOST_JPEG_COMMENT:
        raise InputError(
            f"{path} cannot be written: a JPEG's comment has at most {_MOST_JPEG_COMMENT:,} bytes, "
            f"this one {len(note):,}.",
            "Write a .png instead.",
        )
    return _saved(frame[..., :3], "jpeg", quality=95, subsampling="4:4:4", comment=note)


def _saved(frame: Frame, form: str, **how: Any) -> bytes:
    out = io.BytesIO()
    PIL.Image.fromarray(np.ascontiguousarray(frame)).save(out, form, **how)
    return out.getvalue()


def _user_comment(text: str) -> PIL.Image.Exif:
    exif = PIL.Image.Exif()  # which Pillow writes with the high byte first, as text must then be
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = b"UNICODE\0" + text.encode("utf-16-be")
    return exif


def _flattened(frame: Frame, background: tuple[int, int, int]) -> Frame:
    if frame.shape[2] == 3:
        return frame
    under = PIL.Image.new("RGBA", frame.shape[1::-1], (*background, 255))
    under.alpha_composite(PIL.Image.fromarray(frame))
    return np.array(under.convert("RGB"))


@contextmanager
def _still(file: PictureFile) -> Iterator[tuple[PIL.Image.Image, int, bytes | None]]:
    """Open a picture that is stored whole; yield it undecoded, its EXIF orientation and its colour profile."""
    png = Png(file) if file.kind.name == "png" else None
    require_whole(file)
    with file.pillow(png.still() if png else None) as picture:
        require_pixels(file, picture)
        exif, profile = picture.info.get("exif"), picture.info.get("icc_profile")
        yield picture, _orientation(png.exif() if png else exif), png.profile if png else profile


def _orientation(exif: bytes | None) -> int:
    """Find the orientation, 1 to 8, in a block of EXIF that may be damaged."""
    block = (exif or b"").removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None:
        return 1
    try:
        (at,) = struct.unpack_from(order + "I", block, 4)
        (count,) = struct.unpack_from(order + "H", block, at)
        for entry in range(at + 2, at + 2 + 12 * count, 12):
            tag, value = struct.unpack_from(order + "H6xH", block, entry)
            if tag == _ORIENTATION:
                return value
    except struct.error:
        pass
    return 1


def _turned(picture: PIL.Image.Image, orientation: int) -> PIL.Image.Image:
    return picture.transpose(_TURNS[orientation]) if orientation in _TURNS else picture


def _header(size: tuple[int, int], has_alpha: bool, orientation: int = 1) -> Header:
    width, height = size[::-1] if 5 <= orientation <= 8 else size
    return Header(width, height, has_alpha)


def _is_negative(picture: PIL.Image.Image) -> bool:
    # Pillow inverts a TIFF whose zero is white, except with 16 bits.
    tags = getattr(picture, "tag_v2", {})
    return picture.mode.startswith("I;16") and tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO
