"""Looking both ways, against a sampler written out from the paper and the official code's description."""

from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor

from keyweave.base.errors import InputError
from keyweave.diffusion.denoisers import sigmas_of
from keyweave.diffusion.exchange import temporal_layers
from keyweave.diffusion.image_to_video import condition_on, image_to_video
from keyweave.diffusion.noise import gaussian
from keyweave.diffusion.told import Told
from keyweave.systems.inbetween import generate
from keyweave.systems.inbetween.dual import Backward, Fusion, average, linear, two_ways
from keyweave.systems.inbetween.generate import between
from keyweave.systems.inbetween.sampling import Sampling

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def model(tiny: Any) -> Any:
    """Its frames attend to one another in earnest."""
    model = deepcopy(tiny)
    for part in model.unet.modules():
        if type(part).__name__ == "AlphaBlender":
            part.mix_factor.data.fill_(0.0)
    for parameter in model.unet.parameters():
        parameter.requires_grad_(False)
    return model


@pytest.fixture(scope="module")
def pair() -> tuple[Tensor, Tensor]:
    chance = torch.Generator().manual_seed(2)
    return tuple(torch.rand(1, 3, 32, 32, generator=chance) * 2 - 1 for _ in range(2))  # type: ignore[return-value]


@pytest.fixture(scope="module")
def backward(model: Any) -> Backward:
    """All layers turned, with values and outputs of their own."""
    chance = torch.Generator().manual_seed(3)
    layers = temporal_layers(model.unet)
    weights = {
        name: {
            part: weight + 0.1 * weight.std() * torch.randn(weight.shape, generator=chance)
            for part in ("to_v", "to_out.0")
            for weight in [model.unet.get_submodule(name).get_submodule(part).weight]
        }
        for name in layers
    }
    return Backward(layers, weights)


class Keeping:
    """Attention written out; keeps its maps by layer, or takes them turned."""

    def __init__(self, maps: dict[str, Tensor], name: str, take: bool) -> None:
        self.maps, self.name, self.take = maps, name, take

    def __call__(self, attn: Any, x: Tensor, *_: Any, **__: Any) -> Tensor:
        q, k, v = (f(x).unflatten(2, (attn.heads, -1)).transpose(1, 2) for f in (attn.to_q, attn.to_k, attn.to_v))
        weights = (q @ k.mT / q.shape[3] ** 0.5).softmax(3)
        if self.take:
            weights = torch.rot90(self.maps[self.name], 2, (2, 3))
        self.maps[self.name] = weights if not self.take else self.maps[self.name]
        return attn.to_out[0]((weights @ v).transpose(1, 2).flatten(2))


