"""What is measured of a clip that was made between two keyframes, beside the clip that really lies there."""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot
from typing import TYPE_CHECKING

import numpy as np
import torch

from keyweave.maths.tensors import to_tensor
from keyweave.metrics.fidelity import mean_squared_error, psnr_of, ssim
from keyweave.metrics.motion import Walker
from keyweave.metrics.seams import end_seams
from keyweave.metrics.warping_error import warping_error
from keyweave.perceive.flow import flow_between
from keyweave.recipes.features import SEEN
from keyweave.recipes.scores import filled, is_clear, is_mover, truth_of, whereabouts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from keyweave.bench.pairs import Footage
    from keyweave.media.types import Frame
    from keyweave.perceive.features import ToyFeatures

    Floats = NDArray[np.floating]
    Values = dict[str, float | None]
    Place = Floats | None

_STEP = 1 / 4  # of an even step: who goes less far in a step stands
_MOST_PSNR = 99.0  # that of frames which are the same, so that a mean over pairs can be taken
_SMALLEST = 11  # pixels a side for SSIM


@dataclass(frozen=True)
class Measure:
    """A column of the table.

    Args:
        key: in files.
        title: in tables and pictures.
        up: whether more is better; None where 1 is best.
        says: what it is.
        toyworld: whether only the drawn world can be measured so.
    """

    key: str
    title: str
    up: bool | None
    says: str
    toyworld: bool = False


MEASURES = (
    Measure("psnr", "PSNR, dB", True, "to the real frames between the keyframes"),
    Measure("swept", "PSNR swept, dB", True, "the same, where any actor is at any time of the real clip", True),
    Measure("ssim", "SSIM", True, "to the real frames between the keyframes"),
    Measure("ends", "ends, dB", True, "PSNR of the first and last frame as made, before keyframes take their place"),
    Measure("seams", "seams", True, "share of the film's two ends at which no step of picture or colour stands out"),
    Measure("warping", "WE x 1000", False, "warping error of the film, by the flow of its own frames (fast, near)"),
    Measure("progress", "progress", True, "share of steps in which the actor goes the true way across", True),
    Measure("path", "path", None, "how far the actor goes, to and fro, over the true way; 1 is straight there", True),
    Measure("place", "place, px", False, "how far the actor is from where it really is", True),
    Measure("found", "found", True, "share of frames between the keyframes in which the actor is seen at all", True),
    Measure("forward", "forward", True, "share of films that toy-features takes to run forward in time", True),
    Measure("kind", "kind", True, "share of frames between the keyframes whose actor toy-features recognises", True),
    Measure("color", "color", True, "the same of its colour", True),
)  # fmt: skip


def pinned(made: Frame, real: Frame) -> Frame:
    """Return the film of a made clip (F, H, W, 3): as it is, but with the keyframes themselves at its ends.

    What else the engine `generative` does to its clips is done before, and only if that was asked for.
    """
    return np.concatenate([real[:1], made[1:-1], real[-1:]])


def measure(made: Frame, footage: Footage) -> Values:
    """Measure a clip (F, H, W, 3) as it was made, all but what needs the judge.

    What a pair does not let be measured, since it has no one who moves, or is not drawn, is None.
    """
    real, shot = footage.frames, footage.shot
    between = list(zip(made[1:-1], real[1:-1], strict=True))
    ends = [mean_squared_error(made[k], real[k]) for k in (0, -1)]
    film = pinned(made, real)
    large = min(real.shape[1:3]) >= _SMALLEST
    values: Values = {
        "psnr": _decibels(float(np.mean([mean_squared_error(*pair) for pair in between]))),
        "swept": None,
        "ssim": float(np.mean([ssim(*pair) for pair in between])) if large else None,
        "ends": _decibels(float(np.mean(ends))),
        "seams": _whole_ends(film),
        "warping": 1000 * warping_error(film, _Estimate()).error,
        "progress": None,
        "path": None,
        "place": None,
        "found": None,
    }
    if shot is None:
        return values
    region = truth_of(shot).masks().any(axis=(0, 1))
    if region.any():
        apart = made[1:-1, region].astype(np.float64) - real[1:-1, region]
        values["swept"] = _decibels(float(np.square(apart).mean()))
    if is_mover(shot):
        values |= walk(whereabouts(made, shot), whereabouts(real, shot))
    return values


