"""Colours as they are warped and blended: weighted by alpha, and in linear light where that is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from keyweave.media.types import Frame

    Floats = NDArray[np.floating]  # float32 in fact; the stubs of NumPy lose track of it


@dataclass(frozen=True)
class Blending:
    """How pictures are made ready for blending, blended, and turned back.

    Args:
        alpha: colours are weighted by a fourth channel.
        linear_light: light is added up, not levels.
    """

    alpha: bool
    linear_light: bool

    def ready(self, frame: Frame) -> Frame | Floats:
        """Return what can be warped and blended: (H, W, C), levels where nothing has to be done, else floats."""
        if not self.alpha and not self.linear_light:
            return frame
        values = (_LIGHT if self.linear_light else _LEVELS)[frame]
        if self.alpha:
            values[..., 3] = frame[..., 3]
            values[..., :3] *= values[..., 3:] / 255
        return values

    def blend(self, a: Frame | Floats, b: Frame | Floats, share: Floats) -> Frame:
        """Return (1 - share) a + share b as a frame (H, W, C).

        Args:
            a: from `ready`.
            b: from `ready`, of the same size.
            share: how much of b is seen (H, W).
        """
        mixed = cv2.blendLinear(a, b, 1 - share, share)
        if mixed.dtype == np.uint8:
            return np.asarray(mixed, np.uint8)
        values = np.asarray(mixed, np.float32)
        if self.alpha:
            alpha = values[..., 3:]
            values[..., :3] *= np.divide(255, alpha, out=np.zeros_like(alpha), where=alpha > 0)
        if self.linear_light:
            values[..., :3] = _encoded(values[..., :3])
        return np.rint(values).clip(0, 255).astype(np.uint8)


def _encoded(light: Floats) -> Floats:
    """Turn light of 0 to 255 into sRGB levels (IEC 61966-2-1)."""
    part = np.clip(light, 0, 255) / 255
    return 255 * np.where(part <= 0.0031308, 12.92 * part, 1.055 * part ** (1 / 2.4) - 0.055)


_LEVELS = np.arange(256, dtype=np.float32)
_LIGHT = np.where(_LEVELS <= 0.04045 * 255, _LEVELS / 12.92, 255 * ((_LEVELS / 255 + 0.055) / 1.055) ** 2.4).astype(
    np.float32
)