def written_out(model: Any, pair: tuple[Tensor, Tensor], backward: Backward, sampling: Sampling, seed: int) -> Tensor:
    """Algorithm 2, line by line, with two networks, guidance by hand, and re-noising as the official code has it.

    Returns:
        The latents (1, F, C, h, w) that it ends with.
    """
    frames = 4
    one, two = deepcopy(model.unet), deepcopy(model.unet)
    maps: dict[str, Tensor] = {}
    for name in backward.rotated:
        one.get_submodule(name).set_processor(Keeping(maps, name, take=False))
        two.get_submodule(name).set_processor(Keeping(maps, name, take=True))
    for name, row in backward.weights.items():
        for part, weight in row.items():
            two.get_submodule(name).get_submodule(part).weight.data = weight.clone()
    c0, c1 = (condition_on(model, picture, frames, seed=seed) for picture in pair)
    sigmas = sigmas_of(model.scheduler, sampling.steps)
    shape = tuple(c0.latents.shape[1:])
    z = gaussian(shape, seed, "latents", 0)[None] * (sigmas[0] ** 2 + 1).sqrt()
    low, high = sampling.guidance
    ramp = [low + (high - low) * n / (frames - 1) for n in range(frames)]

    def ask(network: Any, z: Tensor, sigma: Tensor, c: Any, told: bool) -> Tensor:
        given = torch.cat([z / (sigma**2 + 1).sqrt(), c.latents * told], dim=2)
        return network(given, 0.25 * sigma.log(), c.embedding * told, c.ids, return_dict=False)[0]

    def predict(z: Tensor, sigma: Tensor) -> Tensor:
        v = {}
        for told in (False, True):
            v[0, told] = ask(one, z, sigma, c0, told)
            v[1, told] = ask(two, z.flip(1), sigma, c1, told)
        fused = torch.zeros_like(z)
        for n in range(frames):
            m = frames - 1 - n
            if sampling.fusion == "average":
                scale = scale_back = (ramp[n] + ramp[m]) / 2
                weight = 0.5
            else:
                scale, scale_back, weight = ramp[n], ramp[m], 1 - n / (frames - 1)
            ahead = v[0, False][:, n] + scale * (v[0, True][:, n] - v[0, False][:, n])
            back = v[1, False][:, m] + scale_back * (v[1, True][:, m] - v[1, False][:, m])
            fused[:, n] = weight * ahead + (1 - weight) * back
        return fused

    def step(z: Tensor, now: Tensor, then: Tensor) -> Tensor:
        v = predict(z, now)
        clean = z / (now**2 + 1) - v * now / (now**2 + 1).sqrt()
        return z + (z - clean) / now * (then - now)

    draws = 0
    for i in range(sampling.steps):
        now, then = sigmas[i], sigmas[i + 1]
        before, z = z, step(z, now, then)
        del before
        if i < int(sampling.steps * sampling.share):
            for _ in range(sampling.repeats):
                z = z + gaussian(shape, seed, "again", draws, 0)[None] * (now**2 - then**2).sqrt()
                draws += 1
                z = step(z, now, then)
    return z


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(steps=3),
        Sampling(steps=4, repeats=2, share=0.5, fusion="linear"),
        Sampling(steps=3, fusion="linear", guidance=(1.0, 1.0)),
    ],
)
@torch.no_grad()
def test_a_run_is_the_algorithm_written_out(
    model: Any,
    pair: tuple[Tensor, Tensor],
    backward: Backward,
    sampling: Sampling,
    monkeypatch: pytest.MonkeyPatch,
):
    """In the latents, before a decoder that might hide what differs."""
    monkeypatch.setattr(generate, "pictures_of", lambda _, latents, **__: latents)
    expected = written_out(model, pair, backward, sampling, 11)
    made = between(model, *pair, seed=11, sampling=sampling, backward=backward)
    turns = between(model, *pair, seed=11, sampling=sampling, backward=backward, in_turn=True)
    plain = between(model, *pair, seed=11, sampling=sampling)
    assert error(made, expected) <= 1e-5
    assert error(turns, expected) <= 1e-5
    assert error(plain, expected) > 1e-3


def error(made: Tensor, expected: Tensor) -> float:
    return float((made - expected).norm() / expected.norm())


