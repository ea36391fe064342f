"""Of several noises, the one on which both branches agree best, against a loop written out."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from keyweave.base.progress import Event, Progress
from keyweave.diffusion.denoisers import clean_from_velocity, sigmas_of, velocity
from keyweave.diffusion.image_to_video import condition_on
from keyweave.diffusion.noise import gaussian
from keyweave.systems.inbetween import generate
from keyweave.systems.inbetween.generate import between
from keyweave.systems.inbetween.sampling import Sampling

pytestmark = pytest.mark.usefixtures("one_thread")

FRAMES, TRIES, PAIRS = 4, 5, 3
ASKED = Sampling(steps=3, repeats=1, share=0.4, tries=TRIES)
ONCE = replace(ASKED, tries=1)


@pytest.fixture(scope="module")
def pairs() -> tuple[Tensor, Tensor]:
    chance = torch.Generator().manual_seed(2)
    return tuple(torch.rand(PAIRS, 3, 32, 32, generator=chance) * 2 - 1 for _ in range(2))  # type: ignore[return-value]


def noise_of(shape: tuple[int, ...], seed: int, number: int) -> Tensor:
    return gaussian(shape, seed, *(("try", number) if number else ()), "latents", 0)


def chosen_by_hand(model: Any, pair: tuple[Tensor, Tensor], seed: int) -> int:
    """Look at every noise from both ends, by the plain network, and return the number of the nearest guesses."""
    first, last = (condition_on(model, picture, FRAMES, seed=seed) for picture in pair)
    sigma = sigmas_of(model.scheduler, ASKED.steps)[0]
    distances = []
    for number in range(TRIES):
        x = noise_of(tuple(first.latents.shape[1:]), seed, number)[None] * (sigma**2 + 1).sqrt()
        ahead = clean_from_velocity(x, velocity(model.unet, x, sigma, first), sigma)
        back = clean_from_velocity(x.flip(1), velocity(model.unet, x.flip(1), sigma, last), sigma)
        distances.append(float(((ahead - back.flip(1)) ** 2).mean()))
    return min(range(TRIES), key=distances.__getitem__)


@torch.no_grad()
def test_a_clip_begins_from_the_noise_on_which_branches_agree_best(
    tiny: Any, pairs: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
):
    """One at a time, and each for itself in a batch."""
    together = between(tiny, *pairs, seed=range(PAIRS), sampling=ASKED)
    numbers = set[int]()
    real = generate.noise_like
    for seed in range(PAIRS):
        pair = pairs[0][seed : seed + 1], pairs[1][seed : seed + 1]
        number = chosen_by_hand(tiny, pair, seed)
        alone = between(tiny, *pair, seed=seed, sampling=ASKED)

        def given(like: Tensor, seed: Any, *names: Any, number: int = number) -> Tensor:
            if names[-1] == "latents":
                return noise_of(tuple(like.shape[1:]), seed, number)[None]
            return real(like, seed, *names)

        with monkeypatch.context() as patch:
            patch.setattr(generate, "noise_like", given)
            expected = between(tiny, *pair, seed=seed, sampling=ONCE)
        torch.testing.assert_close(alone, expected, rtol=0, atol=1e-5)
        torch.testing.assert_close(together[seed : seed + 1], expected, rtol=0, atol=2e-4)
        numbers.add(number)
    assert len(numbers) > 1  # or nothing was chosen


@torch.no_grad()
def test_every_step_and_every_look_is_told_of(tiny: Any, pairs: tuple[Tensor, Tensor]):
    events: list[Event] = []
    between(tiny, *pairs, seed=4, sampling=ASKED, progress=Progress("", events.append))
    assert sum(event.kind == "step" for event in events) == ASKED.parts(ASKED.path) == TRIES + 4


@torch.no_grad()
def test_nothing_is_chosen_where_only_the_end_of_the_way_is_gone(tiny: Any, pairs: tuple[Tensor, Tensor]):
    late = ASKED.path[-2:]
    assert torch.equal(
        between(tiny, *pairs, seed=4, sampling=ASKED, path=late),
        between(tiny, *pairs, seed=4, sampling=ONCE, path=late),
    )
    assert ASKED.parts(late) == 1
