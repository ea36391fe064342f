"""Which example a sample is: all of them once, in a new order, before any comes again."""

from __future__ import annotations

import numpy as np

from keyweave.base.seeds import derive


class Order:
    """An order of examples that goes on for ever.

    Args:
        count: how many examples there are.
        seed: decides the order.
    """

    def __init__(self, count: int, seed: int) -> None:
        self._count = count
        self._seed = seed
        self._epoch = (-1, np.zeros(0, np.int64))  # the last one that was asked for

    def row(self, number: int) -> int:
        """Return the example that is sample `number`."""
        epoch = number // self._count
        if self._epoch[0] != epoch:
            self._epoch = (epoch, np.random.default_rng(derive(self._seed, "order", epoch)).permutation(self._count))
        return int(self._epoch[1][number % self._count])
