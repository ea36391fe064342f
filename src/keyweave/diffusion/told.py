"""What a network of the Stable Video Diffusion family is told besides a picture."""

from __future__ import annotations

from dataclasses import dataclass

FPS, BUCKET, AUGMENTATION = 7, 127, 0.02  # what the family was trained with, and is run with


@dataclass(frozen=True)
class Told:
    """What a network of the family is told besides a picture.

    Args:
        fps: frames per second that the clip is for.
        bucket: how much moves.
        augmentation: the spread of the noise that the picture is given.
    """

    fps: int = FPS
    bucket: int = BUCKET
    augmentation: float = AUGMENTATION


TOLD = Told()
