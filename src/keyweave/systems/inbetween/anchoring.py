"""Colours held to the keyframes: what an autoencoder and a sampler shift is shifted back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

_MOST_GAIN = 1.25  # how far contrast is corrected: a subject that comes or goes changes it rightly
_LEAST = 1e-3  # of contrast, below which there is none to correct


def anchored(frames: Tensor, first: Tensor, last: Tensor) -> Tensor:
    """Correct clips so that the mean and contrast of each channel are those of the keyframes, at both ends.

    What is wrong at an end is known, since the keyframe is. In between, the two corrections are mixed by time.

    Args:
        frames: (B, F, 3, H, W) as they were made, the ends included.
        first: (B, 3, H, W) the keyframe that frame 0 ought to be.
        last: the keyframe that the last frame ought to be.
    """
    share = torch.linspace(0, 1, frames.shape[1], device=frames.device)[:, None, None, None]
    gain_first, shift_first = _correction(frames[:, 0], first)
    gain_last, shift_last = _correction(frames[:, -1], last)
    gain = gain_first[:, None] * (1 - share) + gain_last[:, None] * share
    shift = shift_first[:, None] * (1 - share) + shift_last[:, None] * share
    return (frames * gain + shift).clamp(-1, 1)


def _correction(made: Tensor, due: Tensor) -> tuple[Tensor, Tensor]:  # (B, 3, H, W) twice -> (B, 3, 1, 1) twice
    """Return the gain and shift that take what was made to what is due."""
    mean, mean_due = (picture.mean((2, 3), keepdim=True) for picture in (made, due))
    contrast, contrast_due = (picture.std((2, 3), keepdim=True, correction=0) for picture in (made, due))
    gain = (contrast_due / contrast.clamp(min=_LEAST)).clamp(1 / _MOST_GAIN, _MOST_GAIN)
    return gain, mean_due - gain * mean
