"""The cheapest choice of values, compared with all choices there are."""

import itertools

import numpy as np
import pytest

from keyweave.systems.dance import search
from keyweave.systems.dance.search import Found, cheapest


class Told:
    """Costs of variables by themselves and of each two beside each other; tells what tables were asked for."""

    def __init__(self, seed: int, sizes: tuple[int, ...], *, most: int = 40) -> None:
        chance = np.random.default_rng(seed)

        def some(*shape: int) -> np.ndarray:
            return np.where(chance.random(shape) < 0.3, np.inf, chance.integers(0, most, shape))

        self.alone = [some(size) for size in sizes]
        self.linked = [pair for pair in itertools.combinations(range(len(sizes)), 2) if chance.random() < 0.7]
        self.tables = {(x, y): some(sizes[x], sizes[y]) for x, y in itertools.combinations(range(len(sizes)), 2)}
        for pair, table in self.tables.items():
            if pair not in self.linked:  # these exclude each other or cost nothing
                table[np.isfinite(table)] = 0
        self.asked: list[tuple[int, int]] = []

    def __call__(self, x: int, y: int, xs: np.ndarray, ys: np.ndarray) -> np.ndarray:
        self.asked.append((len(xs), len(ys)))
        return self.tables[x, y][np.ix_(xs, ys)]

    def cheapest(self, seconds: float = 600) -> Found:
        return cheapest(self.alone, self, self.linked, grain=1, seconds=seconds)

    def least(self) -> float:
        """Add up all choices."""
        letters = "abcdefg"[: len(self.alone)]
        total = np.zeros([len(costs) for costs in self.alone])
        for x, costs in enumerate(self.alone):
            total += costs.reshape([-1 if axis == x else 1 for axis in range(len(letters))])
        for (x, y), table in self.tables.items():
            total += table.reshape([total.shape[axis] if axis in (x, y) else 1 for axis in range(len(letters))])
        return float(total.min())


@pytest.mark.parametrize("sizes", [(9,), (7, 8), (5, 6, 4), (4, 3, 5, 4), (3, 3, 3, 3, 3)])
def test_a_choice_costs_what_the_cheapest_costs(sizes: tuple[int, ...]):
    never = 0
    for seed in range(40):
        told = Told(seed, sizes)
        found, least = told.cheapest(), told.least()
        assert found.cost == found.bound == least
        assert (found.choice is None) == np.isinf(least)
        never += np.isinf(least)
    assert len(sizes) < 4 or never > 0


@pytest.mark.parametrize("sizes", [(240, 250, 260), (300,) * 6])
def test_without_time_what_would_take_long_is_left_and_the_bound_is_still_true(sizes: tuple[int, ...]):
    told = Told(0, sizes, most=4000)
    hasty = told.cheapest(seconds=0)
    assert hasty.choice is not None
    assert max(told.asked[len(told.linked) :]) == (160, 160)
    found = told.cheapest()
    assert found.cost == found.bound
    assert hasty.bound <= found.cost <= hasty.cost
    assert len(sizes) > 3 or found.cost == told.least()


class Clock:
    """A second passes whenever somebody looks."""

    now = 0.0

    def monotonic(self) -> float:
        self.now += 1
        return self.now


class Pigeons:
    """Ten who each want a hole of their own out of nine: that they cannot is seen late."""

    alone = (np.zeros(9),) * 10
    linked = tuple(itertools.combinations(range(10), 2))

    def __call__(self, x: int, y: int, xs: np.ndarray, ys: np.ndarray) -> np.ndarray:
        return np.where(xs[:, None] == ys, np.inf, 0.0)


def test_patience_ends_while_there_is_no_choice_and_only_then(monkeypatch: pytest.MonkeyPatch):
    told = Told(0, (40,) * 7, most=4000)
    for costs, chosen, took in ((Pigeons(), False, 20), (told, True, 200)):
        clock = Clock()
        monkeypatch.setattr(search, "time", clock)
        found = cheapest(costs.alone, costs, costs.linked, grain=1, seconds=200, patience=20)
        assert (found.choice is not None) == chosen
        assert found.bound < found.cost
        assert took <= clock.now < took + 20
