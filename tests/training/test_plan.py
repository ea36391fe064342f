"""Schedules against their closed forms, and samples that are shared without a gap."""

from dataclasses import replace
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


def test_a_rate_that_stays_falls_at_the_end():
    plan = Plan(steps=1100, batch=1, learning_rate=2.0, warm_up=99, fall=0.2, end=0.1)
    assert all(plan.rate(step) == 2 for step in range(99, 899))
    assert plan.rate(999) == pytest.approx((2 + 0.2) / 2, rel=0.01)
    assert plan.rate(1099) == pytest.approx(0.2)


def test_a_training_goes_on_under_a_longer_plan_until_its_rate_falls():
    plan = Plan(steps=1000, batch=2, learning_rate=1, fall=0.2)
    longer = replace(plan, steps=2000, keep_every=10, validate_every=7)
    assert longer.goes_on(plan, 800)
    assert not longer.goes_on(plan, 900)
    assert not replace(plan, batch=4).goes_on(plan, 10)
    assert not replace(plan, fall=1.0, steps=2000).goes_on(replace(plan, fall=1.0), 200)
    assert plan.goes_on(plan, 1000)


def test_a_finished_training_is_taken_up_again():
    plan = Plan(steps=1000, batch=2, learning_rate=2, warm_up=10, fall=0.2, end=0.1)
    longer = replace(plan, steps=1500, rises=(1000,))
    assert longer.goes_on(plan, 1000)
    assert not replace(longer, rises=(900,)).goes_on(plan, 1000)
    assert [longer.rate(1000 + step) for step in range(500)] == [replace(plan, steps=500).rate(k) for k in range(500)]
    assert Plan.from_dict(longer.as_dict()) == longer
    with pytest.raises(InputError, match="later and later"):
        replace(plan, rises=(1000,))


@pytest.mark.parametrize("fall", [0.0, -1.0, 1.5])
def test_a_rate_falls_over_a_share(fall: float):
    with pytest.raises(InputError, match="share of 0 to 1"):
        Plan(steps=10, batch=1, learning_rate=1, fall=fall)
