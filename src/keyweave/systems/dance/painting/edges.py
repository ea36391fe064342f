"""Edges to paint by: of each keyframe, and of its subject turned round before one background that all share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from keyweave.perceive.masks import grown
from keyweave.systems.dance.mirror import empty_scene, turn_about

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from keyweave.media.types import Frame

    Mask = NDArray[np.bool_]
    Edges = NDArray[np.bool_]  # (H, W), or (N, H, W)

THRESHOLDS = (50, 100)  # thesis, 7.2.2


@dataclass(frozen=True, eq=False)
class Drawings:
    """What is painted by.

    Args:
        pictures: (2 K, H, W) edges of K keyframes before the shared background, then of their mirrored ones.
        background: (H, W) edges that all of these share.
    """

    pictures: Edges
    background: Edges


def canny(frame: Frame) -> Edges:
    """Return the edges of a picture, (H, W)."""
    return cv2.Canny(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), *THRESHOLDS) > 0


def drawings(frames: Sequence[Frame], masks: Mask, axis: float) -> Drawings:
    """Draw the edges of keyframes with their subjects as they are and turned round, before one background.

    Args:
        frames: (H, W, 3) of one size, taken by a camera that stands still.
        masks: (K, H, W) the subject of each.
        axis: the upright line that subjects are turned about, in pixels from the left border.
    """
    background = background_edges(frames, masks)
    reach = max(1, masks.shape[1] // 200)  # a contour lies on the border of its mask, on one side or the other
    taken = np.stack([grown(mask, reach) for mask in masks])
    own = np.stack([canny(frame) for frame in frames]) & taken
    twice = round(2 * axis)
    turned = [np.stack([turn_about(each, twice) for each in stack]) for stack in (taken, own)]
    subjects, edges = np.concatenate([taken, turned[0]]), np.concatenate([own, turned[1]])
    return Drawings(np.where(subjects, edges, background), background)


def background_edges(frames: Sequence[Frame], masks: Mask) -> Edges:
    """Stitch the edges of the background together, each place from one keyframe alone, so that none is there twice.

    The keyframe that shows most of it gives most; what its subject hides comes from the next, and what every subject
    hides from a picture that was filled in there.
    """
    reach = max(2, masks.shape[1] // 100)
    hidden = np.stack([grown(mask, reach) for mask in masks])
    edges = np.zeros(masks.shape[1:], bool)
    missing = np.ones(masks.shape[1:], bool)
    for n in np.argsort(hidden.sum(axis=(1, 2)), kind="stable"):
        shown = missing & ~hidden[n]
        edges[shown] = canny(frames[n])[shown]
        missing &= hidden[n]
    if missing.any():
        edges[missing] = canny(empty_scene(frames, masks))[missing]
    return edges


def as_picture(edges: Edges) -> Frame:
    """Return edges as white lines on black, (..., H, W, 3), which is how networks want them."""
    return np.repeat(edges[..., None].astype(np.uint8) * np.uint8(255), 3, axis=-1)
