"""The cheapest choice of a value for each of some variables, found and proved.

A value costs something by itself and something beside each value of another variable: infinity where the two exclude
each other. Costs are first shifted between variables and pairs, which no choice notices, until it shows how much every
choice costs at least (sequential reweighted message passing, after Kolmogorov 2015). A local search finds a good
choice; values that cannot be in a better one are dropped; the rest is searched depth first under the same bound.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Numbers = NDArray[np.intp]

_ROUNDS = 16  # of shifting: more of them cost more than they save
_FEW = 160  # values of each variable among which the first choice is looked for
_STARTS = 48  # of the local search, for each variable
_SWEEPS = 24
_FORBIDDEN = 1e7  # what an excluded pair costs the local search, which may pass through such
_MOST_CELLS = 48_000_000  # of all tables together


class Between(Protocol):
    """Tells what values of two variables cost beside each other.

    Args:
        x: a variable.
        y: another.
        xs: (X,) values of the first.
        ys: (Y,) values of the second.

    Returns:
        (X, Y) costs.
    """

    def __call__(self, x: int, y: int, xs: Numbers, ys: Numbers) -> Floats: ...  # noqa: D102 - the class says it


@dataclass(frozen=True)
class Found:
    """What a search came to.

    Args:
        choice: a value for each variable; None if none was found.
        cost: what it costs.
        bound: what every choice costs at least; infinite where it is proved that there is none.
    """

    choice: tuple[int, ...] | None
    cost: float
    bound: float


def cheapest(
    alone: Sequence[Floats],
    between: Between,
    linked: Collection[tuple[int, int]],
    *,
    grain: float,
    seconds: float,
    patience: float | None = None,
) -> Found:
    """Find the cheapest choice; of several the first in an order of search that depends on the costs alone.

    Args:
        alone: for each variable what each of its values costs, infinite where it may not be.
        between: what two values cost beside each other, zero or infinite but for linked variables; never negative.
        linked: pairs (x, y) of variables, x < y.
        grain: costs are multiples of this, so that whatever is cheaper is cheaper by as much.
        seconds: after which to settle for the best choice so far.
        patience: seconds after which to give up where there is none so far; as long without.
    """
    now = time.monotonic()
    search = _Search(alone, between, grain, now + seconds, now + (seconds if patience is None else patience))
    field = _field(alone, between, [np.flatnonzero(np.isfinite(costs)) for costs in alone], linked)
    if _shift(field, search.late) < np.inf:
        search.run(field)
    return Found(search.choice, search.cost, min(search.cost, search.given_up))


@dataclass(frozen=True)
class _Field:
    """What is left to choose from.

    Args:
        values: the values of each variable that is open.
        alone: what each of them costs.
        tables: what they cost beside those of another variable; (x, y) and (y, x) are two views of one array.
    """

    values: dict[int, Numbers]
    alone: dict[int, Floats]
    tables: dict[tuple[int, int], Floats]

    def beside(self, x: int) -> list[int]:
        """Return the variables that x shares a table with."""
        return [y for y in self.values if (x, y) in self.tables]

    def floors(self) -> dict[tuple[int, int], float]:
        """Return the least of each table."""
        return {(x, y): float(table.min(initial=np.inf)) for (x, y), table in self.tables.items() if x < y}

    def narrowed(self, kept: dict[int, Numbers]) -> _Field:
        """Return a copy with some of the values of some of the variables."""
        tables = {
            (x, y): table[np.ix_(kept[x], kept[y])]
            for (x, y), table in self.tables.items()
            if x < y and x in kept and y in kept
        }
        return _Field(
            {x: self.values[x][places] for x, places in kept.items()},
            {x: self.alone[x][places] for x, places in kept.items()},
            _both_ways(tables),
        )

    def given(self, x: int, place: int) -> _Field | None:
        """Return what the others have left beside a value of x; None if one of them has nothing."""
        kept, alone = {}, {}
        for y in self.values:
            if y != x:
                costs = self.alone[y] + self.tables[x, y][place]
                kept[y] = np.flatnonzero(np.isfinite(costs))
                alone[y] = costs[kept[y]]
                if not len(kept[y]):
                    return None
        rest = self.narrowed(kept)
        return _Field(rest.values, alone, rest.tables)


def _both_ways(tables: dict[tuple[int, int], Floats]) -> dict[tuple[int, int], Floats]:
    return tables | {(y, x): table.T for (x, y), table in tables.items()}


def _field(
    alone: Sequence[Floats], between: Between, values: Sequence[Numbers], pairs: Collection[tuple[int, int]]
) -> _Field:
    tables = {(x, y): between(x, y, values[x], values[y]) for x, y in pairs}
    return _Field(
        dict(enumerate(values)),
        {x: costs[places] for x, (costs, places) in enumerate(zip(alone, values, strict=True))},
        _both_ways(tables),
    )


def _shift(field: _Field, late: Callable[[], bool]) -> float:
    """Shift costs, in place, so that the least of all variables and tables add up to more; return that sum.

    Each choice costs what it did; `late` tells whether to stop where it is.
    """
    order = list(field.values)
    bound = -np.inf
    for number in range(_ROUNDS):
        turned = order[:: -1 if number % 2 else 1]
        for place, x in enumerate(turned):
            costs = field.alone[x]
            near = field.beside(x)
            for y in near:
                table = field.tables[x, y]
                least = table.min(axis=1, initial=np.inf)
                costs += least  # infinite where nothing beside this value is left
                table -= np.where(np.isfinite(least), least, 0)[:, None]
            gone = ~np.isfinite(costs)
            if gone.all():
                return np.inf
            for y in near if gone.any() else ():  # or the tables would say that these values cost little
                field.tables[x, y][gone] = np.inf
            ahead = [y for y in turned[place + 1 :] if (x, y) in field.tables]
            if ahead:
                share = np.where(gone, 0, costs) / max(len(ahead), len(near) - len(ahead))
                for y in ahead:
                    field.tables[x, y] += share[:, None]  # a view: its twin sees it
                    costs -= share
        bound = sum(float(costs.min()) for costs in field.alone.values()) + sum(field.floors().values())
        if late():
            break
    return bound


def _least(field: _Field) -> dict[int, Floats]:
    """Return for each value what every choice that holds it costs at least."""
    floors = field.floors()
    lowest = {x: float(costs.min(initial=np.inf)) for x, costs in field.alone.items()}
    found = {}
    for x, costs in field.alone.items():
        near = field.beside(x)
        apart = sum(floor for pair, floor in floors.items() if x not in pair)
        apart += sum(lowest[y] for y in field.values if y != x and y not in near)
        beside = [(field.tables[x, y] + field.alone[y]).min(axis=1, initial=np.inf) for y in near]
        found[x] = costs + apart + sum(beside)
    return found


class _Search:
    """The best choice so far, and what was given up for lack of time or room."""

    def __init__(self, alone: Sequence[Floats], between: Between, grain: float, stop: float, empty_stop: float) -> None:
        self._alone, self._between = alone, between
        self._grain, self._stop, self._empty_stop = grain, stop, empty_stop
        self.choice: tuple[int, ...] | None = None
        self.cost = np.inf
        self.given_up = np.inf

    def late(self) -> bool:
        """Tell whether time is up: sooner as long as there is no choice."""
        return time.monotonic() > (self._empty_stop if self.choice is None else self._stop)

    def run(self, field: _Field) -> None:
        """Search what is left when only the tables of linked variables are shifted."""
        least = _least(field)
        few = {x: _lowest(costs, _FEW) for x, costs in least.items()}
        full = self._filled(field, few)
        if _shift(full, self.late) < np.inf:
            self._climb(full)
        if any(len(few[x]) < len(costs) for x, costs in least.items()):
            kept = {x: self._within_room(costs, len(least)) for x, costs in least.items()}
            if self.late() and max(map(len, kept.values())) > _FEW:  # larger tables would take as long again
                self._give_up(max(least.values(), key=min))
                return
            full = self._filled(field, kept)
            _shift(full, self.late)
        self._branch(full, 0.0, {})

    def _filled(self, field: _Field, kept: dict[int, Numbers]) -> _Field:
        """Return some values of a field with the tables of all variables, linked or not."""
        pairs = list(combinations(field.values, 2))
        return _field(self._alone, self._between, [field.values[x][places] for x, places in kept.items()], pairs)

    def _better(self, least: Floats) -> Numbers:
        """Return the places of values that can be in a better choice, the most promising first."""
        order = np.argsort(least, kind="stable")
        return order[least[order] < self.cost - self._grain / 2]

    def _within_room(self, least: Floats, variables: int) -> Numbers:
        """Return the places of values that can be in a better choice, as many as there is room for."""
        most = int((_MOST_CELLS / max(1, variables * (variables - 1) // 2)) ** 0.5)
        places = self._better(least)
        self._give_up(least[places[most:]])
        return places[:most]

    def _give_up(self, least: Floats) -> None:
        self.given_up = min(self.given_up, float(least.min(initial=np.inf)))

    def _branch(self, field: _Field, spent: float, chosen: dict[int, int]) -> None:
        """Try the values of one open variable, the one with fewest of them."""
        if not field.values:
            self._offer(tuple(chosen[x] for x in range(len(self._alone))))
            return
        least = {x: costs + spent for x, costs in _least(field).items()}
        kept = {x: self._better(costs) for x, costs in least.items()}
        if not all(map(len, kept.values())):
            return
        field = field.narrowed(kept)
        x = min(kept, key=lambda x: (len(kept[x]), x))
        for place, bound in enumerate(least[x][kept[x]]):
            if not bound < self.cost - self._grain / 2:
                return
            if self.late():
                self._give_up(least[x][kept[x]][place:])
                return
            rest = field.given(x, place)
            if rest is not None:
                self._branch(rest, spent + float(field.alone[x][place]), chosen | {x: int(field.values[x][place])})

    def _offer(self, choice: tuple[int, ...]) -> None:
        """Keep a choice if it is the cheapest so far."""
        cost = sum(float(costs[value]) for costs, value in zip(self._alone, choice, strict=True))
        for x, y in combinations(range(len(choice)), 2):
            cost += float(self._between(x, y, np.array([choice[x]]), np.array([choice[y]]))[0, 0])
        if cost < self.cost - self._grain / 2:
            self.choice, self.cost = choice, cost

    def _climb(self, field: _Field) -> None:
        """Improve many first choices, one variable at a time, and offer the best."""
        if len(field.values) == 1:
            return
        alone = {x: np.minimum(costs, _FORBIDDEN) for x, costs in field.alone.items()}
        tables = {pair: np.minimum(table, _FORBIDDEN) for pair, table in field.tables.items()}
        least = _least(field)
        choices = np.concatenate([_grown(x, _lowest(least[x], _STARTS), alone, tables) for x in alone], axis=1)
        for _ in range(_SWEEPS):
            before = choices.copy()
            for x, own in alone.items():
                choices[x] = (own + sum(tables[y, x][choices[y]] for y in alone if y != x)).argmin(axis=1)
            if np.array_equal(choices, before):
                break
        costs = np.sum([alone[x][choices[x]] for x in alone], axis=0)
        costs += np.sum([tables[x, y][choices[x], choices[y]] for x, y in combinations(alone, 2)], axis=0)
        self._offer(tuple(int(field.values[x][choices[x, costs.argmin()]]) for x in alone))


def _lowest(costs: Floats, most: int) -> Numbers:
    """Return the places of the lowest costs, in order of place."""
    return np.sort(np.argsort(costs, kind="stable")[:most])


def _grown(x: int, starts: Numbers, alone: dict[int, Floats], tables: dict[tuple[int, int], Floats]) -> Numbers:
    """Return for each value of x a choice that holds it (variables, starts), its neighbours chosen greedily."""
    choices = np.zeros((len(alone), len(starts)), np.intp)
    choices[x] = starts
    costs = {y: alone[y] + tables[x, y][starts] for y in alone if y != x}
    for y in sorted(costs, key=lambda y: (abs(y - x), y)):
        choices[y] = costs.pop(y).argmin(axis=1)
        costs = {z: known + tables[y, z][choices[y]] for z, known in costs.items()}
    return choices
