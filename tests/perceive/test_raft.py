"""RAFT behind its door: with a network that is made up, and with torchvision's own where it can be imported."""

import importlib
import sys
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from keyweave.base.errors import MissingExtra, ModelError, ModelNotFound
from keyweave.classical import flow as engine
from keyweave.cli.main import main
from keyweave.media.pictures.images import write_image
from keyweave.media.types import Image
from keyweave.perceive.raft import Raft, load_raft, searched_size
from keyweave.protocols import FlowEstimator

safetensors = importlib.import_module("safetensors.torch")
PLACE = "torchvision.models.optical_flow"

pytestmark = pytest.mark.usefixtures("one_thread")


class Echo(nn.Module):
    """A network that finds as flow what stands in red and green of the first picture, times its one weight."""

    def __init__(self, part: str) -> None:
        super().__init__()
        self.add_module(part, nn.Linear(1, 1, bias=False))
        self.corr_block = nn.Identity()
        self.asked: list[tuple[Tensor, Tensor, int]] = []

    def forward(self, a: Tensor, b: Tensor, num_flow_updates: int) -> list[Tensor]:
        self.asked.append((a, b, num_flow_updates))
        (weight,) = self.parameters()
        return [a[:, :2] * weight * (step + 1) / num_flow_updates for step in range(num_flow_updates)]


