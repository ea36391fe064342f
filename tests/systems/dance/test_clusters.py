"""Clusters: those of SciPy, where all pairs are near; and the threshold that is found."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from keyweave.systems.dance.agreement import adjusted_rand
from keyweave.systems.dance.clusters import cluster

DOUBT = (0.2, 0.6)
SEEDS = st.integers(0, 10_000)


def distances(seed: int, count: int) -> np.ndarray:
    apart = np.random.default_rng(seed).random((count, count))
    return (apart + apart.T) * (1 - np.eye(count))


def on_a_line(*places: float) -> np.ndarray:
    return np.abs(np.subtract.outer(places, places))


@given(SEEDS, st.integers(2, 15), st.floats(0.1, 2))
def test_clusters_are_those_of_scipy(seed: int, count: int, threshold: float):
    apart = distances(seed, count)
    merges = linkage(squareform(apart), "complete")
    found = cluster(apart, doubt=DOUBT, threshold=threshold)
    assert found.heights == pytest.approx(merges[:, 2])
    assert adjusted_rand(found.of.tolist(), fcluster(merges, threshold, "distance").tolist()) == 1


@given(SEEDS, st.integers(1, 15), st.floats(0.1, 2))
def test_all_pairs_of_a_cluster_are_near(seed: int, count: int, threshold: float):
    apart = distances(seed, count)
    found = cluster(apart, doubt=DOUBT, threshold=threshold)
    assert sorted(member for members in found.members for member in members) == list(range(count))
    assert all(apart[np.ix_(members, members)].max() < threshold for members in found.members)
    assert [members[0] for members in found.members] == sorted(members[0] for members in found.members)


@given(SEEDS, st.integers(2, 15), st.floats(0.1, 2), st.floats(0, 1))
def test_every_threshold_of_the_band_gives_the_same_clusters(seed: int, count: int, threshold: float, share: float):
    apart = distances(seed, count)
    found = cluster(apart, doubt=DOUBT, threshold=threshold)
    low, high = found.band[0], min(found.band[1], 3.0)
    assert low < found.threshold <= found.band[1]
    within = cluster(apart, doubt=DOUBT, threshold=high - share * (high - low) * 0.999)
    assert within.of.tolist() == found.of.tolist()


def test_the_threshold_lies_in_the_widest_gap():
    found = cluster(on_a_line(0, 0.25, 0.5, 1.5, 1.75), doubt=(0.2, 1.2))
    assert found.of.tolist() == [0, 0, 0, 1, 1]
    assert found.heights == pytest.approx([0.25, 0.25, 0.5, 1.75])
    assert (found.threshold, found.band) == (pytest.approx(1.125), (0.5, 1.75))


def test_a_gap_is_wide_by_what_it_is_a_multiple_of():
    found = cluster(on_a_line(0, 0.05, 0.3, 0.35, 1.0, 1.5), doubt=DOUBT)
    assert found.of.tolist() == [0, 0, 1, 1, 2, 3]  # 0.05 to 0.35, and not 0.5 to 1
    assert found.threshold == pytest.approx(0.2)


@pytest.mark.parametrize("nearness", [0.0, 1e-9, 0.001, 0.01])
def test_what_is_all_the_same_is_one_motion(nearness: float):
    found = cluster(nearness * (15 + distances(0, 8)), doubt=DOUBT)
    assert found.of.tolist() == [0] * 8
    assert found.band[1] == np.inf


def test_what_is_all_distinct_is_as_many_motions():
    found = cluster(0.65 + distances(0, 8), doubt=DOUBT)
    assert found.of.tolist() == list(range(8))
    assert found.band[0] == 0


def test_where_nothing_is_surely_the_same_there_are_motions_still():
    danced = np.array([0, 0, 1, 1, 0])
    apart = np.where(danced[:, None] == danced, 0.36, 0.55) * (1 - np.eye(5))
    assert cluster(apart, doubt=DOUBT).of.tolist() == danced.tolist()


def test_where_nothing_is_the_same_and_all_is_about_as_far_apart_nothing_comes_again():
    apart = (0.4 + distances(3, 8) / 8) * (1 - np.eye(8))
    assert cluster(apart, doubt=DOUBT).of.tolist() == list(range(8))
    apart[0, 1] = apart[1, 0] = 0.1
    assert cluster(apart, doubt=DOUBT).of.tolist() == [0, 0, *range(1, 7)]


def test_one_segment_is_one_cluster():
    found = cluster(np.zeros((1, 1)), doubt=DOUBT)
    assert (found.of.tolist(), found.members, found.heights.tolist()) == ([0], ((0,),), [])
    assert found.band == (0, np.inf)
