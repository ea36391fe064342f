"""Where the joints of a person are: the second network, which looks at the square around them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from keyweave.perceive.blazepose.networks import Network, shaped, sigmoid
from keyweave.perceive.blazepose.regions import Region, around, cut

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from keyweave.media.types import Frame

    Floats = NDArray[np.floating]

# In the order of the network; left and right are the person's own.
JOINTS = (
    "nose",
    "left_eye_inner", "left_eye", "left_eye_outer", "right_eye_inner", "right_eye", "right_eye_outer",
    "left_ear", "right_ear", "left_mouth", "right_mouth",
    "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
    "left_little_finger", "right_little_finger", "left_index_finger", "right_index_finger", "left_thumb", "right_thumb",
    "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle",
    "left_heel", "right_heel", "left_toes", "right_toes",
)  # fmt: skip
_SIZE = 256
_POINTS = 39  # the joints, then the middle of the hips, the top of the circle around all, and four more
_MIDDLE, _TOP = 33, 34


@dataclass(frozen=True, eq=False)
class Pose:
    """How somebody stands in a frame.

    Args:
        places: (33, 2) where the joints are, in pixels.
        seen: (33,) how surely each is in view, from 0 to 1.
        world: (33, 3) in metres from the middle of the hips: right, up, towards the camera.
        presence: how surely there is somebody, from 0 to 1.
        region: the square around them, as far as the network can tell; where to look for them next.
    """

    places: Floats
    seen: Floats
    world: Floats
    presence: float
    region: Region


def pose_in(frame: Frame, region: Region, network: Network) -> Pose:
    """Find the joints of whoever is in a region."""
    outputs = network(cut(frame, region, _SIZE))
    rows = shaped(outputs, _POINTS, 5)  # right, down, away, visible, present
    places = region.placed(rows[:, :2] / _SIZE)
    count = len(JOINTS)
    world = shaped(outputs, _POINTS, 3)[:count]
    # The network speaks of an upright person: what is right and down for it is turned as the region is.
    across = world[:, :2] @ region.axes.T
    return Pose(
        places=places[:count],
        seen=sigmoid(rows[:count, 3]),
        world=np.column_stack([across[:, 0], -across[:, 1], -world[:, 2]]),
        presence=float(shaped(outputs, 1)[0]),
        region=around(places[_MIDDLE], places[_TOP]),
    )
