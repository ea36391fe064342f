"""The in-betweener that moves things: both pictures are carried along their optical flow and meet at time t."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch

from keyweave.base.progress import SILENT, Progress
from keyweave.classical.blending import Blending
from keyweave.classical.mending import mend, without_specks
from keyweave.maths.strips import splat_in_strips
from keyweave.perceive.filling import resized, spread
from keyweave.perceive.flow import difference, flow_between, opaque, resize_flow, sampled, shrunk, supported
from keyweave.perceive.raft import load_raft

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from fractions import Fraction
    from pathlib import Path

    from numpy.typing import NDArray

    from keyweave.media.types import Frame, Image
    from keyweave.perceive.flow import FlowPair, Preset

    Floats = NDArray[np.floating]  # float32 in fact; the stubs of NumPy lose track of it
    _Pixels = Frame | Floats

_UNRELATED = 0.08  # the share of pixels found again below which two pictures do not show one scene
_GRID = 640 * 360  # motion is carried to time t on a grid of at most so many points
_STRANGE = 25.0  # levels of difference at which a pixel loses to another that lands on the same place
_SHARPNESS = 15.0  # the alpha of softmax splatting: how clearly it loses
_IN_FRONT = 6.0  # what it counts, in exponents, to land where the other picture hides something
_FARTHEST = 3.0  # beyond so many `_STRANGE` it makes no more difference
_MIDDLE = (_SHARPNESS * _FARTHEST - _IN_FRONT) / 2  # added to exponents, it takes them to between -25.5 and 25.5
_NOTHING = np.float32(1e-20)  # where less lands than this, weighted, nothing does
_LANDED = 0.4  # what lands on a point, in points, for its motion to be known
_GRAIN = 300  # what is finer than the longer side by this neither covers nor uncovers
_THIN, _DENSE = 0.2, 0.7  # what lands around a point, in points, for it not to count as covered, and to
_MATCHED = 200  # the fitness of a point is that of its surroundings, finer than the longer side by this
_WELL_SEEN = 0.6  # of the points, the better part that tells whether two pictures show one light
_OTHER_LIGHT, _SAME_LIGHT = 0.35, 0.65  # what these fit at most, and at least, for it to be another, or the same
_LEAST = 0.15  # what a picture counts where it fits the other worst: where both do, they dissolve
_FAR = 1e-3  # what a picture still counts at the other's time, and beyond: it is seen where the other is not
_UNCOVERED = 1e-6  # what it counts where nothing lands: it is seen, spread out, where neither is


def flow(
    first: Image,
    last: Image,
    times: Sequence[Fraction],
    *,
    seed: int = 0,
    progress: Progress = SILENT,
    linear_light: bool = False,
    preset: Preset = "medium",
    near: bool = False,
    raft: Path | None = None,
) -> Iterator[Frame]:
    """Carry both pictures along their motion to each time t, and blend them there; chance plays no part.

    The motion is searched once, so neighbouring times fit one another. What one picture hides is taken from the other.
    Where the motion cannot be believed, the pictures dissolve into one another while they move with what is around.

    Args:
        first: the picture at time 0.
        last: the picture at time 1, of the same size and channels.
        times: in any order; up to 0.3 before 0 and beyond 1 the motion goes on.
        seed: not used.
        progress: a step for each time.
        linear_light: blend light, as a camera does, and not levels.
        preset: how carefully motion is searched.
        near: the pictures follow one another in a film, so that nothing goes far.
        raft: weights of RAFT (.safetensors), which then searches instead.

    Yields:
        A frame (H, W, C) for each time.
    """
    del seed
    a, b = first.pixels, last.pixels
    blending = Blending(first.has_alpha, linear_light)
    ends = blending.ready(a), blending.ready(b)
    pair = load_raft(raft).between(a, b) if raft else flow_between(a, b, preset, near=near)
    if pair.consistent < _UNRELATED:
        progress.warn(
            "The two pictures do not seem to show the same scene, so they dissolve into one another; "
            "consider a cut, or the morph engine."
        )
        meeting = None
    else:
        meeting = _Meeting.of(a, b, pair)
    for time in times:
        yield _drawn(ends, meeting, float(time), blending)
        progress.step()


def _drawn(ends: tuple[_Pixels, _Pixels], meeting: _Meeting | None, time: float, blending: Blending) -> Frame:
    height, width = ends[0].shape[:2]
    if meeting is None:
        a, b = ends
        return blending.blend(a, b, np.full((height, width), min(max(time, 0), 1), np.float32))
    to_ends, share = meeting.at(time)
    a, b = (sampled(end, resize_flow(to_end, (width, height))) for end, to_end in zip(ends, to_ends, strict=True))
    return blending.blend(a, b, resized(share, (width, height)))


@dataclass(frozen=True, eq=False)
class _Meeting:
    """The motion of both pictures on a grid, ready to be carried to any time.

    Args:
        carried: (2, 3, h, w) the flow from each picture to the other, in points of the grid, and the fitness of each
            point: 1 where the other picture shows the same at the end of the flow, towards 0 where it does not.
        strength: (2, 1, h, w) who is in front where several points land: the exponential of the metric of softmax
            splatting, which is the same at every time.
        belief: from 0 to 1, how far what one picture alone shows may be taken from it alone. Where the light of the
            whole scene has changed, it would stand out like a patch.
    """

    carried: Floats
    strength: Floats
    belief: float

    @classmethod
    def of(cls, a: Frame, b: Frame, pair: FlowPair) -> _Meeting:
        """Mend the flows of two pictures (H, W, 3 or 4), and rate how well they explain each point."""
        height, width = a.shape[:2]
        scale = min(1.0, (_GRID / (height * width)) ** 0.5)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        small = [shrunk(opaque(image), size) for image in (a, b)]
        fields = []
        for way, (flow, trust) in enumerate(((pair.forward, pair.forward_trust), (pair.backward, pair.backward_trust))):
            here, there = small[way], small[1 - way]
            believed = supported(resized(trust, size, cv2.INTER_AREA))
            mended = without_specks(mend(resize_flow(flow, size), believed, here))
            # Brightness constancy: what looks the same at the other end of its way is what is seen in front.
            unlike = cv2.GaussianBlur(difference(here, there, mended), (0, 0), 1)
            fitness = np.exp(-np.minimum(unlike / _STRANGE, _FARTHEST))
            # Ground that is seen in both pictures looks the same too; but what comes to hide some of it is in front.
            hides = sampled(1 - believed, mended, border=cv2.BORDER_CONSTANT) * believed
            matched = cv2.GaussianBlur(fitness, (0, 0), max(size) / _MATCHED)
            metric = _SHARPNESS * np.log(fitness) + _IN_FRONT * hides
            fields.append(np.dstack([mended, matched, np.exp(metric + _MIDDLE)]))
        carried, strength = np.split(np.stack(fields).transpose(0, 3, 1, 2).astype(np.float32), [3], axis=1)
        fits = float(np.quantile(carried[:, 2], _WELL_SEEN))
        belief = min(1.0, max(0.0, (fits - _OTHER_LIGHT) / (_SAME_LIGHT - _OTHER_LIGHT)))
        return cls(np.ascontiguousarray(carried), np.ascontiguousarray(strength), belief)

    def at(self, time: float) -> tuple[Floats, Floats]:
        """Return for time t the flows (2, h, w, 2) to both pictures, and the share (h, w) of the second."""
        ways, nearness = (time, 1 - time), (1 - time, time)
        steps = self.carried[:, :2] * np.array(ways, np.float32)[:, None, None, None]
        carried, moved, strength = (torch.from_numpy(each) for each in (self.carried, steps, self.strength))
        landed = splat_in_strips(carried, moved, strength, None).numpy()
        to_ends, seen = [], []
        for sums, way, near in zip(landed, ways, nearness, strict=True):
            fields, total, count = np.split(sums, [3, 4])
            whole = spread(
                np.ascontiguousarray((fields / np.maximum(total, _NOTHING)).transpose(1, 2, 0)),
                np.minimum(1, count[0] / _LANDED),
            )
            to_ends.append(whole[..., :2] * np.float32(-way))
            # Where a picture is stretched, points land here and there; it is the area that is covered, or is not.
            around = cv2.GaussianBlur(np.minimum(1, count[0]), (0, 0), max(count.shape) / _GRAIN)
            covered = np.clip((around - _THIN) / (_DENSE - _THIN), 0, 1)
            seen.append(max(near, _FAR) * (covered * (_LEAST + (1 - _LEAST) * whole[..., 2]) + _UNCOVERED))
        plain = min(max(time, 0.0), 1.0)
        share = plain + self.belief * (seen[1] / (seen[0] + seen[1]) - plain)
        return np.stack(to_ends), np.asarray(share, np.float32)
