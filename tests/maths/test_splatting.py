"""Splatting against a loop over pixels, and the laws that it keeps."""

import math
from itertools import product

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.autograd import gradcheck

from keyweave.maths import splatting
from keyweave.maths.splatting import Mode, splat, splat_plainly, splat_with_weight
from keyweave.maths.warping import warp

MODES: tuple[Mode, ...] = ("sum", "average", "linear", "softmax")
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA"))]


def slow_splat(source: Tensor, flow: Tensor, metric: Tensor | None, mode: Mode) -> tuple[Tensor, Tensor]:
    """Throw one pixel after the other, and merge at each target what has come, in exact order of the definition."""
    count, channels, height, width = source.shape
    values, weights = torch.zeros_like(source, dtype=torch.float64), torch.zeros(count, 1, height, width).double()
    for n in range(count):
        fallen: dict[tuple[int, int], list[tuple[float, float, list[float]]]] = {}
        for y, x in product(range(height), range(width)):
            dx, dy = flow[n, :, y, x].tolist()
            level = 0.0 if metric is None else metric[n, 0, y, x].item()
            if not all(map(math.isfinite, (dx, dy, level))):
                continue
            for column, row in product((math.floor(dx), math.floor(dx) + 1), (math.floor(dy), math.floor(dy) + 1)):
                share = (1 - abs(column - dx)) * (1 - abs(row - dy))
                if share > 0 and 0 <= x + column < width and 0 <= y + row < height:
                    come = (share, level, source[n, :, y, x].tolist())
                    fallen.setdefault((y + row, x + column), []).append(come)
        for (y, x), come in fallen.items():
            top = max(level for _, level, _ in come)
            factor = {"linear": lambda level: level, "softmax": lambda level, top=top: math.exp(level - top)}
            parts = [share * factor.get(mode, lambda _: 1.0)(level) for share, level, _ in come]
            total = 1.0 if mode == "sum" else sum(parts)
            for c in range(channels):
                values[n, c, y, x] = (
                    sum(part * value[c] for part, (_, _, value) in zip(parts, come, strict=True)) / total
                )
            weights[n, 0, y, x] = sum(share for share, _, _ in come)
    return values, weights


def scene(seed: int, height: int = 5, width: int = 6, *, motion: float = 2.0, count: int = 2, channels: int = 2):
    chance = torch.Generator().manual_seed(seed)
    source = torch.randn(count, channels, height, width, generator=chance, dtype=torch.float64)
    flow = torch.randn(count, 2, height, width, generator=chance, dtype=torch.float64) * motion
    metric = torch.rand(count, 1, height, width, generator=chance, dtype=torch.float64) + 0.1
    return source, flow, metric


def metric_for(mode: Mode, metric: Tensor) -> Tensor | None:
    return metric if mode in {"linear", "softmax"} else None


@pytest.fixture(params=["strips", "plainly", "kernel"])
def _all_ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a test with the CPU's own construction, with the plain one, and with the one for cards, interpreted."""
    if request.param != "strips":
        way = splat_plainly if request.param == "plainly" else request.getfixturevalue("interpreted_splat")
        monkeypatch.setattr(splatting, "splat_in_strips", way)


all_ways = pytest.mark.usefixtures("_all_ways")
sizes = st.integers(1, 6)


# Oracles


