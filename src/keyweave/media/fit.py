"""Bring a picture to an exact size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import PIL.Image
from PIL.Image import Resampling

from keyweave.base.errors import InputError
from keyweave.media.types import Image

if TYPE_CHECKING:
    from keyweave.media.types import Frame

Fit = Literal["crop", "pad", "stretch"]


def fit(image: Image, size: tuple[int, int], mode: Fit) -> Image:
    """Resize a picture to exactly `size`, antialiased; one that has it already is returned as it is.

    Args:
        image: any picture.
        size: width and height.
        mode: "crop" keeps the middle that has the shape of `size`, "pad" keeps all between even bars (black, or
            transparent where the picture has alpha), "stretch" keeps all and lets shapes change.
    """
    if min(size) < 1:
        raise InputError(f"A picture cannot be {size[0]} x {size[1]}; both sides must be at least 1.")
    if image.size == size:
        return image
    if mode == "crop":
        return Image(_resized(image, size, _middle(image.size, size)))
    if mode == "stretch":
        return Image(_resized(image, size, (0, 0, *image.size)))
    return Image(_padded(image, size))


def _middle(size: tuple[int, int], shape: tuple[int, int]) -> tuple[float, float, float, float]:
    """Find the largest box with the proportions of `shape` in the middle of `size`; its edges may cut pixels."""
    scale = min(size[0] / shape[0], size[1] / shape[1])
    # Rounding must not push the box beyond the picture, which Pillow refuses.
    width, height = min(shape[0] * scale, size[0]), min(shape[1] * scale, size[1])
    left, top = (size[0] - width) / 2, (size[1] - height) / 2
    return left, top, min(left + width, size[0]), min(top + height, size[1])


def _padded(image: Image, size: tuple[int, int]) -> Frame:
    scale = min(size[0] / image.width, size[1] / image.height)
    width, height = max(round(image.width * scale), 1), max(round(image.height * scale), 1)
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    canvas = np.zeros((size[1], size[0], image.pixels.shape[2]), np.uint8)
    canvas[top : top + height, left : left + width] = _resized(image, (width, height), (0, 0, *image.size))
    return canvas


def _resized(image: Image, size: tuple[int, int], box: tuple[float, float, float, float]) -> Frame:
    # Pillow multiplies colours by alpha before it mixes them, so that what is transparent lends no colour to an edge.
    return np.array(PIL.Image.fromarray(image.pixels).resize(size, Resampling.LANCZOS, box))
