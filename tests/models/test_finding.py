"""References lead to folders, and each way to fail has its sentence."""

import importlib
import inspect
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from keyweave.base.errors import ModelError, ModelNotFound
from keyweave.models import finding
from keyweave.models.card import ModelCard, digest, write_card
from keyweave.models.finding import embedded as names
from keyweave.models.finding import find, frames_of
from keyweave.models.folders import taken_variant, variant_of

WEIGHTS = "diffusion_pytorch_model.safetensors"


def test_an_embedded_name(embedded: Path):
    found = find("toy-tiny", "image-to-video")
    assert (found.folder, found.ref, found.kind) == (embedded, "toy-tiny", "image-to-video")
    assert found.card is not None
    assert found.card.name == "toy-tiny"
    assert (found.mark().ref, found.mark().sha256) == ("toy-tiny", digest(embedded))


def test_embedded_names_are_the_folders_that_are_there(embedded: Path):
    assert names() == ["toy-tiny"]
    for name in (".hidden", "__pycache__", "toy-b"):
        (embedded.parent / name).mkdir()
    (embedded.parent / "README.md").write_text("no model")
    assert names() == ["toy-b", "toy-tiny"]
    shutil.rmtree(embedded.parent)
    assert names() == []


@pytest.mark.parametrize("form", ["absolute", "dot", "above", "home"])
def test_a_folder(form: str, tiny: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tiny.parent)
    monkeypatch.setenv("HOME", str(tiny.parent))
    ref = {"absolute": str(tiny), "dot": "./tiny", "above": "../" + tiny.parent.name + "/tiny", "home": "~/tiny"}[form]
    found = find(ref)
    assert found.folder.samefile(tiny)
    assert found.card is None
    assert found.kind == "image-to-video"
    assert found.mark().ref == "./tiny"  # a recipe tells nothing of its maker's disk


def test_a_network_by_itself(tiny: Path):
    assert find(str(tiny / "unet")).kind == "part"
    assert find(str(tiny / "image_encoder"), "part").kind == "part"
    assert find(str(tiny / "unet")).mark().ref == "./unet"


def test_a_card_says_the_kind_where_no_layout_is_known(tmp_path: Path, card: ModelCard):
    folder = tmp_path / "judge"
    folder.mkdir()
    (folder / "weights.safetensors").write_bytes(b"\x02\0\0\0\0\0\0\0{}")
    write_card(folder, card.model_copy(update={"kind": "features"}))
    assert find(str(folder), "features").kind == "features"
    (folder / "weights.safetensors").write_bytes(b"\x02\0\0\0\0\0\0\0{")
    with pytest.raises(ModelError, match="is truncated: it has 9 bytes of at least 10"):
        find(str(folder))


def refused(ref: str, words: str, kind=None, error: type[Exception] = ModelError) -> None:
    with pytest.raises(error, match=f"^{re.escape(words)}$"):
        find(ref, kind)


def test_names_that_are_not_embedded(embedded: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tiny.parent)
    for ref, hint in (
        ("toy-tyni", "Did you mean toy-tiny?"),
        ("tiny", "For the folder here write ./tiny."),
        ("someone/svd", "Write ./someone/svd for a folder, or hub:someone/svd for the hub."),
        ("flux", "Embedded models: toy-tiny; others are named ./FOLDER or hub:OWNER/NAME@REVISION."),
    ):
        refused(ref, f"There is no embedded model '{ref}'. {hint}", error=ModelNotFound)
    monkeypatch.setattr(finding, "EMBEDDED", tiny / "nothing")
    refused(
        "flux",
        "There is no embedded model 'flux'. Embedded models: none; others are named ./FOLDER or "
        "hub:OWNER/NAME@REVISION.",
        error=ModelNotFound,
    )


