"""Plans of middling size cost what an integer program finds for them, which knows the thesis's equations alone."""

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

from keyweave.systems.dance.assignment import solve

BENCHMARK = Path(__file__).parents[3] / "benchmarks" / "dance_plan.py"


@pytest.fixture(scope="module")
def benchmark() -> Any:
    spec = importlib.util.spec_from_file_location("dance_plan", BENCHMARK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["dance_plan"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["dance_plan"]


@pytest.mark.parametrize("seed", [2, 3, 4])
@pytest.mark.parametrize(("kind", "half"), [("uniform", 4), ("level", 4), ("even", 3), ("posed", 3)])
def test_twelve_segments_of_four_names_cost_what_the_program_finds(benchmark: Any, kind: str, half: int, seed: int):
    labels, mirror = benchmark.some_labels(seed, 4, 12), benchmark.with_mirrored(half)
    motions = benchmark.KINDS[kind](seed, half)
    found = benchmark.Program(labels, motions, mirror).solve(600)
    plan = solve(labels, motions, mirror)
    assert found.status == 0
    assert (plan.proved, plan.relaxed) == (True, "")
    assert plan.cost == pytest.approx(found.fun, abs=1e-5)


def test_where_the_program_has_no_solution_rules_are_given_up(benchmark: Any):
    labels, mirror, motions = benchmark.some_labels(0, 4, 12), benchmark.with_mirrored(3), benchmark.posed(0, 3)
    assert benchmark.Program(labels, motions, mirror).solve(600).status == 2
    assert solve(labels, motions, mirror).relaxed
