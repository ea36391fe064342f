"""From people's clips to windows of frames: found in a folder, cut where a shot ends, brought to one size.

Clips are read one after the other and frame by frame, so that a long film needs no more memory than a short one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import count, islice
from typing import TYPE_CHECKING, Any

import numpy as np

from keyweave.base.errors import InputError, KeyweaveError
from keyweave.base.files import explain
from keyweave.base.progress import SILENT, Progress
from keyweave.base.recipe import sha256_of_file
from keyweave.media.clips import open_frames
from keyweave.media.encoders import over_black
from keyweave.media.fit import fit
from keyweave.media.pictures.sequences import ENDINGS, SequenceReader
from keyweave.media.sniff import sniff
from keyweave.media.types import Image
from keyweave.perceive.cuts import CutFinder
from keyweave.toyworld.scenes import scene_of
from keyweave.toyworld.shots import shoot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from keyweave.media.types import Frame
    from keyweave.toyworld.scenes import Scene, Split

DRAWN = "toyworld"  # what is typed instead of a folder for clips of the drawn world
_TOGETHER = 100  # drawn clips in a reel
_NAMED = 5  # of the files that are no clips


@dataclass(frozen=True)
class Cutting:
    """How windows are cut out of clips.

    Args:
        frames: in a window.
        stride: one of how many frames of a clip is taken; the drawn world is drawn at the right pace at once.
        size: width and height; the middle of a frame is kept that has this shape.
    """

    frames: int
    stride: int
    size: tuple[int, int]

    @property
    def span(self) -> int:
        """How many frames of a clip a window reaches over."""
        return (self.frames - 1) * self.stride + 1


@dataclass(frozen=True)
class Reel:
    """Windows that come from one place.

    Args:
        name: for people.
        facts: all that decides the windows, as plain values.
        windows: yields them, (frames, H, W, 3) each; raises what people should know when there is none.
    """

    name: str
    facts: dict[str, Any]
    windows: Callable[[], Iterator[Frame]]


def find_footage(folder: Path, progress: Progress = SILENT) -> list[Path]:
    """Find the clips in a folder and in the folders in it: films, animations, and folders of pictures.

    Args:
        folder: where to look; pictures that lie in it directly are no clip.
        progress: is told what is no clip.

    Raises:
        InputError: there is no such folder.
    """
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}.", f"Name a folder of clips with --videos, or write {DRAWN}.")
    found, others = [], []
    for path in _listed(folder):
        if not path.is_dir():
            (found if _moves(path) else others).append(path)
            continue
        inside = [one for one in _listed(path) if not one.is_dir()]
        clips = [one for one in inside if _moves(one)]
        if not clips and sum(one.suffix.lower() in ENDINGS for one in inside) > 1:
            found.append(path)
            continue
        found += clips
        others += [one for one in inside if one not in clips]
    if others:
        names = ", ".join(str(path.relative_to(folder)) for path in others[:_NAMED])
        more = f" and {len(others) - _NAMED:,} more" if len(others) > _NAMED else ""
        progress.say(f"No clips, so left out: {names}{more}.")
    return found


def reels_of_clips(paths: Sequence[Path], cutting: Cutting, most: int) -> list[Reel]:
    """Return a reel for each clip; each may give its share of `most` windows, spread evenly over it."""
    share = -(-most // max(1, len(paths)))
    return [
        Reel(
            path.name,
            {"file": path.name, "sums": _sums(path), "share": share, **vars(cutting)},
            partial(windows_of, path, cutting, share),
        )
        for path in paths
    ]


def reels_of_scenes(split: Split, cutting: Cutting, clips: int) -> list[Reel]:
    """Return reels of the drawn world, of scenes whose actors are in the picture at the beginning and at the end."""
    aspect = cutting.size[0] / cutting.size[1]
    stay = (number for number in count() if is_inside(scene_of(split, number, aspect=aspect), aspect))
    chosen = list(islice(stay, clips))
    parts = [chosen[first : first + _TOGETHER] for first in range(0, clips, _TOGETHER)]
    return [
        Reel(
            f"{split} {part[0]} to {part[-1]}",
            {"split": split, "scenes": part, **vars(cutting)},
            partial(_drawn, split, part, cutting),
        )
        for part in parts
    ]


def windows_of(path: Path, cutting: Cutting, most: int) -> Iterator[Frame]:
    """Yield windows of a clip, none of which reaches over a cut.

    It is read twice, the first time for its cuts: only who knows all shots can spread windows over them.

    Args:
        path: a film, an animation or a folder of pictures.
        cutting: what a window is.
        most: how many; those of a long clip lie apart.

    Raises:
        InputError: no shot is long enough, or the clip is damaged; windows before the damage have been yielded.
    """
    shots, fault = _shots(path)
    starts = spread(shots, cutting.span, most)
    if starts:
        yield from _cut_out(path, cutting, starts)
    if fault:
        raise fault
    if not starts:
        raise InputError(
            f"{path} has no shot of {cutting.span} frames, which is what a training clip takes; its longest has "
            f"{max(shots)}."
        )


def spread(shots: Sequence[int], span: int, most: int) -> list[int]:
    """Return where windows begin, side by side if there are no more than wanted, else evenly over all shots.

    Args:
        shots: frames of each.
        span: frames that a window reaches over; it stays inside a shot.
        most: how many are wanted.
    """
    room = [length // span for length in shots]
    whole = sum(room)
    wanted = min(most, whole)
    starts, first, passed = list[int](), 0, 0
    for length, places in zip(shots, room, strict=True):
        if places:
            # Of the places of all shots, numbered through, every (whole / wanted)-th is taken; -(-a // b) rounds up.
            given = -(-(passed + places) * wanted // whole) + (-passed * wanted // whole)
            apart = span if most > whole else length // max(1, given)
            starts += range(first, first + given * apart, apart)
        first, passed = first + length, passed + places
    return starts


def is_inside(scene: Scene, aspect: float) -> bool:
    """Tell whether the middle of every actor is in the picture at the first moment and at the last."""
    times = np.array([0.0, 1.0])
    for role in scene.cast:
        at, _, _ = role.course.at(times)
        x, y = (at - np.outer(scene.pan * times, [1, 0])).T
        if x.min() < 0 or x.max() > aspect or y.min() < 0 or y.max() > 1:
            return False
    return True


def _drawn(split: Split, numbers: Sequence[int], cutting: Cutting) -> Iterator[Frame]:
    width, height = cutting.size
    for number in numbers:
        scene = scene_of(split, number, aspect=width / height)
        yield shoot(scene, frames=cutting.frames, width=width, height=height).frames


def _shots(path: Path) -> tuple[list[int], InputError | None]:
    """Return the frames of each shot of a clip, and what is wrong with it; they end where it is damaged."""
    cuts, shots = CutFinder(), [0]
    try:
        with open_frames(path) as source:
            for frame in source.frames():
                if cuts.is_cut(_opaque(frame)):
                    shots.append(0)
                shots[-1] += 1
    except InputError as fault:
        return shots, fault
    return shots, None


def _cut_out(path: Path, cutting: Cutting, starts: Sequence[int]) -> Iterator[Frame]:
    """Yield the windows that begin at these frames, in order and one after the other."""
    coming, kept = iter(starts), list[np.ndarray]()
    start = next(coming)
    with open_frames(path) as source:
        for number, frame in enumerate(source.frames()):
            if number >= start and (number - start) % cutting.stride == 0:
                kept.append(fit(Image(_opaque(frame)), cutting.size, "crop").pixels)
            if len(kept) == cutting.frames:
                yield np.stack(kept)
                kept, after = [], next(coming, None)
                if after is None:
                    return
                start = after


def _opaque(frame: Frame) -> Frame:
    return over_black(frame) if frame.shape[2] == 4 else frame


def _moves(path: Path) -> bool:
    """Tell whether a file is a clip; of damaged ones, more is said when they are read."""
    try:
        kind = sniff(path)
    except KeyweaveError:
        return False
    if kind.family != "picture":
        return kind.family == "film"
    try:
        with open_frames(path) as source:
            return source.duration * source.rate > 1
    except KeyweaveError:
        return False


def _sums(path: Path) -> list[tuple[str, str]]:
    """Return names and checksums of the files that a clip is made of."""
    if not path.is_dir():
        return [(path.name, sha256_of_file(path))]
    try:
        files = SequenceReader(path).paths
    except KeyweaveError:
        return []  # it is left out when it is read, with a reason
    return [(one.name, sha256_of_file(one)) for one in files]


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as fault:
        raise explain(fault, folder, "read") from fault