def test_folders_that_are_none(tiny: Path):
    refused("./nowhere", "There is no folder ./nowhere. Check the spelling of the path.", error=ModelNotFound)
    refused(
        str(tiny / "model_index.json"),
        f"{tiny}/model_index.json is a file; a model is a folder. Name the folder with model_index.json in it.",
    )
    refused(
        str(tiny.parent),
        f"{tiny.parent} is not a model: it has neither model_index.json nor config.json. "
        "Name the folder that diffusers wrote, not one above or inside it.",
    )


def test_the_wrong_kind(tiny: Path):
    refused(str(tiny), f"{tiny} is a model of kind image-to-video; here one of kind part is needed.", "part")
    refused(
        str(tiny / "unet"),
        f"{tiny}/unet is a model of kind part; here one of kind image-to-video is needed.",
        "image-to-video",
    )


def index(tiny: Path, **changes: object) -> None:
    path = tiny / "model_index.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_pipeline_that_we_do_not_know(tiny: Path):
    index(tiny, _class_name="KandinskyPipeline")
    refused(
        str(tiny),
        f"{tiny} is a KandinskyPipeline, which keyweave cannot use. It can use: FluxControlNetPipeline, FluxPipeline, "
        "QwenImageControlNetPipeline, QwenImagePipeline, StableVideoDiffusionPipeline.",
    )


def test_a_card_and_an_index_that_do_not_agree(tiny: Path, card: ModelCard):
    write_card(tiny, card.model_copy(update={"kind": "text-to-image"}))
    refused(str(tiny), f"{tiny} is a model of kind image-to-video; here one of kind text-to-image is needed.")


def test_an_index_cannot_name_a_class_of_its_own(tiny: Path):
    index(tiny, unet=["os", "system"])
    refused(str(tiny), f"{tiny}/unet is a system; keyweave loads only UNetSpatioTemporalConditionModel there.")
    (tiny / "vae" / "config.json").write_text('{"_class_name": "AutoencoderTiny"}')
    with pytest.raises(
        ModelError, match=f"^{tiny}/vae is a AutoencoderTiny; keyweave loads only Auto.* or UNet.* or CLIP"
    ):
        find(str(tiny / "vae"))


def test_settings_that_are_missing(tiny: Path):
    (tiny / "scheduler" / "scheduler_config.json").unlink()
    refused(str(tiny), f"{tiny} is incomplete: scheduler/*.json is missing. Copy or download it again.")
    (tiny / "vae" / "config.json").unlink()
    refused(str(tiny), f"{tiny} is incomplete: vae/config.json is missing. Copy or download it again.")


def test_a_part_that_is_missing(tiny: Path):
    shutil.rmtree(tiny / "scheduler")
    refused(str(tiny), f"{tiny} is incomplete: it has no scheduler/. Copy or download it again.")
    index(tiny, vae=None)
    refused(str(tiny), f"{tiny} is incomplete: it has no vae/. Copy or download it again.")


def test_an_index_that_is_no_json(tiny: Path):
    for text in ("{", "[]"):
        (tiny / "model_index.json").write_text(text)
        refused(
            str(tiny),
            f"{tiny}/model_index.json is damaged: it is not a JSON object. Copy or download it again.",
        )


def test_pickles_are_never_taken(tiny: Path):
    (tiny / "unet" / WEIGHTS).rename(tiny / "unet" / "diffusion_pytorch_model.bin")
    refused(
        str(tiny),
        f"{tiny}/unet has its weights only as pickles (diffusion_pytorch_model.bin). Pickles can run code, so keyweave "
        "reads only safetensors; look for another upload, or convert it.",
    )


def test_an_adapter_cannot_lead_elsewhere(tiny: Path):
    (tiny / "image_encoder" / "adapter_config.json").write_text('{"base_model_name_or_path": "someone/else"}')
    refused(
        str(tiny),
        f"{tiny}/image_encoder holds an adapter (adapter_config.json), not a network by itself. "
        "Merge it into its base.",
    )


UNET, VAE, PROCESSOR, SCHEDULER = (
    "unet/config.json",
    "vae/config.json",
    "feature_extractor/preprocessor_config.json",
    "scheduler/scheduler_config.json",
)


