"""Figures of agreement against counting pairs, and against scikit-learn where it is installed."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyweave.systems.dance.agreement import adjusted_rand, agreement, mutual_information
from keyweave.systems.dance.labels import read_labels

SORTED = st.integers(1, 12).flatmap(
    lambda count: st.tuples(*[st.lists(st.integers(0, 4), min_size=count, max_size=count)] * 2)
)


def rand_by_pairs(one: list[int], other: list[int]) -> float:
    """By the four kinds of pairs."""
    kinds = [(one[i] == one[j], other[i] == other[j]) for i, j in combinations(range(len(one)), 2)]
    a, b, c, d = (kinds.count(kind) for kind in ((True, True), (True, False), (False, True), (False, False)))
    return 2 * (a * d - b * c) / ((a + b) * (b + d) + (a + c) * (c + d)) if b or c else 1.0


@given(SORTED)
def test_the_rand_index_counts_pairs(both: tuple[list[int], list[int]]):
    assert adjusted_rand(*both) == pytest.approx(rand_by_pairs(*both))


@given(SORTED)
def test_figures_are_those_of_scikit_learn(both: tuple[list[int], list[int]]):
    from sklearn import metrics as known

    assert adjusted_rand(*both) == pytest.approx(known.adjusted_rand_score(*both))
    assert mutual_information(*both) == pytest.approx(known.normalized_mutual_info_score(*both), abs=1e-9)


@given(SORTED)
def test_names_do_not_matter_nor_who_is_asked_first(both: tuple[list[int], list[int]]):
    one, other = both
    renamed = ["edcba"[name] for name in one]
    for figure in (adjusted_rand, mutual_information):
        assert figure(one, other) == pytest.approx(figure(other, renamed))
        assert figure(one, renamed) == pytest.approx(1)


def test_information_of_halves():
    assert mutual_information("AABB", "ABAB") == pytest.approx(0)
    half = mutual_information("AABB", "ABCD")  # one of two bits
    assert half == pytest.approx(2 * np.log(2) / (np.log(2) + np.log(4)))


def test_mirrored_pairs_are_pairs_of_segments():
    truth = read_labels("A-A'-A-B-B'")  # pairs (0, 1), (1, 2), (3, 4)
    found = agreement(read_labels("A-A'-A-B-C"), truth)
    assert (found.precision, found.recall, found.balance) == (1, pytest.approx(2 / 3), pytest.approx(0.8))
    found = agreement(read_labels("A'-A-A'-A'-B"), truth)  # (0, 1), (1, 2), (1, 3)
    assert (found.precision, found.recall) == (pytest.approx(2 / 3), pytest.approx(2 / 3))
    assert agreement(truth, truth).balance == agreement(truth, truth).rand == 1


def test_where_there_is_nothing_mirrored():
    plain, mirrored = read_labels("A-B"), read_labels("A-A'")
    assert (agreement(plain, plain).precision, agreement(plain, plain).balance) == (1, 1)
    assert (agreement(plain, mirrored).precision, agreement(plain, mirrored).recall) == (1, 0)
    assert (agreement(mirrored, plain).precision, agreement(mirrored, plain).balance) == (0, 0)


def test_labels_of_other_segments_are_refused():
    with pytest.raises(ValueError, match="got 2 and 1"):
        agreement(read_labels("A-B"), read_labels("A"))
