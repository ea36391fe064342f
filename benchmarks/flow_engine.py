"""How good and how fast the flow engine is, against a cross-fade and against warping both pictures by plain DIS.

    python benchmarks/flow_engine.py [CLIP ...] [--scenes 12] [--step 3] [--triples 8] [--speed 540 1080 2160]

Quality: of three frames the middle one is made from the other two. The scenes are drawn: textured things that move by
up to a third of the picture, turn, grow and hide one another before a textured ground that pans and zooms. Of each
clip, frames n and n + 2 step predict n + step. Intervals are bootstrap 95 % ones of the mean of paired differences.
Speed: the one search for motion, and each frame after it, the best of some, since other work on the machine only adds
time. Beside it stand plain DIS, which searches anew for each frame, and the textbook's softmax splatting of both whole
pictures by one `index_add` per corner and channel, which is given the motion.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from splatting import CHANNELS, naive

from keyweave.classical.crossfade import crossfade
from keyweave.classical.flow import flow
from keyweave.media.clips import open_frames
from keyweave.media.types import Frame, Image
from keyweave.metrics.fidelity import psnr, ssim
from keyweave.perceive.flow import flow_between, sampled

HALF = Fraction(1, 2)
Triple = tuple[Frame, Frame, Frame]


class Sprite(NamedTuple):
    """A textured thing and how it moves in one unit of time."""

    pixels: np.ndarray  # (S, S, 4) float32, premultiplied
    start: np.ndarray  # (2,) where its middle is at time 0
    motion: np.ndarray  # (2,) pixels
    turn: float  # radians
    growth: float  # factor


def texture(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Return cloudy noise about a colour, (height, width, 3)."""
    noise = np.zeros((height, width, 3), np.float32)
    for grain, strength in ((3, 18), (8, 29), (30, 36), (90, 36)):
        seeds = rng.normal(size=(max(2, height // grain), max(2, width // grain), 3)).astype(np.float32)
        noise += strength * cv2.resize(seeds, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(rng.uniform(40, 215, 3).astype(np.float32) + noise, 0, 255)


def sprite(rng: np.random.Generator, width: int, height: int) -> Sprite:
    """Return a round or lobed thing somewhere, moving by up to a third of the picture."""
    radius = int(rng.uniform(0.12, 0.23) * height)
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    rim = radius * (0.8 + 0.15 * np.sin(np.arctan2(y, x) * rng.integers(2, 6) + rng.uniform(0, 6)))
    alpha = np.clip(rim - np.hypot(x, y) + 0.5, 0, 1)[..., None].astype(np.float32)
    angle = rng.uniform(0, 2 * np.pi)
    motion = rng.uniform(0.1, 1 / 3) * width * np.array([np.cos(angle), 0.6 * np.sin(angle)])
    middle = rng.uniform([0.25 * width, 0.25 * height], [0.75 * width, 0.75 * height])
    pixels = np.dstack([texture(rng, *alpha.shape[:2]) * alpha, 255 * alpha])
    return Sprite(pixels, middle - motion / 2, motion, rng.uniform(-0.4, 0.4), rng.uniform(0.88, 1.14))


def drawn(seed: int, width: int = 640, height: int = 360) -> Triple:
    """Draw a scene at times 0, 1/2 and 1."""
    rng = np.random.default_rng(seed)
    ground = texture(rng, 2 * height, 2 * width)
    pan, zoom = rng.uniform(-0.04, 0.04, 2) * width, rng.uniform(0.93, 1.08)
    sprites = [sprite(rng, width, height) for _ in range(3)]

    def placed(layer: np.ndarray, size: float, turn: float, middle: np.ndarray) -> np.ndarray:
        rows, columns = layer.shape[:2]
        matrix = cv2.getRotationMatrix2D((columns / 2, rows / 2), np.degrees(turn), size)
        matrix[:, 2] += middle - np.array([columns, rows]) / 2
        return cv2.warpAffine(layer, matrix, (width, height))

    def at(t: float) -> Frame:
        picture = placed(ground, zoom**t, 0, np.array([width, height]) / 2 + pan * t)
        for each in sprites:
            layer = placed(each.pixels, each.growth**t, each.turn * t, each.start + each.motion * t)
            picture = picture * (1 - layer[..., 3:] / 255) + layer[..., :3]
        return np.rint(picture).clip(0, 255).astype(np.uint8)

    return at(0), at(0.5), at(1)


def triples(clip: Path, step: int, count: int) -> Iterator[Triple]:
    """Yield frames n, n + step, n + 2 step from all over a clip."""
    with closing(open_frames(clip)) as source:
        length = int(source.duration * source.rate) - 2 * step - 1
        for number in range(count):
            start = Fraction(length * number // count) / source.rate
            frames = [np.array(frame) for frame in islice(source.frames(start), 2 * step + 1)]
            if len(frames) == 2 * step + 1:
                yield frames[0], frames[step], frames[-1]


def by_crossfade(a: Frame, b: Frame) -> Frame:
    return next(iter(crossfade(Image(a), Image(b), [HALF])))


def by_plain_dis(a: Frame, b: Frame) -> Frame:
    """Warp each picture half of its way by DIS as it comes, and average."""
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    grey = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (a, b)]
    warped = []
    for image, here, there in ((a, *grey), (b, *grey[::-1])):
        way = search.calc(here, there, np.zeros((*a.shape[:2], 2), np.float32))
        warped.append(sampled(image, np.asarray(way, np.float32) / -2))
    return cv2.addWeighted(warped[0], 0.5, warped[1], 0.5, 0)


def by_flow(a: Frame, b: Frame) -> Frame:
    return next(iter(flow(Image(a), Image(b), [HALF])))


WAYS: dict[str, Callable[[Frame, Frame], Frame]] = {
    "crossfade": by_crossfade,
    "plain DIS": by_plain_dis,
    "flow": by_flow,
}


def interval(differences: np.ndarray) -> str:
    """Return the mean with its bootstrap 95 % interval."""
    rng = np.random.default_rng(0)
    means = rng.choice(differences, (4000, len(differences))).mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return f"{differences.mean():+.2f} [{low:+.2f}, {high:+.2f}]"


def quality(name: str, cases: Iterator[Triple]) -> None:
    """Print one row."""
    made = [
        [(psnr(out, middle), ssim(out, middle)) for out in (way(a, b) for way in WAYS.values())]
        for a, middle, b in cases
    ]
    if not made:
        print(f"{name:28}  too short")
        return
    scores = np.array(made)  # (N, 3, 2)
    means = "  ".join(f"{decibels:5.2f} {alike:.3f}" for decibels, alike in scores.mean(axis=0))
    gains = scores[:, 2, 0] - scores[:, 1, 0], scores[:, 2, 0] - scores[:, 0, 0]
    print(f"{name[:28]:28} {len(made):3}  {means}  {'  '.join(map(interval, gains))}", flush=True)


def by_naive_splatting(a: Frame, b: Frame, motion: tuple[np.ndarray, np.ndarray]) -> Frame:
    """Throw every pixel of both pictures half of its way, the more alike in front, and average."""
    thrown = []
    for here, there, way in ((a, b, motion[0]), (b, a, motion[1])):
        unlike = np.abs(here.astype(np.float32) - sampled(there, way)).mean(axis=2)
        layers = np.dstack([here.astype(np.float32)] + [np.ones_like(unlike)] * (CHANNELS - 3))
        source, half, metric = (
            torch.from_numpy(np.ascontiguousarray(each.transpose(2, 0, 1)))[None]
            for each in (layers, way / 2, -0.1 * unlike[..., None])
        )
        thrown.append(naive(source, half, metric)[0, :3].numpy().transpose(1, 2, 0))
    return np.rint((thrown[0] + thrown[1]) / 2).clip(0, 255).astype(np.uint8)


def seconds(work: Callable[[], object], times: int) -> float:
    """Return how long one call takes at best."""
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
    return min(taken)


def speed(height: int, frames: int = 8) -> None:
    """Print one row."""
    width = height * 16 // 9
    a, _, b = drawn(0, width, height)
    search = seconds(lambda: flow_between(a, b), 2)
    pair = flow_between(a, b)
    going = flow(Image(a), Image(b), [Fraction(k, frames + 2) for k in range(1, frames + 2)])
    next(going)
    each = seconds(lambda: next(going), frames)
    plain = seconds(lambda: by_plain_dis(a, b), 2)
    textbook = seconds(lambda: by_naive_splatting(a, b, (pair.forward, pair.backward)), 2)
    print(
        f"{width:5} x {height:<5} {search:6.2f} s  {1 / each:6.2f} frames/s   "
        f"{1 / plain:6.2f} frames/s (x {plain / each:.1f})   {1 / textbook:6.2f} frames/s (x {textbook / each:.1f})",
        flush=True,
    )


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("clips", type=Path, nargs="*")
    parser.add_argument("--scenes", type=int, default=12)
    parser.add_argument("--step", type=int, default=3)
    parser.add_argument("--triples", type=int, default=8)
    parser.add_argument("--speed", type=int, nargs="*", default=[540, 1080, 2160])
    options = parser.parse_args()
    names = "  ".join(f"{name:>11}" for name in WAYS)
    print(f"{'PSNR and SSIM':28} {'n':>3}  {names}  flow - plain DIS, dB    flow - crossfade, dB")
    if options.scenes:
        quality("drawn scenes", (drawn(seed) for seed in range(options.scenes)))
    for clip in options.clips:
        quality(clip.stem, triples(clip, options.step, options.triples))
    if options.speed:
        by_flow(*drawn(0, 160, 90)[::2])  # what is loaded once is no part of the search
        print("    picture       search           flow   plain DIS, flow ahead by   naive splatting, flow ahead by")
    for height in options.speed:
        speed(height)


if __name__ == "__main__":
    main()
