"""Inception-v3 against itself written out: the facts of its file, plain sums, and a bilinear rule in NumPy."""

import importlib
from collections.abc import Callable
from math import prod
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from keyweave.base.errors import ModelError
from keyweave.perceive import inception
from keyweave.perceive.inception import Inception, load_inception

safetensors = importlib.import_module("safetensors.torch")

pytestmark = pytest.mark.usefixtures("one_thread")

# Each convolution of the file: channels out and in, height and width. Each has a norm of as many channels.
FACTS = {
    "Conv2d_": "1a_3x3 32 3 3 3, 2a_3x3 32 32 3 3, 2b_3x3 64 32 3 3, 3b_1x1 80 64 1 1, 4a_3x3 192 80 3 3",
    **{
        f"Mixed_{block}.branch": (
            f"1x1 64 {width} 1 1, 5x5_1 48 {width} 1 1, 5x5_2 64 48 5 5, 3x3dbl_1 64 {width} 1 1, 3x3dbl_2 96 64 3 3, "
            f"3x3dbl_3 96 96 3 3, _pool {pooled} {width} 1 1"
        )
        for block, width, pooled in (("5b", 192, 32), ("5c", 256, 64), ("5d", 288, 64))
    },
    "Mixed_6a.branch": "3x3 384 288 3 3, 3x3dbl_1 64 288 1 1, 3x3dbl_2 96 64 3 3, 3x3dbl_3 96 96 3 3",
    **{
        f"Mixed_{block}.branch": (
            f"1x1 192 768 1 1, 7x7_1 {inner} 768 1 1, 7x7_2 {inner} {inner} 1 7, 7x7_3 192 {inner} 7 1, "
            f"7x7dbl_1 {inner} 768 1 1, 7x7dbl_2 {inner} {inner} 7 1, 7x7dbl_3 {inner} {inner} 1 7, "
            f"7x7dbl_4 {inner} {inner} 7 1, 7x7dbl_5 192 {inner} 1 7, _pool 192 768 1 1"
        )
        for block, inner in (("6b", 128), ("6c", 160), ("6d", 160), ("6e", 192))
    },
    "Mixed_7a.branch": (
        "3x3_1 192 768 1 1, 3x3_2 320 192 3 3, 7x7x3_1 192 768 1 1, 7x7x3_2 192 192 1 7, 7x7x3_3 192 192 7 1, "
        "7x7x3_4 192 192 3 3"
    ),
    **{
        f"Mixed_{block}.branch": (
            f"1x1 320 {width} 1 1, 3x3_1 384 {width} 1 1, 3x3_2a 384 384 1 3, 3x3_2b 384 384 3 1, "
            f"3x3dbl_1 448 {width} 1 1, 3x3dbl_2 384 448 3 3, 3x3dbl_3a 384 384 1 3, 3x3dbl_3b 384 384 3 1, "
            f"_pool 192 {width} 1 1"
        )
        for block, width in (("7b", 1280), ("7c", 2048))
    },
}


def facts() -> dict[str, tuple[int, ...]]:
    """Return the shapes of all tensors by their names."""
    found: dict[str, tuple[int, ...]] = {}
    for start, rows in FACTS.items():
        for row in rows.split(", "):
            name, *shape = row.split()
            found[f"{start}{name}.conv.weight"] = tuple(map(int, shape))
            for part in ("weight", "bias", "running_mean", "running_var"):
                found[f"{start}{name}.bn.{part}"] = (int(shape[0]),)
    return found


@pytest.fixture(scope="module")
def state(by_chance) -> dict[str, Tensor]:
    return by_chance(facts())


@pytest.fixture(scope="module")
def network(state: dict[str, Tensor]) -> Inception:
    made = Inception()
    made.load_state_dict(state, strict=False)
    return made.eval().requires_grad_(False)


def test_names_shapes_and_numbers_are_those_of_the_file(network: Inception):
    shapes = {name: tuple(t.shape) for name, t in network.state_dict().items() if "num_batches" not in name}
    assert shapes == facts()
    assert len(shapes) == 94 * 5
    assert sum(one.numel() for one in network.parameters()) == 21_785_568


# The network written out, with nothing but plain calls


Unit = Callable[..., Tensor]


