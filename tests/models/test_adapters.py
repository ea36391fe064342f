"""Adapters: written, read, put on, refused."""

import re
from copy import deepcopy
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import accelerate
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from keyweave.base.errors import ModelError, ModelNotFound
from keyweave.base.recipe import ModelMark, sha256_of_file
from keyweave.diffusion.exchange import AttentionExchange, BothWays, temporal_layers
from keyweave.models import finding
from keyweave.models.adapters import (
    Adapter,
    checksum_of_base,
    doubt_of,
    find_adapter,
    is_for,
    mark_adapter,
    matrices_of,
    read_adapter,
    write_adapter,
)
from keyweave.models.card import ModelCard
from keyweave.models.finding import find

SHIPPED = finding.EMBEDDED


@pytest.fixture(scope="module")
def adapter(tiny_video: Any) -> Adapter:
    layers = temporal_layers(tiny_video.unet)
    chance = torch.Generator().manual_seed(0)
    differences = {
        layer: {
            part: torch.randn(
                tiny_video.unet.get_submodule(layer).get_submodule(part).weight.shape, generator=chance
            ).half()
            for part in ("to_v", "to_out.0")
        }
        for layer in layers
    }
    words: dict[str, Any] = dict.fromkeys(("says", "data", "recipe", "hardware", "limits", "license"), "none")
    card = ModelCard(
        name="back", kind="adapter", seed=0, steps=1, hours=0, trained=date(2026, 1, 1), base="toy-video", **words
    )
    return Adapter(differences, layers, card)


@pytest.fixture
def file(adapter: Adapter, tmp_path: Path) -> Path:
    write_adapter(tmp_path / "back.safetensors", adapter)
    return tmp_path / "back.safetensors"


def test_what_is_written_is_read(adapter: Adapter, file: Path):
    again = read_adapter(find_adapter(str(file)))
    assert again.card == adapter.card
    assert again.rotated == adapter.rotated
    assert again.differences.keys() == adapter.differences.keys()
    for layer, row in adapter.differences.items():
        assert again.differences[layer].keys() == row.keys()
        assert all(torch.equal(again.differences[layer][part], row[part]) for part in row)


def test_it_is_added_in_full_precision_and_rounded_once(adapter: Adapter, tiny_video: Any):
    found = matrices_of(adapter, tiny_video.unet, temporal_layers(tiny_video.unet))
    for layer, row in found.items():
        for part, matrix in row.items():
            weight = tiny_video.unet.get_submodule(layer).get_submodule(part).weight
            assert matrix.dtype == weight.dtype
            assert not matrix.requires_grad
            assert torch.equal(matrix, weight.detach() + adapter.differences[layer][part].float())


