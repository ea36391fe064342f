"""What is loaded computes what diffusers' own pipeline computes, and nothing else can be loaded."""

import importlib
import json
import os
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from keyweave.base.errors import InputError, MissingExtra, ModelError
from keyweave.models import loading
from keyweave.models.finding import Found, find
from keyweave.models.loading import PartModel, load

diffusers: Any = importlib.import_module("diffusers")
PARTS = ("vae", "unet", "image_encoder")
WEIGHTS = "diffusion_pytorch_model.safetensors"


@pytest.fixture(autouse=True)
def _forget():
    loading._parts.cache_clear()
    yield
    loading._parts.cache_clear()


def loaded(folder: Path, dtype: str = "float32") -> Any:
    return load(find(str(folder)), device="cpu", dtype=dtype)


def test_weights_and_settings_are_those_of_the_stock_pipeline(tiny_folder: Path):
    ours, theirs = loaded(tiny_folder), diffusers.StableVideoDiffusionPipeline.from_pretrained(tiny_folder)
    for name in PARTS:
        mine, stock = getattr(ours, name).state_dict(), getattr(theirs, name).state_dict()
        assert mine.keys() == stock.keys()
        assert all(torch.equal(mine[key], stock[key]) for key in mine)
        network = getattr(ours, name)
        assert not network.training
        assert not any(parameter.requires_grad for parameter in network.parameters())
    assert ours.scheduler.config == theirs.scheduler.config
    assert ours.image_processor.to_dict() == theirs.feature_extractor.to_dict()
    assert (ours.card, ours.ref) == (None, str(tiny_folder))


def test_the_stock_pipeline_runs_on_what_was_loaded(tiny_folder: Path):
    def clip(pipeline: Any) -> torch.Tensor:
        pipeline.set_progress_bar_config(disable=True)
        chance = torch.Generator().manual_seed(3)
        image = Image.linear_gradient("L").convert("RGB").resize((32, 32))
        with torch.no_grad():
            return pipeline(
                image, height=32, width=32, num_frames=4, num_inference_steps=2, generator=chance, output_type="pt"
            ).frames

    ours = loaded(tiny_folder)
    made = diffusers.StableVideoDiffusionPipeline(
        ours.vae, ours.image_encoder, ours.unet, ours.scheduler, ours.image_processor
    )
    theirs = clip(diffusers.StableVideoDiffusionPipeline.from_pretrained(tiny_folder))
    torch.testing.assert_close(clip(made), theirs, rtol=0, atol=1e-4)  # what is quicker rounds differently


def test_convolutions_over_time_are_flat_on_a_processor(tiny: Path):
    model = load(find(str(tiny)), device="cpu")
    deep = [
        part
        for network in (model.unet, model.vae)
        for part in network.modules()
        if isinstance(part, torch.nn.Conv3d) and part.kernel_size == (3, 1, 1)
    ]
    assert deep
    assert all("forward" in vars(part) for part in deep)


def test_an_encoder_on_a_processor_is_laid_out_for_speed(tiny: Path):
    encoder = load(find(str(tiny)), device="cpu").vae.encoder
    flat = [
        part.weight for part in encoder.modules() if isinstance(part, torch.nn.Conv2d) and part.kernel_size != (1, 1)
    ]
    assert flat
    assert all(weight.is_contiguous(memory_format=torch.channels_last) for weight in flat)


def test_what_is_stored_in_half_precision_computes_in_the_chosen_one(tiny: Path):
    for path in tiny.rglob("*.safetensors"):
        save_file({name: one.bfloat16() for name, one in load_file(path).items()}, path, {"format": "pt"})
    for dtype in (torch.float32, torch.bfloat16):
        model = loaded(tiny, str(dtype).removeprefix("torch."))
        assert {parameter.dtype for name in PARTS for parameter in getattr(model, name).parameters()} == {dtype}
        assert (model.place.device, f"torch.{model.place.dtype}") == ("cpu", str(dtype))


