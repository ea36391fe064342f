"""Ways through levels of noise, and the solvers that go them."""

import pytest
import torch
from torch import Tensor

from keyweave.base.progress import Event, Progress
from keyweave.diffusion.samplers import (
    SOLVERS,
    Multistep,
    again_and_again,
    jumps,
    steps_down,
    walk,
)

MEAN, SPREAD = 3.0, 0.5


def ideal(x: Tensor, sigma: Tensor) -> Tensor:
    """The best guess for a normal distribution."""
    return MEAN + (x - MEAN) * SPREAD**2 / (SPREAD**2 + sigma**2)


def exact(x: Tensor, start: float, end: float) -> Tensor:
    return MEAN + (x - MEAN) * ((SPREAD**2 + end**2) / (SPREAD**2 + start**2)) ** 0.5


def karras(steps: int, low: float = 0.002, high: float = 80) -> Tensor:
    ramp = torch.linspace(0, 1, steps, dtype=torch.float64)
    levels = (high ** (1 / 7) + ramp * (low ** (1 / 7) - high ** (1 / 7))) ** 7
    return torch.cat([levels, torch.zeros(1, dtype=torch.float64)])


def test_a_step_is_taken_again_after_going_back_up_over_it():
    assert again_and_again(4, 2, 0.5) == [0, 1, 0, 1, 0, 1, 2, 1, 2, 1, 2, 3, 4]
    assert again_and_again(3, 5, 0) == [0, 1, 2, 3]
    # The costs of the official settings: 50 steps, five more of each in the first half.
    assert steps_down(again_and_again(50, 5, 0.5)) == 175


def test_jumps_are_those_of_time_reversal_fusion():
    path = jumps(50, 5, 1, 0.2)
    assert path == [*range(11), *range(5, 51)]
    assert steps_down(path) == 55
    assert jumps(12, 2, 1, 0.5) == [0, 1, 2, 3, 4, 2, 3, 4, 5, 6, 4, 5, 6, 7, 8, 9, 10, 11, 12]
    assert jumps(6, 5, 3, 1) == list(range(7))


def error(name: str, steps: int) -> float:
    start = torch.linspace(-200, 200, 9, dtype=torch.float64)
    sigmas = karras(steps)
    made = walk(ideal, start, sigmas, range(len(sigmas)), solver=SOLVERS[name]())
    return float((made - exact(start, 80, 0)).abs().max())


def test_solvers_are_of_their_order():
    """Twice as many steps: half the error by Euler, a quarter by the others."""
    for name, order in (("euler", 1), ("heun", 2), ("multistep", 2)):
        rate = error(name, 200) / error(name, 400)
        assert 0.8 * 2**order < rate < 1.4 * 2**order, (name, rate)
    assert error("multistep", 40) < 0.3 * error("euler", 40)


def test_a_guess_that_never_changes_is_reached_by_all():
    guess, start = torch.tensor([1.0, -2.0]), torch.tensor([50.0, 7.0])
    for name, make in SOLVERS.items():
        sigmas = karras(7).float()
        made = walk(lambda x, sigma: guess, start, sigmas, range(len(sigmas)), solver=make())
        torch.testing.assert_close(made, guess, rtol=1e-5, atol=1e-5, msg=name)


@pytest.mark.parametrize("name", SOLVERS)
def test_going_up_keeps_the_distribution(name: str):
    """From what is distributed as noisy samples are, up and down again leads to samples."""
    chance = torch.Generator().manual_seed(0)
    sigmas = karras(60, high=5)

    def noise(number: int, x: Tensor) -> Tensor:
        return torch.randn(x.shape, generator=chance, dtype=x.dtype)

    start = MEAN + (SPREAD**2 + 5.0**2) ** 0.5 * torch.randn(20000, generator=chance, dtype=torch.float64)
    made = walk(ideal, start, sigmas, again_and_again(60, 2, 0.5), noise=noise, solver=SOLVERS[name]())
    assert float(made.mean()) == pytest.approx(MEAN, abs=0.02)
    assert float(made.std()) == pytest.approx(SPREAD, rel=0.06 if name == "euler" else 0.03)


def test_a_way_up_adds_just_what_is_missing():
    asked: list[int] = []

    def noise(number: int, x: Tensor) -> Tensor:
        asked.append(number)
        return torch.ones_like(x)

    sigmas = torch.tensor([5.0, 4.0, 3.0])
    made = walk(lambda x, sigma: x, torch.zeros(1), sigmas, [0, 1, 0, 1, 2, 0], noise=noise)
    assert made.item() == pytest.approx(3 + 4)
    assert asked == [0, 1]


def test_the_multistep_forgets_when_noise_is_added():
    sigmas = karras(6)

    def same(x: Tensor, sigma: Tensor) -> Tensor:
        return ideal(x, sigma)

    def nothing(number: int, x: Tensor) -> Tensor:
        return torch.zeros_like(x)

    start = torch.tensor([100.0], dtype=torch.float64)
    whole = walk(same, start, sigmas, [0, 1, 2, 1, 2], noise=nothing, solver=Multistep())
    half = walk(same, start, sigmas, [0, 1, 2], solver=Multistep())
    again = walk(same, half, sigmas, [1, 2], solver=Multistep())
    assert whole.item() == again.item()


def test_each_step_down_is_told():
    events: list[Event] = []
    path = again_and_again(4, 1, 0.5)
    walk(
        lambda x, sigma: x,
        torch.zeros(1),
        karras(4),
        path,
        noise=lambda number, x: x,
        progress=Progress("x", events.append, total=steps_down(path)),
    )
    assert sum(event.kind == "step" for event in events) == 6
