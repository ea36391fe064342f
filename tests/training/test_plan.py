"""Schedules against their closed forms, and samples that are shared without a gap."""

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyweave.base.errors import InputError
from keyweave.training.plan import Plan


def test_the_rate_rises_and_falls():
    plan = Plan(steps=1001, batch=1, learning_rate=2.0, warm_up=100, end=0.1)
    assert plan.rate(0) == pytest.approx(0.02)
    assert plan.rate(99) == pytest.approx(2)
    assert plan.rate(100) == pytest.approx(2)
    assert plan.rate(550) == pytest.approx((2 + 0.2) / 2)
    assert plan.rate(1000) == pytest.approx(0.2)


def test_the_average_forgets_the_start():
    plan = Plan(steps=1, batch=1, learning_rate=1, average=0.99)
    assert plan.following(0) == pytest.approx(0.1)
    assert plan.following(100_000) == 0.99


@given(ranks=st.integers(1, 4), pieces=st.integers(1, 4), size=st.integers(1, 5), step=st.integers(0, 50))
def test_samples_are_shared_without_a_gap(ranks: int, pieces: int, size: int, step: int):
    plan = Plan(steps=60, batch=ranks * pieces * size, learning_rate=1, pieces=pieces)
    parts = [plan.samples(step, rank, ranks, piece) for rank in range(ranks) for piece in range(pieces)]
    assert list(chain.from_iterable(parts)) == list(range(step * plan.batch, (step + 1) * plan.batch))


def test_doors():
    with pytest.raises(InputError, match="cannot be shared evenly by 3 processes"):
        Plan(steps=1, batch=8, learning_rate=1).samples(0, 0, 3)
    with pytest.raises(InputError, match="needs steps of 1 or more; got 0"):
        Plan(steps=0, batch=8, learning_rate=1)
    with pytest.raises(InputError, match="above 0"):
        Plan(steps=1, batch=8, learning_rate=0)


def test_plans_are_written_and_read():
    plan = Plan(steps=3, batch=4, learning_rate=1e-3, betas=(0.5, 0.6), precision="bf16")
    assert Plan.from_dict(plan.as_dict()) == plan
