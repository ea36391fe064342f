"""What the loop asks of whatever is to be trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import Tensor, nn


class Task(Protocol):
    """Something that can be learnt.

    A sample is known by its number: all that chance decides about it, its noise included, is derived from that number.
    So a batch is the same however many processes share it, and a resumed training goes on as if it had never stopped.
    """

    @property
    def model(self) -> nn.Module:
        """What is trained: the parameters that ask for a gradient."""
        ...

    def loss(self, samples: Sequence[int]) -> tuple[Tensor, dict[str, float]]:
        """Return the mean loss over samples, and numbers for the journal."""
        ...

    def validate(self, folder: Path, step: int) -> dict[str, float]:
        """Measure the model as it is now, on samples that are never trained on; pictures go into the folder."""
        ...
