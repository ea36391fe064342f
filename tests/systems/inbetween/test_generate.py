"""Of several tries, the one on which both branches agree best, against a loop written out."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from keyweave.base.progress import Event, Progress
from keyweave.diffusion.denoisers import sigmas_of
from keyweave.diffusion.image_to_video import condition_on, pictures_of
from keyweave.diffusion.noise import gaussian
from keyweave.systems.inbetween.dual import FUSIONS, Backward, two_ways
from keyweave.systems.inbetween.generate import between
from keyweave.systems.inbetween.sampling import Sampling

pytestmark = pytest.mark.usefixtures("one_thread")

FRAMES, TRIES = 4, 5
ASKED = Sampling(steps=5, repeats=1, share=0.2, tries=TRIES)  # three steps are tried, the first of them twice


@pytest.fixture(scope="module")
def pairs() -> tuple[Tensor, Tensor]:
    """Three of them."""
    chance = torch.Generator().manual_seed(2)
    return tuple(torch.rand(3, 3, 32, 32, generator=chance) * 2 - 1 for _ in range(2))  # type: ignore[return-value]


def written_out(model: Any, pair: tuple[Tensor, Tensor], sampling: Sampling, seed: int) -> tuple[Tensor, int]:
    """Return the clip (1, F, 3, H, W), and which try it comes from."""
    first, last = (condition_on(model, picture, FRAMES, seed=seed) for picture in pair)
    sigmas = sigmas_of(model.scheduler, sampling.steps)
    shape = tuple(first.latents.shape[1:])
    heard: list[float] = []

    def hear(ahead: Tensor, back: Tensor) -> None:
        heard.append(float(((ahead - back) ** 2).mean()))

    fusion = FUSIONS[sampling.fusion](FRAMES, sampling.guidance)
    with two_ways(model.unet, first, last, fusion, Backward(), hear=hear) as denoise:

        def down(x: Tensor, step: int) -> Tensor:
            now, then = sigmas[step], sigmas[step + 1]
            return x + (x - denoise(x, now)) / now * (then - now)

        ends: list[tuple[float, int, Tensor]] = []
        for number in range(sampling.tries):
            names = ("try", number) if number else ()
            heard.clear()
            x = gaussian(shape, seed, *names, "latents", 0)[None] * (sigmas[0] ** 2 + 1).sqrt()
            x = down(x, 0)
            x = x + gaussian(shape, seed, *names, "again", 0, 0)[None] * (sigmas[0] ** 2 - sigmas[1] ** 2).sqrt()
            for step in range(3):
                x = down(x, step)
            ends.append((sum(heard), number, x))
        _, chosen, x = min(ends)
        for step in (3, 4):
            x = down(x, step)
    return pictures_of(model.vae, x), chosen


@torch.no_grad()
def test_the_try_on_which_branches_agree_best_goes_on(tiny: Any, pairs: tuple[Tensor, Tensor]):
    chosen = set[int]()
    for seed in range(3):
        pair = pairs[0][seed : seed + 1], pairs[1][seed : seed + 1]
        expected, number = written_out(tiny, pair, ASKED, seed)
        torch.testing.assert_close(between(tiny, *pair, seed=seed, sampling=ASKED), expected, rtol=0, atol=1e-4)
        chosen.add(number)
    assert chosen != {0}  # or nothing was chosen


@torch.no_grad()
def test_each_pair_of_a_batch_chooses_for_itself(tiny: Any, pairs: tuple[Tensor, Tensor]):
    together = between(tiny, *pairs, seed=[0, 1, 2], sampling=ASKED)
    chosen = set[int]()
    for seed in range(3):
        expected, number = written_out(tiny, (pairs[0][seed : seed + 1], pairs[1][seed : seed + 1]), ASKED, seed)
        torch.testing.assert_close(together[seed : seed + 1], expected, rtol=0, atol=2e-4)
        chosen.add(number)
    assert len(chosen) > 1


@torch.no_grad()
def test_one_try_is_none(tiny: Any, pairs: tuple[Tensor, Tensor]):
    """Solvers that remember are not cut in two then."""
    for solver in ("euler", "multistep"):
        asked = replace(ASKED, tries=1, solver=solver)
        expected = between(tiny, *pairs, seed=4, sampling=asked, path=asked.path)
        assert torch.equal(between(tiny, *pairs, seed=4, sampling=asked), expected)
        assert asked.parted(asked.path) == (asked.path[:1], asked.path)


@torch.no_grad()
def test_every_step_is_told_of(tiny: Any, pairs: tuple[Tensor, Tensor]):
    events: list[Event] = []
    between(tiny, *pairs, seed=4, sampling=ASKED, progress=Progress("", events.append))
    assert sum(event.kind == "step" for event in events) == ASKED.downs(ASKED.path) == TRIES * 4 + 2


@torch.no_grad()
def test_over_a_sketch_nothing_is_tried(tiny: Any, pairs: tuple[Tensor, Tensor]):
    """Where things go is settled there; so a way that begins late has one try."""
    late = ASKED.path[-3:]
    one = between(tiny, *pairs, seed=4, sampling=replace(ASKED, tries=1), path=late)
    assert torch.equal(between(tiny, *pairs, seed=4, sampling=ASKED, path=late), one)
    assert ASKED.downs(late) == 2