def change_settings(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ("file", "place", "value", "words"),
    [
        (UNET, "num_frames", "x", "Input should be a valid integer"),
        (UNET, "num_frames", None, "Input should be a valid integer"),
        (UNET, "num_frames", 1, "Input should be greater than or equal to 2"),
        (UNET, "sample_size", None, "Input should be a valid integer"),
        (UNET, "sample_size", [96, 96], "Input should be a valid integer"),
        (UNET, "sample_size", 0, "Input should be greater than or equal to 1"),
        (VAE, "scaling_factor", "x", "Input should be a valid number"),
        (PROCESSOR, "image_mean", None, "Input should be a valid list"),
        (PROCESSOR, "image_mean", [0.5], "List should have at least 3 items after validation, not 1"),
        (PROCESSOR, "image_mean.2", [0.5, 0.5, float("nan")], "Input should be a finite number"),
        (PROCESSOR, "image_std.0", [0, 0.5, 0.5], "Input should be greater than 0"),
        (SCHEDULER, "sigma_max", "x", "Input should be a valid number"),
        (SCHEDULER, "sigma_max", float("inf"), "Input should be a finite number"),
        (SCHEDULER, "sigma_min", -1, "Input should be greater than 0"),
        (SCHEDULER, "steps_offset", "x", "Input should be a valid integer"),
    ],
)
def test_settings_that_nobody_can_reckon_with(tiny: Path, file: str, place: str, value: object, words: str):
    change_settings(tiny / file, **{place.partition(".")[0]: value})
    refused(str(tiny), f"The setting {place} in {tiny}/{file} cannot be used: {words}. Copy or download it again.")


def test_what_settings_leave_out_has_the_default_of_its_class(tiny: Path):
    """The side has none there, so it must be told."""
    diffusers: Any = importlib.import_module("diffusers")
    for name in (UNET, VAE, PROCESSOR, SCHEDULER):
        row = json.loads((tiny / name).read_text())
        kept = {"_class_name", "sample_size", "image_processor_type"}
        (tiny / name).write_text(json.dumps({key: value for key, value in row.items() if key in kept}))
    defaults = inspect.signature(diffusers.UNetSpatioTemporalConditionModel.__init__).parameters
    assert frames_of(find(str(tiny))) == defaults["num_frames"].default
    assert defaults["sample_size"].default is None
    (tiny / "unet" / "config.json").write_text("{}")
    refused(
        str(tiny),
        f"The setting sample_size in {tiny}/{UNET} cannot be used: Field required. Copy or download it again.",
    )
    (tiny / "unet" / "config.json").write_text("{")
    refused(str(tiny), f"{tiny}/unet/config.json is damaged: it is not a JSON object. Copy or download it again.")


@pytest.mark.parametrize("frames", [14, 25])
def test_settings_of_the_released_models_are_taken(tiny: Path, frames: int):
    change_settings(tiny / "unet" / "config.json", num_frames=frames, sample_size=96)
    change_settings(tiny / "vae" / "config.json", scaling_factor=0.18215, force_upcast=True)
    change_settings(
        tiny / PROCESSOR,
        feature_extractor_type="CLIPFeatureExtractor",
        image_mean=[0.48145466, 0.4578275, 0.40821073],
        image_std=[0.26862954, 0.26130258, 0.27577711],
        size={"shortest_edge": 224},
    )
    change_settings(tiny / SCHEDULER, sigma_min=0.002, sigma_max=700.0, steps_offset=1, set_alpha_to_one=False)
    assert frames_of(find(str(tiny))) == frames
    change_settings(tiny / SCHEDULER, sigma_min=None, sigma_max=None)  # reckoned from the betas, as diffusers does
    assert frames_of(find(str(tiny))) == frames


