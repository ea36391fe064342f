"""Muon: steps of even size in all directions of a weight matrix (Jordan et al., 2024).

Each matrix follows the orthogonal matrix that is nearest to its averaged gradient, so that directions which the
gradient hardly ever takes are learnt as well. The steps are scaled to the size that AdamW's have (Liu et al., 2025),
so that one learning rate serves both: what is no matrix, biases and norms, is left to AdamW.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor, nn

_MOMENTUM = 0.95
_ROUNDS = 5
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of a quintic that lifts small singular values fast, to about 1
_LIKE_ADAM = 0.2
_SMALLEST = 16  # a side less than this makes no matrix worth the while
_EPSILON = 1e-8


class Muon(torch.optim.Optimizer):
    """Muon for matrices, AdamW for the rest.

    Args:
        parameters: convolutions count as matrices, a row for each output.
        lr: the learning rate.
        betas: AdamW's.
        weight_decay: for both.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        lr: float,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(list(parameters), {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Move every parameter that has a gradient."""
        assert closure is None, "a gradient is computed before the step"
        for group in self.param_groups:
            moved = [parameter for parameter in group["params"] if parameter.grad is not None]
            for parameter in moved:
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
            self._follow_evenly([parameter for parameter in moved if is_matrix(parameter)], group["lr"])
            for parameter in moved:
                if not is_matrix(parameter):
                    self._follow(parameter, group["lr"], group["betas"])

    def _follow_evenly(self, parameters: list[Tensor], rate: float) -> None:
        alike: dict[tuple[int, int], list[tuple[Tensor, Tensor]]] = {}
        for parameter in parameters:
            state = self.state[parameter]
            if not state:
                state["momentum"] = torch.zeros_like(parameter)
            assert parameter.grad is not None
            state["momentum"].lerp_(parameter.grad, 1 - _MOMENTUM)
            ahead = parameter.grad.lerp(state["momentum"], _MOMENTUM).flatten(1)
            alike.setdefault((ahead.shape[0], ahead.shape[1]), []).append((parameter, ahead))
        for shape, pairs in alike.items():
            steps = orthogonalized(torch.stack([ahead for _, ahead in pairs]))
            for (parameter, _), step in zip(pairs, steps, strict=True):
                parameter.sub_(step.view_as(parameter), alpha=rate * _LIKE_ADAM * max(shape) ** 0.5)

    def _follow(self, parameter: Tensor, rate: float, betas: tuple[float, float]) -> None:
        state = self.state[parameter]
        if not state:
            state["step"] = torch.zeros(())
            state["mean"], state["square"] = torch.zeros_like(parameter), torch.zeros_like(parameter)
        assert parameter.grad is not None
        state["step"] += 1
        state["mean"].lerp_(parameter.grad, 1 - betas[0])
        state["square"].mul_(betas[1]).addcmul_(parameter.grad, parameter.grad, value=1 - betas[1])
        count = float(state["step"])
        spread = (state["square"] / (1 - betas[1] ** count)).sqrt() + _EPSILON
        parameter.addcdiv_(state["mean"], spread, value=-rate / (1 - betas[0] ** count))


def is_matrix(parameter: Tensor) -> bool:
    """Tell whether a parameter is followed evenly."""
    return parameter.ndim >= 2 and min(parameter.shape[0], parameter[0].numel()) >= _SMALLEST


def orthogonalized(matrices: Tensor) -> Tensor:  # (N, m, n) -> (N, m, n)
    """Return about the nearest matrices whose singular values are all 1 (Newton and Schulz's iteration)."""
    a, b, c = _COEFFICIENTS
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x / (x.flatten(1).norm(dim=1)[:, None, None] + 1e-7)
    for _ in range(_ROUNDS):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    return x.mT if tall else x
