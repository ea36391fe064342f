"""Who is in a picture: subjects told from the background that a set of pictures shares, without learning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import cv2
import numpy as np

from keyweave.base.errors import InputError
from keyweave.media.pictures.images import read_image

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from keyweave.media.types import Frame, Image

    Floats = NDArray[np.floating]
    Mask = NDArray[np.bool_]  # (H, W)
    Marks = NDArray[np.uint8]  # (H, W), of grabCut

_TALLEST = 480  # rows that are looked at: the time of a cut grows with pixels, and its outline is feathered anyway
_LEAST = 0.002  # of a picture: what is smaller is nobody
_MOST = 0.9
_ROUNDS = 4
_FLOOR = 14.0  # levels: differences that compression and grain make in a background that stands still
_BOX = 0.12  # where nothing tells subject from background, the subject is looked for this far from the borders
_ADVICE = "Take pictures of one subject before a background that stays the same, or give masks of your own."
_BAND = 64  # rows that are worked on at a time
_ALIKE = "Put a mask for each picture into it, named alike."


class Masker(Protocol):
    """Finds the subject of pictures (H, W, 3) of one size that share a background; returns (N, H, W)."""

    def __call__(self, pictures: Sequence[Frame], /) -> Mask: ...  # noqa: D102 - the class says it


def subject_masks(pictures: Sequence[Frame]) -> Mask:
    """Find the one subject of each picture, (N, H, W).

    What differs from the pictures' median moves, so it is the subject or was hidden by it; colours decide which, and
    what stands still in the middle of it belongs to it (grabCut, Rother et al. 2004). Of one picture, or of pictures
    that do not differ, the middle is taken for the subject and the border for the background.

    Raises:
        InputError: pictures of several sizes, or nobody is found in one of them.
    """
    _, _, masks = _looked_for(pictures)
    for number, mask in enumerate(masks, start=1):
        if not is_somebody(mask):
            raise nobody(number, len(masks))
    height, width = pictures[0].shape[:2]
    return np.stack([_resized(mask, width, height) for mask in masks])


def subject_boxes(pictures: Sequence[Frame]) -> Floats:
    """Return the box around the subject of each picture, (N, 4): left, top, right and bottom in pixels.

    Where nobody is told from the background clearly, it is the box in which somebody was looked for.
    """
    height, width = pictures[0].shape[:2]
    small, guesses, masks = _looked_for(pictures)
    clear = [mask if is_somebody(mask) else guess for mask, guess in zip(masks, guesses, strict=True)]
    boxes = np.array([_box_around(mask) for mask in clear], np.float64)
    scale = width / small[0].shape[1], height / small[0].shape[0]
    return boxes * (*scale, *scale)


def is_somebody(mask: Mask) -> bool:
    """Tell whether a mask (H, W) marks a subject, not next to nothing or nearly everything."""
    return bool(_LEAST <= mask.mean() <= _MOST)


def nobody(number: int, count: int) -> InputError:
    """Return what is said where no subject was found in a picture, counted from 1."""
    return InputError(f"No subject was found in picture {number} of {count}.", _ADVICE)


def read_masks(folder: Path, pictures: Sequence[Path], sizes: Sequence[tuple[int, int]]) -> Mask:
    """Read the masks that somebody made, (N, H, W): of each picture the one in a folder that is named like it.

    White is the subject, or what is not transparent. The mask of `pose.jpg` may also be called `pose.png`.

    Args:
        folder: that holds the masks.
        pictures: those that they are of.
        sizes: their width and height.
    """
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder} of masks.", _ALIKE)
    _refuse_sizes(sizes)
    names = [path.name for path in pictures]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"Two of the pictures are called {name}; their masks could not be told apart.")
    return np.stack([_read_mask(folder / name, size) for name, size in zip(names, sizes, strict=True)])


def _refuse_sizes(sizes: Sequence[tuple[int, ...]]) -> None:
    if len(set(sizes)) != 1:
        raise InputError("Pictures that share a background have one size.", "Fit them to one size first.")


def _read_mask(path: Path, size: tuple[int, int]) -> Mask:
    found = next((one for one in (path, path.with_suffix(".png")) if one.is_file()), None)
    if found is None:
        raise InputError(f"{path.parent} has no mask for {path.name}.", _ALIKE)
    image = read_image(found)
    if image.size != size:
        raise InputError(
            f"The mask {found} is {image.width}x{image.height}, its picture {size[0]}x{size[1]}.",
            "Paint masks as large as their pictures.",
        )
    mask = _marked(image)
    if not mask.any() or mask.all():
        raise InputError(
            f"The mask {found} marks {'all' if mask.any() else 'none'} of its picture.",
            "Paint the subject white and all else black, or make all else transparent.",
        )
    return mask


def _marked(image: Image) -> Mask:
    if image.has_alpha and (image.pixels[..., 3] < 255).any():
        return image.pixels[..., 3] >= 128
    return image.pixels[..., :3].mean(axis=2) >= 128


def _looked_for(pictures: Sequence[Frame]) -> tuple[list[Frame], list[Mask], Mask]:
    """Return small pictures, where the subject may be in each, and where it seems to be."""
    _refuse_sizes([picture.shape[:2] for picture in pictures])
    small = [_made_small(np.ascontiguousarray(picture[..., :3])) for picture in pictures]
    marks = [_first_marks(moved) for moved in movement(small)]
    guesses = [each == cv2.GC_PR_FGD for each in marks]
    masks = np.stack([_cut_out(*each) for each in zip(small, marks, strict=True)])
    if len(pictures) > 1:  # what one picture hides, another may show
        masks = np.stack([_cut_out(*each) for each in zip(small, _better_marks(small, masks), strict=True)])
    return small, guesses, masks


def _box_around(mask: Mask) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def movement(pictures: Sequence[Frame]) -> Floats:
    """Return how far each pixel is from the pictures' median, smoothed: (N, H, W) levels."""
    lab = _lab(pictures)
    return _smoothed(np.linalg.norm(lab - np.median(lab, axis=0), axis=3))


