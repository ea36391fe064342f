"""Guesses at large motion: a few simple motions that would each explain a part of the scene.

A dense method follows what moves a few patches far. What moves farther it can only follow when told where to look; so
matched features and the peaks of phase correlation propose motions, and the dense method tries them all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from keyweave.perceive.filling import spread

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating]  # float32 in fact; the stubs of NumPy lose track of it
    Grey = NDArray[np.uint8]

_MOST_FEATURES = 3000
_RATIO = 0.8  # Lowe's: the best match must beat the second by this
_ROUNDING = 1e-5  # what the squared distance of equal descriptors may come to
_MOST_MOTIONS = 6
_FEWEST_INLIERS = 6
_REACH = 0.012  # how far from a common motion a match may lie, in longer sides; the dense method does the rest
_MOST_PEAKS = 4
_LOWEST_PEAK = 1e-3  # what arithmetic alone leaves stays below
_FAINT = 1.0  # a frequency with less power than this, in squared levels, says nothing
_FOUND_AGAIN = 0.3  # the share of what is left over that must agree with a shift of it
_NOISE = 12.0  # levels of difference up to which a pixel is explained
_SCALES = 0.3, 3.0  # the change of size that a believable motion may bring
_CORRELATED = 256  # pixels along the longer side for phase correlation


def propose(a: Grey, b: Grey) -> list[tuple[Floats, Floats]]:
    """Propose dense motions (H, W, 2) from a to b, each with its opposite from b to a.

    Args:
        a: grey picture (H, W).
        b: another of the same size.
    """
    from_a, from_b = matched_points(a, b)
    motions, explained = common_motions(from_a, from_b, _REACH * max(a.shape))
    motions += [_shift(peak) for peak in correlation_peaks(a, b)]
    motions += [_shift(peak) for peak in leftover_peaks(a, b, motions)]
    pairs = [(_dense(motion, a.shape), _dense(_inverse(motion), a.shape)) for motion in motions]
    if explained.sum() >= _FEWEST_INLIERS:
        # Bent and parallel motion is no sum of a few simple ones: follow the matches themselves.
        there, back = from_a[explained], from_b[explained]
        pairs.append((_drawn_through(there, back - there, a.shape), _drawn_through(back, there - back, a.shape)))
    return pairs


def matched_points(a: Grey, b: Grey) -> tuple[Floats, Floats]:
    """Return points (N, 2) of a, and the points of b that look like them, each the other's best."""
    finder = cv2.SIFT.create(nfeatures=_MOST_FEATURES, contrastThreshold=0.02)
    (points_a, looks_a), (points_b, looks_b) = (finder.detectAndCompute(image, None) for image in (a, b))
    nothing = np.zeros((0, 2), np.float32)
    if len(points_a) < 2 or len(points_b) < 2:
        return nothing, nothing
    likeness = _unit(np.asarray(looks_a, np.float32)) @ _unit(np.asarray(looks_b, np.float32)).T
    every = np.arange(len(likeness))
    best, home = likeness.argmax(axis=1), likeness.argmax(axis=0)
    nearest = 1 - likeness[every, best]
    likeness[every, best] = -np.inf
    good = (nearest + _ROUNDING < _RATIO**2 * (1 - likeness.max(axis=1))) & (home[best] == every)
    at_a, at_b = (np.array([point.pt for point in points], np.float32) for points in (points_a, points_b))
    return at_a[good], at_b[best[good]]


def _unit(looks: Floats) -> Floats:
    """Return descriptors (N, D) of length 1; their squared distance is then 2 less twice their product."""
    return looks / np.maximum(np.linalg.norm(looks, axis=1, keepdims=True), np.float32(1e-6))


def common_motions(from_a: Floats, from_b: Floats, reach: float) -> tuple[list[Floats], NDArray[np.bool_]]:
    """Peel off motions that many matches share, the most common first.

    Args:
        from_a: points (N, 2).
        from_b: where they went (N, 2).
        reach: how many pixels a match may lie beside a common motion.

    Returns:
        The motions as affine matrices (2, 3), and which matches (N,) follow one of them.
    """
    left = np.arange(len(from_a))
    explained = np.zeros(len(from_a), bool)
    motions: list[Floats] = []
    while len(motions) < _MOST_MOTIONS and len(left) >= _FEWEST_INLIERS:
        motion, inliers = cv2.estimateAffine2D(from_a[left], from_b[left], ransacReprojThreshold=reach, maxIters=1000)
        inside = inliers.ravel().astype(bool)
        if motion is None or inside.sum() < _FEWEST_INLIERS:
            break
        stretches = np.linalg.svd(motion[:, :2], compute_uv=False)
        if _SCALES[0] < stretches.min() and stretches.max() < _SCALES[1]:
            motions.append(motion.astype(np.float32))
            explained[left[inside]] = True
        left = left[~inside]
    return motions, explained


