"""One size, one number of channels: what every frame of a clip must share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from keyweave.base.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from keyweave.media.types import Frame


def alike(frames: Iterable[Frame]) -> Iterator[Frame]:
    """Pass frames on; raise at the first that is no frame, or unlike the first."""
    shape: tuple[int, ...] = ()
    for number, frame in enumerate(frames):
        if number == 0:
            _refuse_other_arrays(frame)
            shape = frame.shape
        refuse_unlike(frame, shape, number)
        yield frame


def refuse_unlike(frame: Frame, shape: tuple[int, ...], number: int) -> None:
    """Raise unless frame `number`, counted from 0, is uint8 of the clip's shape: height, width and channels."""
    if frame.shape != shape or frame.dtype != np.uint8:
        raise InputError(
            f"Frame {number + 1} is {_words(frame)}; the clip began with {_words(np.empty(shape, np.uint8))}.",
            "Bring all frames to one size and one number of channels first.",
        )


def _refuse_other_arrays(frame: Frame) -> None:
    if not _is_frame(frame):
        raise InputError(f"A frame must be uint8 of shape (height, width, 3 or 4); got {_words(frame)}.")


def _is_frame(frame: Frame) -> bool:
    return frame.dtype == np.uint8 and frame.ndim == 3 and frame.shape[2] in (3, 4) and frame.size > 0


def _words(frame: Frame) -> str:
    if not _is_frame(frame):
        return f"{frame.dtype} {frame.shape}"
    height, width, channels = frame.shape
    return f"{width} x {height} {'with' if channels == 4 else 'without'} alpha"
