"""Samplers: loops that follow a denoiser from noise to something clean, and know nothing else."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

from keyweave.base.progress import SILENT, Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from keyweave.diffusion.denoisers import Denoiser

    Noise = Callable[[int, Tensor], Tensor]


class Solver(Protocol):
    """Goes from one level of noise down to a lower one.

    Args:
        denoise: gives the clean guess.
        x: what is there; its noise has spread `now`.
        now: the level, ().
        then: the next one, which may be 0.
        fresh: whether what came before has nothing to do with this: the first step, or noise was added.
    """

    def __call__(self, denoise: Denoiser, x: Tensor, now: Tensor, then: Tensor, *, fresh: bool) -> Tensor: ...  # noqa: D102


def euler(denoise: Denoiser, x: Tensor, now: Tensor, then: Tensor, *, fresh: bool = True) -> Tensor:
    """Go straight on (Karras et al. 2022, algorithm 1 without churn); one look."""
    del fresh
    return x + (x - denoise(x, now)) * ((then - now) / now)


def heun(denoise: Denoiser, x: Tensor, now: Tensor, then: Tensor, *, fresh: bool = True) -> Tensor:
    """Go on by the mean of the slopes at both ends (the same, with its correction); two looks, but one down to 0."""
    del fresh
    slope = (x - denoise(x, now)) / now
    ahead = x + slope * (then - now)
    if then == 0:
        return ahead
    return x + (slope + (ahead - denoise(ahead, then)) / then) / 2 * (then - now)


class Multistep:
    """DPM-Solver++(2M) in these coordinates (Lu et al. 2022): one look, and the last one is remembered."""

    def __init__(self) -> None:
        self._before: tuple[Tensor, Tensor] | None = None

    def __call__(self, denoise: Denoiser, x: Tensor, now: Tensor, then: Tensor, *, fresh: bool) -> Tensor:
        """Go on by a line through this clean guess and the one before, over the logarithm of noise."""
        guess = denoise(x, now)
        led = guess
        if self._before is not None and not fresh and then > 0:
            clean, level = self._before
            led = guess + (guess - clean) * ((now.log() - then.log()) / (level.log() - now.log()) / 2)
        self._before = (guess, now)
        return led + (x - led) * (then / now)


SOLVERS: dict[str, Callable[[], Solver]] = {"euler": lambda: euler, "heun": lambda: heun, "multistep": Multistep}


def sample_euler(denoise: Denoiser, x: Tensor, sigmas: Tensor, *, progress: Progress = SILENT) -> Tensor:
    """Follow the probability-flow ODE from sigmas[0] to sigmas[-1].

    Args:
        denoise: gives the clean guess.
        x: any shape; its noise has spread sigmas[0].
        sigmas: (N + 1,), falling; the last may be 0.
        progress: a step for each of N.
    """
    return walk(denoise, x, sigmas, range(len(sigmas)), progress=progress)


def walk(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    path: Sequence[int],
    *,
    noise: Noise | None = None,
    solver: Solver = euler,
    progress: Progress = SILENT,
) -> Tensor:
    """Go along a path through levels of noise: down by a solver, up by adding what noise is missing.

    Args:
        denoise: gives the clean guess.
        x: any shape; its noise has spread sigmas[path[0]].
        sigmas: levels, falling.
        path: indices into them.
        noise: returns normal noise of the shape of x for the number of a way up.
        solver: makes the steps down.
        progress: a step for each way down.
    """
    ups, fresh = 0, True
    for here, there in pairwise(path):
        now, then = sigmas[here], sigmas[there]
        if there > here:
            x = solver(denoise, x, now, then, fresh=fresh)
            fresh = False
            progress.step()
        else:
            assert noise is not None, "ways up add noise"
            x = x + (then**2 - now**2).sqrt() * noise(ups, x)
            ups, fresh = ups + 1, True
    return x


def again_and_again(steps: int, repeats: int, share: float) -> list[int]:
    """Return a path that takes each of the first steps again so many times, after going back up over it."""
    path = [0]
    for step in range(steps):
        path.append(step + 1)
        if step < int(steps * share):
            path += [step, step + 1] * repeats
    return path


def jumps(steps: int, length: int, times: int, share: float) -> list[int]:
    """Return a path that goes back `length` steps after every `length` of the first ones, but never to the beginning.

    Args:
        steps: of the whole.
        length: of a jump.
        times: how often it jumps from each place.
        share: of the steps, in which it jumps.
    """
    path, left = [0], dict.fromkeys(range(2 * length, int(steps * share) + 1, length), times)
    while path[-1] < steps:
        here = path[-1] + 1
        path.append(here)
        if left.get(here, 0) > 0:
            left[here] -= 1
            path.append(here - length)
    return path


def steps_down(path: Sequence[int]) -> int:
    """Count them along a path."""
    return sum(there > here for here, there in pairwise(path))
