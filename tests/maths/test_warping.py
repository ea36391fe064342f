"""Backward warping against a loop, and motions whose inverse, sum and shadows are known."""

import math
from itertools import product
from typing import Literal

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.autograd import gradcheck

from keyweave.maths import warping
from keyweave.maths.warping import compose, consistency, inside, invert, occluded, resize_flow, warp

Outside = Literal["edge", "zero"]
Kernel = Literal["linear", "cubic"]
OUTSIDE: tuple[Outside, ...] = ("edge", "zero")
KERNELS: tuple[Kernel, ...] = ("linear", "cubic")


def weight_of(distance: float, kernel: Kernel) -> float:
    d = abs(distance)
    if kernel == "linear":
        return max(0.0, 1 - d)
    if d < 1:
        return 1.5 * d**3 - 2.5 * d**2 + 1
    return -0.5 * d**3 + 2.5 * d**2 - 4 * d + 2 if d < 2 else 0.0


def slow_warp(image: Tensor, flow: Tensor, outside: Outside, kernel: Kernel) -> Tensor:
    count, channels, height, width = image.shape
    result = torch.zeros_like(image)
    for n, c, y, x in product(range(count), range(channels), range(height), range(width)):
        at_x, at_y = x + flow[n, 0, y, x].item(), y + flow[n, 1, y, x].item()
        for column, row in product(range(-12, width + 12), range(-12, height + 12)):
            weight = weight_of(column - at_x, kernel) * weight_of(row - at_y, kernel)
            here = 0 <= column < width and 0 <= row < height
            if here or outside == "edge":
                result[n, c, y, x] += weight * image[n, c, min(max(row, 0), height - 1), min(max(column, 0), width - 1)]
    return result


def constant(dx: float, dy: float, height: int = 8, width: int = 9) -> Tensor:
    return torch.tensor([float(dx), float(dy)]).view(1, 2, 1, 1).expand(1, 2, height, width).clone()


def affine(matrix: list[list[float]], height: int = 24, width: int = 32) -> Tensor:
    """The motion of going to `matrix` (x, y, 1), with the origin in the middle of the picture."""
    y, x = torch.meshgrid(torch.arange(height) - height / 2, torch.arange(width) - width / 2, indexing="ij")
    points = torch.stack([x, y, torch.ones_like(x)])
    return (torch.einsum("ij,jhw->ihw", torch.tensor(matrix), points) - points[:2])[None]


TURN = [[math.cos(0.1), -math.sin(0.1), 0.5], [math.sin(0.1), math.cos(0.1), -1.0]]


# Warping


@pytest.mark.parametrize("outside", OUTSIDE)
@pytest.mark.parametrize("kernel", KERNELS)
@settings(max_examples=8)
@given(st.integers(0, 999), st.integers(1, 4), st.integers(1, 4), st.floats(0, 3))
def test_it_is_the_loop(outside: Outside, kernel: Kernel, seed: int, height: int, width: int, motion: float):
    chance = torch.Generator().manual_seed(seed)
    image = torch.randn(2, 1, height, width, generator=chance, dtype=torch.float64)
    flow = (torch.randn(2, 2, height, width, generator=chance, dtype=torch.float64) * motion).clamp(-8, 8)
    got = warp(image, flow, outside=outside, kernel=kernel)
    torch.testing.assert_close(got, slow_warp(image, flow, outside, kernel), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("outside", OUTSIDE)
@pytest.mark.parametrize("kernel", KERNELS)
def test_its_gradients_are_those_of_finite_differences(outside: Outside, kernel: Kernel):
    image = torch.randn(2, 2, 3, 4, dtype=torch.float64, requires_grad=True)
    flow = (torch.randn(2, 2, 3, 4, dtype=torch.float64) * 2).requires_grad_()
    assert gradcheck(lambda *given: warp(*given, outside=outside, kernel=kernel), (image, flow))


@pytest.mark.parametrize("kernel", KERNELS)
def test_whole_steps_are_exact_in_a_wide_picture(kernel: Kernel):
    image = torch.rand(1, 2, 3, 5000)
    moved = warp(image, constant(-3999, 1, 3, 5000), outside="zero", kernel=kernel)
    assert torch.equal(moved[..., :2, 3999:], image[..., 1:, :1001])
    assert moved[..., :3999].eq(0).all()
    assert moved[..., 2, :].eq(0).all()


@pytest.mark.parametrize(("kernel", "degree"), [("linear", 1), ("cubic", 2)])
def test_a_kernel_keeps_polynomials(kernel: Kernel, degree: int):
    x = torch.arange(20, dtype=torch.float64).expand(1, 1, 20, 20)
    flow = torch.rand(1, 2, 20, 20, dtype=torch.float64)
    got = warp(x**degree, flow, kernel=kernel)
    torch.testing.assert_close(got[..., 2:-3], ((x + flow[:, :1]) ** degree)[..., 2:-3])


def test_bands_leave_no_trace(monkeypatch: pytest.MonkeyPatch):
    image, flow = torch.rand(1, 3, 20, 10), torch.randn(1, 2, 20, 10) * 5
    whole = warp(image, flow)
    monkeypatch.setattr(warping, "BAND", 30)
    assert torch.equal(warp(image, flow), whole)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e30, -1e30])
