"""How fast plans of dances are proved: seconds of our search, and of the same as an integer program for SciPy's HiGHS.

    python benchmarks/dance_plan.py [--seeds 5] [--kinds uniform even posed level] [--labels LABELS] [--names 8]
                                    [--segments 32] [--keyframes 12] [--seconds 300] [--alone]

Seconds are those of the processor, since other work on the machine takes none of them. The program has a variable for
each pair of each name, and for each two labels that follow one another a flow from last to first keyframes.
"""

import argparse
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import combinations, pairwise, permutations, product
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, OptimizeResult, milp
from scipy.sparse import coo_array

from keyweave.systems.dance.assignment import solve
from keyweave.systems.dance.graph import HIGH, LOW
from keyweave.systems.dance.labels import Label, name_of, read_labels, write_labels

SONG = "A-B-A'-B'-C-D-C'-D'-A-B-A'-B'-C-D-C'-D'-E-F-G-G-G-G-H-H-H'-H'-G-G-G-G-H-H"
Pair = tuple[int, int]


class Program:
    """A plan as an integer program, by the equations of the thesis and by nothing of ours."""

    def __init__(
        self, labels: Sequence[Label], motions: np.ndarray, mirror: np.ndarray, low: float = LOW, high: float = HIGH
    ) -> None:
        self.labels, self.motions, self.mirror, self.low, self.high = labels, motions, mirror, low, high
        self.keyframes = range(len(mirror))
        self.pairs: list[Pair] = list(permutations(self.keyframes, 2))
        self.names = list(dict.fromkeys(label.name for label in labels))
        self.costs: list[float] = []
        self.most: list[int] = []  # 0 forbids what a variable stands for
        self.rows: list[tuple[list[int], list[int], int, int]] = []  # variables, their factors, and from where to where
        self.place = {(name, pair): self._variable() for name in self.names for pair in self.pairs}
        self._nodes()
        for (one, then), count in Counter(pairwise(labels)).items():
            (self._repeated if one.name == then.name else self._passed)(one, then, count)
        self._distinct()

    def solve(self, seconds: float) -> OptimizeResult:
        """Let HiGHS find the cheapest plan; `fun` is what it costs and `status` 0 if that is proved."""
        cells = [
            (row, x, factor)
            for row, (xs, factors, *_) in enumerate(self.rows)
            for x, factor in zip(xs, factors, strict=True)
        ]
        rows, columns, factors = np.array(cells).T
        matrix = coo_array((factors, (rows, columns)), shape=(len(self.rows), len(self.costs))).tocsr()
        low, high = np.array([row[2:] for row in self.rows]).T
        least: Any = np.zeros(len(self.most))  # SciPy's own hints know single numbers only
        most: Any = np.array(self.most, float)
        return milp(
            self.costs,
            integrality=np.arange(len(self.costs)) < len(self.place),  # flows between chosen pairs are whole anyway
            bounds=Bounds(least, most),
            constraints=LinearConstraint(matrix, low, high),
            options={"time_limit": seconds, "mip_rel_gap": 0},
        )

    def _variable(self, cost: float = 0.0) -> int:
        self.costs.append(cost)
        self.most.append(1)
        return len(self.costs) - 1

    def _row(self, low: int, high: int, plus: Iterable[int], minus: Iterable[int] = ()) -> None:
        plus, minus = list(plus), list(minus)
        self.rows.append((plus + minus, [1] * len(plus) + [-1] * len(minus), low, high))

    def _turned(self, pair: Pair) -> Pair:
        return int(self.mirror[pair[0]]), int(self.mirror[pair[1]])

    def _danced(self, label: Label, end: int, keyframe: int) -> list[int]:
        """Return the variables of pairs by which a label begins (0) or ends (1) in a keyframe."""
        danced = {pair: self._turned(pair) if label.mirrored else pair for pair in self.pairs}
        return [self.place[label.name, pair] for pair in self.pairs if danced[pair][end] == keyframe]

    def _nodes(self) -> None:
        """Each name has one pair, whose motion is in the range (7.4) for all of its labels."""
        for name in self.names:
            self._row(1, 1, (self.place[name, pair] for pair in self.pairs))
            both = {Label(name), Label(name, mirrored=True)} <= set(self.labels)
            for pair in self.pairs:
                turned = self._turned(pair)
                danced = [pair] * (Label(name) in self.labels) + [turned] * (Label(name, mirrored=True) in self.labels)
                if (both and pair == turned) or not all(self.low < self.motions[each] < self.high for each in danced):
                    self.most[self.place[name, pair]] = 0

    def _repeated(self, one: Label, then: Label, count: int) -> None:
        """Charge a name for following itself."""
        for v, w in product(self.keyframes, repeat=2):
            for x in set(self._danced(one, 1, v)) & set(self._danced(then, 0, w)):
                self.costs[x] += count * self.motions[v, w]
                if v == w or self.motions[v, w] >= self.high:
                    self.most[x] = 0

    def _passed(self, one: Label, then: Label, count: int) -> None:
        """Charge the way from one name to another (7.5, 7.6), and keep their keyframes apart (7.9)."""
        flow = {(v, w): self._variable(count * self.motions[v, w]) for v, w in product(self.keyframes, repeat=2)}
        for (v, w), x in flow.items():
            self.most[x] = int(v != w and self.motions[v, w] < self.high)
        for k in self.keyframes:
            self._row(0, 0, (flow[k, w] for w in self.keyframes), self._danced(one, 1, k))
            self._row(0, 0, (flow[v, k] for v in self.keyframes), self._danced(then, 0, k))
            for end in (0, 1):
                self._row(0, 1, self._danced(one, end, k) + self._danced(then, end, k))

    def _distinct(self) -> None:
        """Let no two names have one pair or each other's mirrored one (7.7), nor one that is half mirrored (7.8)."""
        for pair in self.pairs:
            self._row(0, 1, (self.place[name, each] for name in self.names for each in {pair, self._turned(pair)}))
        for u, v in combinations(self.keyframes, 2):
            whole = {(u, v), (v, u), self._turned((u, v)), self._turned((v, u))}
            half = {(a, int(self.mirror[b])) for a, b in whole} & set(self.pairs)
            for one, other in permutations(self.names, 2) if v != self.mirror[u] else ():
                self._row(0, 1, [self.place[one, each] for each in whole] + [self.place[other, each] for each in half])