def test_they_meet_a_network_that_comes_to_its_device_only_when_it_is_called(
    adapter: Adapter, tiny_video: Any, monkeypatch: pytest.MonkeyPatch
):
    """ "meta" is the device here. It computes with matrices of any other, which a GPU refuses; so they are watched."""
    unet = deepcopy(tiny_video.unet)
    accelerate.cpu_offload_with_hook(unet, torch.device("meta"))
    matrices = matrices_of(adapter, unet, temporal_layers(unet), device="meta")
    assert {weight.device.type for weight in unet.parameters()} == {"cpu"}
    met: list[tuple[str, str]] = []
    linear = torch.nn.functional.linear

    def watched(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
        met.append((x.device.type, weight.device.type))
        return linear(x, weight, bias)

    monkeypatch.setattr(torch.nn.functional, "linear", watched)
    with AttentionExchange(unet, {name: BothWays(rotated=True, weights=row) for name, row in matrices.items()}):
        unet(*(torch.empty(shape, device="meta") for shape in ((2, 4, 8, 16, 16), (2,), (2, 1, 32), (2, 3))))
    assert len(met) > 2 * len(matrices)
    assert set(met) == {("meta", "meta")}


def test_what_it_fits_is_known_by_matrices_or_by_name(adapter: Adapter, tiny_folder: Path, tmp_path: Path):
    found = find(str(tiny_folder))
    own = checksum_of_base(tiny_folder, adapter.differences)
    assert is_for(adapter, found)  # it does not say
    for fits, expected in (((own,), True), (("0" * 64,), False), (("0" * 64, "tiny"), True), (("tin",), False)):
        write_adapter(tmp_path / "one.safetensors", replace(adapter, fits=fits), overwrite=True)
        again = read_adapter(tmp_path / "one.safetensors")
        assert again.fits == fits
        assert is_for(again, found) is expected
    hub = replace(found, ref="hub:somebody/large@main")
    assert is_for(replace(adapter, fits=("large",)), hub)


def test_one_of_another_model_is_doubted(adapter: Adapter, tiny_folder: Path):
    found = find(str(tiny_folder))
    assert doubt_of(adapter, found) == ""
    assert doubt_of(replace(adapter, fits=("0" * 64,)), found) == (
        f"The adapter back was learnt on toy-video, whose weights are others than those of {found.name}: both "
        "directions may not agree on one motion."
    )


def test_recipes_know_it_by_name_and_file(file: Path):
    for ref, name in (("./here/back.safetensors", "back.safetensors"), ("toy-inbetween", "toy-inbetween")):
        assert mark_adapter(ref, file) == ModelMark(name, sha256_of_file(file))


def test_one_from_before_that_was_written_says_nothing(file: Path, tmp_path: Path):
    tensors = load_file(file)
    with safe_open(str(file), framework="pt") as opened:
        facts = {name: value for name, value in opened.metadata().items() if name != "fits"}
    save_file(tensors, tmp_path / "old.safetensors", metadata=facts)
    assert read_adapter(tmp_path / "old.safetensors").fits == ()


def test_what_does_not_fit_is_refused(adapter: Adapter, tiny_video: Any):
    unet, layers = tiny_video.unet, temporal_layers(tiny_video.unet)
    wrong = Adapter({layers[0]: {"to_v": torch.zeros(3, 3)}}, (), adapter.card)
    with pytest.raises(ModelError, match=r"does not fit: .*to_v is \(3, 3\), and .* It was learnt on toy-video"):
        matrices_of(wrong, unet, layers)
    with pytest.raises(ModelError, match=f"the network's {re.escape(layers[0])} has no to_x"):
        matrices_of(Adapter({layers[0]: {"to_x": torch.zeros(3, 3)}}, (), adapter.card), unet, layers)


@pytest.mark.parametrize("name", ["there.attn1", "up_blocks.0", "conv_in", "attn2"])
def test_only_layers_in_which_frames_attend_to_one_another_may_differ(adapter: Adapter, tiny_video: Any, name: str):
    unet, layers = tiny_video.unet, temporal_layers(tiny_video.unet)
    if name == "attn2":  # beside such a layer: frames look at a picture there
        name = layers[0].replace("attn1", "attn2")
        assert unet.get_submodule(name).to_v.weight.ndim == 2
    for other in (Adapter({name: {}}, (), adapter.card), Adapter({}, (*layers, name), adapter.card)):
        with pytest.raises(ModelError, match=f"does not fit: the network has no temporal layer {re.escape(name)}"):
            matrices_of(other, unet, layers)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_are_none_are_refused(adapter: Adapter, tmp_path: Path, value: float):
    layer = next(iter(adapter.differences))
    broken = {part: matrix.clone() for part, matrix in adapter.differences[layer].items()}
    broken["to_v"][1, 2] = value
    path = tmp_path / "nan.safetensors"
    write_adapter(path, replace(adapter, differences={**adapter.differences, layer: broken}))
    said = f"{path} holds infinities or no numbers, first in {layer}.to_v.weight."
    with pytest.raises(ModelError, match=re.escape(said)):
        read_adapter(path)


def test_other_files_are_refused_in_one_sentence(file: Path, tmp_path: Path):
    other = tmp_path / "other.safetensors"
    save_file({"a": torch.zeros(2)}, other)
    with pytest.raises(ModelError, match="no adapter that keyweave wrote"):
        read_adapter(other)
    save_file({"a": torch.zeros(2)}, other, metadata={"keyweave adapter": "{}", "rotated layers": "[]"})
    with pytest.raises(ModelError, match="damaged adapter"):
        read_adapter(other)
    whole = file.read_bytes()
    other.write_bytes(whole.replace(b'"F16"', b'"F99"'))
    with pytest.raises(ModelError, match="damaged"):
        read_adapter(other)
    other.write_bytes(whole[:-5])
    with pytest.raises(ModelError, match="is truncated"):
        read_adapter(other)
    other.write_bytes(b"\x80\x04pickle")
    with pytest.raises(ModelError, match="not a safetensors file"):
        read_adapter(other)
    with pytest.raises(ModelNotFound, match="There is no adapter"):
        find_adapter(str(tmp_path / "none.safetensors"))
    with pytest.raises(ModelNotFound, match="There is no embedded model 'none'"):
        find_adapter("none")


def test_a_model_of_another_kind_is_no_adapter(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(finding, "EMBEDDED", SHIPPED)
    with pytest.raises(ModelError, match="is a model of kind features; here one of kind adapter is needed"):
        find_adapter("toy-features")
