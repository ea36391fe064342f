"""The order in which examples come."""

from hypothesis import given
from hypothesis import strategies as st

from keyweave.training.order import Order


@given(st.integers(1, 30), st.integers(0, 5))
def test_every_example_comes_once_before_any_comes_again(count: int, seed: int):
    order = Order(count, seed)
    for epoch in range(3):
        assert sorted(order.row(count * epoch + number) for number in range(count)) == list(range(count))


def test_the_order_is_new_each_time_and_depends_on_the_number_alone():
    order, other = Order(20, 0), Order(20, 1)
    first, second = ([order.row(20 * epoch + number) for number in range(20)] for epoch in (0, 1))
    assert first != second
    assert first != [other.row(number) for number in range(20)]
    assert [Order(20, 0).row(number) for number in (25, 3, 25)] == [second[5], first[3], second[5]]
