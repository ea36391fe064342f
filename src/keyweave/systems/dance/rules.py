"""What a plan is charged, and what excludes what, as costs of one and of two labels."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from keyweave.systems.dance.labels import Label

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from keyweave.systems.dance.graph import KeyframeGraph

    Floats = NDArray[np.float64]
    Numbers = NDArray[np.intp]


@dataclass(frozen=True)
class Rules:
    """What is given up.

    Args:
        shared: labels that follow one another may begin or end in the same keyframe: 7.9 is off.
        alike: labels may have pairs that are alike but for one mirrored keyframe: 7.8 is off.
    """

    shared: bool = False
    alike: bool = False


@dataclass(frozen=True, eq=False)
class Costs:
    """The charges of a choreography, where each name of a label chooses the pair of its unmirrored motion.

    Args:
        labels: the choreography.
        graph: the pairs and how they follow one another.
        pins: pairs that labels must have, whether in the range of motion or not.
        mirrored_poses: names of labels that end in the mirrored pose of the one they begin in.
        least_transition: transitions that move less are charged as if they moved as much more.
        rules: what is given up.
        counted: whether transitions are charged at all, rather than only allowed or not.
    """

    labels: tuple[Label, ...]
    graph: KeyframeGraph
    pins: Mapping[Label, tuple[int, int]]
    mirrored_poses: frozenset[str] = frozenset()
    least_transition: float = 0.0
    rules: Rules = Rules()
    counted: bool = True

    @cached_property
    def names(self) -> list[str]:
        """The names of the labels, in the order of the song."""
        return list(dict.fromkeys(label.name for label in self.labels))

    @cached_property
    def charges(self) -> Floats:
        """What the way from one keyframe to another is charged (N, N), infinite where there is none."""
        least = self.least_transition
        charges = np.round(least + np.abs(self.graph.motions - least), 3) if self.counted else 0.0
        return np.where(self.graph.follows, charges, np.inf)

    @cached_property
    def linked(self) -> list[tuple[int, int]]:
        """Which names follow one another, as numbers x < y."""
        return sorted({(min(pair), max(pair)) for pair in self._follow if pair[0] != pair[1]})

    @cached_property
    def _follow(self) -> dict[tuple[int, int], list[tuple[bool, bool, int]]]:
        """For two names how often one follows the other, by which of the two is mirrored."""
        follow: dict[tuple[int, int], list[tuple[bool, bool, int]]] = {}
        for (one, then), count in Counter(pairwise(self.labels)).items():
            names = self.names.index(one.name), self.names.index(then.name)
            follow.setdefault(names, []).append((one.mirrored, then.mirrored, count))
        return follow

    def pair(self, label: Label, number: int) -> tuple[int, int]:
        """Return the keyframes that a label begins and ends in, when its name has chosen a pair."""
        first, last = self._danced(label.mirrored, np.array([number]))
        return int(first[0]), int(last[0])

    def _danced(self, mirrored: bool, numbers: Numbers) -> tuple[Numbers, Numbers]:
        first, last = self.graph.pairs[self.graph.mirrored[numbers] if mirrored else numbers].T
        return first, last

    def alone(self) -> list[Floats]:
        """Return for each name what each pair costs by itself: its range, its pins, and itself after itself."""
        graph = self.graph
        every = np.arange(len(graph.pairs))
        found = []
        for x, name in enumerate(self.names):
            costs = np.zeros(len(every))
            pinned = {label: pair for label, pair in self.pins.items() if label.name == name}
            for label, pair in pinned.items():
                number = graph.number(*pair)
                costs[every != (graph.mirrored[number] if label.mirrored else number)] = np.inf
            for label in {label for label in self.labels if label.name == name}:
                if not pinned:
                    costs[~graph.fits[graph.mirrored if label.mirrored else every]] = np.inf
            if {Label(name), Label(name, True)} <= set(self.labels):
                costs[graph.mirrored == every] = np.inf  # a label and its mirrored one differ
            if name in self.mirrored_poses:
                costs[graph.pairs[:, 1] != graph.mirror[graph.pairs[:, 0]]] = np.inf
            for one, then, count in self._follow.get((x, x), ()):
                costs += count * self.charges[self._danced(one, every)[1], self._danced(then, every)[0]]
            found.append(costs)
        if self._turns_freely:
            found[0][graph.mirrored < every] = np.inf
        return found

    @property
    def _turns_freely(self) -> bool:
        """Tell whether to mirror all keyframes of a plan makes a plan that costs the same."""
        turned = self.graph.motions[np.ix_(self.graph.mirror, self.graph.mirror)]
        return not self.pins and np.array_equal(turned, self.graph.motions)

    def between(self, x: int, y: int, xs: Numbers, ys: Numbers) -> Floats:
        """Return what pairs xs of one name cost beside pairs ys of another; satisfies `search.Between`."""
        costs = np.where(self._too_similar(xs, ys), np.inf, 0.0)
        for one, then, count in self._follow.get((x, y), ()):
            costs += count * self._passed(one, then, xs, ys)
        for one, then, count in self._follow.get((y, x), ()):
            costs += count * self._passed(one, then, ys, xs).T
        return costs

    def _too_similar(self, xs: Numbers, ys: Numbers) -> NDArray[np.bool_]:
        """Tell which pairs two names may not have at once (7.7, 7.8)."""
        graph = self.graph
        similar = (xs[:, None] == ys) | (graph.mirrored[xs][:, None] == ys)
        if not self.rules.alike:
            a, b = (end[:, None] for end in self._danced(False, xs))
            c, d = self._danced(False, ys)
            turned = graph.mirror
            similar |= ((a == c) & (b == turned[d])) | ((b == d) & (a == turned[c]))
            similar |= ((a == d) & (b == turned[c])) | ((b == c) & (a == turned[d]))
        return similar

    def _passed(self, one: bool, then: bool, xs: Numbers, ys: Numbers) -> Floats:
        """Return what a label costs before another name's: the way between them, where 7.9 allows it."""
        (a, b), (c, d) = self._danced(one, xs), self._danced(then, ys)
        costs = self.charges[np.ix_(b, c)]
        if not self.rules.shared:
            costs[(a[:, None] == c) | (b[:, None] == d)] = np.inf
        return costs