def test_what_points_nowhere_points_outside(bad: float):
    image = torch.rand(1, 1, 8, 9) + 1
    flow = constant(0, 0)
    flow[0, 0, 3, 4] = bad
    assert warp(image, flow, outside="zero")[0, 0, 3, 4] == 0
    assert warp(image, flow, outside="edge")[0, 0, 3, 4] in (image[0, 0, 3, 0], image[0, 0, 3, 8])
    assert inside(flow).logical_not().nonzero().tolist() == [[0, 0, 3, 4]]


def test_half_precision_comes_back_as_it_went():
    image = torch.rand(1, 1, 8, 9).half()
    assert torch.equal(warp(image, constant(0, 0)), image)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"flow \(1, 2, 8, 9\) does not fit an image \(1, 3, 8, 8\)"):
        warp(torch.zeros(1, 3, 8, 8), constant(0, 0))


def test_inside_holds_the_border_itself():
    assert inside(constant(0, 0)).all()
    assert inside(constant(0.001, 0))[0, 0].all(0).tolist() == [True] * 8 + [False]
    assert inside(constant(0, -0.001))[0, 0].all(1).tolist() == [False] + [True] * 7


# Two motions


def test_constant_motions_add_up():
    torch.testing.assert_close(compose(constant(1.5, -2), constant(0.25, 3)), constant(1.75, 1))


def test_affine_motions_multiply():
    square = [row.tolist() for row in (torch.tensor([*TURN, [0.0, 0, 1]]) @ torch.tensor([*TURN, [0.0, 0, 1]]))[:2]]
    middle = (..., slice(5, -5), slice(5, -5))
    torch.testing.assert_close(
        compose(affine(TURN), affine(TURN))[middle], affine(square)[middle], rtol=1e-4, atol=1e-4
    )


def test_there_and_back_is_home():
    assert consistency(constant(2, 1), constant(-2, -1)).eq(0).all()
    torch.testing.assert_close(consistency(constant(2, 1), constant(1, 3)), torch.full((1, 1, 8, 9), 5.0))


def test_a_square_hides_what_it_comes_to_lie_on():
    """A square of 4 moves by 5 to the right over a still ground: the ground there is seen before, not after."""
    forward, backward = constant(0, 0, 12, 20), constant(0, 0, 12, 20)
    forward[0, 0, 4:8, 3:7] = 5
    backward[0, 0, 4:8, 8:12] = -5
    expected = torch.zeros(12, 20, dtype=torch.bool)
    expected[4:8, 8:12] = True
    assert torch.equal(occluded(forward, backward)[0, 0], expected)
    uncovered = torch.zeros(12, 20, dtype=torch.bool)
    uncovered[4:8, 3:7] = True
    assert torch.equal(occluded(backward, forward)[0, 0], uncovered)


