"""How well labels agree with those that a person wrote: figures of table 7.1."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from numpy.typing import NDArray

    from keyweave.systems.dance.labels import Label


@dataclass(frozen=True)
class Agreement:
    """How well labels agree with the right ones; 1 is best.

    Args:
        rand: adjusted Rand index: of which pairs have one label; 0 is what chance gives.
        information: normalised mutual information: what one label tells of the other.
        precision: how many of the pairs that are called mirrored are.
        recall: how many of the mirrored pairs are called so.
    """

    rand: float
    information: float
    precision: float
    recall: float

    @property
    def balance(self) -> float:
        """The harmonic mean of precision and recall (F1)."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


def agreement(labels: Sequence[Label], truth: Sequence[Label]) -> Agreement:
    """Compare labels of the same segments; a label and its mirror are two clusters, as in the paper."""
    if len(labels) != len(truth):
        raise ValueError(f"labels of the same segments are compared; got {len(labels)} and {len(truth)}")
    called, right = _mirrored_pairs(labels), _mirrored_pairs(truth)
    both = len(called & right)
    return Agreement(
        rand=adjusted_rand(labels, truth),
        information=mutual_information(labels, truth),
        precision=both / len(called) if called else 1.0,  # nothing was called mirrored that is not
        recall=both / len(right) if right else 1.0,
    )


def adjusted_rand(one: Sequence[Hashable], other: Sequence[Hashable]) -> float:
    """Return the adjusted Rand index of two ways to sort the same things."""
    table = _table(one, other)
    together, first, second = (
        float((counts * (counts - 1) / 2).sum()) for counts in (table, table.sum(axis=1), table.sum(axis=0))
    )
    pairs = len(one) * (len(one) - 1) / 2
    chance = first * second / pairs if pairs else 0.0
    best = (first + second) / 2
    return 1.0 if best == chance else (together - chance) / (best - chance)


def mutual_information(one: Sequence[Hashable], other: Sequence[Hashable]) -> float:
    """Return the mutual information of two ways to sort the same things, divided by the mean of their entropies."""
    table = _table(one, other) / len(one)
    first, second = _entropy(table.sum(axis=1)), _entropy(table.sum(axis=0))
    return 1.0 if first + second == 0 else max(0.0, 2 * (first + second - _entropy(table)) / (first + second))


def _entropy(shares: NDArray[np.floating]) -> float:
    there = shares[shares > 0]
    return float(-(there * np.log(there)).sum())


def _table(one: Sequence[Hashable], other: Sequence[Hashable]) -> NDArray[np.floating]:
    """Count (A, B) how many things are sorted here by one and there by the other."""
    rows, columns = ({name: number for number, name in enumerate(dict.fromkeys(names))} for names in (one, other))
    table = np.zeros((len(rows), len(columns)))
    for here, there in zip(one, other, strict=True):
        table[rows[here], columns[there]] += 1
    return table


def _mirrored_pairs(labels: Sequence[Label]) -> set[tuple[int, int]]:
    """Return the pairs of segments of which one is the other's mirror image."""
    return {pair for pair in combinations(range(len(labels)), 2) if labels[pair[0]] == labels[pair[1]].mirror}
