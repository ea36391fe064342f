"""Mirrored keyframes without a generator: the subject turned round, before the background that all keyframes share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import cv2
import numpy as np

from keyweave.base.errors import InputError
from keyweave.media.types import Image
from keyweave.perceive.masks import Masker, bands, grown, shared_background, subject_masks

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from keyweave.media.types import Frame

    Floats = NDArray[np.floating]
    Mask = NDArray[np.bool_]
    Colors = Callable[[slice], Floats]  # of some rows of a picture (R, W, 3): all at once would take much room

Kind = TypeVar("Kind", bound=np.generic)
_CUT = 0.01  # of a subject: what may be lost at the border without a word
_GAIN = (0.8, 1.25)  # a keyframe that differs more from the others has another light, which is left to it


@dataclass(frozen=True, eq=False)
class Keyframes:
    """Keyframes, and the same with their subjects mirrored, whoever made them.

    Args:
        pictures: K keyframes, then their K mirrored ones.
        masks: (2 K, H, W) the subject of each.
        notes: what may not be what was wanted, as sentences.
    """

    pictures: tuple[Image, ...]
    masks: Mask
    notes: tuple[str, ...] = ()

    @property
    def mirror(self) -> NDArray[np.intp]:
        """The number of the mirrored picture of each, (2 K,)."""
        return np.roll(np.arange(len(self.pictures)), len(self.pictures) // 2)


@dataclass(frozen=True, eq=False, kw_only=True)
class Mirrored(Keyframes):
    """Keyframes before one background, and the same with their subjects turned round.

    Args:
        background: without the subject.
        axis: the upright line about which it was turned, in pixels from the left border.
    """

    background: Image
    axis: float


def mirror_keyframes(
    images: Sequence[Image], *, axis: float | None = None, masker: Masker = subject_masks, keep: bool = False
) -> Mirrored:
    """Turn the subject of each keyframe round, and set all before the background that they share (thesis, 7.2.2).

    Args:
        images: of one size, taken by a camera that stands still.
        axis: in pixels from the left border; the middle of where the subjects are without.
        masker: who finds the subjects.
        keep: leave the keyframes themselves as they are, instead of setting them before the shared background too.
    """
    if not images:
        raise InputError("There are no keyframes to mirror.")
    shapes = {image.pixels.shape for image in images}
    if len(shapes) != 1 or images[0].pixels.shape[2] != 3:
        sizes = ", ".join(sorted({f"{image.pixels.shape[1]}x{image.pixels.shape[0]}" for image in images}))
        raise InputError(f"Keyframes to mirror have one size and no alpha; got {sizes}.", "Fit them to one size first.")
    frames = [image.pixels for image in images]
    masks = masker(frames)
    width = masks.shape[2]
    background = empty_scene(frames, masks)
    columns = np.flatnonzero(masks.any(axis=(0, 1)))
    # Half pixels: nothing is resampled, so nothing gets softer.
    twice = round(2 * axis) if axis is not None else int(columns[0] + columns[-1] + 1)
    if not 0 < twice < 2 * width:
        raise InputError(f"The axis lies in the picture, from 0 to {width}; got {twice / 2:g}.")
    kept: list[Frame] = []
    turned: list[Frame] = []
    both = np.concatenate([masks, np.empty_like(masks)])
    for number, (frame, mask) in enumerate(zip(frames, masks, strict=True)):  # one after another, for want of room
        gain, soft = _gain(frame, mask, background), _softened(mask)
        kept.append(frame if keep else _set_before(_matching(frame, gain), soft, background))
        own = _own_colors(frame, mask, gain)
        turned.append(_set_before(_turning(own, twice), turn_about(soft, twice), background))
        both[len(frames) + number] = turn_about(mask, twice)
    lost = [n for n, one in enumerate(masks, 1) if both[len(frames) + n - 1].sum() < (1 - _CUT) * one.sum()]
    note = f"Turned about the line at {twice / 2:g}, a part of the subject leaves the picture in keyframe"
    return Mirrored(
        tuple(Image(frame) for frame in (*kept, *turned)),
        both,
        (f"{note} {', '.join(map(str, lost))}.",) if lost else (),
        background=Image(background),
        axis=twice / 2,
    )


def empty_scene(frames: Sequence[Frame], masks: Mask) -> Frame:
    """Return the background that frames share, filled in where the subject always stands."""
    background, hidden = shared_background(frames, np.stack([grown(mask, max(2, len(mask) // 100)) for mask in masks]))
    if not hidden.any():
        return background
    if hidden.all():
        raise InputError("The subject hides all of the background.", "Take keyframes that show something of it.")
    # From coarse to fine: a large hole filled at full size would be streaks.
    sizes = [max(2, side // 4) for side in (background.shape[1], background.shape[0])]
    coarse = np.asarray(cv2.resize(_inpainted(background, hidden, 4), sizes, interpolation=cv2.INTER_AREA), np.uint8)
    hole = cv2.resize(hidden.astype(np.uint8), sizes, interpolation=cv2.INTER_NEAREST).astype(bool)
    coarse = cv2.resize(_inpainted(coarse, hole, 6), background.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    share = cv2.GaussianBlur(grown(hidden, -1).astype(np.float32), (0, 0), 1.5)[hidden][:, None]
    mixed = share * coarse[hidden] + (1 - share) * _inpainted(background, hidden, 4)[hidden]
    background[hidden] = mixed.round().astype(np.uint8)
    return background


def _inpainted(picture: Frame, hidden: Mask, radius: int) -> Frame:
    return np.asarray(cv2.inpaint(picture, hidden.astype(np.uint8), radius, cv2.INPAINT_TELEA), np.uint8)


def _gain(frame: Frame, mask: Mask, background: Frame) -> Floats:
    """Return what brings a frame to the colours of the shared background (3,), by what both show around the subject."""
    around = ~grown(mask, max(2, len(mask) // 40))
    if around.sum() >= 100:
        gain = (background[around].mean(axis=0) + 1) / (frame[around].mean(axis=0) + 1)
        if (gain >= _GAIN[0]).all() and (gain <= _GAIN[1]).all():
            return gain.astype(np.float32)
    return np.ones(3, np.float32)


def _matched(colors: Frame, gain: Floats) -> Floats:
    return np.clip(colors * gain, 0, 255)


def _matching(frame: Frame, gain: Floats) -> Colors:
    return lambda rows: _matched(frame[rows], gain)


def _turning(colors: Colors, twice: int) -> Colors:
    return lambda rows: turn_about(colors(rows), twice)


def _own_colors(frame: Frame, mask: Mask, gain: Floats) -> Colors:
    """Return the frame with the subject's colours carried on over its outline, where the old background shines in."""
    inner, matched = grown(mask, -max(1, len(mask) // 300)), _matching(frame, gain)
    if not inner.any():
        return matched
    _, found = cv2.distanceTransformWithLabels(
        (~inner).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    nearest = np.asarray(found, np.int32)
    colors = np.zeros((nearest.max() + 1, 3), np.float32)
    colors[nearest[inner]] = _matched(frame[inner], gain)
    return lambda rows: np.where(inner[rows, :, None], matched(rows), colors[nearest[rows]])


def _softened(mask: Mask) -> Floats:
    return np.asarray(cv2.GaussianBlur(mask.astype(np.float32), (0, 0), max(0.6, len(mask) / 500)), np.float32)


def turn_about(picture: NDArray[Kind], twice: int) -> NDArray[Kind]:
    """Turn a picture round the line at twice / 2; what comes from outside is 0."""
    width = picture.shape[1]
    source = twice - 1 - np.arange(width)
    there = (source >= 0) & (source < width)
    turned = np.zeros_like(picture)
    turned[:, there] = picture[:, source[there]]
    return turned


def _set_before(colors: Colors, alpha: Floats, background: Frame) -> Frame:
    made = np.empty_like(background)
    for rows in bands(len(made)):
        share = alpha[rows, :, None]
        made[rows] = (share * colors(rows) + (1 - share) * background[rows]).round().clip(0, 255).astype(np.uint8)
    return made
