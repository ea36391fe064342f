"""Motions between keyframes, and which pairs and transitions their range allows."""

import itertools

import numpy as np
import pytest

from keyweave.base.errors import InputError
from keyweave.base.progress import Progress
from keyweave.systems.dance.graph import KeyframeGraph, measure_motions


def picture(number: int, height: int = 24, width: int = 32) -> np.ndarray:
    return np.full((height, width, 3), number, np.uint8)


class NumberedFlow:
    """Moves the left half of a picture to the right by its number plus ten times the other's; the right half less."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []

    def __call__(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        one, other = int(a[0, 0, 0]), int(b[0, 0, 0])
        self.asked.append((one, other))
        flow = np.zeros((*a.shape[:2], 2), np.float32)
        flow[:, : a.shape[1] // 2] = 0.6 * (one + 10 * other), 0.8 * (one + 10 * other)
        flow[:, a.shape[1] // 2 :] = 0, 1
        return flow


def left_half(height: int = 24, width: int = 32) -> np.ndarray:
    return np.tile(np.arange(width) < width // 2, (height, 1))


def test_motions_are_mean_lengths_over_the_subject_at_the_paper_s_height_and_each_way_by_itself():
    flow = NumberedFlow()
    motions = measure_motions([picture(k) for k in range(3)], [left_half()] * 3, [0, 1, 2], flow)
    for u, v in itertools.product(range(3), repeat=2):
        expected = 0 if u == v else (u + 10 * v) * 576 / 24
        assert motions[u, v] == pytest.approx(expected, rel=1e-5)
    assert sorted(flow.asked) == sorted(itertools.permutations(range(3), 2))


def test_each_picture_s_own_subject_counts():
    masks = [left_half(), ~left_half()]
    motions = measure_motions([picture(0), picture(1)], masks, [0, 1], NumberedFlow())
    assert motions[0, 1] == pytest.approx(10 * 24, rel=1e-5)
    assert motions[1, 0] == pytest.approx(24)


def test_what_is_flipped_is_measured_once_and_is_the_same_mirrored():
    mirror = np.array([2, 3, 0, 1])
    pictures = [picture(k) for k in range(4)]
    flow = NumberedFlow()
    motions = measure_motions(pictures, [left_half()] * 4, mirror, flow, flipped=True)
    assert np.array_equal(motions, motions[np.ix_(mirror, mirror)])
    assert len(flow.asked) == 6
    assert not any((mirror[v], mirror[u]) in flow.asked for v, u in flow.asked if mirror[v] != u)
    plain = measure_motions(pictures, [left_half()] * 4, mirror, NumberedFlow())
    assert all(motions[pair] == plain[pair] for pair in flow.asked)


def test_large_pictures_are_compared_small_and_their_motions_are_no_larger_for_it():
    """A motion by a tenth of the height is the same at any size."""

    def tenth(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        assert a.shape[0] <= 288
        return np.full((*a.shape[:2], 2), (0, a.shape[0] / 10), np.float32)

    for height in (24, 288, 1440):
        width = height * 4 // 3
        pictures, masks = [picture(k, height, width) for k in (0, 1)], [left_half(height, width)] * 2
        assert measure_motions(pictures, masks, [0, 1], tenth)[0, 1] == pytest.approx(57.6)


def test_each_pair_is_a_step_of_the_job():
    events = []
    progress = Progress("dance", events.append)
    measure_motions([picture(k) for k in range(3)], [left_half()] * 3, [0, 1, 2], NumberedFlow(), progress=progress)
    steps = [event for event in events if event.kind == "step"]
    assert [step.done for step in steps] == list(range(1, 7))
    assert steps[0].total == 6


def test_pictures_of_other_sizes_and_empty_masks_are_refused():
    with pytest.raises(InputError, match="keyframe 2 is 16 x 24 and keyframe 1 is 32 x 24"):
        measure_motions([picture(0), picture(1, 24, 16)], [left_half()] * 2, [0, 1], NumberedFlow())
    with pytest.raises(InputError, match="No subject was found in keyframe 2"):
        measure_motions([picture(0), picture(1)], [left_half(), left_half() & False], [0, 1], NumberedFlow())
    with pytest.raises(ValueError, match="mask of its size"):
        measure_motions([picture(0), picture(1)], [left_half()], [0, 1], NumberedFlow())
    with pytest.raises(ValueError, match="is the keyframe itself"):
        measure_motions([picture(k) for k in range(3)], [left_half()] * 3, [1, 2, 0], NumberedFlow())


def graph_of(seed: int = 0, **wishes: float) -> KeyframeGraph:
    motions = np.random.default_rng(seed).uniform(5, 70, (6, 6))
    np.fill_diagonal(motions, 0)
    return KeyframeGraph(motions, np.array([3, 4, 5, 0, 1, 2]), **({"low": 12, "high": 60} | wishes))


def test_pairs_are_ordered_and_numbered_and_mirrored_both_ends():
    graph = graph_of()
    assert [tuple(pair) for pair in graph.pairs.tolist()] == list(itertools.permutations(range(6), 2))
    assert np.array_equal(graph.number(*graph.pairs.T), np.arange(30))
    for number, (u, v) in enumerate(graph.pairs):
        assert tuple(graph.pairs[graph.mirrored[number]]) == (graph.mirror[u], graph.mirror[v])
    assert np.array_equal(graph.mirrored[graph.mirrored], np.arange(30))


def test_nodes_lie_within_the_range_and_edges_below_its_end():
    graph = graph_of()
    for number, (u, v) in enumerate(graph.pairs):
        assert graph.fits[number] == (12 < graph.motions[u, v] < 60)
    for v, w in itertools.product(range(6), repeat=2):
        assert graph.follows[v, w] == (v != w and graph.motions[v, w] < 60)
    assert 0 < graph.fits.mean() < 1


def test_the_ends_of_the_range_do_not_belong_to_it_unless_it_had_to_be_widened():
    motions = np.array([[0, 12.0, 60.0], [30.0, 0, 11.9], [6.0, 120.0, 0]])
    straight = np.arange(3)
    assert KeyframeGraph(motions, straight, 12, 60).fits.tolist() == [False, False, True, False, False, False]
    assert KeyframeGraph(motions, straight, 12, 60, slack=2).fits.all()
    assert KeyframeGraph(motions, straight, 12, 60, slack=1.9).fits.tolist() == [True, True, True, True, False, False]
    assert KeyframeGraph(motions, straight, 12, 60, slack=1.9).follows[2, 1] == np.False_


def test_a_range_from_nothing_still_asks_for_motion():
    motions = np.array([[0, 0.0], [0.1, 0]])
    assert KeyframeGraph(motions, np.arange(2), 0, 60).fits.tolist() == [False, True]
