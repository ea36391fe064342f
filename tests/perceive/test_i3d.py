"""I3D against itself written out: the facts of its file, loops over windows, and a bilinear rule in NumPy."""

import importlib
from itertools import product
from math import ceil
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from keyweave.base.errors import ModelError
from keyweave.perceive import i3d
from keyweave.perceive.i3d import FEWEST, I3D, Unit, load_i3d, pooled, same_padding

safetensors = importlib.import_module("safetensors.torch")

pytestmark = pytest.mark.usefixtures("one_thread")

# Channels that come into a block, and that its units b0, b1a, b1b, b2a, b2b and b3b give.
BLOCKS = {
    "Mixed_3b": (192, 64, 96, 128, 16, 32, 32),
    "Mixed_3c": (256, 128, 128, 192, 32, 96, 64),
    "Mixed_4b": (480, 192, 96, 208, 16, 48, 64),
    "Mixed_4c": (512, 160, 112, 224, 24, 64, 64),
    "Mixed_4d": (512, 128, 128, 256, 24, 64, 64),
    "Mixed_4e": (512, 112, 144, 288, 32, 64, 64),
    "Mixed_4f": (528, 256, 160, 320, 32, 128, 128),
    "Mixed_5b": (832, 256, 160, 320, 32, 128, 128),
    "Mixed_5c": (832, 384, 192, 384, 48, 128, 128),
}


def facts() -> dict[str, tuple[int, ...]]:
    """Return the shapes of all tensors by their names."""
    units = {"Conv3d_1a_7x7": (64, 3, 7), "Conv3d_2b_1x1": (64, 64, 1), "Conv3d_2c_3x3": (192, 64, 3)}
    for block, (into, b0, b1a, b1b, b2a, b2b, b3b) in BLOCKS.items():
        units |= {f"{block}.b0": (b0, into, 1), f"{block}.b1a": (b1a, into, 1), f"{block}.b1b": (b1b, b1a, 3)}
        units |= {f"{block}.b2a": (b2a, into, 1), f"{block}.b2b": (b2b, b2a, 3), f"{block}.b3b": (b3b, into, 1)}
    found: dict[str, tuple[int, ...]] = {"logits.conv3d.weight": (400, 1024, 1, 1, 1), "logits.conv3d.bias": (400,)}
    for name, (out, into, size) in units.items():
        found[f"{name}.conv3d.weight"] = (out, into, size, size, size)
        found |= {f"{name}.bn.{part}": (out,) for part in ("weight", "bias", "running_mean", "running_var")}
    return found


@pytest.fixture(scope="module")
def state(by_chance) -> dict[str, Tensor]:
    return by_chance(facts())


@pytest.fixture(scope="module")
def network(state: dict[str, Tensor]) -> I3D:
    made = I3D()
    made.load_state_dict(state, strict=False)
    return made.eval().requires_grad_(False)


def test_names_shapes_and_numbers_are_those_of_the_file(network: I3D):
    shapes = {name: tuple(t.shape) for name, t in network.state_dict().items() if "num_batches" not in name}
    assert shapes == facts()
    assert len(shapes) == 57 * 5 + 2
    assert sum(one.numel() for one in network.parameters()) == 12_697_264


# Windows