@pytest.fixture
def echo(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Weights for a made-up torchvision, large."""
    networks: Any = ModuleType(PLACE)
    networks.raft_large = lambda weights: Echo("mask_predictor")
    networks.raft_small = lambda weights: Echo("flow_head")
    monkeypatch.setitem(sys.modules, PLACE, networks)
    path = tmp_path / "raft.safetensors"
    safetensors.save_file({"mask_predictor.weight": torch.full((1, 1), 10.0)}, path)
    return path


def picture(*size: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, size, dtype=np.uint8)


def asked(estimate: Raft) -> tuple[Tensor, Tensor, int]:
    """Return what the network was last given."""
    return cast("Echo", estimate.network).asked[-1]


# What it makes of pictures


def test_it_finds_flow(echo: Path):
    estimate: FlowEstimator = load_raft(echo)
    assert estimate(picture(8, 8, 3), picture(8, 8, 3)).shape == (8, 8, 2)


@pytest.mark.parametrize("size", [(136, 240), (1, 1), (1, 300), (129, 131), (300, 7)])
def test_pictures_are_continued_to_whole_cells_and_the_flow_is_cut_back(echo: Path, size: tuple[int, int]):
    estimate = load_raft(echo, updates=3)
    ends = picture(*size, 3), picture(*size, 3, seed=1)
    found = estimate(*ends)
    np.testing.assert_allclose(found, (ends[0][..., :2] / 127.5 - 1) * 10, atol=1e-5)
    assert found.dtype == np.float32
    *shown, updates = asked(estimate)
    assert updates == 3
    for given, tensor in zip(ends, shown, strict=True):
        assert tensor.shape[2:] == tuple(max(128, -(-length // 8) * 8) for length in size)
        levels = ((tensor[0].permute(1, 2, 0) + 1) * 127.5).numpy()
        np.testing.assert_allclose(levels[: size[0], : size[1]], given, atol=1e-4)
        np.testing.assert_allclose(levels[-1, -1], given[-1, -1], atol=1e-4)


def test_large_pictures_are_searched_small_and_told_in_their_own_pixels(echo: Path):
    estimate = load_raft(echo, pixels=200 * 150)
    a = np.full((600, 800, 3), 255, np.uint8)
    np.testing.assert_allclose(estimate(a, a), np.full((600, 800, 2), 40.0), rtol=1e-6)
    assert asked(estimate)[0].shape == (1, 3, 152, 200)


@pytest.mark.parametrize(
    "size", [(3840, 2160), (2160, 3840), (100_000, 10), (1, 10**7), (130, 90_000), (1921, 1201), (5, 5)]
)
def test_no_shape_takes_more_than_its_pixels(size: tuple[int, int]):
    pixels = 960 * 540
    width, height = searched_size(size, pixels)
    assert max(width, 128) * max(height, 128) <= pixels
    assert min(width, height) >= 1
    assert searched_size((width, height), pixels) == (width, height)
    assert (width, height) == size or max(width, 128) * max(height, 128) > pixels * 0.98


def test_what_is_transparent_lies_over_grey(echo: Path):
    estimate = load_raft(echo)
    clear = np.zeros((140, 140, 4), np.uint8)
    np.testing.assert_allclose(estimate(clear, clear), (128 / 127.5 - 1) * 10, atol=1e-5)


def test_the_largest_tensor_is_let_go_of(echo: Path):
    estimate = load_raft(echo)
    estimate(picture(128, 128, 3), picture(128, 128, 3))
    assert cast("Any", estimate.network).corr_block.corr_pyramid == []


# What the flow engine makes of it


class Shift(nn.Module):
    """A network that has learnt nothing but that all moves to the right, or back."""

    def __init__(self, by: float) -> None:
        super().__init__()
        self.by, self.corr_block = by, nn.Identity()

    def forward(self, a: Tensor, b: Tensor, num_flow_updates: int) -> list[Tensor]:
        onward = bool(a.mean() < b.mean())
        flow = torch.tensor([self.by if onward else -self.by, 0.0])
        return [flow.view(1, 2, 1, 1).expand(1, 2, *a.shape[2:])]


def ramp(length: int) -> np.ndarray:
    """Draw stripes that look alike every 20 pixels, the second picture lighter by a hair."""
    stripes = np.where(np.arange(length) // 10 % 2, 200, 60).astype(np.uint8)
    return np.broadcast_to(stripes[None, :, None], (140, length, 3)).copy()


@pytest.mark.parametrize("scale", [1, 2])
def test_the_flow_goes_both_ways_and_is_rated(scale: int):
    big = ramp(300)
    a, b = (each.repeat(scale, 0).repeat(scale, 1) for each in (big[:, 40:240], big[:, :200] + 1))
    estimate = Raft(Shift(40.0), torch.device("cpu"), pixels=140 * 200)
    pair = estimate.between(a, b)
    np.testing.assert_allclose(pair.forward[..., 0], 40 * scale)
    np.testing.assert_allclose(pair.backward[..., 0], -40 * scale)
    assert pair.forward_trust[:, : 155 * scale].min() > 0.9  # what stays in the picture
    assert pair.forward_trust[:, 165 * scale :].max() < 0.1
    assert pair.backward_trust[:, : 35 * scale].max() < 0.1
    assert pair.backward_trust[:, 45 * scale :].min() > 0.9


def test_the_flow_engine_moves_things_as_it_is_told(monkeypatch: pytest.MonkeyPatch):
    """The eye sees stripes that stand still, for they look alike; the network says that they moved by two."""
    asked_for = []

    def load(path: Path) -> Raft:
        asked_for.append(path)
        return Raft(Shift(40.0), torch.device("cpu"))

    monkeypatch.setattr(engine, "load_raft", load)
    a, b = (Image(each) for each in (ramp(200), ramp(200) + 1))
    (told,) = engine.flow(a, b, [Fraction(1, 4)], raft=Path("w.safetensors"))
    (seen,) = engine.flow(a, b, [Fraction(1, 4)])
    assert asked_for == [Path("w.safetensors")]
    inner = slice(60, 140)
    assert np.abs(told[:, inner].astype(int) - np.roll(a.pixels, 10, axis=1)[:, inner]).mean() < 8
    assert np.abs(seen[:, inner].astype(int) - a.pixels[:, inner]).mean() < 8


def test_the_command_line_takes_weights(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    for name in ("a.png", "b.png"):
        write_image(tmp_path / name, Image(ramp(200)))
    pictures = [str(tmp_path / name) for name in ("a.png", "b.png")]
    made = main(["inbetween", *pictures, "-o", str(tmp_path / "o.mp4"), "--raft", str(tmp_path / "no.safetensors")])
    assert made == ModelNotFound.exit_code
    assert "no.safetensors with weights for RAFT" in capsys.readouterr().err.replace("\n", "")
    assert not (tmp_path / "o.mp4").exists()


# Doors


def test_pictures_are_of_one_size(echo: Path):
    with pytest.raises(ValueError, match=r"one size; got \(8, 8, 3\) and \(8, 9, 3\)"):
        load_raft(echo)(picture(8, 8, 3), picture(8, 9, 3))


def test_names_tell_the_small_network_from_the_large(echo: Path):
    safetensors.save_file({"flow_head.weight": torch.ones(1, 1)}, echo)
    network = load_raft(echo, device="cpu").network
    assert [name for name, _ in network.named_parameters()] == ["flow_head.weight"]
    assert not network.training
    assert not any(each.requires_grad for each in network.parameters())


@pytest.mark.parametrize(("pixels", "updates"), [(128 * 127, 12), (128 * 128, 0)])
def test_too_little_is_refused(echo: Path, pixels: int, updates: int):
    with pytest.raises(ValueError, match="at least 16384 pixels and 1 update"):
        load_raft(echo, pixels=pixels, updates=updates)


def test_weights_that_are_not_there_say_how_to_get_them(tmp_path: Path):
    with pytest.raises(ModelNotFound, match=r"no file .*raft\.safetensors with weights for RAFT\. To make"):
        load_raft(tmp_path / "raft.safetensors")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 a pickle", b"\x08\0\0\0\0\0\0\0{}      more"])
def test_pickles_and_broken_files_are_refused(tmp_path: Path, content: bytes):
    path = tmp_path / "raft.pth"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"raft.pth is not a safetensors file, or is damaged .* can run code"):
        load_raft(path)


@pytest.mark.parametrize("state", [{}, {"other": torch.ones(1)}, {"mask_predictor.weight": torch.ones(2, 2)}])
def test_weights_of_something_else_are_refused(echo: Path, state: dict[str, Tensor]):
    safetensors.save_file(state, echo)
    with pytest.raises(ModelError, match=r"does not hold the weights of RAFT: "):
        load_raft(echo)


def test_a_missing_torchvision_is_named(echo: Path, monkeypatch: pytest.MonkeyPatch):
    _fail_to_import(monkeypatch, ModuleNotFoundError("No module named 'torchvision'", name="torchvision"))
    with pytest.raises(MissingExtra, match=r"RAFT needs the package torchvision, which is not installed\. Install"):
        load_raft(echo)


def test_a_torchvision_of_another_build_is_named(echo: Path, monkeypatch: pytest.MonkeyPatch):
    _fail_to_import(monkeypatch, RuntimeError("operator torchvision::nms does not exist"))
    with pytest.raises(
        MissingExtra, match=r"does not work with PyTorch .*: operator torchvision::nms does not exist\."
    ):
        load_raft(echo)


def test_a_torchvision_that_misses_something_shows_the_true_cause(echo: Path, monkeypatch: pytest.MonkeyPatch):
    _fail_to_import(monkeypatch, ModuleNotFoundError("No module named 'six'", name="six"))
    with pytest.raises(ModuleNotFoundError, match="six"):
        load_raft(echo)


def _fail_to_import(monkeypatch: pytest.MonkeyPatch, fault: Exception) -> None:
    found = importlib.import_module

    def fail(name: str) -> ModuleType:
        if name == PLACE:
            raise fault
        return found(name)

    monkeypatch.setattr(importlib, "import_module", fail)


# The network itself


@pytest.mark.parametrize("size", ["small", "large"])
def test_it_is_torchvisions_own_network(size: str, tmp_path: Path):
    try:
        networks: Any = importlib.import_module(PLACE)
    except (ImportError, OSError, RuntimeError) as fault:
        pytest.skip(f"needs torchvision: {fault}")
    torch.manual_seed(0)
    network = getattr(networks, f"raft_{size}")().eval()
    safetensors.save_file(network.state_dict(), tmp_path / "raft.safetensors")
    estimate = load_raft(tmp_path / "raft.safetensors", device="cpu", updates=2)
    a, b = picture(128, 136, 3), picture(128, 136, 3, seed=1)
    tensors = [torch.from_numpy(each).permute(2, 0, 1)[None] / 127.5 - 1 for each in (a, b)]
    with torch.no_grad():
        expected = network(*tensors, num_flow_updates=2)[-1][0].permute(1, 2, 0)
    assert expected.abs().mean() > 0.1
    for _ in range(2):  # what is let go of is made anew
        np.testing.assert_allclose(estimate(a, b), expected, atol=1e-4)
    assert estimate(a[:9], b[:9]).shape == (9, 136, 2)