@all_ways
@pytest.mark.parametrize("mode", MODES)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 999), sizes, sizes, st.floats(0, 5), st.sampled_from([1.0, 40.0, 1e4]), st.booleans())
def test_it_is_the_loop(mode: Mode, seed: int, height: int, width: int, motion: float, reach: float, whole: bool):
    source, flow, metric = scene(seed, height, width, motion=motion)
    steps = 1 if whole else 1024
    flow, metric = (flow * steps).round() / steps, metric_for(mode, metric * reach)
    values, weight = splat_with_weight(source, flow, metric, mode=mode)
    slow_values, slow_weight = slow_splat(source, flow, metric, mode)
    torch.testing.assert_close(weight, slow_weight, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(values, slow_values, rtol=1e-6, atol=1e-9)


@all_ways
@pytest.mark.parametrize("_all_ways", ["strips", "plainly"], indirect=True)  # the interpreter is slow
@pytest.mark.parametrize("reach", [1.0, 300.0])
@pytest.mark.parametrize("mode", MODES)
def test_its_gradients_are_those_of_finite_differences(mode: Mode, reach: float):
    source, flow, metric = scene(1, 3, 4)
    inputs = [source, flow] if mode in {"sum", "average"} else [source, flow, metric * reach]
    for tensor in inputs:
        tensor.requires_grad_()
    assert gradcheck(lambda *given: splat_with_weight(*given, mode=mode), inputs)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("mode", MODES)
def test_every_device_agrees_with_the_loop(mode: Mode, device: str):
    source, flow, metric = scene(2)
    for reach in (1, 100):
        given = [tensor.float().double() for tensor in (source, flow, metric * reach)]
        expected, weight = slow_splat(given[0], given[1], metric_for(mode, given[2]), mode)
        on_device = [tensor.to(device, torch.float32) for tensor in given]
        values = splat(on_device[0], on_device[1], metric_for(mode, on_device[2]), mode=mode)
        assert values.device.type == device
        assert ((values.cpu() - expected).abs() * (weight > 0.01)).max() < 1e-4


# Laws


@all_ways
@given(st.integers(0, 999))
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_splatting_is_the_transpose_of_sampling(seed: int):
    source, flow, _ = scene(seed)
    target = scene(seed + 1)[0]
    thrown = (splat(source, flow, mode="sum") * target).sum()
    torch.testing.assert_close(thrown, (source * warp(target, flow, outside="zero")).sum())


@all_ways
def test_a_border_takes_the_share_that_falls_inside():
    source, flow = torch.ones(1, 1, 1, 4), torch.zeros(1, 2, 1, 4)
    flow[0, 0, 0] = torch.tensor([-0.25, 0, 0, 0.75])
    flow[0, 1, 0] = torch.tensor([0, 0, 0.5, 0])
    assert splat(source, flow, mode="sum").flatten().tolist() == [0.75, 1, 0.5, 0.25]
    assert splat(source, flow, mode="average").flatten().tolist() == [1, 1, 1, 1]


@all_ways
@pytest.mark.parametrize("mode", MODES)
def test_whole_steps_are_exact_in_a_wide_picture(mode: Mode):
    source = torch.rand(1, 1, 2, 5000)
    metric = metric_for(mode, torch.ones(1, 1, 2, 5000))
    moved, weight = splat_with_weight(
        source, torch.tensor([4001.0, 1]).view(1, 2, 1, 1).expand(1, 2, 2, 5000), metric, mode=mode
    )
    assert torch.equal(moved[0, 0, 1, 4001:], source[0, 0, 0, :999])
    assert weight[0, 0, 1, 4001:].eq(1).all()
    assert moved[0, 0, 0].eq(0).all()
    assert weight.sum() == 999


@all_ways
def test_a_hair_from_a_whole_step_in_a_wide_picture_keeps_its_precision():
    flow = torch.zeros(1, 2, 1, 5000)
    flow[0, 0, 0, 4000] = 2.0**-20
    moved = splat(torch.ones(1, 1, 1, 5000), flow, mode="sum").flatten()
    assert moved[4001] == 1 + 2.0**-20


@all_ways
def test_one_metric_changes_nothing_but_where_it_falls():
    """A single huge metric must not drown pixels that it never meets."""
    source, flow, metric = (tensor.float() for tensor in scene(3, 6, 6, motion=0.6))
    metric[0, 0, 0, 0] = 3e38
    flow[0, :, 0, 0] = 0
    got = splat(source, flow, metric, mode="softmax")
    torch.testing.assert_close(got[0, :, 0, 0], source[0, :, 0, 0])
    rest = torch.ones_like(got, dtype=torch.bool)
    rest[0, :, 0, 0] = False
    lost = flow.clone()
    lost[0, :, 0, 0] = torch.nan
    metric[0, 0, 0, 0] = 0
    torch.testing.assert_close(got[rest], splat(source, lost, metric, mode="softmax")[rest])


@all_ways
@pytest.mark.parametrize("hair", [1e-9, 1e-20, 1e-40, 0.0])
def test_a_hair_of_a_large_metric_does_not_drown_a_whole_pixel(hair: float):
    """A share that is nothing but rounding must not make a hole of the pixel that fell there."""
    source, flow = torch.tensor([2.0, 3.0]).view(1, 1, 1, 2), torch.zeros(1, 2, 1, 2)
    flow[0, 0, 0, 0] = hair
    for large in (100.0, 1e4, 1e30):
        metric = torch.tensor([large, 0.0]).view(1, 1, 1, 2)
        values, weight = splat_with_weight(source, flow, metric, mode="softmax")
        assert weight.flatten().tolist() == [1, 1]
        assert values[0, 0, 0, 0] == 2
        assert 2 <= values[0, 0, 0, 1] <= 3
        assert hair > 1e-19 or values[0, 0, 0, 1] == 3


@all_ways
@pytest.mark.parametrize("scale", [1.0, 1e3, 1e30, 1e38])
def test_no_metric_is_too_large(scale: float):
    source, flow, metric = (tensor.float() for tensor in scene(4))
    metric = ((metric - 0.6) * 3 * scale).requires_grad_()
    flow.requires_grad_()
    values = splat(source, flow, metric, mode="softmax")
    assert values.isfinite().all()
    assert values.amax() <= source.amax() + 1e-5
    values.sum().backward()
    assert metric.grad is not None
    assert flow.grad is not None
    assert metric.grad.isfinite().all()
    assert flow.grad.isfinite().all()


@all_ways
@pytest.mark.parametrize("shift", [-1e4, 300.0])
def test_softmax_looks_only_at_differences(shift: float):
    source, flow, metric = scene(5)
    torch.testing.assert_close(
        splat(source, flow, metric + shift, mode="softmax"),
        splat(source, flow, metric, mode="softmax"),
        rtol=1e-6,
        atol=1e-9,
    )


def test_equal_metrics_are_an_average():
    source, flow, metric = scene(6)
    average = splat(source, flow, mode="average")
    for mode in ("linear", "softmax"):
        torch.testing.assert_close(splat(source, flow, torch.full_like(metric, 7.0), mode=mode), average)


@all_ways
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e30, -1e30])
def test_a_pixel_without_a_place_is_lost_and_harms_nothing(mode: Mode, bad: float):
    source, flow, metric = (tensor.float() for tensor in scene(7))
    chosen = metric_for(mode, metric)
    gone = flow.clone()
    gone[:, :, 2, 3] = 1000
    expected = splat_with_weight(source, gone, chosen, mode=mode)
    source[:, :, 2, 3] = math.nan
    for axis in (0, 1):
        flow[:, axis, 2, 3] = bad
        got = splat_with_weight(source, flow, chosen, mode=mode)
        torch.testing.assert_close(got, expected)
        flow[:, axis, 2, 3] = 0