def uniform(seed: int, half: int) -> np.ndarray:
    """Return motions without any order, some of them out of range."""
    motions = np.random.default_rng(seed).uniform(4, 75, (2 * half, 2 * half))
    np.fill_diagonal(motions, 0)
    return np.round(motions, 3)


def even(seed: int, half: int) -> np.ndarray:
    """Return motions that are the same mirrored, as those between flipped keyframes are."""
    motions, mirror = uniform(seed, half), with_mirrored(half)
    return np.round((motions + motions[np.ix_(mirror, mirror)]) / 2, 3)


def posed(seed: int, half: int) -> np.ndarray:
    """Return distances between poses that are points in space, and their mirror images."""
    poses = np.random.default_rng(seed).uniform(-1, 1, (half, 3))
    poses = np.concatenate([poses, poses * (-1, 1, 1)])
    return np.round(30 * np.linalg.norm(poses[:, None] - poses, axis=2), 3)


def level(seed: int, half: int) -> np.ndarray:
    """Return motions of which many are the same."""
    return np.round(uniform(seed, half), -1)


KINDS: dict[str, Callable[[int, int], np.ndarray]] = {each.__name__: each for each in (uniform, even, posed, level)}


def with_mirrored(half: int) -> np.ndarray:
    return np.r_[half : 2 * half, :half]


def some_labels(seed: int, names: int, segments: int) -> tuple[Label, ...]:
    """Return a choreography without any order, a third of it mirrored: each name once, then any."""
    chance = np.random.default_rng(seed)
    numbers = [*range(names), *chance.integers(0, names, segments - names).tolist()]
    return tuple(Label(name_of(number), bool(chance.random() < 1 / 3)) for number in numbers)


class Timed(NamedTuple):
    """What one way of solving came to."""

    seconds: float
    cost: float
    proved: bool

    def __str__(self) -> str:
        return f"{self.seconds:8.2f} s {self.cost:8.1f} px {'proved' if self.proved else '      '}"


def timed(work: Callable[[], tuple[float, bool]]) -> Timed:
    start = time.process_time()
    cost, proved = work()
    return Timed(time.process_time() - start, cost, proved)


def searched(labels: Sequence[Label], motions: np.ndarray, mirror: np.ndarray, seconds: float) -> tuple[float, bool]:
    plan = solve(labels, motions, mirror, seconds=seconds)
    return plan.cost, plan.proved and not plan.relaxed


def programmed(labels: Sequence[Label], motions: np.ndarray, mirror: np.ndarray, seconds: float) -> tuple[float, bool]:
    found = Program(labels, motions, mirror).solve(seconds)
    return np.inf if found.fun is None else found.fun, found.status == 0


def spread(values: Sequence[float]) -> str:
    return f"{min(values):8.2f} {np.median(values):8.2f} {max(values):8.2f}"


def main() -> None:
    """Print a row for each case, and least, median and most of each kind."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--labels", type=read_labels, default=read_labels(SONG), help="a song of 32 segments")
    parser.add_argument("--names", type=int, help="instead, labels without any order, of so many names")
    parser.add_argument("--segments", type=int, default=32, help="so long")
    parser.add_argument("--keyframes", type=int, default=12, help="mirrored ones counted")
    parser.add_argument("--seconds", type=float, default=300, help="after which either gives up, by the clock")
    parser.add_argument("--alone", action="store_true", help="without the program")
    options = parser.parse_args()
    half = options.keyframes // 2
    print(f"{2 * half} keyframes; " + ("labels without order" if options.names else write_labels(options.labels)))
    for kind in options.kinds:
        ours, theirs = [], []
        for seed in range(options.seeds):
            labels = some_labels(seed, options.names, options.segments) if options.names else options.labels
            case = labels, KINDS[kind](seed, half), with_mirrored(half), options.seconds
            ours.append(timed(lambda case=case: searched(*case)))
            line = f"{kind:>8} {seed:>3}   search {ours[-1]}"
            if not options.alone:
                theirs.append(timed(lambda case=case: programmed(*case)))
                line += f"   milp {theirs[-1]}   x {theirs[-1].seconds / ours[-1].seconds:.0f}"
            print(line, flush=True)
        print(f"{kind:>8}   search, least, median and most: {spread([each.seconds for each in ours])} s")
        if theirs:
            print(f"{'':>8}   milp                           {spread([each.seconds for each in theirs])} s")
            ratios = [program.seconds / search.seconds for search, program in zip(ours, theirs, strict=True)]
            print(f"{'':>8}   ratio                          {spread(ratios)}", flush=True)


if __name__ == "__main__":
    main()