def test_what_leaves_the_picture_is_not_seen():
    assert occluded(constant(3, 0), constant(-3, 0))[0, 0].all(0).tolist() == [False] * 6 + [True] * 3


def test_small_disagreement_is_forgiven_and_more_on_long_ways():
    assert not occluded(constant(0, 0), constant(0.7, 0))[..., :8].any()
    assert occluded(constant(0, 0), constant(0.72, 0)).all()
    # 0.01 (30² + 28²) + 0.5 is more than 2², and 0.01 (30² + 25²) + 0.5 is less than 5².
    assert not occluded(constant(30, 0, 4, 99), constant(-28, 0, 4, 99))[..., :69].any()
    assert occluded(constant(30, 0, 4, 99), constant(-25, 0, 4, 99)).all()
    assert not occluded(constant(30, 0, 4, 99), constant(-25, 0, 4, 99), absolute=25)[..., :69].any()
    assert not occluded(constant(30, 0, 4, 99), constant(-25, 0, 4, 99), relative=0.02)[..., :69].any()


def test_an_unknown_motion_is_not_seen():
    backward = constant(0, 0)
    backward[0, 0, 3, 4] = math.nan
    assert occluded(constant(0, 0), backward)[0, 0, 3, 4]


def test_the_inverse_of_a_whole_motion_is_exact():
    inverse, weight = invert(constant(3, -2))
    assert torch.equal(inverse[..., :6, 3:], constant(-3, 2)[..., :6, 3:])
    assert weight[..., :6, 3:].eq(1).all()
    assert weight.sum() == 36
    assert inverse[weight.expand(-1, 2, -1, -1) == 0].eq(0).all()


def test_the_inverse_of_a_turn_turns_back():
    inverse, weight = invert(affine(TURN))
    assert weight[..., 6:-6, 6:-6].min() > 0.5
    assert consistency(affine(TURN), inverse)[..., 8:-8, 8:-8].max() < 0.1


def test_where_two_meet_the_larger_metric_is_inverted():
    flow = constant(0, 0)
    flow[0, 0, 4, 2] = 3
    near = torch.zeros(1, 1, 8, 9)
    near[0, 0, 4, 2] = 100
    assert invert(flow)[0][0, 0, 4, 5] == -1.5
    assert invert(flow, near)[0][0, 0, 4, 5] == -3
    assert invert(flow, -near)[0][0, 0, 4, 5].abs() < 1e-6


# Sizes


def test_vectors_grow_with_the_picture():
    torch.testing.assert_close(resize_flow(constant(2, -3), 16, 27), constant(6, -6, 16, 27))
    torch.testing.assert_close(resize_flow(constant(2, -3), 4, 3), constant(2 / 3, -1.5, 4, 3))


def test_an_affine_motion_stays_itself_at_another_size():
    """Pixels are small squares: a picture of half the size has its pixel centres at 2 x + 1/2 of the first."""
    still_affine = [[1.1, 0.2, 0.0], [-0.1, 0.9, 0.0]]

    def motion(scale: float) -> Tensor:
        height, width = int(24 * scale), int(32 * scale)
        y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
        points = torch.stack([x, y]) - torch.tensor([width, height]).view(2, 1, 1) / 2
        return (torch.einsum("ij,jhw->ihw", torch.tensor(still_affine)[:, :2], points) - points)[None]

    for scale in (0.5, 2.0):
        got, expected = resize_flow(motion(1), int(24 * scale), int(32 * scale)), motion(scale)
        torch.testing.assert_close(got[..., 3:-3, 3:-3], expected[..., 3:-3, 3:-3], rtol=1e-4, atol=1e-4)


def test_the_same_size_changes_nothing():
    flow = torch.randn(2, 2, 7, 9)
    torch.testing.assert_close(resize_flow(flow, 7, 9), flow)
