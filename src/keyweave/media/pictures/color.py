"""Whatever colours a picture is stored in, out come eight bits of sRGB with straight alpha."""

from __future__ import annotations

import io
import logging
from functools import lru_cache
from typing import Any, cast

import numpy as np
import PIL.Image
from PIL import ImageCms

from keyweave.base.errors import MediaError

_log = logging.getLogger(__name__)


def to_srgb(picture: PIL.Image.Image, name: str, profile: bytes | None = None) -> PIL.Image.Image:
    """Convert a decoded picture to mode RGB, or RGBA where it has transparency.

    A colour profile that is broken or meant for other colours is passed over with a warning in the log. 32-bit samples
    are refused: files do not say which number is white.

    Args:
        picture: loaded, in any of Pillow's modes.
        name: what the picture is called in messages.
        profile: the ICC profile that its colours are in.
    """
    if picture.mode == "La":  # premultiplied; Pillow knows no other way on from here
        picture = picture.convert("LA")
    alpha = _alpha(picture)
    color = _eight_bits(picture, name)
    if color.mode == "LAB":
        color = _managed(color, None)
    elif profile:
        try:
            color = _managed(color, profile)
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError) as fault:
            _log.warning("%s: its colour profile cannot be used (%s); its colours are taken for sRGB.", name, fault)
    color = color.convert("RGB")
    if alpha:
        color.putalpha(alpha)
    return color


def _alpha(picture: PIL.Image.Image) -> PIL.Image.Image | None:
    if not picture.has_transparency_data:
        return None
    if picture.mode.startswith("I;16"):
        opaque = np.asarray(picture) != picture.info["transparency"]
        return PIL.Image.fromarray(opaque.astype(np.uint8) * 255)
    return picture.convert("RGBA").getchannel("A")


def _eight_bits(picture: PIL.Image.Image, name: str) -> PIL.Image.Image:
    """Return the colours without alpha, in mode L, RGB, CMYK or LAB."""
    mode = picture.mode
    if mode in ("I", "F"):
        raise MediaError(
            f"{name} has samples of 32 bits, and no word on which is white.", "Save it with 8 or 16 bits a channel."
        )
    if mode.startswith("I;16"):
        # Exactly v / 257, rounded; Pillow's own conversion clips.
        return PIL.Image.fromarray(((np.asarray(picture, np.uint32) + 128) // 257).astype(np.uint8))
    if mode in ("L", "RGB", "CMYK", "LAB"):
        return picture
    return picture.convert("L" if mode in ("1", "LA") else "RGB")


def _managed(color: PIL.Image.Image, profile: bytes | None) -> PIL.Image.Image:
    """Take colours from their profile to sRGB; without one, from CIE L*a*b*."""
    if profile and color.mode == "L" and _space(profile) == "RGB":
        color = color.convert("RGB")  # a grey picture with the profile of the camera or screen
    return cast("PIL.Image.Image", ImageCms.applyTransform(color, _transform(profile, color.mode)))


def _space(profile: bytes) -> str:
    opened: Any = ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile
    return opened.xcolor_space.strip()


@lru_cache(maxsize=8)
def _transform(profile: bytes | None, mode: str) -> ImageCms.ImageCmsTransform:
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile)) if profile else ImageCms.createProfile("LAB")
    # What editors do by default.
    intent, flags = ImageCms.Intent.RELATIVE_COLORIMETRIC, ImageCms.Flags.BLACKPOINTCOMPENSATION
    if mode == "L":
        # The shortcut that is taken for grey is coarse in the shadows, and saves nothing.
        flags |= ImageCms.Flags.NOOPTIMIZE
    return ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB", intent, flags)