@pytest.mark.parametrize("most", ["10GB", "100KB"])
def test_half_precision_under_its_variants_name(tiny_folder: Path, tiny: Path, most: str):
    """As uploads keep it, whole or in shards, by the names that diffusers and transformers give."""
    model = loaded(tiny_folder, "float16")
    for name in PARTS:
        for path in (tiny / name).glob("*.safetensors"):
            path.unlink()
        getattr(model, name).half().save_pretrained(tiny / name, variant="fp16", max_shard_size=most)
        assert all(".fp16" in path.name for path in (tiny / name).glob("*.safetensors*"))
    assert any(tiny.glob("*/*index*")) == (most == "100KB")
    again = loaded(tiny)
    for name in PARTS:
        wanted, found = getattr(model, name).state_dict(), getattr(again, name).state_dict()
        assert all(torch.equal(found[key], wanted[key].float()) for key in wanted)
    assert again.unet.dtype == torch.float32


def test_plain_weights_go_before_half_precision(tiny: Path):
    plain = loaded(tiny).unet.state_dict()
    loading._parts.cache_clear()
    rows = load_file(tiny / "unet" / WEIGHTS)
    save_file({name: one.half() for name, one in rows.items()}, tiny / "unet" / WEIGHTS.replace(".s", ".fp16.s"))
    assert all(torch.equal(one, plain[name]) for name, one in loaded(tiny).unet.state_dict().items())


def test_float16_leaves_out_an_autoencoder_that_says_so(tiny: Path):
    model = loaded(tiny, "float16")
    assert (model.unet.dtype, model.vae.dtype) == (torch.float16, torch.float32)
    config = tiny / "vae" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"force_upcast": False}))
    loading._parts.cache_clear()
    assert loaded(tiny, "float16").vae.dtype == torch.float16


def test_what_was_loaded_is_kept(tiny: Path):
    one, two = loaded(tiny), loaded(tiny)
    assert one.unet is two.unet
    assert one.scheduler is not two.scheduler  # it counts its steps
    assert loaded(tiny, "bfloat16").unet is not one.unet
    assert loaded(tiny).unet is one.unet
    weights = tiny / "unet" / WEIGHTS
    os.utime(weights, ns=(1, 1))  # written anew
    assert loaded(tiny).unet is not one.unet


def test_a_network_by_itself(tiny_folder: Path):
    for name in PARTS:
        model = load(find(str(tiny_folder / name)), "part", device="cpu", dtype="float32")
        assert isinstance(model, PartModel)
        stock = load_file(next((tiny_folder / name).glob("*.safetensors")))
        own = model.network.state_dict()
        assert all(torch.equal(own[key], stock[key]) for key in stock)


def test_the_kind_is_checked_at_the_door(tiny_folder: Path):
    with pytest.raises(ModelError, match="is a model of kind part; here one of kind image-to-video is needed"):
        load(find(str(tiny_folder / "unet")))
    with pytest.raises(ModelError, match="is a model of kind image-to-video; here one of kind part is needed"):
        load(find(str(tiny_folder)), "part")


def test_tensors_that_are_missing_are_not_made_up(tiny: Path):
    path = tiny / "unet" / WEIGHTS
    rows = load_file(path)
    del rows["conv_in.bias"]
    save_file(rows, path, {"format": "pt"})
    with pytest.raises(ModelError, match=r"does not fit a UNet.*: 1 tensors are missing or misshapen \(conv_in.bias\)"):
        loaded(tiny)


def test_settings_that_do_not_fit_the_weights(tiny: Path):
    config = tiny / "unet" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"cross_attention_dim": 64}))
    with pytest.raises(ModelError, match=f"^{tiny}/unet (cannot be loaded as|does not fit) a UNetSpatioTemporal"):
        loaded(tiny)


