"""One dancer from frame to frame: looked for where they were, and found anew where they were lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from keyweave.base.errors import InputError
from keyweave.base.progress import SILENT, Progress
from keyweave.perceive.blazepose.detector import people_in
from keyweave.perceive.blazepose.landmarks import JOINTS, Pose, pose_in
from keyweave.perceive.blazepose.networks import Network, load_network
from keyweave.perceive.poses import JointTrack

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from fractions import Fraction
    from pathlib import Path

    from keyweave.media.types import Frame
    from keyweave.perceive.blazepose.regions import Region

_PRESENT = 0.5
_SMALLEST = 8.0  # pixels; the side of the square around somebody whose joints can be told apart
_STEP = 0.25  # how far somebody may be from where they were a frame ago, in sides of their region
_WALK = 0.5  # how much farther for each second that they were lost
_GROWTH = 2.0  # how much larger or smaller they may seem
_SIMILAR = 0.7  # of the size of the largest: large enough to be taken for the dancer by mistake
_OFTEN = 0.9  # of the frames; a dancer who is found less often is worth a word


@dataclass(frozen=True, eq=False)
class BlazePose:
    """Follows one dancer by two networks; satisfies `poses.PoseTracker`.

    Args:
        finder: from (224, 224, 3) between -1 and 1 to people.
        marker: from (256, 256, 3) between 0 and 1 to joints.
        at: a point on the dancer in the first frame that shows them, in pixels; the largest person if left out.
    """

    finder: Network
    marker: Network
    at: tuple[float, float] | None = None

    def __call__(self, frames: Iterable[Frame], rate: Fraction, *, progress: Progress = SILENT) -> JointTrack:
        """Follow the dancer; frames are looked at one by one and not kept.

        Raises:
            InputError: there is no frame, or nobody in any of them.
        """
        chase = _Chase(self, float(rate), progress)
        poses: list[Pose | None] = []
        size = (0, 0)
        for frame in frames:
            size = frame.shape[1], frame.shape[0]
            poses.append(chase.next(frame))
            progress.step()
        found = sum(pose is not None for pose in poses)
        if not found:
            raise self._nobody(len(poses))
        if found < _OFTEN * len(poses):
            progress.warn(f"The dancer was found in only {found} of {len(poses)} frames; the others count as unknown.")
        return _track(poses, float(rate), size)

    def _nobody(self, frames: int) -> InputError:
        if not frames:
            return InputError("There is no frame to look for a dancer in.")
        if self.at is None:
            return InputError(
                f"There is no dancer in any of the {frames} frames.",
                "Take a film that shows a whole person, upright.",
            )
        return InputError(
            f"There is no dancer at {self.at[0]:g},{self.at[1]:g} in any of the {frames} frames.",
            "Name a point in the middle of the dancer, in pixels from the upper left corner, or leave it out.",
        )


def pose_tracker(folder: Path, *, at: tuple[float, float] | None = None, threads: int = 2) -> BlazePose:
    """Load the networks.

    Args:
        folder: where they are; see `models.people.find_people`.
        at: a point on the dancer to follow, in pixels; the largest person if left out.
        threads: how many each network may use.
    """
    finder, marker = (
        load_network(folder / f"{name}.tflite", threads=threads) for name in ("pose_detection", "pose_landmark_full")
    )
    return BlazePose(finder, marker, at)


class _Chase:
    """What is known of a dancer so far: where they were last, and how long ago."""

    def __init__(self, tracker: BlazePose, rate: float, progress: Progress) -> None:
        self._tracker = tracker
        self._rate = rate
        self._progress = progress
        self._last: Region | None = None
        self._missed = 0
        self._told = False

    def next(self, frame: Frame) -> Pose | None:
        """Find the dancer in the next frame."""
        for region in self._regions(frame):
            pose = pose_in(frame, region, self._tracker.marker)
            if pose.presence >= _PRESENT and pose.region.side >= _SMALLEST and self._is_same(pose.region):
                self._last, self._missed = pose.region, 0
                return pose
        self._missed += 1
        return None

    def _regions(self, frame: Frame) -> Iterator[Region]:
        """Yield where to look: where the dancer was a frame ago, then where the other network sees somebody."""
        if self._last and not self._missed:
            yield self._last
        people = [person.region for person in people_in(frame, self._tracker.finder)]
        if self._last:
            x, y = self._last.x, self._last.y
            people = [region for region in people if self._is_same(region)]
        elif self._tracker.at:
            x, y = self._tracker.at
            people = [region for region in people if region.holds(x, y)]
        else:
            self._tell_of_others(people)
            yield from people
            return
        yield from sorted(people, key=lambda region: region.distance(x, y))

    def _is_same(self, region: Region) -> bool:
        """Tell whether somebody in a region can be the dancer: nobody is elsewhere or another size at once."""
        last = self._last
        if last is None:
            return True
        reach = (_STEP + _WALK * self._missed / self._rate) * last.side
        growth = region.side / last.side
        return region.distance(last.x, last.y) <= reach and 1 / _GROWTH <= growth <= _GROWTH

    def _tell_of_others(self, people: list[Region]) -> None:
        similar = sum(region.side >= _SIMILAR * people[0].side for region in people)
        if similar > 1 and not self._told:
            self._told = True
            self._progress.warn(
                f"{similar} people of similar size are in view; the largest is followed, near "
                f"{people[0].x:.0f},{people[0].y:.0f}. Name a point on another one (--dancer X,Y) to follow them."
            )


def _track(poses: list[Pose | None], rate: float, size: tuple[int, int]) -> JointTrack:
    count, known = len(JOINTS), [number for number, pose in enumerate(poses) if pose is not None]
    found = [pose for pose in poses if pose is not None]
    places, world = np.full((len(poses), count, 2), np.nan), np.full((len(poses), count, 3), np.nan)
    seen = np.zeros((len(poses), count))
    places[known] = [pose.places for pose in found]
    world[known] = [pose.world for pose in found]
    seen[known] = [pose.seen for pose in found]
    return JointTrack(np.arange(len(poses)) / rate, JOINTS, places, seen, size, world)
