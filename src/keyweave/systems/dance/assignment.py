"""The plan of a dance: a pair of keyframes for each label, so that the walk from pair to pair is the smoothest (7.6).

The same label is danced between the same pair and its mirrored one between the mirrored pair, no two labels share a
pair or its mirrored one (7.7) nor have pairs that are alike but for one mirrored keyframe (7.8), and labels that follow
one another neither begin nor end in the same keyframe (7.9). Where that cannot be, the rules are given up from the
last: 7.9, then 7.8, then the range of motion is widened by the least that helps.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from keyweave.base.errors import NoSolution
from keyweave.systems.dance.graph import HIGH, LOW, KeyframeGraph, check_mirror
from keyweave.systems.dance.rules import Costs, Rules
from keyweave.systems.dance.search import Found, cheapest
from keyweave.systems.dance.wishes import check_range, check_wishes

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import ArrayLike

    from keyweave.systems.dance.labels import Label

    Pair = tuple[int, int]

GRAIN = 0.001  # pixels: motions are told this finely, so that what a plan costs is exact
_SHARED = "labels that follow one another may begin or end in the same keyframe"
_ALIKE = "labels may have pairs that are alike but for one mirrored keyframe"


@dataclass(frozen=True)
class Plan:
    """Which keyframes a choreography is danced with.

    Args:
        labels: the choreography, a label for each segment.
        pairs: for each label that occurs the keyframes that it begins and ends in.
        moves: for each how far the subject moves from one to the other.
        steps: for each two segments in a row what the transition between them is charged.
        cost: what they are charged together.
        bound: what every plan under these rules is charged at least.
        low: the range of motion that the plan keeps within.
        high: its upper end.
        relaxed: a sentence that says which rules were given up; empty if none was.
    """

    labels: tuple[Label, ...]
    pairs: Mapping[Label, Pair]
    moves: Mapping[Label, float]
    steps: tuple[float, ...]
    cost: float
    bound: float
    low: float
    high: float
    relaxed: str = ""

    @property
    def proved(self) -> bool:
        """Whether no plan is better."""
        return self.gap == 0

    @property
    def gap(self) -> float:
        """How much of the cost a better plan could save at most, from 0 to 1."""
        saved = self.cost - self.bound
        return saved / self.cost if saved > GRAIN / 2 else 0.0

    @property
    def path(self) -> tuple[int, ...]:
        """The keyframe of each beat, two for each segment."""
        return tuple(keyframe for label in self.labels for keyframe in self.pairs[label])


def solve(
    labels: Sequence[Label],
    motions: ArrayLike,
    mirror: ArrayLike,
    *,
    low: float = LOW,
    high: float = HIGH,
    pins: Mapping[Label, Pair] | None = None,
    mirrored_pose_labels: Collection[str] = (),
    least_transition: float = 0.0,
    seconds: float = 60.0,
) -> Plan:
    """Find the plan whose transitions move least, and prove that it is.

    Of plans that are charged the same, the first in an order of search that is fixed by the motions is taken; where
    mirroring all keyframes changes nothing, it is one whose first label has the lower number of the two.

    Args:
        labels: the choreography, a label for each segment.
        motions: (N, N) how far the subject moves from one keyframe to another, see `graph.measure_motions`.
        mirror: (N,) the number of each keyframe's mirrored one, its own if it looks the same mirrored.
        low: within a segment the subject moves more than this.
        high: within a segment, and from one to the next, it moves less than this.
        pins: pairs that labels must have, whether within the range or not.
        mirrored_pose_labels: names of labels that end in the mirrored pose of the one they begin in.
        least_transition: a transition that moves less is charged as one that moves as much more.
        seconds: after which to settle for the best plan so far; `Plan.gap` says how good it is.
    """
    motions = np.round(np.asarray(motions, np.float64), 3)
    mirror = check_mirror(mirror, len(motions))
    pins = dict(pins or {})
    check_range(low, high)
    check_wishes(labels, mirror, pins, mirrored_pose_labels)
    graph = KeyframeGraph(motions, mirror, low, high)
    costs = Costs(tuple(labels), graph, pins, frozenset(mirrored_pose_labels), least_transition)
    _check_room(costs)
    costs, found, relaxed = _relaxing(costs, time.monotonic() + seconds)
    if found.choice is None:
        raise _nothing(costs, found, seconds)
    return _plan(costs, found, relaxed)


def _plan(costs: Costs, found: Found, relaxed: str) -> Plan:
    assert found.choice is not None
    numbers = dict(zip(costs.names, found.choice, strict=True))
    pairs = {label: costs.pair(label, numbers[label.name]) for label in sorted(set(costs.labels))}
    moves = {label: float(costs.graph.motions[pair]) for label, pair in pairs.items()}
    steps = tuple(float(costs.charges[pairs[one][1], pairs[then][0]]) for one, then in pairwise(costs.labels))
    low, high, slack = costs.graph.low, costs.graph.high, costs.graph.slack
    return Plan(costs.labels, pairs, moves, steps, found.cost, found.bound, low / slack, high * slack, relaxed)


def _relaxing(costs: Costs, stop: float) -> tuple[Costs, Found, str]:
    """Search under fewer and fewer rules until there is a plan; return what was given up, in words."""
    late, given_up = False, []
    for rules, words in ((Rules(), ""), (Rules(shared=True), _SHARED), (Rules(shared=True, alike=True), _ALIKE)):
        costs = replace(costs, rules=rules)
        given_up += [words] if words else []
        found = _searched(costs, stop, share=0.5)
        if found.choice is not None:
            return costs, found, _sentence(given_up, late)
        late |= found.bound < np.inf
    slack, hurried = _least_slack(costs, stop)
    late |= hurried
    if slack is None:
        return costs, Found(None, np.inf, 0.0 if late else np.inf), ""
    costs = replace(costs, graph=replace(costs.graph, slack=slack))
    reached = f"{costs.graph.low / slack:.4g} to {costs.graph.high * slack:.4g}"
    given_up.append(f"the range of motion is {reached} instead of {costs.graph.low:g} to {costs.graph.high:g}")
    return costs, _searched(costs, stop, share=1), _sentence(given_up, late)


def _searched(costs: Costs, stop: float, share: float) -> Found:
    """Search within the time that is left, or a share of it while there is no plan: under fewer rules there may be."""
    left = max(stop - time.monotonic(), 0)
    return cheapest(costs.alone(), costs.between, costs.linked, grain=GRAIN, seconds=left, patience=share * left)


def _least_slack(costs: Costs, stop: float) -> tuple[float | None, bool]:
    """Return how many times further the range of motion must reach at least, None if that is of no use.

    Beside it stands whether time was short, so that less might do.
    """
    free = replace(costs, counted=False)
    excess = np.concatenate([each[tuple(costs.graph.pairs.T)] for each in costs.graph.excess])
    slacks = np.unique(excess[np.isfinite(excess) & (excess >= 1)])
    slacks = np.maximum(slacks, np.nextafter(1, 2))  # a motion at the very end of the range needs a hair more
    low, high = 0, len(slacks)  # the first that helps is among these; none if it is the last
    late = False
    while low < high:
        middle = (low + high) // 2
        found = _searched(replace(free, graph=replace(costs.graph, slack=float(slacks[middle]))), stop, share=0.2)
        low, high = (low, middle) if found.choice else (middle + 1, high)
        late |= found.choice is None and found.bound < np.inf
    return (float(slacks[low]) if low < len(slacks) else None), late


def _sentence(given_up: list[str], late: bool) -> str:
    if not given_up:
        return ""
    why = "No plan that keeps all rules was found in time" if late else "No plan keeps all rules"
    return f"{why}: {', '.join(given_up[:-1])}{' and ' * (len(given_up) > 1)}{given_up[-1]}."


def _check_room(costs: Costs) -> None:
    """Refuse more names than there are pairs that are not each other's mirrored ones."""
    graph = costs.graph
    room = len(np.unique(np.minimum(graph.mirrored, np.arange(len(graph.pairs)))))
    if len(costs.names) > room:
        raise NoSolution(
            f"{len(costs.names)} different motions need as many pairs of keyframes; "
            f"{len(graph.mirror)} keyframes, mirrored ones counted, make {room}.",
            "Add keyframes, or use fewer labels.",
        )


def _nothing(costs: Costs, found: Found, seconds: float) -> NoSolution:
    if found.bound < np.inf:
        return NoSolution(f"No plan was found in {seconds:g} seconds.", "Allow more time, or add keyframes.")
    graph = costs.graph
    fitting = int(graph.fits.sum())
    pinned = ", unpin labels" if costs.pins else ""
    return NoSolution(
        f"No plan gives each of {len(costs.names)} motions a pair of keyframes of its own, whatever rules are given up "
        f"and however far the range of motion reaches; {fitting} of {len(graph.pairs)} pairs move within {graph.low:g} "
        f"to {graph.high:g}.",
        f"Add keyframes that differ more{pinned}, or use fewer labels.",
    )
