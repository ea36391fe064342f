"""The network that judges clips: laws that hold whatever it learnt, and its folder."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from keyweave.base.errors import ModelError
from keyweave.models.card import ModelCard, write_card
from keyweave.models.finding import find
from keyweave.perceive.features import Seen, ToyFeatures, load_features, save_features

PARTS = ("forward", "kinds", "colors", "frame_kinds", "frame_colors", "vector")

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def network() -> ToyFeatures:
    torch.manual_seed(0)
    return ToyFeatures("abcde", "xyz").eval().requires_grad_(False)


@pytest.fixture(scope="module")
def clips() -> Tensor:
    return torch.rand(3, 14, 3, 64, 64, generator=torch.Generator().manual_seed(1)) * 2 - 1


@pytest.fixture
def folder(tmp_path: Path, network: ToyFeatures) -> Path:
    made = tmp_path / "toy"
    made.mkdir()
    save_features(network, made)
    words: dict[str, Any] = dict.fromkeys(("says", "data", "recipe", "hardware", "limits", "license"), "none")
    write_card(
        made,
        ModelCard(name="toy", kind="features", seed=0, steps=0, hours=0, trained=date(2026, 1, 1), **words),
    )
    return made


def close(a: Seen, b: Seen, rows: slice = slice(None)) -> None:
    for name in PARTS:
        torch.testing.assert_close(getattr(a, name), getattr(b, name)[rows], rtol=1e-4, atol=1e-4)


def test_shapes_and_size(network: ToyFeatures, clips: Tensor):
    seen = network(clips)
    shapes = {name: tuple(getattr(seen, name).shape) for name in PARTS}
    assert shapes == {
        "forward": (3,),
        "kinds": (3, 6),
        "colors": (3, 4),
        "frame_kinds": (3, 14, 6),
        "frame_colors": (3, 14, 4),
        "vector": (3, 96),
    }
    assert sum(parameter.numel() for parameter in network.parameters()) < 1_000_000


def test_a_reversed_clip_gets_the_opposite_answer(network: ToyFeatures, clips: Tensor):
    seen, back = network(clips), network(clips.flip(1))
    torch.testing.assert_close(back.forward, -seen.forward)
    assert seen.forward.abs().min() > 1e-4  # and it does give one
    torch.testing.assert_close(back.frame_kinds, seen.frame_kinds.flip(1), rtol=1e-4, atol=1e-5)
    same = clips[:, :1].expand_as(clips)
    assert network(same).forward.abs().max() < 1e-5  # in a still nothing tells


def test_a_clip_is_judged_by_itself(network: ToyFeatures, clips: Tensor):
    close(network(clips[1:2]), network(clips), slice(1, 2))


def test_a_frame_is_judged_by_itself(network: ToyFeatures, clips: Tensor):
    alone = network(clips[:, 5:6])
    torch.testing.assert_close(alone.frame_colors, network(clips).frame_colors[:, 5:6], rtol=1e-4, atol=1e-5)


def test_the_order_of_frames_is_seen(network: ToyFeatures, clips: Tensor):
    order = torch.randperm(14, generator=torch.Generator().manual_seed(2))
    assert (network(clips).vector - network(clips[:, order]).vector).abs().max() > 1e-3


def test_every_weight_is_used(clips: Tensor):
    network = ToyFeatures("abcde", "xyz")
    seen = network(clips[:1])
    torch.stack([getattr(seen, name).square().sum() for name in PARTS]).sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


def test_what_is_saved_is_loaded(folder: Path, network: ToyFeatures, clips: Tensor):
    loaded = load_features(find(str(folder), "features"), device="cpu")
    assert (loaded.kinds, loaded.colors, loaded.training) == (tuple("abcde"), tuple("xyz"), False)
    for name, weight in loaded.state_dict().items():
        assert weight.dtype == torch.float32
        assert torch.equal(weight, network.state_dict()[name].bfloat16().float())
    assert (folder / "model.safetensors").stat().st_size < 2_000_000
    assert (loaded(clips).forward - network(clips).forward).abs().max() < 0.1


def test_another_kind_is_refused(folder: Path):
    (folder / "card.json").unlink()
    with pytest.raises(ModelError, match="is a model of kind part; here one of kind features is needed"):
        load_features(find_any(folder))


def find_any(folder: Path):
    from keyweave.models.finding import Found

    return Found(folder, str(folder), "part", None)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"_class_name": "Other"}, "is a Other; here a ToyFeatures is needed"),
        ({"kinds": ["a"]}, "cannot be loaded as a ToyFeatures: .*size mismatch"),
        ({"widths": [24, 48]}, "cannot be loaded as a ToyFeatures"),
        ({"vector": "many"}, "cannot be loaded as a ToyFeatures"),
    ],
)
def test_settings_that_do_not_fit(folder: Path, change: dict, says: str):
    found = find(str(folder), "features")
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(ModelError, match=says):
        load_features(found)


def test_weights_that_are_gone(folder: Path):
    found = find(str(folder), "features")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="cannot be loaded as a ToyFeatures"):
        load_features(found)
