"""How somebody moves, as trackers tell it: joints that were seen, or rotations of joints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable
    from fractions import Fraction

    import numpy as np
    from numpy.typing import NDArray

    from keyweave.base.progress import Progress
    from keyweave.media.types import Frame

    Floats = NDArray[np.floating]

# Names that other parts ask for; a tracker may know more joints than these. Left and right are the dancer's own.
SIDES = ("left", "right")
LIMBS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
BODY = tuple(f"{side}_{joint}" for joint in LIMBS for side in SIDES)


@dataclass(frozen=True, eq=False)
class JointTrack:
    """Where the joints of one dancer are.

    Args:
        times: (T,) seconds, rising.
        joints: J names, at least those of `BODY`.
        places: (T, J, 2) x and y in pixels; NaN in frames where the dancer was not found.
        seen: (T, J) how surely each joint is in view, from 0 to 1; 0 where the dancer was not found.
        size: width and height of the frames.
        world: (T, J, 3) metres from the middle of the hips, x to the right of the picture, y up, z towards the camera;
            NaN where the dancer was not found. None of a tracker that only knows the picture.
    """

    times: Floats
    joints: tuple[str, ...]
    places: Floats
    seen: Floats
    size: tuple[int, int]
    world: Floats | None = None


@dataclass(frozen=True, eq=False)
class RotationTrack:
    """How the joints of one dancer are turned, as bodies of the SMPL family are posed.

    Args:
        times: (T,) seconds, rising.
        rotations: (T, 22, 3) axis times angle, in radians: of the whole body, then of 21 joints in their parents.
        moved: (T, 3) where the body is, in metres.
    """

    times: Floats
    rotations: Floats
    moved: Floats


class PoseTracker(Protocol):
    """Follows one dancer.

    Args:
        frames: (H, W, 3) one after another.
        rate: frames per second.
        progress: a part of the job; call `step` for each frame.
    """

    def __call__(self, frames: Iterable[Frame], rate: Fraction, *, progress: Progress) -> JointTrack: ...  # noqa: D102
