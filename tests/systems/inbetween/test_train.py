"""Learning to look backward."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import accelerate
import pytest
import torch
from torch import Tensor, nn

from keyweave.diffusion.exchange import temporal_layers
from keyweave.systems.inbetween.train import ALL, VALUES, BackwardTask, Branch, Clips, Noising
from keyweave.training.loop import train
from keyweave.training.plan import Plan

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def unet(tiny: Any) -> Any:
    unet = deepcopy(tiny.unet)
    for part in unet.modules():
        if type(part).__name__ == "AlphaBlender":
            part.mix_factor.data.fill_(0.0)
    return unet


@pytest.fixture(scope="module")
def clips() -> Clips:
    chance = torch.Generator().manual_seed(0)
    return Clips(*(torch.randn(shape, generator=chance) for shape in ((3, 4, 4, 8, 8), (3, 32), (3, 32))))


def task_of(unet: Any, clips: Clips, **more: Any) -> BackwardTask:
    return BackwardTask(unet, clips, clips, scale=0.5, ids=(6, 127, 0.02), **more)


def test_only_values_and_outputs_of_temporal_attention_learn(unet: Any, clips: Clips):
    task = task_of(unet, clips)
    before = {name: value.clone() for name, value in unet.state_dict().items()}
    loss, _ = task.loss([0, 1])
    loss.backward()
    layers = temporal_layers(unet)
    assert set(task.branch.weights) == set(layers)
    for row in task.branch.weights.values():
        assert set(row) == set(VALUES)
        for matrix in row.values():
            assert matrix.grad is not None
            assert float(matrix.grad.abs().max()) > 0
    assert all(parameter.grad is None for parameter in unet.parameters())
    assert all(torch.equal(before[name], value) for name, value in unet.state_dict().items())
    learnt = sum(matrix.numel() for matrix in task.model.parameters())
    whole = {layer: unet.get_submodule(layer) for layer in layers}
    assert learnt == sum(a.to_v.weight.numel() + a.to_out[0].weight.numel() for a in whole.values())


def test_the_loss_is_that_of_the_reversed_clip(unet: Any, clips: Clips):
    """Told everything, without turned maps and unlearnt, it is the network's own error on the clip reversed."""
    task = task_of(unet, clips, parts=ALL, rotated=False)
    noise, sigma = torch.randn(3, 4, 4, 8, 8), torch.tensor([0.5, 2.0, 9.0])
    with torch.no_grad():
        found = task._faults(clips, sigma, noise, sigma > 0)
        clean = clips.latents.flip(1) * 0.5
        noisy = clean + sigma[:, None, None, None, None] * noise.flip(1)
        for k in range(3):
            given = torch.cat(
                [noisy[k] / (sigma[k] ** 2 + 1).sqrt(), clips.latents[k, -1:].expand(4, -1, -1, -1)], dim=1
            )[None]
            ids = torch.tensor([[6, 127, 0.02]])
            v = unet(given, 0.25 * sigma[k].log(), clips.lasts[k][None, None], ids, return_dict=False)[0][0]
            wanted = (noise[k].flip(0) - sigma[k] * clean[k]) / (sigma[k] ** 2 + 1).sqrt()
            assert float(found[k]) == pytest.approx(float((v - wanted).square().mean()), rel=1e-4)


class WrittenOut:
    """Attention step by step; keeps its maps (B, H, F, F) by layer, or takes those that were kept, turned."""

    def __init__(self, maps: dict[str, Tensor], name: str, *, take: bool) -> None:
        self.maps, self.name, self.take = maps, name, take

    def __call__(self, attn: Any, x: Tensor, *_: Any, **__: Any) -> Tensor:
        q, k, v = (f(x).unflatten(2, (attn.heads, -1)).transpose(1, 2) for f in (attn.to_q, attn.to_k, attn.to_v))
        if self.take:
            weights = torch.rot90(self.maps[self.name], 2, (2, 3))
        else:
            weights = self.maps[self.name] = (q @ k.mT / q.shape[3] ** 0.5).softmax(3)
        return attn.to_out[0]((weights @ v).transpose(1, 2).flatten(2))


