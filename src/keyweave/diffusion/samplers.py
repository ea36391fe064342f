"""Samplers: loops that follow a denoiser from noise to something clean, and know nothing else."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from keyweave.base.progress import SILENT, Progress

if TYPE_CHECKING:
    from torch import Tensor

    from keyweave.diffusion.denoisers import Denoiser


def sample_euler(denoise: Denoiser, x: Tensor, sigmas: Tensor, *, progress: Progress = SILENT) -> Tensor:
    """Follow the probability-flow ODE from sigmas[0] to sigmas[-1] (Karras et al. 2022, algorithm 1 without churn).

    Args:
        denoise: gives the clean guess.
        x: any shape; its noise has spread sigmas[0].
        sigmas: (N + 1,), falling; the last may be 0.
        progress: a step for each of N.
    """
    for now, then in pairwise(sigmas):
        slope = (x - denoise(x, now)) / now
        x = x + slope * (then - now)
        progress.step()
    return x