@pytest.mark.parametrize("part", PARTS)
def test_weights_that_the_format_does_not_know(tiny: Path, part: str):
    (path,) = (tiny / part).glob("*.safetensors")
    path.write_bytes(path.read_bytes().replace(b'"F32"', b'"F99"'))
    with pytest.raises(ModelError, match=f"^{tiny}/{part} cannot be loaded as a .*again"):
        loaded(tiny)


def test_a_device_is_refused_before_weights_are_read(tiny_folder: Path):
    with pytest.raises(InputError, match="no device"):
        load(find(str(tiny_folder)), device="tpu")


def test_a_package_that_is_missing_is_named(tiny_folder: Path, without_diffusers: None):
    found = find(str(tiny_folder))
    with pytest.raises(
        MissingExtra, match=r"Loading a generative model needs the package diffusers.*keyweave\[generate\]"
    ):
        load(found)


def test_the_libraries_draw_no_bars(tiny: Path, capsys: pytest.CaptureFixture[str]):
    from transformers.utils import logging

    before = logging.is_progress_bar_enabled()
    loaded(tiny)
    assert capsys.readouterr().err == ""
    assert logging.is_progress_bar_enabled() == before


def test_with_little_memory_parts_come_one_at_a_time(tiny_folder: Path, monkeypatch: pytest.MonkeyPatch):
    """They give the same numbers."""
    plain = loaded(tiny_folder)
    loading._parts.cache_clear()
    monkeypatch.setattr(loading, "free_bytes", lambda device: 1_000_000)
    spared = loaded(tiny_folder)
    assert all(hasattr(getattr(spared, name), "_hf_hook") for name in PARTS)
    assert not any(hasattr(getattr(plain, name), "_hf_hook") for name in PARTS)
    x = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        latent = [model.vae.encode(x).latent_dist.mode() for model in (plain, spared)]
        noisy = torch.cat([latent[0], latent[0]], 1)[:, None].expand(1, 4, 8, *latent[0].shape[-2:])
        made = [model.unet(noisy, 1.0, torch.zeros(1, 1, 32), torch.zeros(1, 3)).sample for model in (plain, spared)]
    assert torch.equal(*latent)
    assert torch.equal(*made)


def test_who_comes_to_a_small_device_finds_nobody_there(tiny_video: Any, monkeypatch: pytest.MonkeyPatch):
    """ "meta" is the device here. In whatever order networks are called: a keyframe may be known from before."""

    def moved(network: torch.nn.Module, device: Any) -> torch.nn.Module:
        most.append(sum(there(one) for one in (vae, unet, encoder) if one is not network))
        return network.to_empty(device=device)

    def there(network: torch.nn.Module) -> bool:
        return next(network.parameters()).device.type == "meta"

    vae, unet, encoder = (deepcopy(getattr(tiny_video, name)) for name in PARTS)
    most: list[int] = []
    monkeypatch.setattr(torch.nn.Module, "to", moved)
    monkeypatch.setattr(loading, "free_bytes", lambda device: 1_000_000)
    loading._settle([vae, unet, encoder], "meta")
    picture, clip = torch.empty(1, 3, 32, 32, device="meta"), torch.empty(1, 4, 8, 16, 16, device="meta")
    calls = {
        "encode": (vae, lambda: vae.encode(picture)),
        "see": (encoder, lambda: encoder(torch.empty(1, 3, 224, 224, device="meta"))),
        "sample": (unet, lambda: unet(clip, 1.0, *(torch.empty(s, device="meta") for s in ((1, 1, 32), (1, 3))))),
        "decode": (vae, lambda: vae.decode(clip[0, :, :4], num_frames=4)),
    }
    for name in ("encode", "see", "encode", "see", "sample", "sample", "decode", "encode", "sample", "see", "sample"):
        network, call = calls[name]
        call()
        assert [one for one in (vae, unet, encoder) if there(one)] == [network], name
    assert set(most) == {0}  # others that were there while one came or left


def test_found_is_all_that_is_needed(tiny_folder: Path):
    assert load(Found(tiny_folder, "x", "image-to-video", None), device="cpu", dtype="float32").ref == "x"