@all_ways
@pytest.mark.parametrize("mode", ["linear", "softmax"])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_pixel_without_a_metric_is_lost(mode: Mode, bad: float):
    source, flow, metric = (tensor.float() for tensor in scene(8))
    gone = flow.clone()
    gone[:, :, 2, 3] = math.nan
    expected = splat_with_weight(source, gone, metric, mode=mode)
    metric[:, :, 2, 3] = bad
    metric.requires_grad_()
    values, weight = splat_with_weight(source, flow, metric, mode=mode)
    torch.testing.assert_close((values, weight), expected)
    values.sum().backward()
    assert metric.grad is not None
    assert metric.grad.isfinite().all()


@all_ways
@pytest.mark.parametrize("mode", MODES)
def test_holes_are_zero_and_their_gradients_finite(mode: Mode):
    source, flow, metric = scene(9)
    flow = torch.full_like(flow, 2.0).requires_grad_()
    source.requires_grad_()
    values, weight = splat_with_weight(source, flow, metric_for(mode, metric), mode=mode)
    assert values[..., :2, :].eq(0).all()
    assert weight[..., :2, :].eq(0).all()
    values.square().sum().backward()
    for tensor in (source, flow):
        assert tensor.grad is not None
        assert tensor.grad.isfinite().all()


@all_ways
def test_pictures_of_a_batch_do_not_meet():
    source, flow, metric = scene(10, count=3)
    together = splat(source, flow, metric, mode="softmax")
    alone = torch.cat(
        [splat(*(tensor[n : n + 1] for tensor in (source, flow, metric)), mode="softmax") for n in range(3)]
    )
    assert torch.equal(together, alone)


@all_ways
def test_any_layout_in_memory_will_do():
    source, flow, metric = scene(11, 5, 5)
    turned = [tensor.transpose(2, 3).contiguous().transpose(2, 3) for tensor in (source, flow, metric)]
    spread = source[:, :1].expand(-1, 2, -1, -1)
    assert torch.equal(splat(*turned, mode="linear"), splat(source, flow, metric, mode="linear"))
    assert torch.equal(splat(spread, flow, mode="sum"), splat(spread.contiguous(), flow, mode="sum"))


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_half_precision_is_summed_in_single(kind: torch.dtype):
    flow = torch.zeros(1, 2, 1, 4096)
    flow[0, 0, 0] = -torch.arange(4096)
    values, weight = splat_with_weight(torch.full((1, 1, 1, 4096), 0.5, dtype=kind), flow, mode="sum")
    assert values.dtype == kind
    assert values[0, 0, 0, 0] == 2048
    assert weight[0, 0, 0, 0] == 4096


def test_a_source_may_itself_depend_on_the_flow():
    _, flow, metric = scene(14, 3, 4)
    flow.requires_grad_()
    assert gradcheck(lambda steps: splat(steps.sin(), steps, steps[:, :1] * metric, mode="softmax"), flow)


def test_only_what_asks_gets_a_gradient():
    source, flow, metric = scene(12)
    flow.requires_grad_()
    splat(source, flow, metric, mode="softmax").sum().backward()
    assert flow.grad is not None
    assert source.grad is None
    assert metric.grad is None


# Doors


def test_what_does_not_fit_is_refused():
    source, flow, metric = scene(13)
    with pytest.raises(ValueError, match="mode is sum, average, linear or softmax; got 'max'"):
        splat(source, flow, mode="max")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="softmax needs a metric"):
        splat(source, flow, mode="softmax")
    with pytest.raises(ValueError, match="average takes no metric"):
        splat(source, flow, metric, mode="average")
    with pytest.raises(ValueError, match=r"flow \(2, 2, 5, 5\) does not fit a source \(2, 2, 5, 6\)"):
        splat(source, flow[..., :5], mode="sum")
    with pytest.raises(ValueError, match=r"metric \(2, 2, 5, 6\) does not fit"):
        splat(source, flow, flow, mode="linear")
    with pytest.raises(ValueError, match=r"floating point; got torch.uint8"):
        splat(source.to(torch.uint8), flow, mode="sum")
