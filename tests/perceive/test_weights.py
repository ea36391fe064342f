"""Weights from files: what fits fills a network, all else is one sentence."""

import importlib
import runpy
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from keyweave.base.errors import ModelError, ModelNotFound
from keyweave.perceive.weights import convert_line, filled, read_weights

safetensors = importlib.import_module("safetensors.torch")


def network() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 4, 1, bias=False), nn.BatchNorm2d(4))


def state() -> dict[str, Tensor]:
    draw = torch.Generator().manual_seed(0)
    return {
        "0.weight": torch.rand(4, 3, 1, 1, generator=draw),
        **{f"1.{name}": torch.rand(4, generator=draw) for name in ("weight", "bias", "running_mean", "running_var")},
    }


def filled_with(given: dict[str, Tensor], *, ignored: tuple[str, ...] = ()) -> nn.Sequential:
    return filled(network(), given, Path("w.safetensors"), called="NET", ignored=ignored, device="cpu")


@pytest.mark.parametrize("counted", [True, False])
def test_what_fits_fills_a_network(counted: bool):
    given = state() | ({"1.num_batches_tracked": torch.tensor(7)} if counted else {})
    made = filled_with(given)
    for name, tensor in state().items():
        torch.testing.assert_close(made.state_dict()[name], tensor)
    assert not made.training
    assert not any(one.requires_grad for one in made.parameters())


def test_half_precision_comes_in_as_whole():
    given = {name: tensor.half() for name, tensor in state().items()}
    made = filled_with(given)
    assert made[0].weight.dtype == torch.float32
    torch.testing.assert_close(made[0].weight, given["0.weight"].float())


def test_heads_may_be_there_and_are_not_wanted():
    given = {**state(), "fc.weight": torch.ones(9, 9), "aux.0.bias": torch.ones(1)}
    assert filled_with(given, ignored=("fc.", "aux.")) is not None
    with pytest.raises(ModelError, match=r"NET: 1 tensors are not its own, such as aux\.0\.bias\."):
        filled_with(given, ignored=("fc.",))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"1.bias": None, "0.weight": None}, r"NET: 2 of 5 tensors are missing, such as 0\.weight\.$"),
        ({"2.bias": torch.ones(1)}, r"1 tensors are not its own, such as 2\.bias\.$"),
        ({"0.weight": torch.ones(4, 2, 1, 1)}, r"0\.weight has the shape 4x2x1x1 in place of 4x3x1x1\.$"),
        ({"1.bias": torch.tensor(1.0)}, r"1\.bias has the shape of one number in place of 4\.$"),
    ],
)
def test_another_networks_weights_are_refused(change: dict[str, Tensor | None], says: str):
    given = {name: tensor for name, tensor in {**state(), **change}.items() if tensor is not None}
    with pytest.raises(ModelError, match=r"^w\.safetensors does not hold the weights of .*" + says):
        filled_with(given)


def test_a_file_that_is_not_there_says_how_to_make_one(tmp_path: Path):
    with pytest.raises(ModelNotFound, match=r"no file .*w\.safetensors with weights for NET\. To make one: LINE$"):
        read_weights(tmp_path / "w.safetensors", called="NET", convert="LINE")


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04 a pickle", b"\x80\x02 an old one", b"\x08\0\0\0\0\0\0\0{}    more"]
)
def test_pickles_and_broken_files_are_refused(tmp_path: Path, content: bytes):
    path = tmp_path / "w.pth"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"is not a safetensors file, or is damaged .* are not read; .*: LINE$"):
        read_weights(path, called="NET", convert="LINE")


@pytest.mark.parametrize("zipped", [True, False])  # files of before 2020 are not
def test_the_line_that_converts_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zipped: bool):
    given = state() | {"0.weight": torch.rand(3, 4, 1, 1).transpose(0, 1)}  # not in one piece
    monkeypatch.chdir(tmp_path)
    torch.save(given, "w.pth", _use_new_zipfile_serialization=zipped)
    line = convert_line("w.pth", "w.safetensors")
    Path("line.py").write_text(line.removeprefix('python -c "').removesuffix('"'))
    runpy.run_path("line.py")
    read = read_weights(Path("w.safetensors"), called="NET", convert=line)
    assert read.keys() == given.keys()
    for name, tensor in given.items():
        torch.testing.assert_close(read[name], tensor)
