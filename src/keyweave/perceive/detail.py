"""Fine detail of the keyframes, carried into a clip whose maker smoothed it away.

A model that works on latents gives a keyframe back softened: stars, grain and lettering are gone, and come back with a
start when the film reaches the keyframe itself. What was lost is known, since the keyframe is; and it belongs to all
frames that show the same thing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from keyweave.base.progress import SILENT, Progress
from keyweave.perceive.flow import flow_between, opaque, sampled, supported

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from keyweave.media.types import Frame

    Floats = NDArray[np.floating]

_GRAIN = 2.5, 1 / 250  # pixels, or share of the longer side: what is finer is detail
_STRANGE = 15.0  # levels by which an end is off, detail aside, for it to have drawn something else there
_FAITH = 8.0  # how soon that counts for nothing: by the square of the time that has passed
_NOTHING = np.float32(1e-6)  # of belief, below which neither keyframe has anything to say


def detailed(
    frames: Frame | Sequence[Frame], first: Frame, last: Frame, progress: Progress = SILENT
) -> Iterator[Frame]:
    """Give a clip back what its ends have lost, wherever a frame shows what they show.

    What an end lacks of its keyframe is carried along the flow of the clip itself, as far as that can be believed; both
    ends share by time what both know. Where an end has drawn something else than its keyframe shows, the difference is
    no detail: near the end it leads over, farther on it would be a ghost, so it is left.

    Args:
        frames: (F, H, W, 3 or 4) as they were made, the ends included; F is 2 or more.
        first: the keyframe (H, W, 3 or 4) that frame 0 ought to be.
        last: the keyframe that the last frame ought to be.
        progress: a step for each frame between.

    Yields:
        The keyframe, each frame between, the other keyframe; a fourth channel stays as it is.
    """
    ends = [opaque(frames[k]) for k in (0, -1)]
    lost = [
        opaque(due).astype(np.float32) - end.astype(np.float32) for due, end in zip((first, last), ends, strict=True)
    ]
    sigma = max(_GRAIN[0], _GRAIN[1] * max(first.shape[:2]))
    off = [np.abs(cv2.GaussianBlur(part, (0, 0), sigma)).max(axis=2) / _STRANGE for part in lost]
    yield first
    for number in range(1, len(frames) - 1):
        share = number / (len(frames) - 1)
        yield _given_back(frames[number], ends, lost, off, share)
        progress.step()
    yield last


def _given_back(
    frame: Frame, ends: Sequence[Frame], lost: Sequence[Floats], off: Sequence[Floats], share: float
) -> Frame:
    """Return a frame (H, W, 3 or 4) with what its likes at the ends have lost (H, W, 3).

    Args:
        frame: as it was made.
        ends: of its clip, likewise (H, W, 3).
        lost: what each lacks of its keyframe.
        off: how far each is from it, detail aside (H, W); 1 is much.
        share: of the way from the first end to the second.
    """
    here = opaque(frame)
    pairs = [flow_between(here, end, "fast", near=True) for end in ends]
    trusts = [
        supported(pair.forward_trust) * np.exp(-_FAITH * (away * sampled(part, pair.forward)) ** 2)
        for pair, part, away in zip(pairs, off, (share, 1 - share), strict=True)
    ]
    beliefs = [(1 - share) * trusts[0], share * trusts[1]]
    carried = [sampled(part, pair.forward) for part, pair in zip(lost, pairs, strict=True)]
    # What one end alone knows is taken from it in full, at whatever time.
    strength = 1 - (1 - trusts[0]) * (1 - trusts[1])
    weights = [strength * belief / np.maximum(beliefs[0] + beliefs[1], _NOTHING) for belief in beliefs]
    sums = here + carried[0] * weights[0][..., None] + carried[1] * weights[1][..., None]
    whole = frame.copy()
    whole[..., :3] = np.clip(np.rint(sums), 0, 255).astype(np.uint8)
    return whole