@torch.no_grad()
def test_time_reversed_and_ends_exchanged_it_is_the_same_film_backward(model: Any, pair: tuple[Tensor, Tensor]):
    """Without anything that sets the branches apart, the method knows no direction."""
    first, last = (condition_on(model, picture, 4, seed=1) for picture in pair)
    x, sigma = torch.randn(first.latents.shape) * 3, torch.tensor(3.0)
    for fuse in (average, linear):
        fusion = fuse(4, (1.0, 3.0))
        with two_ways(model.unet, first, last, fusion, Backward()) as denoise:
            ahead = denoise(x, sigma)
        with two_ways(model.unet, last, first, fusion, Backward()) as denoise:
            back = denoise(x.flip(1), sigma)
        torch.testing.assert_close(back.flip(1), ahead, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_all_trust_in_the_forward_branch_is_image_to_video(
    model: Any, pair: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
):
    from keyweave.systems.inbetween import dual

    def ahead(frames: int, guidance: tuple[float, float]) -> Fusion:
        ramp = torch.linspace(*guidance, frames)
        return Fusion(torch.ones(frames), ramp, ramp)

    monkeypatch.setitem(dual.FUSIONS, "average", ahead)
    made = between(model, *pair, seed=4, sampling=Sampling(steps=4))
    alone = image_to_video(model, pair[0], seed=4, steps=4, guidance=(1.0, 3.0))
    torch.testing.assert_close(made, alone, rtol=0, atol=1e-4)


@torch.no_grad()
def test_a_pair_is_the_same_whatever_is_made_beside_it(model: Any, pair: tuple[Tensor, Tensor], backward: Backward):
    """At one seed for all, the first; with a seed of its own, each."""
    sampling = Sampling(steps=2, repeats=1)
    firsts, lasts = torch.cat(pair), torch.cat(pair[::-1])

    def make(firsts: Tensor, lasts: Tensor, seed: int | list[int]) -> Tensor:
        return between(model, firsts, lasts, seed=seed, sampling=sampling, backward=backward)

    one, two = pair
    alone, other = make(one, two, 3), make(two, one, 9)
    torch.testing.assert_close(make(firsts, lasts, 3)[:1], alone, rtol=0, atol=2e-4)
    torch.testing.assert_close(make(firsts, lasts, [3, 9]), torch.cat([alone, other]), rtol=0, atol=2e-4)
    torch.testing.assert_close(make(lasts, firsts, [9, 3]), torch.cat([other, alone]), rtol=0, atol=2e-4)
    assert not torch.allclose(alone, other, atol=0.01)


@torch.no_grad()
def test_the_first_steps_are_the_same_whatever_the_repeats_later(
    model: Any, pair: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
):
    """Every draw has a name: more repeats shift neither the noise that a clip begins with nor what is added first."""
    looks: list[Tensor] = []
    real = model.unet.forward
    monkeypatch.setattr(model.unet, "forward", lambda x, *rest, **more: looks.append(x) or real(x, *rest, **more))

    def seen(repeats: int, seed: int) -> list[Tensor]:
        looks.clear()
        between(model, *pair, seed=seed, sampling=Sampling(steps=2, repeats=repeats, guidance=(1.0, 1.0)))
        return list(looks)

    never, once, often, other = seen(0, 3), seen(1, 3), seen(3, 3), seen(3, 4)
    assert [len(never), len(once), len(often)] == [2, 3, 5]
    assert torch.equal(never[0], once[0])
    assert all(torch.equal(one, more) for one, more in zip(once[:2], often, strict=False))
    assert not torch.equal(once[0], once[1])
    assert not torch.equal(once[2], often[2])  # which is taken once more
    assert not torch.equal(often[0], other[0])


@torch.no_grad()
def test_a_seed_decides_everything(model: Any, pair: tuple[Tensor, Tensor]):
    one, again, other = (between(model, *pair, seed=seed, sampling=Sampling(steps=2, repeats=2)) for seed in (3, 3, 4))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_fusions():
    fusion = average(5, (1.0, 3.0))
    assert fusion.guidance.tolist() == fusion.guidance_back.tolist() == [2.0] * 5
    assert fusion.ahead.tolist() == [0.5] * 5
    fusion = linear(5, (1.0, 3.0))
    assert fusion.ahead.tolist() == [1, 0.75, 0.5, 0.25, 0]
    assert fusion.guidance.tolist() == [1, 1.5, 2, 2.5, 3]
    assert fusion.guidance_back.tolist() == [3, 2.5, 2, 1.5, 1]
    assert not linear(5, (1.0, 1.0)).guided
    assert average(5, (3.0, 1.0)).guided


@torch.no_grad()
def test_looks_are_counted_right(model: Any, pair: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch):
    seen: list[int] = []
    real = model.unet.forward
    monkeypatch.setattr(model.unet, "forward", lambda x, *rest, **more: seen.append(len(x)) or real(x, *rest, **more))
    proposal = torch.zeros(1, 4, 4, 16, 16)
    for sampling in (
        Sampling(steps=3, guidance=(1.0, 1.0)),
        Sampling(steps=4, repeats=2, guidance=(1.0, 1.0)),
        Sampling(steps=3, solver="heun", guidance=(1.0, 1.0)),
        Sampling(steps=3, solver="multistep", guidance=(1.0, 1.0)),
        Sampling(steps=5, tries=3, repeats=2, guidance=(1.0, 1.0)),
        Sampling(steps=4, tries=3, solver="heun", guidance=(1.0, 1.0)),
        Sampling(steps=2, tries=3, solver="heun", guidance=(1.0, 1.0)),
        Sampling(steps=5, sketch="flow", guidance=(1.0, 1.0)),
        Sampling(steps=4, tries=2, sketch="flow", solver="heun", guidance=(1.0, 1.0)),
    ):
        seen.clear()
        between(model, *pair, seed=1, sampling=sampling, proposal=proposal)
        assert seen == [2] * (sampling.looks + sampling.choices)
    seen.clear()
    between(model, *pair, seed=1, sampling=Sampling(steps=3))
    assert seen == [2] * 6
    assert Sampling(steps=50, repeats=5).looks == 175
    assert Sampling(steps=12, tries=4).looks == 4 * 7 + 5
    assert (Sampling(steps=12, sketch="flow").looks, Sampling(steps=12, sketch="flow").choices) == (12, 2 * 3)


def test_ends_of_two_sizes_are_refused(model: Any, pair: tuple[Tensor, Tensor]):
    with pytest.raises(InputError, match="Fit both pictures to one size"):
        between(model, pair[0], pair[1][..., :16], seed=1, sampling=Sampling(steps=1))


@torch.no_grad()
def test_what_the_network_is_told_counts(model: Any, pair: tuple[Tensor, Tensor]):
    plain = condition_on(model, pair[0], 4, seed=1)
    other = condition_on(model, pair[0], 4, seed=1, told=Told(fps=12, bucket=40, augmentation=0))
    assert plain.ids.tolist() == [[6, 127, pytest.approx(0.02)]]
    assert other.ids.tolist() == [[11, 40, 0]]
    assert not torch.equal(plain.latents, other.latents)
