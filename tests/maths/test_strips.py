"""The CPU's splatting against the plain one, on pictures large enough to be cut up."""

import numpy as np
import pytest
import torch

from keyweave.maths import strips
from keyweave.maths.splatting import splat_plainly
from keyweave.maths.strips import splat_in_strips


def scene(height: int, width: int, motion: float):
    chance = torch.Generator().manual_seed(0)
    return [
        torch.randn(1, channels, height, width, generator=chance) * scale
        for channels, scale in ((2, 1.0), (2, motion), (1, 1.0))
    ]


@pytest.mark.parametrize("motion", [1.0, 300.0])
@pytest.mark.parametrize("shape", [(300, 260), (2, 40_000), (70_000, 1), (5, 13_333)])
def test_strips_agree_with_the_plain_way(shape: tuple[int, int], motion: float):
    source, flow, metric = scene(*shape, motion)
    for chosen in (None, metric):
        torch.testing.assert_close(
            splat_in_strips(source, flow, chosen, None), splat_plainly(source, flow, chosen, None)
        )


def test_a_peak_is_taken_off_where_each_pixel_falls():
    source, flow, metric = (tensor.double() for tensor in scene(300, 260, 3.0))
    peak = torch.randn(1, 1, 304 * 264, dtype=torch.float64)
    got, expected = (way(source, flow, metric * 20, peak) for way in (splat_in_strips, splat_plainly))
    torch.testing.assert_close(got, expected)


@pytest.mark.parametrize("threads", [2, 3, 9])
def test_the_number_of_threads_changes_no_bit(threads: int):
    source, flow, metric = scene(300, 260, 40.0)
    assert torch.equal(
        splat_in_strips(source, flow, metric, None, threads=threads),
        splat_in_strips(source, flow, metric, None, threads=1),
    )


def test_torch_says_how_many_threads(monkeypatch: pytest.MonkeyPatch):
    asked: list[int] = []

    class Pool(strips.ThreadPoolExecutor):
        def __init__(self, threads: int) -> None:
            asked.append(threads)
            super().__init__(threads)

    monkeypatch.setattr(strips, "ThreadPoolExecutor", Pool)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    for size in (300, 20):
        source, flow, metric = scene(size, size, 1.0)
        splat_in_strips(source, flow, metric, None)
    assert asked == [3], "a small picture is not worth threads"


def test_a_picture_that_flies_over_all_strips_arrives():
    source = torch.rand(1, 1, 400, 200)
    flow = torch.zeros(1, 2, 400, 200)
    flow[0, 1] = 399 - 2 * torch.arange(400.0)[:, None]  # upside down
    moved = splat_in_strips(source, flow, None, None, threads=2)[:, :1]
    assert np.array_equal(moved.numpy(), source.flip(2).numpy())
