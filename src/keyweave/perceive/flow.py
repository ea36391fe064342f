"""Optical flow: where each pixel of one picture is found in another, and how far that can be believed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import cv2
import numpy as np

from keyweave.perceive.filling import resized
from keyweave.perceive.proposals import propose

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from keyweave.media.types import Frame

    Floats = NDArray[np.floating]  # float32 in fact; the stubs of NumPy lose track of it
    Grey = NDArray[np.uint8]

Preset = Literal["fast", "medium", "fine"]


@dataclass(frozen=True)
class _Effort:
    pixels: int  # the picture is made smaller than this before it is searched
    finest: int  # the finest level that is searched: 0 is every pixel
    gradient_steps: int
    smoothing_steps: int


_EFFORTS: dict[Preset, _Effort] = {
    "fast": _Effort(480 * 270, 1, 12, 3),
    "medium": _Effort(960 * 540, 1, 16, 5),
    "fine": _Effort(1920 * 1080, 1, 25, 8),
}
_GUESSED = 480  # pixels along the longer side where proposals are tried
_SMALLEST = 16  # shorter pictures are continued at their borders, which the dense search needs
_PATCH = 2.5  # pixels at the guessing size over which the cost of a proposal is gathered
_STRANGE = 40.0  # levels of difference at which two colours have nothing to do with each other
_COARSE = 8  # pixels to one of the picture from which slow changes of light are read
_FORGIVEN = 0.7  # the share of such a change that is no difference
_MEAN = np.full((1, 3), 1 / 3, np.float32)
_SLACK = 0.06  # proposals must beat plain search by this share of `_STRANGE`


@dataclass(frozen=True, eq=False)
class FlowPair:
    """The flow both ways, and how far each pixel of it can be believed.

    Args:
        forward: (H, W, 2) pixels (dx, dy) from the first picture to the second.
        backward: (H, W, 2) from the second to the first.
        forward_trust: (H, W) from 0 to 1: there and back leads home, and the two places look alike.
        backward_trust: the same for the second picture.
    """

    forward: Floats
    backward: Floats
    forward_trust: Floats
    backward_trust: Floats

    @property
    def consistent(self) -> float:
        """The share of pixels, both ways, that are believed."""
        return float((self.forward_trust.mean() + self.backward_trust.mean()) / 2)

    @property
    def foreground_magnitude(self) -> float:
        """How far what moves moves, in pixels: the mean over what is faster than half the fastest believed pixels."""
        speed = np.linalg.norm(self.forward, axis=2)[self.forward_trust > 0.5]
        if speed.size == 0:
            return 0.0
        return float(speed[speed >= np.quantile(speed, 0.98) / 2].mean())


def estimate_flow(a: Frame, b: Frame, *, preset: Preset = "medium", near: bool = False) -> Floats:
    """Return the flow (H, W, 2) in pixels (dx, dy) from a to b; satisfies `protocols.FlowEstimator`."""
    return flow_between(a, b, preset, near=near).forward


def flow_between(a: Frame, b: Frame, preset: Preset = "medium", *, near: bool = False) -> FlowPair:
    """Search for the flow both ways.

    Args:
        a: a picture (H, W, 3 or 4).
        b: another of the same size.
        preset: how large the pictures are when they are searched, and how carefully.
        near: they follow one another in a film, so that nothing goes far; this is several times faster.
    """
    if a.shape != b.shape:
        raise ValueError(f"flow is between pictures of one size; got {a.shape} and {b.shape}")
    size = a.shape[1], a.shape[0]
    effort = _EFFORTS[preset]
    a, b = (_continued(_within(opaque(image), effort.pixels)) for image in (a, b))
    grey = [_grey(image) for image in (a, b)]
    guessed = [np.zeros((*grey[0].shape, 2), np.float32)] * 2 if near else _guess(a, b)
    search = _searcher(effort)
    flows = []
    for way in (0, 1):
        guess = resize_flow(guessed[way], (a.shape[1], a.shape[0]))
        found = _searched(search, grey[way], grey[1 - way], guess)
        flows.append(_best(*((a, b), (b, a))[way], [found, guess]))
    trusts = [
        trust(here, there, flow, back)
        for here, there, flow, back in zip((a, b), (b, a), flows, flows[::-1], strict=True)
    ]
    inner = _within_size(size, effort.pixels)
    flows = [resize_flow(flow[: inner[1], : inner[0]], size) for flow in flows]
    trusts = [resized(each[: inner[1], : inner[0]], size) for each in trusts]
    return FlowPair(flows[0], flows[1], trusts[0], trusts[1])


def trust(here: Frame, there: Frame, flow: Floats, back: Floats) -> Floats:
    """Say of each pixel (H, W), 0 to 1, whether its flow leads to what looks alike, and from there home.

    Args:
        here: the picture that the flow starts from (H, W, 3).
        there: the picture that it leads to.
        flow: (H, W, 2) from here to there.
        back: (H, W, 2) from there to here.
    """
    returned = sampled(back, flow)
    error = np.linalg.norm(flow + returned, axis=2)
    # An error counts by what the motion itself amounts to, and by the size of the picture.
    allowed = 1 + 0.05 * np.linalg.norm(flow, axis=2) + max(flow.shape) / 1000
    home = np.exp(-((error / allowed) ** 2))
    unlike = difference(here, there, flow)
    alike = np.exp(-((cv2.GaussianBlur(unlike, (0, 0), 1.5) / _STRANGE) ** 2))
    return np.asarray(home * alike * _inside(flow), np.float32)


def difference(here: Frame, there: Frame, flow: Floats) -> Floats:
    """Return how much each pixel (H, W) differs from where the flow leads, in levels, slow changes of light forgiven.

    Args:
        here: the picture that the flow starts from (H, W, 3).
        there: the picture that it leads to.
        flow: (H, W, 2) from here to there.
    """
    apart = _apart(here, there, flow)
    height, width = flow.shape[:2]
    coarse = max(1, width // _COARSE), max(1, height // _COARSE)
    # What is plainly something else must not pass for a change of light around it.
    light = resized(apart.clip(-_STRANGE, _STRANGE), coarse, cv2.INTER_AREA)
    light = np.asarray(cv2.GaussianBlur(light, (0, 0), max(*coarse, 8) / 8), np.float32)
    return _magnitude(apart - np.float32(_FORGIVEN) * resized(light, (width, height)))


def _apart(here: Frame, there: Frame, flow: Floats) -> Floats:
    return np.asarray(cv2.subtract(here, sampled(there, flow), dtype=cv2.CV_32F), np.float32)


def _magnitude(apart: Floats) -> Floats:
    return np.asarray(cv2.transform(np.abs(apart), _MEAN), np.float32)


def related(a: Frame, b: Frame) -> float:
    """Say from 0 to 1 how far two pictures show one scene: the share of each that is found again in the other."""
    return flow_between(a, b, "fast").consistent


def _guess(a: Frame, b: Frame) -> list[Floats]:
    """Try all proposals at a low resolution, and take for each pixel the one that explains it best; both ways."""
    scale = min(1.0, _GUESSED / max(a.shape[:2]))
    size = max(_SMALLEST, round(a.shape[1] * scale)), max(_SMALLEST, round(a.shape[0] * scale))
    small = [shrunk(image, size) for image in (a, b)]
    grey = [_grey(image) for image in small]
    still = np.zeros((size[1], size[0], 2), np.float32)
    proposals = [(still, still), *propose(grey[0], grey[1])]
    search = _searcher(_EFFORTS["fast"])
    guesses = []
    for way in (0, 1):
        here, there = way, 1 - way
        tried = [_searched(search, grey[here], grey[there], proposal[way]) for proposal in proposals]
        # Patches slide but do not turn: a motion that turns or grows is better left as it was proposed.
        chosen = _best(small[here], small[there], [*tried, *(proposal[way] for proposal in proposals[1:])])
        guesses.append(np.dstack([cv2.medianBlur(np.ascontiguousarray(chosen[..., k]), 5) for k in (0, 1)]))
    return guesses


def _best(here: Frame, there: Frame, flows: list[Floats]) -> Floats:
    """Take for each pixel the flow that explains it best, the first if in doubt."""
    costs = [_cost(here, there, flow) + _SLACK * (number > 0) for number, flow in enumerate(flows)]
    choice = np.argmin(costs, axis=0)
    return np.take_along_axis(np.stack(flows), choice[None, ..., None], axis=0)[0]


def _cost(here: Frame, there: Frame, flow: Floats) -> Floats:
    """Return how badly a flow explains each pixel and its neighbours, 0 to 1; to lead outside explains little."""
    unlike = np.minimum(_magnitude(_apart(here, there, flow)) / _STRANGE, 1)
    unlike = np.where(_inside(flow) > 0, unlike, np.float32(0.5))
    return np.asarray(cv2.GaussianBlur(unlike, (0, 0), _PATCH), np.float32)


def _grey(image: Frame) -> Grey:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)


def _searched(search: cv2.DISOpticalFlow, here: Grey, there: Grey, start: Floats) -> Floats:
    """Search from a first guess, which stays as it is."""
    return np.asarray(search.calc(here, there, start.copy()), np.float32)


def _searcher(effort: _Effort) -> cv2.DISOpticalFlow:
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    search.setFinestScale(effort.finest)
    search.setGradientDescentIterations(effort.gradient_steps)
    search.setVariationalRefinementIterations(effort.smoothing_steps)
    return search


def supported(trust: Floats) -> Floats:
    """Take the trust (H, W) away from specks: chance makes a pixel agree here and there, a scene makes an area."""
    around = cv2.GaussianBlur(trust, (0, 0), max(1.0, max(trust.shape) / 80))
    return np.asarray(trust * np.clip((around - 0.1) / 0.25, 0, 1), np.float32)


def sampled(picture: NDArray[Any], flow: Floats, *, border: int = cv2.BORDER_REPLICATE) -> NDArray[Any]:
    """Look up a picture or field (H, W) or (H, W, C) at the ends of a flow (H, W, 2), and keep its type."""
    # The second map is for another format; the stubs do not know that it may be left out.
    return cv2.remap(picture, targets(flow), None, cv2.INTER_LINEAR, borderMode=border)  # type: ignore[call-overload]


def targets(flow: Floats) -> Floats:
    """Return where each pixel goes, (H, W, 2)."""
    height, width = flow.shape[:2]
    to = np.array(flow, np.float32)
    to[..., 0] += np.arange(width, dtype=np.float32)
    to[..., 1] += np.arange(height, dtype=np.float32)[:, None]
    return to


def _inside(flow: Floats) -> Floats:
    """Return 1 where the flow stays in the picture, 0 where it leaves it."""
    height, width = flow.shape[:2]
    x, y = np.moveaxis(targets(flow), 2, 0)
    within = (x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5)
    return within.astype(np.float32)


def opaque(image: Frame) -> Frame:
    """Lay what is transparent over grey, so that outlines move with what they outline."""
    if image.shape[2] == 3:
        return image
    alpha = image[..., 3:].astype(np.float32) / 255
    return np.rint(image[..., :3] * alpha + 128 * (1 - alpha)).astype(np.uint8)


def _within_size(size: tuple[int, int], pixels: int) -> tuple[int, int]:
    """Return the size, made smaller if it holds more pixels."""
    scale = min(1.0, (pixels / (size[0] * size[1])) ** 0.5)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _within(image: Frame, pixels: int) -> Frame:
    return shrunk(image, _within_size((image.shape[1], image.shape[0]), pixels))


def shrunk(image: Frame, size: tuple[int, int]) -> Frame:
    """Return a picture made smaller, each pixel the mean of those that it stands for."""
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _continued(image: Frame) -> Frame:
    """Repeat the right and lower border of a picture that is too small to search."""
    below, beside = (max(0, _SMALLEST - length) for length in image.shape[:2])
    return np.asarray(cv2.copyMakeBorder(image, 0, below, 0, beside, cv2.BORDER_REPLICATE), np.uint8)


def resize_flow(flow: Floats, size: tuple[int, int]) -> Floats:
    """Resize a flow, its lengths with it."""
    factor = np.array([size[0] / flow.shape[1], size[1] / flow.shape[0]], np.float32)
    larger = size[0] * size[1] > flow.shape[0] * flow.shape[1]
    return resized(flow * factor, size) if larger else resized(flow, size) * factor