def walk(places: Sequence[Place], real: Sequence[Place]) -> Values:
    """Measure how somebody goes, who is at (x, y) in each frame or was lost.

    All actors of the drawn world go to the left or to the right; the speed of that is not to be seen in a still, so
    only its direction is judged. Up and down they may bounce.

    Args:
        places: where they are in each frame, as it was made: a keyframe put in place would add a jump, maybe forward.
        real: where they ought to be; known in the first frame and in the last.
    """
    x, true = (np.array([np.nan if place is None else place[0] for place in row]) for row in (places, real))
    way = float(true[-1] - true[0])
    if not abs(way) > 0:
        return dict.fromkeys(("progress", "path", "place", "found"))
    steps = np.diff(x) * np.sign(way)
    known = x[np.isfinite(x)]
    apart = [hypot(*(a - b)) for a, b in zip(places, real, strict=True) if a is not None and b is not None]
    return {
        # A step from or to a frame without the actor is none in the right direction.
        "progress": float(np.mean(np.nan_to_num(steps) >= _STEP * abs(way) / len(steps))),
        "path": float(np.abs(np.diff(known)).sum() / abs(way)) if len(known) > 1 else None,
        "place": float(np.mean(apart)) if apart else None,
        "found": float(np.mean(np.isfinite(x[1:-1]))),
    }


@torch.no_grad()
def judged(judge: ToyFeatures, films: Frame, footages: Sequence[Footage]) -> tuple[list[Values], Floats]:
    """Let toy-features look at films (B, F, H, W, 3) of the drawn world.

    Returns:
        What it says of each, and (B, V) the vectors that it sums them up in.
    """
    seen = judge(to_tensor(films).to(next(judge.parameters()).device))
    kinds, colors = (said.argmax(-1).cpu().numpy() for said in (seen.frame_kinds, seen.frame_colors))
    rows: list[Values] = []
    for number, footage in enumerate(footages):
        assert footage.shot is not None, "only the drawn world is judged"
        row: Values = {"forward": float(seen.forward[number] > 0), "kind": None, "color": None}
        if is_clear(footage.shot.scene):
            (role,) = footage.shot.scene.cast
            shown = filled(truth_of(footage.shot)) >= SEEN
            shown[[0, -1]] = False
            if shown.any():
                row["kind"] = float(np.mean(kinds[number, shown] == judge.kinds.index(role.kind)))
                row["color"] = float(np.mean(colors[number, shown] == judge.colors.index(role.color)))
        rows.append(row)
    return rows, seen.vector.cpu().numpy()


class _Estimate:
    """The flow between two frames; it is searched both ways at once, so the way back is kept for the next question."""

    def __init__(self) -> None:
        self._back: tuple[Frame, Frame, Floats] | None = None

    def __call__(self, a: Frame, b: Frame) -> Floats:
        if self._back is not None and np.array_equal(self._back[0], a) and np.array_equal(self._back[1], b):
            return self._back[2]
        pair = flow_between(a, b, "fast", near=True)
        self._back = b, a, pair.backward
        return pair.forward


def _whole_ends(film: Frame) -> float | None:
    """Return the share of the ends of a film (F, H, W, 3) that nothing shows to be keyframes; None of a short one."""
    walker = Walker()
    for frame in film:
        walker.see(frame)
    ends = end_seams(walker.walk)
    if any(one.step.kind == "unknown" for one in ends):
        return None
    return sum(not one.faults for one in ends) / len(ends)


def _decibels(error: float) -> float:
    return min(psnr_of(error), _MOST_PSNR)