def test_an_adapter_on_a_card_lies_in_the_models_folder(
    tiny: Path, card: ModelCard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    for ref, expected in (
        ("./back.safetensors", str(tiny / "back.safetensors")),
        ("back.safetensors", str(tiny / "back.safetensors")),
        ("./back", str(tiny / "back")),
        (str(tmp_path / "own.safetensors"), str(tmp_path / "own.safetensors")),
        ("toy-inbetween", "toy-inbetween"),
        ("hub:owner/name@main", "hub:owner/name@main"),
    ):
        write_card(tiny, card.model_copy(update={"adapter": ref}))
        assert find(str(tiny)).adapter == expected


def test_weights_that_are_missing_or_short(tiny: Path):
    weights = tiny / "vae" / WEIGHTS
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    refused(
        str(tiny),
        f"{weights} is truncated: it has {len(whole) // 2:,} bytes of {len(whole):,}. Copy or download it again.",
    )
    weights.rename(tiny / "vae" / "diffusion_pytorch_model.ema.safetensors")
    refused(str(tiny), f"{tiny}/vae has no weights (.safetensors). Copy or download it again.")


def test_weights_in_several_files(tiny: Path):
    diffusers: Any = importlib.import_module("diffusers")
    unet = diffusers.UNetSpatioTemporalConditionModel.from_pretrained(tiny / "unet")
    (tiny / "unet" / WEIGHTS).unlink()
    unet.save_pretrained(tiny / "unet", max_shard_size="1MB")
    shards = sorted((tiny / "unet").glob("*.safetensors"))
    assert len(shards) > 1
    assert find(str(tiny)).kind == "image-to-video"
    whole = shards[1].read_bytes()
    shards[1].write_bytes(whole[:-1])
    with pytest.raises(ModelError, match=f"{shards[1].name} is truncated"):
        find(str(tiny))
    shards[1].unlink()
    refused(str(tiny), f"{tiny}/unet is incomplete: {shards[1].name} is missing. Copy or download it again.")
    listing = tiny / "unet" / f"{WEIGHTS}.index.json"
    for row in ({}, {"weight_map": {"a": "../../secret.safetensors"}}):
        listing.write_text(json.dumps(row))
        refused(
            str(tiny),
            f"{listing} is damaged: it does not list files of weights. Copy or download it again.",
        )


def test_half_precision_is_taken_where_there_is_nothing_else(tiny: Path):
    for name, half in (("vae", "diffusion_pytorch_model.fp16"), ("image_encoder", "model.fp16")):
        (weights,) = (tiny / name).glob("*.safetensors")
        weights.rename(tiny / name / f"{half}.safetensors")
    assert find(str(tiny)).kind == "image-to-video"
    half = tiny / "vae" / "diffusion_pytorch_model.fp16.safetensors"
    half.write_bytes(half.read_bytes()[:-1])
    with pytest.raises(ModelError, match="diffusion_pytorch_model.fp16.safetensors is truncated"):
        find(str(tiny))


@pytest.mark.parametrize(
    ("name", "variant"),
    [
        ("model.safetensors", ""),
        ("unet/model-00001-of-00002.safetensors", ""),
        ("model.safetensors.index.json", ""),
        ("v1.5/model.safetensors", ""),
        ("model.fp16.safetensors", "fp16"),
        ("unet/model.fp16-00001-of-00002.safetensors", "fp16"),
        ("model-00001-of-00002.fp16.safetensors", "fp16"),
        ("model.safetensors.index.fp16.json", "fp16"),
        ("model.fp16.safetensors.index.json", "fp16"),
        ("model.non_ema.safetensors", "non_ema"),
    ],
)
def test_a_variant_is_read_from_the_name(name: str, variant: str):
    assert variant_of(name) == variant


def test_plain_weights_go_before_half_precision():
    plain, half, other = "a.safetensors", "a.fp16.safetensors", "a.ema.safetensors"
    assert taken_variant([plain, half, other]) == taken_variant([plain]) == taken_variant([other]) == ""
    assert taken_variant([half, other, "a.safetensors.index.json", "a.bin"]) == "fp16"
