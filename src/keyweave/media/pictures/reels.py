"""Any picture file as a reel: its delays, known without decoding, and its pictures, decoded one by one."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import islice, pairwise
from typing import TYPE_CHECKING

import av
import PIL.Image

from keyweave.media.pictures.cels import Cel, Strip, compose, seconds
from keyweave.media.pictures.color import to_srgb
from keyweave.media.pictures.images import image_in, strip_in
from keyweave.media.pictures.picture_file import Broken, PictureFile
from keyweave.media.pictures.png import Png
from keyweave.media.pictures.whole import require_whole
from keyweave.media.rates import STILL_RATE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_HUNDREDTH, _THOUSANDTH = Fraction(1, 100), Fraction(1, 1000)


@dataclass(frozen=True)
class Reel:
    """A picture file as a run of frames.

    Args:
        size: width and height.
        plays: how often it asks to be played; 0 is for ever.
        has_alpha: whether any picture may be transparent anywhere.
        unit: the grain, in seconds, to which such files round their delays.
        delays: seconds that each frame is shown.
        pictures: decodes anew at each call; a picture holds until the next is asked for.
    """

    size: tuple[int, int]
    plays: int
    has_alpha: bool
    unit: Fraction
    delays: list[Fraction]
    pictures: Callable[[], Iterator[PIL.Image.Image]]


def reel_in(file: PictureFile, *, salvage: bool) -> Reel:
    """Find the frames of a picture file; of a broken one, those before the break if they may be salvaged."""
    png = Png(file) if file.kind.name == "png" else None
    strip = png.strip() if png and png.frames else strip_in(file)
    if strip:
        return _reel_of_cels(file, strip, salvage=salvage)
    if file.kind.name == "avif":
        require_whole(file)  # of a part of one, nothing can be decoded
        with file.pillow() as picture:
            moves = getattr(picture, "n_frames", 1) > 1
        if moves:
            return _reel_of_avif(file)
    image = image_in(file)
    still = PIL.Image.fromarray(image.pixels)
    return Reel(image.size, 1, image.has_alpha, _THOUSANDTH, [1 / STILL_RATE], lambda: iter((still,)))


def _reel_of_cels(file: PictureFile, strip: Strip, *, salvage: bool) -> Reel:
    delays = _counted(file, (cel.delay for cel in strip.cels()), salvage=salvage)
    # The first frame is looked at; of the later ones it is enough to know how they are laid.
    first = next(compose(file, strip)).getchannel("A").getextrema()
    has_alpha = first != (255, 255) or _shows_through(strip, islice(strip.cels(), len(delays)))
    if len(delays) == 1:
        delays = [1 / STILL_RATE]
    unit = _HUNDREDTH if file.kind.name == "gif" else _THOUSANDTH
    return Reel(strip.size, strip.plays, has_alpha, unit, delays, lambda: compose(file, strip))


def _shows_through(strip: Strip, cels: Iterator[Cel]) -> bool:
    """Tell whether a canvas that is opaque at its first cel may later show through."""
    emptied = ("clear", "restore")  # what was before the first cel is nothing
    for before, cel in pairwise(cels):
        if (before.after in emptied and not strip.covers(cel)) or not (cel.over or cel.opaque):
            return True
        emptied = ("clear",)
    return False


def _reel_of_avif(file: PictureFile) -> Reel:
    with file.faults():
        delays = _counted(file, _avif_delays(file), salvage=False)
    with file.pillow() as picture:
        size, has_alpha = picture.size, picture.has_transparency_data
    return Reel(size, 0, has_alpha, _THOUSANDTH, delays, lambda: _avif_pictures(file, len(delays)))


def _avif_delays(file: PictureFile) -> Iterator[Fraction]:
    # Pillow rounds them to milliseconds, and knows each only once it has decoded the frame.
    file.stream.seek(0)
    with av.open(file.stream, mode="r", format="mov") as container:
        # Beside the sequence there may be its first frame as a still, and its alpha as a second sequence.
        stream = max(container.streams.video, key=lambda each: each.frames)
        for packet in container.demux(stream):
            if packet.size and packet.duration and packet.time_base:
                ticks = packet.duration * packet.time_base
                yield seconds(ticks.numerator, ticks.denominator)


def _avif_pictures(file: PictureFile, count: int) -> Iterator[PIL.Image.Image]:
    with file.faults():
        picture = file.open()
    for index in range(count):
        with file.faults(f" at frame {index}"):
            picture.seek(index)
            picture.load()
            color = to_srgb(picture, str(file.path), picture.info.get("icc_profile"))
        yield color


def _counted(file: PictureFile, delays: Iterable[Fraction], *, salvage: bool) -> list[Fraction]:
    """Collect delays within the limits; of a broken file those before the break, or tell how many they are."""
    kept: list[Fraction] = []
    total = Fraction(0)
    try:
        for delay in delays:
            kept.append(delay)
            total += delay
            file.limits.check(str(file.path), "frames", len(kept))
            file.limits.check(str(file.path), "seconds", float(total))
    except Broken as fault:
        if not kept:
            raise
        if not salvage:
            whole = f"{len(kept):,} frame{'s' if len(kept) > 1 else ''} of {float(total):.2f} seconds"
            raise Broken(
                f"{fault.message[:-1]}; before that it holds {whole}.",
                "Copy or download it again, or take what is whole with salvage.",
            ) from fault
    return kept
