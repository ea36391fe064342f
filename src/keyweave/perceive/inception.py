"""The network of FID: Inception-v3 (Szegedy and others 2016) as Google released it in 2015 (Heusel and others 2017).

It differs from torchvision's: averages at a border count no padding, the last block takes a maximum in place of an
average, and its head tells 1008 classes apart. Tensors have the names that pytorch-fid's file of that release gives
them. keyweave brings no weights; `CONVERT` makes a file that can be read of pytorch-fid's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from keyweave.base.errors import ModelError
from keyweave.perceive.weights import convert_line, filled, read_weights

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torch import Tensor

    Pool = Callable[[Tensor], Tensor]
    Size = int | tuple[int, int]

NAME = "FID's Inception-v3"
CONVERT = convert_line("pt_inception-2015-12-05-6726825d.pth", "inception.safetensors")
SIDE = 299  # of the square that pictures are brought to
WIDTH = 2048  # numbers that a picture is summed up in
_IGNORED = ("fc.", "AuxLogits.")  # heads
_CLASSES = 1008
_EPS = 1e-3


class Inception(nn.Module):
    """The network up to its last average, which FID is taken of."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = _Unit(3, 32, 3, stride=2, padded=False)
        self.Conv2d_2a_3x3 = _Unit(32, 32, 3, padded=False)
        self.Conv2d_2b_3x3 = _Unit(32, 64, 3)
        self.Conv2d_3b_1x1 = _Unit(64, 80, 1)
        self.Conv2d_4a_3x3 = _Unit(80, 192, 3, padded=False)
        self.Mixed_5b = MixedA(192, 32)
        self.Mixed_5c = MixedA(256, 64)
        self.Mixed_5d = MixedA(288, 64)
        self.Mixed_6a = MixedB(288)
        self.Mixed_6b = MixedC(128)
        self.Mixed_6c = MixedC(160)
        self.Mixed_6d = MixedC(160)
        self.Mixed_6e = MixedC(192)
        self.Mixed_7a = MixedD()
        self.Mixed_7b = MixedE(1280, average)
        self.Mixed_7c = MixedE(2048, maximum)

    def forward(self, pictures: Tensor) -> Tensor:  # (B, 3, H, W) in [-1, 1] -> (B, 2048)
        """Sum up pictures of any size, each by itself."""
        x = functional.interpolate(pictures, (SIDE, SIDE), mode="bilinear", align_corners=False)
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(_halved(x)))
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(_halved(x))))
        x = self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x)))))
        return self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x))).mean(dim=(2, 3))


def load_inception(weights: Path, *, device: str | None = None) -> Inception:
    """Load the network with weights from a safetensors file.

    Args:
        weights: what `CONVERT` wrote.
        device: see `devices.choose`.

    Raises:
        ModelNotFound: there is no such file.
        ModelError: it holds something else; torchvision's own network too, whose names and shapes are the same.
    """
    state = read_weights(weights, called=NAME, convert=CONVERT)
    head = state.get("fc.bias")
    if head is not None and head.numel() != _CLASSES:
        raise ModelError(
            f"{weights} does not hold the weights of {NAME}: its head is for {head.numel()} classes, not {_CLASSES}.",
            f"To make a file of the right ones: {CONVERT}",
        )
    return filled(Inception(), state, weights, called=NAME, ignored=_IGNORED, device=device)


def average(x: Tensor) -> Tensor:
    """Return the mean around each place; at the border of what is inside alone, as TensorFlow takes it."""
    return functional.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


def maximum(x: Tensor) -> Tensor:
    """Return the largest around each place."""
    return functional.max_pool2d(x, 3, stride=1, padding=1)


