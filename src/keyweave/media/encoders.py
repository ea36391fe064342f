"""What encoders there are, what goes wrong in them, and how frames are made flat for those that hold no alpha."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
from av.codec.codec import Codec, UnknownCodecError
from av.error import FFmpegError

from keyweave.base.errors import MediaError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keyweave.media.types import Frame

FLATTENED = "the frames were laid over black."


def has_encoder(name: str) -> bool:
    """Tell whether FFmpeg, as PyAV brings it here, has the encoder of that name."""
    try:
        return bool(Codec(name, "w"))
    except UnknownCodecError:
        return False


def no_encoder(what: str, name: str) -> MediaError:
    """Describe what cannot be written for want of an encoder."""
    return MediaError(
        f"{what} cannot be written: this installation has no encoder {name}.",
        "Install av and pillow from PyPI, or choose another format.",
    )


def over_black(frame: Frame) -> Frame:
    """Lay a frame with alpha (H, W, 4) over black: (H, W, 3)."""
    shade = frame[..., :3].astype(np.uint16) * frame[..., 3:]
    return ((shade + 127) // 255).astype(np.uint8)


@contextmanager
def encoder_faults(what: str) -> Iterator[None]:
    """Put FFmpeg's faults into a sentence, but let those of the disk pass as the OSError that they also are."""
    try:
        yield
    except OSError:
        raise
    except FFmpegError as fault:
        raise MediaError(f"FFmpeg's {what} failed: {fault.strerror}.") from fault