def correlation_peaks(a: Grey, b: Grey) -> list[tuple[float, float]]:
    """Return the shifts (dx, dy) in pixels that the peaks of the phase correlation stand for, highest first."""
    scale = min(1.0, _CORRELATED / max(a.shape))
    size = max(1, round(a.shape[1] * scale)), max(1, round(a.shape[0] * scale))
    small = [cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.float32) for image in (a, b)]
    spectra = [np.fft.rfft2(image - cv2.GaussianBlur(image, (0, 0), 8)) for image in small]
    cross = spectra[1] * np.conj(spectra[0])
    surface = np.fft.irfft2(cross / (np.abs(cross) + _FAINT), s=small[0].shape)
    return _peaks(surface, a.shape, _LOWEST_PEAK)


def leftover_peaks(a: Grey, b: Grey, motions: list[Floats]) -> list[tuple[float, float]]:
    """Return the shifts (dx, dy) in pixels of what the motions, and standing still, leave unexplained.

    What is small has little part in the correlation of whole pictures, and few features; but it is what is left over
    once all the rest is taken away.

    Args:
        a: grey picture (H, W).
        b: another of the same size.
        motions: affine matrices (2, 3) from a to b.
    """
    size = a.shape[1], a.shape[0]
    left = []
    for here, there, ways in ((a, b, motions), (b, a, [_inverse(motion) for motion in motions])):
        back = cv2.WARP_INVERSE_MAP | cv2.INTER_LINEAR
        looks = [
            there,
            *(cv2.warpAffine(there, way, size, flags=back, borderMode=cv2.BORDER_REPLICATE) for way in ways),
        ]
        least = np.min([cv2.GaussianBlur(cv2.absdiff(here, look), (0, 0), 1) for look in looks], axis=0)
        strange = np.clip((least.astype(np.float32) - _NOISE) / _NOISE, 0, 1)
        around = cv2.GaussianBlur(here.astype(np.float32), (0, 0), max(size) / 24)
        left.append((here - around) * strange)
    cross = np.fft.rfft2(left[1]) * np.conj(np.fft.rfft2(left[0]))
    whole = float(np.linalg.norm(left[0]) * np.linalg.norm(left[1]))
    return _peaks(np.fft.irfft2(cross, s=a.shape), a.shape, max(_FOUND_AGAIN * whole, _LOWEST_PEAK))


def _peaks(surface: Floats, shape: tuple[int, ...], least: float) -> list[tuple[float, float]]:
    """Return the shifts (dx, dy), in pixels of a picture, that stand out of a cyclic correlation, highest first."""
    smooth = cv2.GaussianBlur(surface.astype(np.float32), (0, 0), 1, borderType=cv2.BORDER_REFLECT)
    surface = np.asarray(smooth, np.float32)
    least = max(5 * float(surface.std()), least)
    peaks: list[tuple[float, float]] = []
    rows, columns = surface.shape
    ys, xs = np.ogrid[:rows, :columns]
    while len(peaks) < _MOST_PEAKS:
        y, x = np.unravel_index(int(surface.argmax()), surface.shape)
        if surface[y, x] <= least:
            break
        # The correlation is cyclic: what lies beyond the middle is a shift the other way.
        dx, dy = (int(at) - length * (at > length // 2) for at, length in ((x, columns), (y, rows)))
        peaks.append((dx * shape[1] / columns, dy * shape[0] / rows))
        around_x, around_y = (np.minimum((at - k) % n, (k - at) % n) for at, k, n in ((x, xs, columns), (y, ys, rows)))
        surface[(around_x <= 3) & (around_y <= 3)] = -np.inf
    return peaks


def _shift(by: tuple[float, float]) -> Floats:
    return np.array([[1, 0, by[0]], [0, 1, by[1]]], np.float32)


def _inverse(motion: Floats) -> Floats:
    return np.asarray(cv2.invertAffineTransform(motion), np.float32)


def _dense(motion: Floats, shape: tuple[int, ...]) -> Floats:
    """Return the flow (H, W, 2) of an affine motion (2, 3)."""
    ys, xs = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    grid = np.dstack([xs, ys, np.ones_like(xs)])
    return grid @ motion.T - grid[..., :2]


def _drawn_through(points: Floats, moves: Floats, shape: tuple[int, ...]) -> Floats:
    """Return a smooth flow (H, W, 2) that passes through the moves (N, 2) at the points (N, 2)."""
    count = np.zeros(shape, np.float32)
    sums = np.zeros((*shape, 2), np.float32)
    x, y = np.rint(points).astype(int).T
    x, y = x.clip(0, shape[1] - 1), y.clip(0, shape[0] - 1)
    np.add.at(count, (y, x), 1)
    np.add.at(sums, (y, x), moves)
    return spread(sums / np.maximum(count, np.float32(1))[..., None], np.minimum(count, np.float32(1)))
