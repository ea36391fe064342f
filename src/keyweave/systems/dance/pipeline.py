"""From a song, pictures and a plan to a dance: what is drawn and heard, in one screen."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from keyweave.base.errors import InputError
from keyweave.media.fit import fit
from keyweave.media.pictures.images import read_image
from keyweave.media.sound.audio import stream_audio
from keyweave.systems.dance.clock import beat_warp, on_the_beat
from keyweave.systems.dance.film import DanceFilm
from keyweave.systems.dance.options import PREVIEW

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from keyweave.systems.dance.options import DanceOptions


def dance(inputs: Sequence[Path], options: DanceOptions) -> DanceFilm:
    """Lay out a dance: the first input is the song, the others are the pictures that the walk counts."""
    song, *pictures = inputs
    for number in options.walk:
        if not 1 <= number <= len(pictures):
            raise InputError(f"The walk names picture {number}; there are {len(pictures)}.", "Count them from 1.")
    images = {number: read_image(pictures[number - 1]) for number in sorted(set(options.walk))}
    size = options.size or images[options.walk[0]].size
    if options.preview:
        size = preview_size(size)
    if any(image.has_alpha for image in images.values()):
        images = {number: image.with_alpha() for number, image in images.items()}
    fitted = {number: fit(image, size, options.fit) for number, image in images.items()}
    timeline = on_the_beat(
        [fitted[number] for number in options.walk],
        options.beats,
        length=length_of(song),
        rate=options.fps,
        warp=beat_warp(options.strength),
    )
    return DanceFilm(timeline, options.fps, song, options.preview)


def preview_size(size: tuple[int, int]) -> tuple[int, int]:
    """Return a size of the same shape that is drawn in no time: even numbers, as films have."""
    scale = min(Fraction(1), Fraction(PREVIEW, max(size)))
    width, height = (max(2, 2 * round(side * scale / 2)) for side in size)
    return width, height


def length_of(song: Path) -> Fraction:
    """Return how long a song is, in seconds: as long as something is heard of it."""
    sound = stream_audio(song)
    if sound is None:
        raise InputError(f"{song} has no sound.", "Name a song, or a film that has one.")
    return Fraction(sum(len(block) for block in sound.blocks), sound.rate)
