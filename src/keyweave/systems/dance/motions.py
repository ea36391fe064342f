"""How alike segments of a dance are, and how alike one is to the mirror image of another.

Three sources tell it: rotations of joints, which the paper has (equations 7.1 and 7.3), joints in space, and joints in
the picture alone. Each gives a posture at every time; two postures are as far apart as their directions are turned
against each other, and two segments as their postures are when time is warped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from keyweave.base.errors import InputError
from keyweave.maths.dtw import warped
from keyweave.maths.rotations import mirrored_turns, quaternions_of
from keyweave.perceive.poses import JointTrack
from keyweave.systems.dance.bearings import (
    Bearings,
    bearings_in_picture,
    bearings_in_space,
    mirror_image,
    steady,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from keyweave.perceive.poses import RotationTrack

    Floats = NDArray[np.floating]
    Whole = NDArray[np.integer]
    Segments = Sequence[tuple[float, float]]  # start and stop, in seconds

# Which of the 22 rotations of an SMPL body stands where in its mirror image: hips, knees, ankles, feet, collars,
# shoulders, elbows and wrists change sides; pelvis, spine, neck and head stay.
SMPL_MIRROR = (0, 2, 1, 3, 5, 4, 6, 8, 7, 9, 11, 10, 12, 14, 13, 15, 17, 16, 19, 18, 21, 20)
_SMPL_TORSO = 0.5  # metres from hips to shoulders, about
_SLACK = 1e-6  # seconds by which a frame may miss its segment, since times are rounded


@dataclass(frozen=True, eq=False)
class Distances:
    """How far apart segments are.

    Args:
        direct: (S, S) as they are danced.
        mirrored: (S, S) one of them as a mirror shows it; its diagonal says how far each is from its own mirror image.
    """

    direct: Floats
    mirrored: Floats


class Motion(Protocol):
    """How somebody moves, where segments of it can be compared."""

    @property
    def unit(self) -> str:
        """What distances are measured in, in words."""
        ...

    @property
    def doubt(self) -> tuple[float, float]:
        """Motions nearer than the first are always the same, those farther apart than the second never are."""
        ...

    def distances(self, segments: Segments) -> Distances:
        """Return how far apart all segments are."""
        ...

    def sideways(self, segments: Segments) -> Floats:
        """Return how far (S,) the dancer goes towards x in each segment, in lengths of the torso."""
        ...


@dataclass(frozen=True, eq=False)
class Postures:
    """A `Motion` that is known by postures at some times.

    Args:
        times: (T,) seconds, rising.
        danced: the directions of each posture.
        mirrored: those of its mirror image.
        across: (T,) where the dancer is, in lengths of the torso towards x; NaN where that is not known.
        unit: what distances are measured in.
        doubt: from where on motions may differ, and from where on they do.
        scale: what the mean angle is multiplied by.
    """

    times: Floats
    danced: tuple[Bearings, ...]
    mirrored: tuple[Bearings, ...]
    across: Floats
    unit: str
    doubt: tuple[float, float]
    scale: float = 1.0

    def distances(self, segments: Segments) -> Distances:
        """Return how far apart all segments are, per step of the path that warps one onto the other."""
        frames = self._frames(segments)
        return Distances(self._warped(self.danced, frames), self._warped(self.mirrored, frames))

    def sideways(self, segments: Segments) -> Floats:
        """Return how far (S,) the dancer goes in each segment; 0 where that is not known."""
        gone = [self.across[rows[-1]] - self.across[rows[0]] for rows in self._frames(segments)]
        return np.nan_to_num(np.array(gone))

    def _frames(self, segments: Segments) -> list[Whole]:
        """Return which postures lie in each segment."""
        frames = []
        for number, (start, stop) in enumerate(segments, start=1):
            found = np.arange(*np.searchsorted(self.times, [start - _SLACK, stop + _SLACK]))
            if not len(found):
                raise InputError(
                    f"The dancer is not seen from {start:.2f} to {stop:.2f} s, which is segment {number} of the dance.",
                    "Cut the reference so that the dancer is in view all the time.",
                )
            frames.append(found)
        return frames

    def _warped(self, others: tuple[Bearings, ...], frames: list[Whole]) -> Floats:
        """Return how far (S, S) segments of the dance are from segments of others."""
        counts = np.array([len(rows) for rows in frames])
        matrix = np.zeros((len(frames), len(frames)))
        for number, rows in enumerate(frames):
            columns = counts[number:]
            costs = self._costs(rows, others, np.concatenate(frames[number:]))
            padded = np.zeros((len(columns), len(rows), columns.max()))
            for pair, block in zip(padded, np.split(costs, np.cumsum(columns)[:-1], axis=1), strict=True):
                pair[:, : block.shape[1]] = block
            # Reflecting both changes no angle, so it does not matter which of the two the mirror shows.
            matrix[number, number:] = matrix[number:, number] = warped(padded, columns)
        return matrix

    def _costs(self, rows: Whole, others: tuple[Bearings, ...], columns: Whole) -> Floats:
        """Return how far (N, M) postures are from postures of others (equation 7.1)."""
        angles, weights = np.zeros((2, len(rows), len(columns)))
        for one, other in zip(self.danced, others, strict=True):
            turned, counted = one.apart(rows, other, columns)
            angles += turned
            weights += counted
        return self.scale * angles / weights


def motion_of(track: JointTrack | RotationTrack) -> Motion:
    """Return how a dancer moves, by the best that the tracker knows.

    Raises:
        InputError: no dancer was found.
    """
    return motion_of_joints(track) if isinstance(track, JointTrack) else motion_of_rotations(track)


def motion_of_rotations(track: RotationTrack) -> Postures:
    """Compare rotations of joints as equations 7.1 and 7.3 are printed, so that the paper's thresholds hold.

    The Frobenius norm of a rotation's logarithm is its angle times the square root of 2, and the sum over J + 1 joints
    is divided by J.
    """
    danced = np.asarray(track.rotations, np.float64)
    weights = np.ones(danced.shape[:2])
    count = danced.shape[1]
    here, there = (
        (Bearings(quaternions_of(turns), weights, rotations=True),)
        for turns in (danced, mirrored_turns(danced[:, list(SMPL_MIRROR)]))
    )
    return Postures(
        times=np.asarray(track.times, np.float64),
        danced=here,
        mirrored=there,
        across=np.asarray(track.moved, np.float64)[:, 0] / _SMPL_TORSO,
        unit="√2 times radians, summed over 22 joints and divided by 21",
        doubt=(0.15, 0.45),
        scale=np.sqrt(2) * count / (count - 1),
    )


def motion_of_joints(track: JointTrack) -> Postures:
    """Compare how bones point: in space if the tracker knows their joints there, or else in the picture.

    Raises:
        InputError: no dancer was found.
    """
    dancer = steady(track)
    bearings = bearings_in_picture if track.world is None else bearings_in_space
    return Postures(
        times=dancer.times,
        danced=bearings(dancer.joints, dancer.seen),
        mirrored=bearings(mirror_image(dancer.joints), dancer.seen[:, :, ::-1]),
        across=dancer.across,
        unit=f"radians {'in the picture' if track.world is None else 'in space'}, mean of 10 directions",
        doubt=(0.2, 0.6) if track.world is None else (0.25, 0.65),
    )
