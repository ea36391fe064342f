"""A training that takes a second: a straight line through noisy points.

Run as a program, it trains in a folder: FOLDER KILL_AFTER [BROKEN], the samples until it is killed, and one that has no
loss.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from keyweave.base.seeds import derive
from keyweave.training.loop import train
from keyweave.training.plan import Plan

SLOPE, HEIGHT = 3.0, -1.0
PLAN = Plan(steps=60, batch=8, learning_rate=0.02, warm_up=5, keep_every=7, seed=3)


class Line:
    """y = 3 x - 1, seen through noise; sample n is always the same point."""

    def __init__(self, steps_before_kill: int = -1) -> None:
        torch.manual_seed(0)
        self.model = nn.Sequential(nn.Linear(1, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 1))
        self.validated: list[int] = []
        self.left = steps_before_kill

    def loss(self, samples: Sequence[int]) -> tuple[Tensor, dict[str, float]]:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), 9)
        points = []
        for number in samples:
            chance = torch.Generator().manual_seed(derive(3, "point", number))
            x = torch.rand(1, generator=chance)
            points.append(torch.cat([x, SLOPE * x + HEIGHT + 0.01 * torch.randn(1, generator=chance)]))
        x, y = torch.stack(points).split(1, dim=1)
        loss = (self.model(x) - y).square().mean()
        return loss, {"largest": float(y.max())}

    def validate(self, folder: Path, step: int) -> dict[str, float]:
        self.validated.append(step)
        x = torch.linspace(0, 1, 11)[:, None]
        with torch.no_grad():
            return {"error": float((self.model(x) - SLOPE * x - HEIGHT).abs().mean())}


class Broken(Line):
    """The same, with samples that give no number: as their loss, or only as the gradient of it."""

    def __init__(self, samples: Sequence[int], *, gradient: bool = False) -> None:
        super().__init__()
        self.broken, self.gradient = set(samples), gradient

    def loss(self, samples: Sequence[int]) -> tuple[Tensor, dict[str, float]]:
        loss, notes = super().loss(samples)
        if self.broken.isdisjoint(samples):
            return loss, notes
        # A square root begins upright: its value is 0, its slope infinite.
        return (loss + (0 * loss).sqrt() if self.gradient else loss * torch.nan), notes


def weights(task: Line) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in task.model.parameters()])


if __name__ == "__main__":
    torch.set_num_threads(1)
    task = Broken([int(sys.argv[3])]) if len(sys.argv) > 3 else Line(int(sys.argv[2]))
    train(task, PLAN, Path(sys.argv[1]))
    sys.stdout.write(" ".join(f"{value:.9e}" for value in weights(task).tolist()))