@given(st.integers(1, 40), st.integers(1, 7), st.integers(1, 3))
def test_same_padding_is_the_least_that_gives_each_stride_a_window(length: int, size: int, stride: int):
    def count(total: int) -> int:
        return len([start for start in range(0, length + total, stride) if start + size <= length + total])

    total = next(total for total in range(size + stride) if count(total) >= ceil(length / stride))
    assert same_padding(length, size, stride) == (total // 2, ceil(total / 2))


def window(x: np.ndarray, at: tuple[int, ...], sizes: tuple[int, ...], strides: tuple[int, ...], fill: float):
    """Cut a window of (C, T, H, W) out by hand, with `fill` beyond the ends."""
    cut = np.full((len(x), *sizes), fill, np.float64)
    before = [
        max(0, (ceil(n / stride) - 1) * stride + size - n) // 2
        for n, size, stride in zip(x.shape[1:], sizes, strides, strict=True)
    ]
    for inner in product(*map(range, sizes)):
        place = [a * s - b + i for a, s, b, i in zip(at, strides, before, inner, strict=True)]
        if all(0 <= p < n for p, n in zip(place, x.shape[1:], strict=True)):
            cut[(slice(None), *inner)] = x[(slice(None), *place)]
    return cut


@pytest.mark.parametrize(
    ("sizes", "strides"),
    [((1, 3, 3), (1, 2, 2)), ((3, 3, 3), (2, 2, 2)), ((2, 2, 2), (2, 2, 2)), ((3, 3, 3), (1, 1, 1))],
)
@pytest.mark.parametrize("shape", [(4, 6, 5), (5, 7, 8), (1, 1, 2)])
def test_the_largest_in_each_window(
    sizes: tuple[int, int, int], strides: tuple[int, int, int], shape: tuple[int, int, int]
):
    x = np.random.default_rng(0).random((2, *shape))
    found = pooled(torch.from_numpy(x)[None], sizes, strides)[0].numpy()
    assert found.shape[1:] == tuple(ceil(n / s) for n, s in zip(shape, strides, strict=True))
    for at in product(*map(range, found.shape[1:])):
        np.testing.assert_array_equal(
            found[(slice(None), *at)], window(x, at, sizes, strides, -np.inf).max(axis=(1, 2, 3))
        )


@pytest.mark.parametrize(("size", "stride", "shape"), [(3, 1, (3, 4, 2)), (7, 2, (5, 6, 9)), (1, 1, (2, 2, 2))])
def test_a_unit_is_a_sum_over_each_window(size: int, stride: int, shape: tuple[int, int, int]):
    torch.manual_seed(0)
    unit = Unit(2, 3, size, stride=stride).eval().requires_grad_(False)
    for part in (unit.bn.running_mean, unit.bn.running_var, unit.bn.weight, unit.bn.bias):
        assert part is not None
        part.copy_(torch.rand(3) / 4 + 0.1)
    x = np.random.default_rng(1).normal(size=(2, *shape))
    found = unit(torch.from_numpy(x).float()[None])[0].numpy()
    kernel = unit.conv3d.weight.numpy()
    mean, spread, gain, shift = (
        np.asarray(one) for one in (unit.bn.running_mean, unit.bn.running_var, unit.bn.weight, unit.bn.bias)
    )
    for at in product(*map(range, found.shape[1:])):
        summed = (kernel * window(x, at, (size,) * 3, (stride,) * 3, 0.0)).sum(axis=(1, 2, 3, 4))
        expected = np.maximum(0, (summed - mean) / np.sqrt(spread + 0.001) * gain + shift)
        np.testing.assert_allclose(found[(slice(None), *at)], expected, atol=1e-4)
    assert found.max() > 0


# The network written out, with nothing but plain calls


def written_unit(state: dict[str, Tensor], name: str, x: Tensor, stride: int = 1) -> Tensor:
    kernel = state[f"{name}.conv3d.weight"]
    size = kernel.shape[-1]
    ends = [max(0, (ceil(n / stride) - 1) * stride + size - n) for n in x.shape[2:]]
    x = functional.pad(x, [side for total in ends[::-1] for side in (total // 2, ceil(total / 2))])
    x = functional.conv3d(x, kernel, stride=stride)
    mean, spread, gain, shift = (
        state[f"{name}.bn.{one}"][:, None, None, None] for one in ("running_mean", "running_var", "weight", "bias")
    )
    return ((x - mean) / torch.sqrt(spread + 0.001) * gain + shift).clamp(min=0)


def written_block(state: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    def unit(part: str, x: Tensor) -> Tensor:
        return written_unit(state, f"{name}.{part}", x)

    around = functional.max_pool3d(x, 3, 1, padding=1)  # which pads with what is below all
    return torch.cat([unit("b0", x), unit("b1b", unit("b1a", x)), unit("b2b", unit("b2a", x)), unit("b3b", around)], 1)


def written_pool(x: Tensor, size: int, *, time: bool) -> Tensor:
    """Halve pictures, and clips where `time` is true; even sides need one more at the end, odd ones both ends."""
    ends = [max(0, (ceil(n / 2) - 1) * 2 + size - n) for n in x.shape[2:]]
    sides = [(total // 2, ceil(total / 2)) for total in (ends if time else [0, *ends[1:]])]
    x = functional.pad(x, [side for pair in sides[::-1] for side in pair], value=-torch.inf)
    return functional.max_pool3d(x, (size if time else 1, size, size), (2 if time else 1, 2, 2))


@pytest.mark.parametrize("name", ["Mixed_3b", "Mixed_4e", "Mixed_5c"])
def test_a_block_is_what_it_is_written_out(network: I3D, state: dict[str, Tensor], name: str):
    x = torch.rand(1, BLOCKS[name][0], 2, 4, 3, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        torch.testing.assert_close(getattr(network, name)(x), written_block(state, name, x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("frames", "moments"), [(9, 2), (17, 3)])
def test_the_whole_is_what_it_is_written_out(
    network: I3D, state: dict[str, Tensor], monkeypatch: pytest.MonkeyPatch, frames: int, moments: int
):
    monkeypatch.setattr(i3d, "SIDE", 40)  # it can look at any size; this one is quick
    clips = torch.rand(2, frames, 3, 40, 40, generator=torch.Generator().manual_seed(2)) * 2 - 1
    x = written_unit(state, "Conv3d_1a_7x7", clips.transpose(1, 2), 2)
    x = written_unit(state, "Conv3d_2b_1x1", written_pool(x, 3, time=False))
    x = written_pool(written_unit(state, "Conv3d_2c_3x3", x), 3, time=False)
    for name in BLOCKS:
        if name in ("Mixed_4b", "Mixed_5b"):
            x = written_pool(x, 3 if name == "Mixed_4b" else 2, time=True)
        x = written_block(state, name, x)
    assert x.shape == (2, 1024, moments, 2, 2)
    pairs = torch.stack([x[:, :, k : k + 2].mean((2, 3, 4)) for k in range(moments - 1)])  # of each two moments
    logits = pairs @ state["logits.conv3d.weight"].flatten(1).T + state["logits.conv3d.bias"]
    with torch.inference_mode():
        found = network(clips)
    assert found.shape == (2, 400)
    assert logits.std() > 0.01
    torch.testing.assert_close(found, logits.mean(0), rtol=1e-3, atol=1e-4)


def test_fewer_frames_are_too_few(network: I3D, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(i3d, "SIDE", 32)
    assert network(torch.zeros(1, FEWEST, 3, 8, 8)).isfinite().all()
    with pytest.raises(RuntimeError):
        network(torch.zeros(1, FEWEST - 1, 3, 8, 8))


class Enough(Exception):
    """Raised where the network has shown what it looks at."""


@pytest.mark.parametrize("size", [(64, 48), (300, 10)])
def test_frames_are_brought_to_its_size_each_by_itself(network: I3D, size: tuple[int, int]):
    clip = np.random.default_rng(0).uniform(-1, 1, (2, *size, 3))
    seen: list[Tensor] = []

    def keep(_: nn.Module, given: tuple[Tensor, ...]) -> None:
        seen.append(given[0])
        raise Enough

    handle = network.Conv3d_1a_7x7.register_forward_pre_hook(keep)
    with pytest.raises(Enough):
        network(torch.from_numpy(clip).float().permute(0, 3, 1, 2)[None])
    handle.remove()
    assert seen[0].shape == (1, 3, 2, 224, 224)
    rows, columns = (np.clip((np.arange(224) + 0.5) * n / 224 - 0.5, 0, n - 1) for n in size)
    for frame, shown in zip(clip, seen[0][0].permute(1, 2, 3, 0).numpy(), strict=True):
        for i, j in ((0, 0), (223, 223), (17, 100), (111, 3)):
            y, x = rows[i], columns[j]
            corners = [
                (1 - abs(y - p)) * (1 - abs(x - q)) * frame[p, q]
                for p in range(int(y), min(int(y) + 2, size[0]))
                for q in range(int(x), min(int(x) + 2, size[1]))
            ]
            np.testing.assert_allclose(shown[i, j], np.sum(corners, axis=0), atol=1e-4)


# Its file


def test_a_file_is_read(state: dict[str, Tensor], tmp_path: Path):
    counters = {"Conv3d_1a_7x7.bn.num_batches_tracked": torch.tensor(3)}
    safetensors.save_file(state | counters, tmp_path / "w.safetensors")
    read = load_i3d(tmp_path / "w.safetensors", device="cpu")
    assert all(torch.equal(read.state_dict()[name], tensor) for name, tensor in state.items())
    assert not read.training


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (  # taught another set of actions
            {"logits.conv3d.weight": torch.zeros(157, 1024, 1, 1, 1), "logits.conv3d.bias": torch.zeros(157)},
            r"FVD's I3D: logits\.conv3d\.bias has the shape 157 in place of 400\.$",
        ),
        (  # that looks at flow
            {"Conv3d_1a_7x7.conv3d.weight": torch.zeros(64, 2, 7, 7, 7)},
            r"Conv3d_1a_7x7\.conv3d\.weight has the shape 64x2x7x7x7 in place of 64x3x7x7x7\.$",
        ),
    ],
)
def test_its_sisters_are_refused(state: dict[str, Tensor], change: dict[str, Tensor], says: str, tmp_path: Path):
    safetensors.save_file(state | change, tmp_path / "w.safetensors")
    with pytest.raises(ModelError, match=says):
        load_i3d(tmp_path / "w.safetensors")
