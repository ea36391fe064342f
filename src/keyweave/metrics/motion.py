"""How a clip moves, without a reference: its steps, its sharpness, its way from one keyframe to the next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from keyweave.base.errors import InputError
from keyweave.media.uniform import alike
from keyweave.metrics.fidelity import mean_squared_error, psnr_of
from keyweave.metrics.frames import Floats, luma, mean_difference, opaque, opaque_pair
from keyweave.metrics.records import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from keyweave.media.types import Frame

_FINE = 64
_TILE = _FINE // 8  # as wide as the blur
# Two keyframes whose glances differ by less than this many levels have no way between them that could be measured.
_NO_WAY = 0.05


@dataclass(frozen=True, eq=False)
class Walk(Record):
    """How a clip changes from frame to frame: what its seams are told by.

    Args:
        steps: the adjacent-difference curve, (T - 1,): mean |difference| from each frame to the next, in levels of 0
            to 255. For a sharp edge it is proportional to its speed, until it moves farther than things are wide.
        closing: the same from the last frame back to the first.
        colors: (T, 3) mean red, green and blue, in levels.
    """

    steps: Floats
    closing: float
    colors: Floats

    def __len__(self) -> int:
        return len(self.colors)


class Walker:
    """Follows a clip frame by frame; of its frames only the first and the latest are held."""

    def __init__(self) -> None:
        self._steps: list[float] = []
        self._colors: list[Sequence[float]] = []
        self._first: Frame | None = None
        self._latest: Frame | None = None

    def see(self, frame: Frame) -> None:
        """Take the next frame, opaque and of the size of the others."""
        if self._latest is None:
            self._first = frame
        else:
            self._steps.append(mean_difference(self._latest, frame))
        self._colors.append(cv2.mean(frame)[:3])
        self._latest = frame

    def watch(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """Pass frames on, and take each."""
        for frame in frames:
            self.see(opaque(frame))
            yield frame

    @property
    def walk(self) -> Walk:
        """What was found so far."""
        if self._first is None or self._latest is None:
            raise InputError("The clip holds no frame to measure.")
        closing = mean_difference(self._latest, self._first)
        return Walk(np.array(self._steps), closing, np.array(self._colors))


@dataclass(frozen=True, eq=False)
class Trace(Walk):
    """What is kept of a clip: less than a kilobyte a frame, whatever its size.

    Args:
        steps: of the walk, as `closing` and `colors`.
        sharpness: (T,) root mean square of the gradient of luma, in levels per pixel. Half the contrast is half the
            sharpness; so is a blur that halves the amplitude of a grating.
        glances: (T, 8, 8, 3) the frame seen through half-closed eyes: blurred by an eighth of its size.
    """

    sharpness: Floats
    glances: Floats

    def as_dict(self) -> dict[str, Any]:
        """Return the curves of steps and of sharpness."""
        return {"steps": self.steps.tolist(), "sharpness": self.sharpness.tolist()}


def trace(frames: Iterable[Frame]) -> Trace:
    """Walk through a clip once and keep its curves; of its frames only the first and two more are held at a time.

    Args:
        frames: at least one, all of one size, (H, W, 3 or 4).
    """
    walker, sharp, glances = Walker(), [], []
    for frame in map(opaque, alike(frames)):
        walker.see(frame)
        sharp.append(sharpness(frame))
        glances.append(glance(frame))
    walk = walker.walk
    return Trace(walk.steps, walk.closing, walk.colors, np.array(sharp), np.array(glances))


def sharpness(frame: Frame) -> float:
    """Return the root mean square of the gradient of luma, in levels per pixel."""
    brightness = luma(opaque(frame))
    energy = (cv2.norm(cv2.Sobel(brightness, -1, *axis, scale=1 / 8), cv2.NORM_L2SQR) for axis in ((1, 0), (0, 1)))
    return float(np.sqrt(sum(energy) / brightness.size))


def glance(frame: Frame) -> Floats:
    """Return the frame seen through half-closed eyes, float32 (8, 8, 3): blurred until motion turns into shading."""
    fine = cv2.resize(opaque(frame).astype(np.float32), (_FINE, _FINE), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.GaussianBlur(fine, (0, 0), _TILE)[_TILE // 2 :: _TILE, _TILE // 2 :: _TILE], np.float32)


@dataclass(frozen=True)
class KeyframeError(Record):
    """How faithfully a clip shows a keyframe.

    Args:
        frame: where it must be shown, counted from 0.
        psnr: in decibels; infinite where it is the same.
        worst: the largest difference of any channel of any pixel, in levels.
    """

    frame: int
    psnr: float
    worst: int


def keyframe_errors(frames: Iterable[Frame], keyframes: Mapping[int, Frame]) -> tuple[KeyframeError, ...]:
    """Compare a clip with its keyframes, each at its frame.

    Args:
        frames: the clip.
        keyframes: the keyframes by the number of the frame, counted from 0, at which they must be shown.
    """
    found: list[KeyframeError] = []
    for _ in noting_errors(frames, keyframes, found):
        pass
    return tuple(found)


def noting_errors(
    frames: Iterable[Frame], keyframes: Mapping[int, Frame], found: list[KeyframeError]
) -> Iterator[Frame]:
    """Pass frames on, and note in `found` how those at keyframes differ from them."""
    number = -1
    for number, frame in enumerate(frames):
        if number in keyframes:
            shown, wanted = opaque_pair(frame, keyframes[number])
            worst = int(cv2.norm(shown, wanted, cv2.NORM_INF))
            found.append(KeyframeError(number, psnr_of(mean_squared_error(shown, wanted)), worst))
        yield frame
    missed = [place for place in keyframes if not 0 <= place <= number]
    if missed:
        raise InputError(
            f"A keyframe is said to be at frame {missed[0]}; the clip has the frames 0 to {number}.",
            "Count from 0.",
        )


def positions(glances: Floats, first: Floats, last: Floats) -> Floats | None:
    """Tell how far each frame has come from one keyframe to the next: 0 at the first, 1 at the last.

    It is the frame's share of the way in the space of glances, <g - first, last - first> / |last - first|²: of a
    cross-fade exactly its weight, and of a thing that moves a curve that rises as long as it moves on.

    Args:
        glances: (T, 8, 8, 3).
        first: (8, 8, 3), of the first keyframe.
        last: (8, 8, 3), of the last.

    Returns:
        (T,), or None for keyframes that look alike, where there is no way to go.
    """
    way = (last - first).astype(np.float64)
    length = float(np.vdot(way, way))
    if length / way.size < _NO_WAY**2:
        return None
    return np.asarray((glances - first).reshape(len(glances), -1) @ way.ravel() / length)


def monotony(places: Floats) -> float:
    """Tell how steadily places go from 0 to 1, in (0, 1]: the length of the way over the length of the walk.

    1: never a step back, whatever the pace. Going back by a tenth and on again gives 1 / 1.2; wandering to and fro n
    times 1 / (2n + 1). Stopping short, beginning late or overshooting costs as well, as the jump that is then left.
    """
    return 1 / float(np.abs(np.diff(places, prepend=0, append=1)).sum())


def evenness(steps: Floats) -> float:
    """Tell how evenly change is spread over steps, in [1/n, 1]: (Σd)² / n Σd², the share of steps that do the work.

    1: all steps are equal. Where one step in n does everything, as a cut does, it is 1/n. Easing lowers it on purpose.
    """
    energy = float(np.square(steps).sum())
    return float(steps.sum()) ** 2 / (len(steps) * energy) if energy else 1.0


def flicker(glances: Floats) -> float:
    """Return how much brightness and colour, seen through half-closed eyes, swing from frame to frame, in levels.

    It is the mean of |g[t-1] - 2 g[t] + g[t+1]| / 4: nothing for a steady change, A for a swing by ±A in each frame.
    Motion that starts, stops or turns adds to it; compare it with that of a real clip.
    """
    return float(np.abs(np.diff(glances, n=2, axis=0)).mean() / 4) if len(glances) > 2 else 0.0


def sharpness_ratios(curve: Floats, first: float, last: float) -> Floats:
    """Return the sharpness of evenly spaced frames over what lies on the straight line between their keyframes'.

    Below 1 a frame is softer than its keyframes; the middle of a cross-fade of unlike pictures comes to 0.71. Where
    the keyframes have no detail the ratio is 1.

    Args:
        curve: (T,) the sharpness of the frames from the first keyframe's to the last's, both included.
        first: the sharpness of the first keyframe.
        last: that of the last.
    """
    line = np.linspace(first, last, len(curve))
    return np.divide(curve, line, out=np.ones_like(line), where=line > 0)
