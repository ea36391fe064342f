"""Moving pictures of any kind by one door: films, animations, and folders of pictures."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from keyweave.base.errors import InputError, MediaError
from keyweave.media.films.video import VideoReader
from keyweave.media.limits import Limits
from keyweave.media.pictures.animations import AnimationReader
from keyweave.media.pictures.sequences import SequenceReader
from keyweave.media.sniff import sniff
from keyweave.media.sound.audio import read_audio, stream_audio
from keyweave.media.types import Clip

if TYPE_CHECKING:
    from pathlib import Path

    from keyweave.media.source import FrameSource
    from keyweave.media.types import Audio, Frame, Sound

_START = Fraction(0)
_SEQUENCE_RATE = Fraction(25)


def open_frames(
    path: Path, *, limits: Limits | None = None, salvage: bool = False, rate: Fraction | None = None
) -> FrameSource:
    """Open a film, an animation, or a folder or pattern of pictures; close it when done.

    Args:
        path: a file, a folder, or a pattern such as shots/%05d.png.
        limits: what is refused before it is decoded; from the environment unless given.
        salvage: of a damaged file, take the frames before the damage instead of refusing it.
        rate: pictures per second of a folder or pattern, 25 unless given; files know their own.

    Raises:
        InputError: there is no such file, or it is a sound.
        MediaError: the file is damaged, too large or of an unknown kind.
    """
    if is_sequence(path):
        return SequenceReader(path, rate=_SEQUENCE_RATE if rate is None else rate, limits=limits)
    kind = sniff(path)
    if kind.family == "sound":
        raise MediaError(f"{path} is a sound file ({kind.name}); a video or a folder of pictures is needed.")
    reader = VideoReader if kind.family == "film" else AnimationReader
    return reader(path, limits=limits, salvage=salvage)


def read_clip(
    path: Path,
    start: Fraction = _START,
    stop: Fraction | None = None,
    *,
    limits: Limits | None = None,
    salvage: bool = False,
) -> Clip:
    """Read a span into memory: frames at the file's own rate, and the sound that goes with them.

    The sound is as long as the frames; where it ends before them there is silence.

    Args:
        path: a film, an animation, a folder or a pattern.
        start: seconds from the start of the file.
        stop: where the span ends; None is the end of the file.
        limits: what is refused before it is decoded; from the environment unless given.
        salvage: of a damaged file, take the frames before the damage instead of refusing it.

    Raises:
        InputError: there is no such file, it is a sound, or the span lies outside of it.
        MediaError: the file is damaged, too large or of an unknown kind.
    """
    limits = limits or Limits.from_environment()
    with open_frames(path, limits=limits, salvage=salvage) as source:
        shape = source.height, source.width, 4 if source.has_alpha else 3
        # Unlike a list that is stacked in the end, this never holds the frames twice.
        frames: Frame = np.fromiter(source.frames(start, stop), np.dtype((np.uint8, shape)))  # pyright: ignore[reportAssignmentType]
        if not len(frames):
            span = f"from {float(start):.2f} s to {'the end' if stop is None else f'{float(stop):.2f} s'}"
            raise InputError(f"{path} has no frame {span}; it is {float(source.duration):.2f} s long.")
        return Clip(frames, source.rate, _sound_of(path, start, start + len(frames) / source.rate, limits))


def open_sound(path: Path, stop: Fraction | None = None, *, limits: Limits | None = None) -> Sound | None:
    """Return the sound of a film as a flow, up to `stop` even if it ends before; None where there is none."""
    if is_sequence(path) or sniff(path).family != "film":
        return None
    return stream_audio(path, stop=stop, limits=limits)


def is_sequence(path: Path) -> bool:
    """Tell whether a path names a folder of pictures, or a pattern of their names."""
    return path.is_dir() or ("%" in path.name and not path.exists())


def _sound_of(path: Path, start: Fraction, stop: Fraction, limits: Limits) -> Audio | None:
    if is_sequence(path) or sniff(path).family != "film":
        return None
    return read_audio(path, start, stop, limits=limits)