def test_loss_and_gradients_are_those_of_two_networks_with_maps_written_out(unet: Any):
    """Algorithm 1: the forward network is told the first frame, the backward one the last, on the clip reversed."""
    chance = torch.Generator().manual_seed(1)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=chance)

    clips = Clips(draw(2, 4, 4, 8, 8), draw(2, 32), draw(2, 32), draw(2, 4, 8, 8), draw(2, 4, 8, 8))
    task = task_of(unet, clips)
    for matrix in task.model.parameters():
        matrix.data += 0.02 * draw(*matrix.shape)
    noise, sigma = draw(2, 4, 4, 8, 8), torch.tensor([0.5, 3.0])
    found = task._faults(clips, sigma, noise, sigma > 0)
    found.mean().backward()

    ahead, back, maps = deepcopy(unet), deepcopy(unet), dict[str, Tensor]()
    learnt = []
    for name, row in task.branch.weights.items():
        ahead.get_submodule(name).set_processor(WrittenOut(maps, name, take=False))
        back.get_submodule(name).set_processor(WrittenOut(maps, name, take=True))
        for part, matrix in row.items():
            own = nn.Parameter(matrix.detach().clone())
            back.get_submodule(name).get_submodule(part).weight = own
            learnt.append((matrix, own))
    level = sigma[:, None, None, None, None]
    wide = (level**2 + 1).sqrt()
    clean = 0.5 * clips.latents
    noisy = clean + level * noise

    def ask(network: Any, x: Tensor, picture: Tensor | None, seen: Tensor) -> Tensor:
        assert picture is not None
        given = torch.cat([x / wide, picture[:, None].expand(-1, 4, -1, -1, -1)], dim=2)
        ids = torch.tensor([[6, 127, 0.02]]).expand(2, -1)
        return network(given, 0.25 * sigma.log(), seen[:, None], ids, return_dict=False)[0]

    with torch.no_grad():
        ask(ahead, noisy, clips.starts, clips.firsts)
    made = ask(back, noisy.flip(1), clips.stops, clips.lasts)
    expected = (made - ((noise - level * clean) / wide).flip(1)).square().mean((1, 2, 3, 4))
    expected.mean().backward()
    assert error(found.detach(), expected.detach()) <= 1e-5
    for matrix, own in learnt:
        assert matrix.grad is not None
        assert own.grad is not None
        assert error(matrix.grad, own.grad) <= 1e-5


def error(made: Tensor, expected: Tensor) -> float:
    return float((made - expected).norm() / expected.norm())


def test_turned_maps_make_a_difference_and_dropout_too(unet: Any, clips: Clips):
    losses = {
        name: float(task_of(unet, clips, **more).loss([4, 5])[0].detach())
        for name, more in {
            "turned": {},
            "again": {},
            "own": {"rotated": False},
            "untold": {"noising": Noising(untold=1.0)},
            "seed": {"seed": 1},
        }.items()
    }
    assert losses["turned"] == losses.pop("again")
    assert len(set(losses.values())) == len(losses)


def test_no_more_is_measured_at_once_than_told_and_the_numbers_stay(unet: Any, clips: Clips):
    sizes: list[int] = []
    hook = unet.register_forward_pre_hook(lambda _, args: sizes.append(len(args[0])))
    found = [task_of(unet, clips, together=together).measured() for together in (1, 2, 16)]
    hook.remove()
    assert sizes[:30] == [1] * 30
    assert sizes[30:50] == [2, 2, 1, 1] * 5
    assert sizes[50:] == [3] * 10
    for other in found[1:]:
        assert other == pytest.approx(found[0], rel=1e-5)


def test_a_network_that_comes_when_it_is_called_is_met_where_it_computes(unet: Any, clips: Clips):
    """Its weights lie on the CPU; "meta" stands for a GPU that they come to."""
    network = deepcopy(unet)
    accelerate.cpu_offload_with_hook(network, torch.device("meta"))
    task = task_of(network, clips, device="meta")
    assert network.device.type == "cpu"
    loss, _ = task.loss([0, 1])
    loss.backward()
    assert loss.device.type == "meta"
    assert all(matrix.grad is not None and matrix.grad.device.type == "meta" for matrix in task.model.parameters())
    branch = Branch(unet, device="meta")  # and when it has gone again
    assert all(one.device.type == "meta" for row in branch.differences().values() for one in row.values())


def test_it_learns_and_differences_are_what_was_learnt(unet: Any, clips: Clips, tmp_path: Path):
    task = task_of(unet, clips)
    assert all(not difference.any() for row in task.branch.differences().values() for difference in row.values())
    before = task.validate(tmp_path, 0)
    plan = Plan(steps=8, batch=3, learning_rate=0.02, warm_up=1, average=0.5, validate_every=100)
    train(task, plan, tmp_path / "run")
    after = task.validate(tmp_path, 8)
    assert set(after) == {"loss", "at 0.3", "at 1", "at 3", "at 10", "at 30"}
    assert after["loss"] < 0.96 * before["loss"]
    again = Branch(unet)
    for layer, row in task.branch.differences().items():
        for part, difference in row.items():
            torch.testing.assert_close(
                again.weights[layer][part] + difference, task.branch.weights[layer][part], rtol=0, atol=1e-6
            )
