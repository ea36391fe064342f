"""Cels: the part pictures that GIF, APNG and animated WebP store, and how they are laid on one canvas."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, NamedTuple

import PIL.Image

from keyweave.media.pictures.color import to_srgb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from keyweave.media.pictures.picture_file import PictureFile

After = Literal["keep", "clear", "restore"]


class Cel(NamedTuple):
    """One stored frame: a part picture and how it is laid on the canvas.

    Args:
        box: left, top, right and bottom on the canvas.
        delay: seconds until the next one.
        over: laid over what is there, or put in its place.
        after: what becomes of the box when the delay is over.
        opaque: certain to have no transparent pixel.
        still: reads the bytes of a complete picture file that holds this part alone.
    """

    box: tuple[int, int, int, int]
    delay: Fraction
    over: bool
    after: After
    opaque: bool
    still: Callable[[], bytes]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the part."""
        return self.box[2] - self.box[0], self.box[3] - self.box[1]


@dataclass(frozen=True)
class Strip:
    """An animation as stored, read without decoding.

    Args:
        size: width and height of the canvas.
        plays: how often it is played; 0 is for ever.
        cels: walks through the file anew at each call; raises Broken where the file does not go on.
        profile: the ICC profile of all cels.
    """

    size: tuple[int, int]
    plays: int
    cels: Callable[[], Iterator[Cel]]
    profile: bytes | None = None

    def covers(self, cel: Cel) -> bool:
        """Tell whether a cel surely leaves nothing transparent."""
        left, top, right, bottom = cel.box
        return cel.opaque and (left, top) == (0, 0) and right >= self.size[0] and bottom >= self.size[1]


@lru_cache(maxsize=4096)
def seconds(numerator: int, denominator: int) -> Fraction:
    """Make a delay; equal ones share one object, for animations have thousands."""
    return Fraction(numerator, denominator)


def compose(file: PictureFile, strip: Strip) -> Iterator[PIL.Image.Image]:
    """Yield the canvas, in mode RGBA, as each cel leaves it; it is drawn on again when the next is asked for."""
    canvas = PIL.Image.new("RGBA", strip.size)
    index = -1
    for index, cel in enumerate(strip.cels()):
        corner = cel.box[:2]
        before = canvas.crop(cel.box) if cel.after == "restore" else None
        if min(cel.size) > 0:
            part = _draw(file, cel, index, strip.profile)
            if cel.over and not cel.opaque:
                canvas.alpha_composite(part, corner)
            else:
                canvas.paste(part, corner)
        yield canvas
        if cel.after == "clear":
            canvas.paste((0, 0, 0, 0), cel.box)
        elif before:
            canvas.paste(before, corner)
    if index < 0:
        raise file.damaged()


def _draw(file: PictureFile, cel: Cel, index: int, profile: bytes | None) -> PIL.Image.Image:
    where = f" at frame {index}"
    with file.pillow(cel.still(), where) as picture:
        if picture.size != cel.size:
            raise file.damaged(where)
        picture.load()
        return to_srgb(picture, str(file.path), profile).convert("RGBA")
