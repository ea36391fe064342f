"""Of several tries, the one on which both branches agree best, against a loop written out."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from keyweave.base.progress import Event, Progress
from keyweave.diffusion.denoisers import clean_from_velocity, sigmas_of, velocity
from keyweave.diffusion.image_to_video import condition_on, pictures_of
from keyweave.diffusion.noise import gaussian
from keyweave.systems.inbetween.generate import between
from keyweave.systems.inbetween.sampling import Sampling

pytestmark = pytest.mark.usefixtures("one_thread")

FRAMES, TRIES, PAIRS = 4, 4, 3
# Three steps are tried, the first of them twice, and the last two are taken once.
ASKED = Sampling(steps=5, repeats=1, share=0.2, tries=TRIES, guidance=(1.0, 1.0))
PROPOSAL = torch.zeros(PAIRS, FRAMES, 4, 16, 16)


@pytest.fixture(scope="module")
def pairs() -> tuple[Tensor, Tensor]:
    chance = torch.Generator().manual_seed(2)
    return tuple(torch.rand(PAIRS, 3, 32, 32, generator=chance) * 2 - 1 for _ in range(2))  # type: ignore[return-value]


def written_out(
    model: Any, pair: tuple[Tensor, Tensor], seed: int, proposal: Tensor | None = None
) -> tuple[Tensor, int]:
    """Return the clip (1, F, 3, H, W) of the plain model both ways, and which try it comes from; last the proposal."""
    first, last = (condition_on(model, picture, FRAMES, seed=seed) for picture in pair)
    sigmas = sigmas_of(model.scheduler, ASKED.steps)
    shape = tuple(first.latents.shape[1:])

    def both(x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        ahead = clean_from_velocity(x, velocity(model.unet, x, sigma, first), sigma)
        back = clean_from_velocity(x.flip(1), velocity(model.unet, x.flip(1), sigma, last), sigma)
        return ahead, back.flip(1)

    def down(x: Tensor, step: int) -> Tensor:
        now, then = sigmas[step], sigmas[step + 1]
        return x + (x - sum(both(x, now)) / 2) / now * (then - now)

    def apart(x: Tensor) -> float:
        clean, found = sum(both(x, sigmas[3])) / 2, 0.0
        for number in range(2):
            noise = gaussian(shape, seed, "compared", number, 0)[None]
            ahead, back = both(clean + noise * sigmas[3], sigmas[3])
            found += float(((ahead - back) ** 2).mean()) / 2
        return found

    ends: list[tuple[float, int, Tensor]] = []
    for number in range(TRIES):
        names = ("try", number) if number else ()
        x = down(gaussian(shape, seed, *names, "latents", 0)[None] * (sigmas[0] ** 2 + 1).sqrt(), 0)
        x = x + gaussian(shape, seed, *names, "again", 0, 0)[None] * (sigmas[0] ** 2 - sigmas[1] ** 2).sqrt()
        for step in range(3):
            x = down(x, step)
        ends.append((apart(x), number, x))
    if proposal is not None:
        x = proposal + gaussian(shape, seed, "sketch", "latents", 0)[None] * sigmas[3]
        ends.append((apart(x), TRIES, x))
    _, chosen, x = min(ends)
    for step in (3, 4):
        x = down(x, step)
    return pictures_of(model.vae, x), chosen


@torch.no_grad()
def test_the_try_on_which_branches_agree_best_goes_on(tiny: Any, pairs: tuple[Tensor, Tensor]):
    """Pairs one by one, and each for itself in a batch."""
    together = between(tiny, *pairs, seed=range(PAIRS), sampling=ASKED)
    chosen = set[int]()
    for seed in range(PAIRS):
        pair = pairs[0][seed : seed + 1], pairs[1][seed : seed + 1]
        expected, number = written_out(tiny, pair, seed)
        torch.testing.assert_close(between(tiny, *pair, seed=seed, sampling=ASKED), expected, rtol=0, atol=1e-4)
        torch.testing.assert_close(together[seed : seed + 1], expected, rtol=0, atol=2e-4)
        chosen.add(number)
    assert len(chosen) > 1  # or nothing was chosen


@torch.no_grad()
def test_a_proposal_goes_on_where_branches_agree_best_on_it(tiny: Any, pairs: tuple[Tensor, Tensor]):
    """Under the noise that tries have left; pairs one by one, and each for itself in a batch."""
    sketched, once = replace(ASKED, sketch="flow"), replace(ASKED, tries=1, sketch="flow")
    scales = torch.tensor([0.1, 30.0, 0.5])[:, None, None, None, None]
    proposals = scales * torch.randn(PAIRS, FRAMES, 4, 16, 16, generator=torch.Generator().manual_seed(1))
    together = between(tiny, *pairs, seed=range(PAIRS), sampling=sketched, proposal=proposals)
    chosen: list[bool] = []
    for seed in range(PAIRS):
        pair, proposal = tuple(ends[seed : seed + 1] for ends in pairs), proposals[seed : seed + 1]
        expected, number = written_out(tiny, pair, seed, proposal)  # type: ignore[arg-type]
        torch.testing.assert_close(together[seed : seed + 1], expected, rtol=0, atol=2e-4)
        chosen.append(number == TRIES)
    assert 0 < sum(chosen) < PAIRS  # or nothing was chosen
    taken = chosen.index(True)
    pair, proposal = tuple(ends[taken : taken + 1] for ends in pairs), proposals[taken : taken + 1]
    alone = between(tiny, *pair, seed=taken, sampling=once, proposal=proposal)  # one try is enough to be compared with
    torch.testing.assert_close(alone, together[taken : taken + 1], rtol=0, atol=2e-4)


@pytest.mark.parametrize("solver", ["euler", "multistep"])
def test_one_try_is_the_whole_way_at_once(solver: Any):
    """A solver that remembers is not made to forget."""
    once = replace(ASKED, tries=1, solver=solver)
    assert once.parted(once.path) == (once.path[:1], once.path)
    assert once.parts(once.path) == once.looks == 6


@torch.no_grad()
def test_every_step_and_every_look_is_told_of(tiny: Any, pairs: tuple[Tensor, Tensor]):
    events: list[Event] = []
    between(tiny, *pairs, seed=4, sampling=ASKED, progress=Progress("", events.append))
    assert sum(event.kind == "step" for event in events) == ASKED.parts(ASKED.path) == TRIES * (4 + 1) + 2
    sketched = replace(ASKED, tries=1, sketch="flow")
    assert sketched.parts(sketched.path) == 4 + 2 + 2
    events.clear()
    between(tiny, *pairs, seed=4, sampling=sketched, proposal=PROPOSAL, progress=Progress("", events.append))
    assert sum(event.kind == "step" for event in events) == 4 + 2 + 2


@torch.no_grad()
def test_nothing_is_tried_where_only_the_end_of_the_way_is_gone(tiny: Any, pairs: tuple[Tensor, Tensor]):
    """As over a sketch, which settles where things go."""
    late, once = ASKED.path[-3:], replace(ASKED, tries=1)
    alone = between(tiny, *pairs, seed=4, sampling=once, path=late)
    assert torch.equal(between(tiny, *pairs, seed=4, sampling=ASKED, path=late), alone)
    assert ASKED.parts(late) == replace(ASKED, sketch="flow").parts(late) == 2


def test_a_sketch_that_nobody_drew_is_no_plain_clip(tiny: Any, pairs: tuple[Tensor, Tensor]):
    with pytest.raises(ValueError, match="asks for a sketch by flow"):
        between(tiny, *pairs, seed=4, sampling=replace(ASKED, sketch="flow"))
