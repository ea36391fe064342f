"""Warping against all paths written out."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyweave.maths.dtw import warped

SEEDS = st.integers(0, 10_000)
SIZES = st.integers(1, 5)
BANDS = st.sampled_from([0.0, 0.25, 0.5, 1.0])


def paths(rows: int, columns: int) -> Iterator[list[tuple[int, int]]]:
    """All paths from the first cell to the last one."""
    if (rows, columns) == (1, 1):
        yield [(0, 0)]
        return
    for down, right in ((1, 0), (0, 1), (1, 1)):
        if rows > down and columns > right:
            for path in paths(rows - down, columns - right):
                yield [*path, (rows - 1, columns - 1)]


def slowly(costs: np.ndarray, band: float) -> float:
    rows, columns = costs.shape
    shortest = min(rows, columns) - 1
    width = max(band, 1 / shortest) if shortest else 1.0
    best = (np.inf, 0)
    for path in paths(rows, columns):
        ahead = max(abs(i / max(rows - 1, 1) - j / max(columns - 1, 1)) for i, j in path)
        if ahead <= width + 1e-12:
            best = min(best, (float(sum(costs[cell] for cell in path)), len(path)))
    return best[0] / best[1]


@given(SEEDS, SIZES, SIZES, BANDS)
def test_warping_finds_what_all_paths_written_out_find(seed: int, rows: int, columns: int, band: float):
    costs = np.random.default_rng(seed).integers(0, 4, (1, rows, columns)).astype(float)  # with many ties
    assert warped(costs, band=band).tolist() == pytest.approx([slowly(one, band) for one in costs])


@given(SEEDS, SIZES, st.lists(SIZES, min_size=1, max_size=6), BANDS)
def test_shorter_ones_may_be_padded_with_anything(seed: int, rows: int, columns: list[int], band: float):
    costs = np.random.default_rng(seed).random((len(columns), rows, max(columns)))
    for one, wide in zip(costs, columns, strict=True):
        one[:, wide:] = np.nan
    alone = [warped(one[None, :, :wide], band=band)[0] for one, wide in zip(costs, columns, strict=True)]
    assert warped(costs, np.array(columns), band=band).tolist() == alone


@given(SEEDS, st.integers(1, 30), st.integers(1, 30))
def test_neither_sequence_is_the_first(seed: int, rows: int, columns: int):
    costs = np.random.default_rng(seed).random((2, rows, columns))
    assert warped(costs).tolist() == warped(costs.transpose(0, 2, 1)).tolist()


@given(st.integers(1, 30), st.integers(1, 30))
def test_every_shape_has_a_path_and_its_mean_is_the_cost_of_all_cells(rows: int, columns: int):
    assert warped(np.full((1, rows, columns), 0.7), band=0.0)[0] == pytest.approx(0.7)


def test_the_same_thing_danced_slower_costs_nothing():
    steps, slower = np.arange(5), np.repeat(np.arange(5), 3)
    assert warped(np.abs(steps[:, None] - slower)[None].astype(float)).tolist() == [0]


def test_a_band_forbids_to_wait_for_long():
    late = np.abs(np.array([0, 0, 0, 0, 0, 0, 9, 9])[:, None] - np.array([0, 9, 9, 9, 9, 9, 9, 9]))[None].astype(float)
    assert warped(late, band=1.0)[0] == 0
    assert warped(late, band=0.25)[0] > 1