class _Unit(nn.Module):
    """A convolution, settled, of which what is below 0 is cut off; it keeps the size but with a stride, or unpadded."""

    def __init__(self, width: int, wider: int, size: Size, *, stride: int = 1, padded: bool = True) -> None:
        super().__init__()
        height, breadth = (size, size) if isinstance(size, int) else size
        padding = (height // 2, breadth // 2) if padded and stride == 1 else 0
        self.conv = nn.Conv2d(width, wider, (height, breadth), stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(wider, eps=_EPS)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.bn(self.conv(x)))


class MixedA(nn.Module):
    """Four branches beside one another, at 35x35."""

    def __init__(self, width: int, pooled: int) -> None:
        super().__init__()
        self.branch1x1 = _Unit(width, 64, 1)
        self.branch5x5_1 = _Unit(width, 48, 1)
        self.branch5x5_2 = _Unit(48, 64, 5)
        self.branch3x3dbl_1 = _Unit(width, 64, 1)
        self.branch3x3dbl_2 = _Unit(64, 96, 3)
        self.branch3x3dbl_3 = _Unit(96, 96, 3)
        self.branch_pool = _Unit(width, pooled, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Lay the branches together."""
        wide = self.branch5x5_2(self.branch5x5_1(x))
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch1x1(x), wide, double, self.branch_pool(average(x))], dim=1)


class MixedB(nn.Module):
    """From 35x35 to 17x17."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.branch3x3 = _Unit(width, 384, 3, stride=2)
        self.branch3x3dbl_1 = _Unit(width, 64, 1)
        self.branch3x3dbl_2 = _Unit(64, 96, 3)
        self.branch3x3dbl_3 = _Unit(96, 96, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """Lay the branches together."""
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch3x3(x), double, _halved(x)], dim=1)


class MixedC(nn.Module):
    """Four branches at 17x17, whose squares of 7x7 are taken as a row and a column."""

    def __init__(self, inner: int, width: int = 768) -> None:
        super().__init__()
        row, column = (1, 7), (7, 1)
        self.branch1x1 = _Unit(width, 192, 1)
        self.branch7x7_1 = _Unit(width, inner, 1)
        self.branch7x7_2 = _Unit(inner, inner, row)
        self.branch7x7_3 = _Unit(inner, 192, column)
        self.branch7x7dbl_1 = _Unit(width, inner, 1)
        self.branch7x7dbl_2 = _Unit(inner, inner, column)
        self.branch7x7dbl_3 = _Unit(inner, inner, row)
        self.branch7x7dbl_4 = _Unit(inner, inner, column)
        self.branch7x7dbl_5 = _Unit(inner, 192, row)
        self.branch_pool = _Unit(width, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Lay the branches together."""
        once = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        twice = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        twice = self.branch7x7dbl_5(self.branch7x7dbl_4(twice))
        return torch.cat([self.branch1x1(x), once, twice, self.branch_pool(average(x))], dim=1)


class MixedD(nn.Module):
    """From 17x17 to 8x8."""

    def __init__(self, width: int = 768) -> None:
        super().__init__()
        self.branch3x3_1 = _Unit(width, 192, 1)
        self.branch3x3_2 = _Unit(192, 320, 3, stride=2)
        self.branch7x7x3_1 = _Unit(width, 192, 1)
        self.branch7x7x3_2 = _Unit(192, 192, (1, 7))
        self.branch7x7x3_3 = _Unit(192, 192, (7, 1))
        self.branch7x7x3_4 = _Unit(192, 192, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """Lay the branches together."""
        once = self.branch3x3_2(self.branch3x3_1(x))
        twice = self.branch7x7x3_4(self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(x))))
        return torch.cat([once, twice, _halved(x)], dim=1)


class MixedE(nn.Module):
    """Branches at 8x8 that fork into a row and a column.

    Args:
        width: channels that come in.
        pool: what the fourth branch begins with.
    """

    def __init__(self, width: int, pool: Pool) -> None:
        super().__init__()
        self._pool = pool
        self.branch1x1 = _Unit(width, 320, 1)
        self.branch3x3_1 = _Unit(width, 384, 1)
        self.branch3x3_2a = _Unit(384, 384, (1, 3))
        self.branch3x3_2b = _Unit(384, 384, (3, 1))
        self.branch3x3dbl_1 = _Unit(width, 448, 1)
        self.branch3x3dbl_2 = _Unit(448, 384, 3)
        self.branch3x3dbl_3a = _Unit(384, 384, (1, 3))
        self.branch3x3dbl_3b = _Unit(384, 384, (3, 1))
        self.branch_pool = _Unit(width, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Lay the branches together."""
        once, twice = self.branch3x3_1(x), self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        forks = [
            *(self.branch3x3_2a(once), self.branch3x3_2b(once)),
            *(self.branch3x3dbl_3a(twice), self.branch3x3dbl_3b(twice)),
        ]
        return torch.cat([self.branch1x1(x), *forks, self.branch_pool(self._pool(x))], dim=1)


def _halved(x: Tensor) -> Tensor:
    return functional.max_pool2d(x, 3, stride=2)