def unit_of(state: dict[str, Tensor], start: str) -> Unit:
    def unit(name: str, x: Tensor, *, stride: int = 1, around: tuple[int, int] = (0, 0)) -> Tensor:
        part = f"{start}{name}."
        x = functional.conv2d(x, state[f"{part}conv.weight"], stride=stride, padding=around)
        mean, spread, gain, shift = (
            state[f"{part}bn.{one}"][:, None, None] for one in ("running_mean", "running_var", "weight", "bias")
        )
        return ((x - mean) / torch.sqrt(spread + 0.001) * gain + shift).clamp(min=0)

    return unit


def windows(x: Tensor, fill: float) -> Tensor:
    """Return what lies in 3x3 around each place: (B, C, 9, H, W)."""
    height, width = x.shape[2:]
    wide = functional.pad(x, (1, 1, 1, 1), value=fill)
    return torch.stack([wide[:, :, i : i + height, j : j + width] for i in range(3) for j in range(3)], dim=2)


def inside_mean(x: Tensor) -> Tensor:
    return windows(x, 0).sum(2) / windows(torch.ones_like(x), 0).sum(2)


def largest(x: Tensor) -> Tensor:
    return windows(x, -torch.inf).amax(2)


def halved(x: Tensor) -> Tensor:
    """Of whole windows alone."""
    last = [(length - 3) // 2 * 2 + 1 for length in x.shape[2:]]
    return largest(x)[:, :, 1 : last[0] + 1 : 2, 1 : last[1] + 1 : 2]


def block_a(unit: Unit, x: Tensor) -> Tensor:
    five = unit("5x5_2", unit("5x5_1", x), around=(2, 2))
    three = unit("3x3dbl_3", unit("3x3dbl_2", unit("3x3dbl_1", x), around=(1, 1)), around=(1, 1))
    return torch.cat([unit("1x1", x), five, three, unit("_pool", inside_mean(x))], 1)


def block_b(unit: Unit, x: Tensor) -> Tensor:
    three = unit("3x3dbl_3", unit("3x3dbl_2", unit("3x3dbl_1", x), around=(1, 1)), stride=2)
    return torch.cat([unit("3x3", x, stride=2), three, halved(x)], 1)


def block_c(unit: Unit, x: Tensor) -> Tensor:
    row, column = (0, 3), (3, 0)
    once = unit("7x7_3", unit("7x7_2", unit("7x7_1", x), around=row), around=column)
    twice = unit("7x7dbl_1", x)
    for number, around in ((2, column), (3, row), (4, column), (5, row)):
        twice = unit(f"7x7dbl_{number}", twice, around=around)
    return torch.cat([unit("1x1", x), once, twice, unit("_pool", inside_mean(x))], 1)


def block_d(unit: Unit, x: Tensor) -> Tensor:
    once = unit("3x3_2", unit("3x3_1", x), stride=2)
    twice = unit("7x7x3_3", unit("7x7x3_2", unit("7x7x3_1", x), around=(0, 3)), around=(3, 0))
    return torch.cat([once, unit("7x7x3_4", twice, stride=2), halved(x)], 1)


def block_e(pool: Callable[[Tensor], Tensor]) -> Callable[[Unit, Tensor], Tensor]:
    def block(unit: Unit, x: Tensor) -> Tensor:
        once, twice = unit("3x3_1", x), unit("3x3dbl_2", unit("3x3dbl_1", x), around=(1, 1))
        forks = [unit("3x3_2a", once, around=(0, 1)), unit("3x3_2b", once, around=(1, 0))]
        forks += [unit("3x3dbl_3a", twice, around=(0, 1)), unit("3x3dbl_3b", twice, around=(1, 0))]
        return torch.cat([unit("1x1", x), *forks, unit("_pool", pool(x))], 1)

    return block


BLOCKS = {
    **dict.fromkeys(("Mixed_5b", "Mixed_5c", "Mixed_5d"), block_a),
    "Mixed_6a": block_b,
    **dict.fromkeys(("Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e"), block_c),
    "Mixed_7a": block_d,
    "Mixed_7b": block_e(inside_mean),
    "Mixed_7c": block_e(largest),  # the release's own oddity
}


@pytest.mark.parametrize("name", ["Mixed_5b", "Mixed_6a", "Mixed_6b", "Mixed_7a", "Mixed_7b", "Mixed_7c"])
def test_a_block_is_what_it_is_written_out(network: Inception, state: dict[str, Tensor], name: str):
    block = getattr(network, name)
    width = next(shape[1] for key, shape in facts().items() if key.startswith(name))
    x = torch.rand(1, width, 9, 8, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        torch.testing.assert_close(block(x), BLOCKS[name](unit_of(state, f"{name}.branch"), x), rtol=1e-4, atol=1e-4)


def test_the_whole_is_what_it_is_written_out(
    network: Inception, state: dict[str, Tensor], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(inception, "SIDE", 83)  # it can look at any size; this one is quick
    pictures = torch.rand(2, 3, 83, 83, generator=torch.Generator().manual_seed(2)) * 2 - 1
    stem = unit_of(state, "Conv2d_")
    x = stem("2b_3x3", stem("2a_3x3", stem("1a_3x3", pictures, stride=2)), around=(1, 1))
    x = halved(stem("4a_3x3", stem("3b_1x1", halved(x))))
    for name, block in BLOCKS.items():
        x = block(unit_of(state, f"{name}.branch"), x)
    expected = x.sum((2, 3)) / prod(x.shape[2:])
    with torch.inference_mode():
        found = network(pictures)
    assert found.shape == (2, 2048)
    assert expected.std() > 0.01
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)


def bilinear(picture: np.ndarray, side: int) -> np.ndarray:  # (H, W, C)
    """Between the centres of pixels, beyond the outer ones as these; one axis after the other."""
    for axis in (0, 1):
        length = picture.shape[axis]
        at = np.clip((np.arange(side) + 0.5) * length / side - 0.5, 0, length - 1)
        low = np.floor(at).astype(int)
        high = np.minimum(low + 1, length - 1)
        share = (at - low).reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
        picture = np.take(picture, low, axis) * (1 - share) + np.take(picture, high, axis) * share
    return picture


class Enough(Exception):
    """Raised where the network has shown what it looks at."""


def shown_to(layer: nn.Module, look: Callable[[], object]) -> Tensor:
    """Return what comes to a layer first, and go no further."""
    seen: list[Tensor] = []

    def keep(_: nn.Module, given: tuple[Tensor, ...]) -> None:
        seen.append(given[0])
        raise Enough

    handle = layer.register_forward_pre_hook(keep)
    try:
        with pytest.raises(Enough):
            look()
    finally:
        handle.remove()
    return seen[0]


@pytest.mark.parametrize("size", [(64, 64), (20, 333), (576, 400), (299, 299), (1, 1)])
def test_pictures_are_brought_to_its_size_between_centres_and_unsmoothed(network: Inception, size: tuple[int, int]):
    picture = np.random.default_rng(0).uniform(-1, 1, (*size, 3))
    tensor = torch.from_numpy(picture).float().permute(2, 0, 1)[None]
    seen = shown_to(network.Conv2d_1a_3x3, lambda: network(tensor))
    assert seen.shape == (1, 3, 299, 299)
    np.testing.assert_allclose(seen[0].permute(1, 2, 0), bilinear(picture, 299), atol=1e-4)


# Its file


def test_a_file_is_read_with_its_head_or_without(state: dict[str, Tensor], tmp_path: Path):
    heads = {"fc.weight": torch.zeros(1008, 2048), "fc.bias": torch.zeros(1008), "AuxLogits.fc.bias": torch.zeros(9)}
    counters = {name.replace("running_var", "num_batches_tracked"): torch.tensor(0) for name in state if "var" in name}
    assert len(state | counters) + 2 == 566  # so many has pytorch-fid's file
    for rest in ({}, heads | counters):
        safetensors.save_file({**state, **rest}, tmp_path / "w.safetensors")
        read = load_inception(tmp_path / "w.safetensors", device="cpu").state_dict()
        assert all(torch.equal(read[name], tensor) for name, tensor in state.items())


def test_torchvisions_own_weights_are_refused(state: dict[str, Tensor], tmp_path: Path):
    """Names and shapes are the same; what they were taught is not."""
    safetensors.save_file({**state, "fc.bias": torch.zeros(1000)}, tmp_path / "w.safetensors")
    says = r"FID's Inception-v3: its head is for 1000 classes, not 1008\. To make a file of the right ones: python -c"
    with pytest.raises(ModelError, match=says):
        load_inception(tmp_path / "w.safetensors")


def test_a_missing_tensor_is_named(state: dict[str, Tensor], tmp_path: Path):
    fewer = {name: tensor for name, tensor in state.items() if not name.startswith("Mixed_7c.branch_pool")}
    safetensors.save_file(fewer, tmp_path / "w.safetensors")
    with pytest.raises(ModelError, match=r"5 of 470 tensors are missing, such as Mixed_7c\.branch_pool\.bn\.bias\.$"):
        load_inception(tmp_path / "w.safetensors")