def shared_background(pictures: Sequence[Frame], masks: Mask) -> tuple[Frame, Mask]:
    """Return the median of what the pictures show outside of masks (N, H, W), and where none of them shows anything."""
    background = np.empty((*masks.shape[1:], 3), np.uint8)
    for rows in bands(len(background)):
        background[rows] = _median_outside(np.stack([picture[rows, :, :3] for picture in pictures]), masks[:, rows])
    return background, np.asarray(masks.all(axis=0))


def _median_outside(pixels: NDArray[np.uint8], masks: Mask) -> Frame:
    """Return the median over pixels (N, R, W, 3) outside of masks (N, R, W), and 0 where there is none."""
    pixels[masks] = 255  # behind all that is seen, once they are sorted
    pixels.sort(axis=0)
    seen = (~masks).sum(axis=0)[None, ..., None]  # (1, R, W, 1)
    low, high = (
        np.take_along_axis(pixels, np.maximum(middle, 0), axis=0)[0] for middle in ((seen - 1) // 2, seen // 2)
    )
    middle = ((low.astype(np.float32) + high) / 2).round()
    return np.where(seen[0] > 0, middle, 0).astype(np.uint8)


def bands(height: int) -> Iterator[slice]:
    """Yield the rows of a picture, some at a time: what is computed of a few needs little room."""
    for top in range(0, height, _BAND):
        yield slice(top, min(top + _BAND, height))


def grown(mask: Mask, pixels: int) -> Mask:
    """Return a mask with so many pixels more around it; fewer than 0 take away."""
    if pixels == 0:
        return mask
    side = 2 * abs(pixels) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    change = cv2.dilate if pixels > 0 else cv2.erode
    return change(mask.astype(np.uint8), kernel).astype(bool)


def _made_small(picture: Frame) -> Frame:
    height, width = picture.shape[:2]
    if height <= _TALLEST:
        return picture
    size = (max(1, round(width * _TALLEST / height)), _TALLEST)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def _lab(pictures: Sequence[Frame]) -> Floats:
    return np.stack([cv2.cvtColor(picture, cv2.COLOR_RGB2LAB) for picture in pictures]).astype(np.float32)


def _smoothed(far: Floats) -> Floats:  # (N, H, W)
    return np.stack([cv2.GaussianBlur(each, (0, 0), max(1.0, each.shape[0] / 240)) for each in far])


def _resized(mask: Mask, width: int, height: int) -> Mask:
    return cv2.resize(mask.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR) >= 0.5


def _first_marks(moved: Floats) -> Marks:
    """Mark what may be the subject, for grabCut, from what moved: (H, W)."""
    height, width = moved.shape
    # A background that shimmers differs everywhere: what counts as movement must stand out from it.
    threshold = max(_FLOOR, 3 * float(np.median(moved)))
    marks = np.full((height, width), cv2.GC_BGD, np.uint8)
    sure = moved > 2 * threshold
    if sure.mean() < _LEAST:
        top, left = round(_BOX * height), round(_BOX * width)
        marks[top : height - top, left : width - left] = cv2.GC_PR_FGD
        return marks
    reach = max(2, height // 16)
    hull = _filled_hull(_largest(sure, reach))
    marks[grown(hull, reach)] = cv2.GC_PR_BGD
    marks[hull | (sure & grown(hull, reach))] = cv2.GC_PR_FGD
    return marks


def _better_marks(pictures: Sequence[Frame], masks: Mask) -> list[Marks]:
    """Mark what is the subject in each picture, from what the others show in its place."""
    reach = max(2, masks.shape[1] // 80)
    wide = np.stack([grown(mask, reach) for mask in masks])
    background, hidden = shared_background(pictures, wide)
    far = _smoothed(np.linalg.norm(_lab(pictures) - _lab([background]), axis=3))
    found = []
    for mask, each in zip(masks, far, strict=True):
        threshold = max(_FLOOR, 3 * float(np.median(each[~hidden]))) if not hidden.all() else _FLOOR
        marks = np.where(mask, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
        marks[~hidden & (each < threshold / 2)] = cv2.GC_BGD
        marks[~hidden & (each > 2 * threshold) & grown(mask, 4 * reach)] = cv2.GC_PR_FGD
        marks[~grown(mask, 4 * reach)] = cv2.GC_BGD
        found.append(marks)
    return found


def _cut_out(picture: Frame, marks: Marks) -> Mask:
    """Cut the subject out of a picture."""
    models = np.zeros((2, 1, 65))
    cv2.setRNGSeed(0)
    if (marks == cv2.GC_PR_FGD).any() and (marks != cv2.GC_PR_FGD).any():
        bgr = np.ascontiguousarray(picture[..., ::-1])
        cv2.grabCut(bgr, marks, (0, 0, 0, 0), models[0], models[1], _ROUNDS, cv2.GC_INIT_WITH_MASK)
    return _without_holes(_largest(marks == cv2.GC_PR_FGD, max(1, len(marks) // 80)))


def _largest(mask: Mask, reach: int) -> Mask:
    """Keep the largest thing; what is closer to it than `reach` belongs to it."""
    count, labels = cv2.connectedComponents(grown(mask, reach).astype(np.uint8))
    if count < 2:
        return np.zeros_like(mask)
    own = np.bincount(labels[mask], minlength=count)
    return mask & (np.asarray(labels) == 1 + int(own[1:].argmax()))


def _filled_hull(mask: Mask) -> Mask:
    hull = np.zeros(mask.shape, np.uint8)
    points = cv2.findNonZero(mask.astype(np.uint8))
    if points is not None:
        cv2.fillConvexPoly(hull, cv2.convexHull(points), 1)
    return hull.astype(bool)


def _without_holes(mask: Mask) -> Mask:
    """Fill what is enclosed, if it is small: the gap between an arm and a body is background."""
    count, labels, facts, _ = cv2.connectedComponentsWithStats((~mask).astype(np.uint8), connectivity=4)
    small = [n for n in range(1, count) if facts[n, cv2.CC_STAT_AREA] < 0.01 * max(1, int(mask.sum()))]
    return mask | np.isin(labels, small)
