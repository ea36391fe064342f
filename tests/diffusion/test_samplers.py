"""Where a sampler must end is known for one Gaussian."""

import pytest
import torch

from keyweave.diffusion.denoisers import clean_from_velocity, led
from keyweave.diffusion.samplers import sample_euler


def karras(count: int, lowest: float, highest: float) -> torch.Tensor:
    ramp = torch.linspace(0, 1, count, dtype=torch.float64)
    levels = (highest ** (1 / 7) + ramp * (lowest ** (1 / 7) - highest ** (1 / 7))) ** 7
    return torch.cat([levels, torch.zeros(1, dtype=torch.float64)])


@pytest.mark.parametrize(("mean", "spread"), [(0.0, 1.0), (2.0, 0.3), (-1.0, 3.0)])
def test_euler_is_exact_for_one_gaussian(mean: float, spread: float):
    """For data ~ N(m, s^2) the ideal denoiser is known, and so is where the ODE must end."""

    def ideal(x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        return mean + (x - mean) * spread**2 / (spread**2 + sigma**2)

    start = torch.linspace(-200, 200, 9, dtype=torch.float64)
    end = sample_euler(ideal, start, karras(2000, 0.002, 80))
    torch.testing.assert_close(end, mean + (start - mean) * spread / (spread**2 + 80**2) ** 0.5, rtol=1e-2, atol=1e-3)


def test_one_step_to_nothing_is_the_clean_guess():
    x, guess = torch.randn(3), torch.randn(3)
    torch.testing.assert_close(sample_euler(lambda x, sigma: guess, x, torch.tensor([5.0, 0.0])), guess)


@pytest.mark.parametrize("sigma", [0.01, 1.0, 300.0])
def test_a_velocity_gives_back_what_it_was_made_from(sigma: float):
    clean, noise = torch.randn(2, 3, 4, 5, 6, dtype=torch.float64), torch.randn(2, 3, 4, 5, 6, dtype=torch.float64)
    level = torch.full((2,), sigma, dtype=torch.float64)
    v = (noise - sigma * clean) / (sigma**2 + 1) ** 0.5
    torch.testing.assert_close(clean_from_velocity(clean + sigma * noise, v, level), clean, rtol=1e-7, atol=1e-7)


def test_guidance_is_a_scale_for_each_frame():
    told, untold = torch.ones(1, 3, 2, 2, 2), torch.zeros(1, 3, 2, 2, 2)
    made = led(untold, told, torch.tensor([0.0, 1.0, 2.5]))
    assert made[0, :, 0, 0, 0].tolist() == [0.0, 1.0, 2.5]
