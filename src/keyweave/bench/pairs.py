"""Pairs of keyframes to be filled, with what really lies between them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import count as numbers
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from keyweave.base.errors import InputError, MediaError
from keyweave.base.progress import SILENT, Progress
from keyweave.media.clips import open_frames
from keyweave.media.fit import fit
from keyweave.media.types import Image
from keyweave.recipes.scores import truth_of
from keyweave.toyworld.scenes import scene_of
from keyweave.toyworld.shots import RATE, Shot, shoot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from keyweave.media.types import Frame
    from keyweave.toyworld.scenes import Scene, Split

    Size = tuple[int, int]
    T = TypeVar("T")

GAP = 25  # frames from keyframe to keyframe, or more, as in the paper's set
_STEP = 8  # what the sides of pictures must be multiples of


@dataclass(frozen=True, eq=False)
class Footage:
    """What a pair is made from.

    Args:
        frames: (F, H, W, 3) the real clip; its ends are the keyframes.
        shot: where it was drawn, all that is known of it.
    """

    frames: Frame
    shot: Shot[Scene] | None = None


@dataclass(frozen=True, eq=False)
class Pair:
    """Two keyframes of a real clip.

    Args:
        name: where it is from.
        read: gives the clip; called each time that it is needed, so that a thousand pairs take no memory.
    """

    name: str
    read: Callable[[], Footage]


@dataclass(frozen=True, eq=False)
class Material:
    """What is to be filled.

    Args:
        name: of the set.
        pairs: in a fixed order.
        others: real clips of the same kind that no pair is from; empty where there are none.
        frames: of each clip, both keyframes among them.
        size: width and height.
        rate: frames per second, to print beside pictures.
        gap: frames of the real footage from keyframe to keyframe; None where clips are drawn frame by frame.
    """

    name: str
    pairs: tuple[Pair, ...]
    others: tuple[Pair, ...]
    frames: int
    size: Size
    rate: Fraction
    gap: int | None = None

    @property
    def is_exact(self) -> bool:
        """Whether there is a real frame at the very time of each frame of a clip."""
        return self.gap is None or self.gap % (self.frames - 1) == 0

    @property
    def timing(self) -> str:
        """How far apart keyframes of real footage are, and what that means for what is compared."""
        if self.gap is None:
            return ""
        if self.is_exact:
            return f"Keyframes are {self.gap} frames apart."
        return (
            f"Keyframes are {self.gap} frames apart, and clips have {self.frames} frames: each is compared with the "
            f"nearest real frame, up to half a frame off in time. {_exact(self.gap, self.frames)} apart would be exact."
        )


def toyworld_pairs(
    count: int,
    *,
    others: int = 0,
    frames: int = 14,
    size: Size = (64, 64),
    split: Split = "test",
    progress: Progress = SILENT,
) -> Material:
    """Take the first clips of a split of the drawn world whose actors are whole, inside the picture, at both ends."""
    _check(count, frames, size)
    found: list[Pair] = []
    with progress.part("looking for pairs", 0, total=count + others) as part:
        for number in numbers():
            if len(found) == count + others:
                break
            part.check()
            if _is_inside(truth_of(_shot(split, number, 2, size)).masks()):
                found.append(Pair(f"{split} clip {number}", partial(_drawn, split, number, frames, size)))
                part.step()
    name = "toyworld" if split == "test" else f"toyworld, {split}"
    return Material(name, tuple(found[:count]), tuple(found[count:]), frames, size, RATE)


def folder_pairs(
    folder: Path,
    count: int | None = None,
    *,
    gap: int | None = None,
    frames: int = 14,
    size: Size | None = None,
    progress: Progress = SILENT,
) -> Material:
    """Cut films, or folders of pictures, into pieces that follow one another, each from keyframe to keyframe.

    This is how the paper's set is described: pairs of frames at least 25 apart, from all videos. What is between the
    keyframes is shown at even times by the nearest frame, so it is exact where `gap` is a multiple of `frames - 1`.

    Args:
        folder: holds a film or a folder of pictures for each video; or the pictures of one.
        count: pairs, of which each video gives one before any gives a second, evenly placed; without, all there are.
        gap: frames from keyframe to keyframe; without, 25 or as few more as make it exact.
        frames: of each clip.
        size: the middle of each frame is brought to it; by default that of the first video, down to multiples of 8.
        progress: is told what is left out, and of a gap that is not exact.
    """
    _check(1 if count is None else count, frames, size or (_STEP, _STEP))
    gap = _exact(GAP, frames) if gap is None else gap
    if gap < 2:
        raise InputError(f"Keyframes are 2 frames apart or more; got {gap}.")
    videos = _survey(folder, gap, progress)
    chosen = _chosen(folder, videos, count, gap, progress)
    size = size or _size_of(videos[0])
    pairs = tuple(
        Pair(f"{video.path.name} from frame {start}", partial(_filmed, video.path, start, gap, frames, size))
        for video, start in chosen
    )
    rate = videos[0].rate * (frames - 1) / gap
    material = Material(folder.name, pairs, (), frames, size, rate, gap)
    if not material.is_exact:
        progress.warn(material.timing)
    return material


@dataclass(eq=False)
class _Video:
    """A video that pairs can be cut from.

    Args:
        path: a film, an animation or a folder of pictures.
        size: width and height.
        rate: frames per second.
        starts: the first frames of its pieces; of a damaged one, of those before the damage.
    """

    path: Path
    size: Size
    rate: Fraction
    starts: list[int]

    def fault(self, start: int, gap: int) -> InputError | None:
        """Read a piece through, and return what is wrong with it."""
        try:
            for _ in _piece(self.path, start, gap):
                pass
        except InputError as fault:
            return fault
        return None


def _survey(folder: Path, gap: int, progress: Progress) -> list[_Video]:
    """Open what lies in a folder, and say what of it is no video."""
    found = []
    for path in _videos(folder):
        try:
            with open_frames(path) as source:
                starts = list(range(0, round(source.duration * source.rate) - gap, gap))
                found.append(_Video(path, (source.width, source.height), source.rate, starts))
        except InputError as fault:
            progress.warn(f"{path.name} is left out: {fault.message}")
    return found


def _chosen(
    folder: Path, videos: list[_Video], count: int | None, gap: int, progress: Progress
) -> list[tuple[_Video, int]]:
    """Choose pieces that can be read to their ends; videos that are found damaged lose what comes after.

    Damage inside a film shows only when it is decoded. Just the pieces that pairs take are read through for it, of long
    films little; filling decodes them once more, and takes any method longer than that.
    """
    whole: set[tuple[_Video, int]] = set()
    while True:
        most = sum(len(video.starts) for video in videos)
        wanted = most if count is None else count
        if not most or wanted > most:
            raise InputError(
                f"{folder} gives {most} pairs of frames {gap} apart; {count or 'at least 1'} should be there.",
                "Ask for fewer pairs, take a smaller gap, or add longer videos.",
            )
        shares = _shares([len(video.starts) for video in videos], wanted)
        rows = zip(videos, shares, strict=True)
        chosen = [(video, start) for video, share in rows for start in _evenly(video.starts, share)]
        new = [piece for piece in chosen if piece not in whole]
        if not new:
            return chosen
        for video, start in progress.each(new, "reading videos through", share=0):
            if start not in video.starts:  # it was found damaged before
                continue
            if video.fault(start, gap) is None:
                whole.add((video, start))
                continue
            _end_at_damage(video, gap, progress)
            if not video.starts:
                videos.remove(video)


def _end_at_damage(video: _Video, gap: int, progress: Progress) -> None:
    """Keep only the pieces before the first that cannot be read, and say so."""
    for place, start in enumerate(video.starts):
        progress.check()
        fault = video.fault(start, gap)
        if fault is not None:
            since = f" from frame {start} on" if start else ""
            progress.warn(f"{video.path.name} is left out{since}: {fault.message}")
            del video.starts[place:]
            return


def _size_of(video: _Video) -> Size:
    """Return the size of clips where nobody says: that of a video, down to multiples of what networks take."""
    width, height = (side // _STEP * _STEP for side in video.size)
    if not width or not height:
        raise InputError(
            f"The first video, {video.path.name}, is {video.size[0]}x{video.size[1]}; both sides of clips should be "
            f"{_STEP} or more.",
            "Set --size, such as 64x64: each frame is brought to it.",
        )
    return width, height


def _exact(least: int, frames: int) -> int:
    """Return the smallest gap from `least` up that has a real frame for each frame of a clip."""
    steps = frames - 1
    return -(-least // steps) * steps


def _shares(most: Sequence[int], wanted: int) -> list[int]:
    """Return how many pairs each video gives, of as many as it has: one of each before a second of any."""
    shares = [0] * len(most)
    while missing := wanted - sum(shares):
        able = [video for video, count in enumerate(most) if count > shares[video]]
        for video in _evenly(able, min(missing, len(able))):
            shares[video] += 1
    return shares


def _evenly(row: Sequence[T], count: int) -> list[T]:
    """Return some of a row, each from the middle of its share."""
    return [row[(2 * k + 1) * len(row) // (2 * count)] for k in range(count)]


def _check(count: int, frames: int, size: Size) -> None:
    if count < 1:
        raise InputError(f"A benchmark needs 1 pair or more; got {count}.")
    if frames < 3:
        raise InputError(f"A clip has 3 frames or more, one of them between the keyframes; got {frames}.")
    if min(size) < _STEP or size[0] % _STEP or size[1] % _STEP:
        raise InputError(f"The size is {size[0]}x{size[1]}; both sides should be multiples of {_STEP}.")


def _drawn(split: Split, number: int, frames: int, size: Size) -> Footage:
    shot = _shot(split, number, frames, size)
    return Footage(shot.frames, shot)


def _shot(split: Split, number: int, frames: int, size: Size) -> Shot[Scene]:
    width, height = size
    scene = scene_of(split, number, aspect=width / height)
    return shoot(scene, frames=frames, width=width, height=height, truth=True)


def _is_inside(masks: np.ndarray) -> bool:  # (2, A, H, W)
    """Tell whether each actor is seen in both frames, and cut by no border."""
    cut = masks[..., [0, -1]].any() or masks[..., [0, -1], :].any()
    return bool(masks.any(axis=(2, 3)).all() and not cut)


def _videos(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}.", "Name a folder of videos, or toyworld for the drawn world.")
    inside = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    if not any(path.is_dir() for path in inside) and any(path.suffix.lower() in _PICTURES for path in inside):
        return [folder]
    return inside


_PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")


def _filmed(path: Path, start: int, gap: int, frames: int, size: Size) -> Footage:
    """Read a piece of a video, a frame at each even time."""
    piece = list(_piece(path, start, gap))
    nearest = [round(Fraction(k * gap, frames - 1)) for k in range(frames)]
    return Footage(
        np.stack([fit(Image(np.ascontiguousarray(piece[k][..., :3])), size, "crop").pixels for k in nearest])
    )


def _piece(path: Path, start: int, gap: int) -> Iterator[Frame]:
    """Yield the frames of a video from keyframe to keyframe."""
    read = 0
    with open_frames(path) as source:
        begin = start / source.rate
        for frame in islice(source.frames(begin, begin + (gap + 1) / source.rate), gap + 1):
            yield frame
            read += 1
    if read <= gap:
        raise MediaError(
            f"{path} ends {gap + 1 - read} frames before its stated end.", "Write it anew, or leave it out."
        )
