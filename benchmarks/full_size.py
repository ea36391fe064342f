"""Whether all of it holds at full size: SVD-XT's networks with random weights, written, loaded, run and converted.

    python benchmarks/full_size.py FOLDER [--size 128x64] [--frames 25] [--dtype float32] [--guidance 3] [--convert]
                                   [--keep]

The folder, which should not exist yet, comes to hold 4.5 GB as the hub's half-precision files lie, and 6 GB more with
--convert: a checkpoint in the form that the authors of Generative Inbetweening publish. It is removed afterwards. What
is drawn is noise; what is measured are seconds, and the peak of memory of each stage in a process of its own.
"""

import argparse
import json
import multiprocessing
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
import transformers
from diffusers.models.autoencoders.autoencoder_kl_temporal_decoder import AutoencoderKLTemporalDecoder
from diffusers.models.unets.unet_spatio_temporal_condition import UNetSpatioTemporalConditionModel
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from keyweave.base.peak import peak_bytes
from keyweave.diffusion.exchange import temporal_layers
from keyweave.diffusion.noise import gaussian
from keyweave.models.adapters import matrices_of, read_adapter
from keyweave.models.finding import find
from keyweave.models.loading import load
from keyweave.models.official import convert_official
from keyweave.recipes.video import family_scheduler
from keyweave.systems.inbetween.dual import Backward
from keyweave.systems.inbetween.generate import between
from keyweave.systems.inbetween.sampling import Sampling

HALF = "fp16.safetensors"
PARAMETERS, LAYERS = 1_524_623_082, 16  # of the released UNet
TUNED = (".temporal_transformer_blocks.0.attn1.to_v.weight", ".temporal_transformer_blocks.0.attn1.to_out.0.weight")
ENCODER = transformers.CLIPVisionConfig(
    hidden_size=1280,
    intermediate_size=5120,
    projection_dim=1024,
    num_hidden_layers=32,
    num_attention_heads=16,
    image_size=224,
    patch_size=14,
    hidden_act="gelu",
)
SCHEDULER = family_scheduler()
DECODER: dict[str, Any] = {"block_out_channels": (128, 256, 512, 512), "down_block_types": ("DownEncoderBlock2D",) * 4}
PARTS: dict[str, Callable[[], nn.Module]] = {
    "unet": lambda: UNetSpatioTemporalConditionModel(
        sample_size=96, num_frames=25, num_attention_heads=(5, 10, 20, 20)
    ),
    "vae": lambda: AutoencoderKLTemporalDecoder(
        **DECODER,
        layers_per_block=2,
        latent_channels=4,
        sample_size=768,
        scaling_factor=0.18215,
        force_upcast=True,
    ),
    "image_encoder": lambda: transformers.CLIPVisionModelWithProjection(ENCODER),
}


def write(folder: Path) -> str:
    """Write the model, one part at a time."""
    counts = {}
    for name, make in PARTS.items():
        with torch.device("meta"):  # shapes without numbers
            network: Any = make()
        if name == "image_encoder":
            network.config.architectures = [type(network).__name__]
            network.config.save_pretrained(folder / name)
        else:
            network.save_config(folder / name)
        stem = "model" if name == "image_encoder" else "diffusion_pytorch_model"
        rows = {key: random(key, value) for key, value in network.state_dict().items()}
        save_file(rows, folder / name / f"{stem}.{HALF}", {"format": "pt"})
        counts[name] = sum(row.numel() for row in rows.values())
        del rows
        if name == "unet":
            assert counts[name] == PARAMETERS, counts
            assert len(temporal_layers(network)) == LAYERS
    SCHEDULER.save_pretrained(folder / "scheduler")
    transformers.CLIPImageProcessorPil().save_pretrained(folder / "feature_extractor")
    index = {
        "_class_name": "StableVideoDiffusionPipeline",
        "feature_extractor": ["transformers", "CLIPImageProcessor"],
        "image_encoder": ["transformers", "CLIPVisionModelWithProjection"],
        "scheduler": ["diffusers", "EulerDiscreteScheduler"],
        "unet": ["diffusers", "UNetSpatioTemporalConditionModel"],
        "vae": ["diffusers", "AutoencoderKLTemporalDecoder"],
    }
    (folder / "model_index.json").write_text(json.dumps(index, indent=2))
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())


def random(name: str, like: Tensor) -> Tensor:
    """Draw weights that keep numbers about as large as they are: a network of them has neither zeros nor infinities."""
    if name.endswith("mix_factor"):
        return torch.full(like.shape, 0.5, dtype=torch.float16)
    if like.ndim < 2:
        return torch.full(like.shape, float(name.endswith("weight")), dtype=torch.float16)
    return (gaussian(tuple(like.shape), 0, name) / like[0].numel() ** 0.5).half()


def run(folder: Path, size: tuple[int, int], frames: int, dtype: str, guidance: float) -> str:
    """Take one step between two pictures."""
    began = time.perf_counter()
    model = load(find(str(folder), "image-to-video"), device="cpu", dtype=dtype)
    loaded = time.perf_counter()
    width, height = size
    first, last = (gaussian((1, 3, height, width), 0, name).clamp(-1, 1) for name in ("first", "last"))
    layers = temporal_layers(model.unet)
    weights = matrices_of(read_adapter(adapter_of(folder)), model.unet, layers) if adapter_of(folder).exists() else {}
    made = between(
        model,
        first,
        last,
        seed=0,
        sampling=Sampling(steps=1, guidance=(1.0, guidance)),
        backward=Backward(layers, weights),
        frames=frames,
        in_turn=True,
        chunk=2,
    )
    assert made.shape == (1, frames, 3, height, width)
    assert made.isfinite().all()
    taken = time.perf_counter()
    count = sum(parameter.numel() for parameter in model.unet.parameters())
    return (
        f"UNet of {count:,} parameters and {len(layers)} temporal layers in {model.place.dtype}: "
        f"loaded in {loaded - began:.0f} s, one step of {frames} frames of {width}x{height} "
        f"in {taken - loaded:.0f} s, guidance {guidance:g}{', with the adapter' if weights else ''}"
    )


def tune(folder: Path) -> str:
    """Write what the authors' script would leave: all of the UNet in float32, some matrices changed."""
    unet = folder / "official" / "unet"
    unet.mkdir(parents=True)
    shutil.copy(folder / "unet" / "config.json", unet)
    listed: dict[str, str] = {}
    for number, names in enumerate(shards(folder / "unet" / f"diffusion_pytorch_model.{HALF}")):
        name = f"diffusion_pytorch_model-{number + 1:05}.safetensors"
        with safe_open(folder / "unet" / f"diffusion_pytorch_model.{HALF}", "pt") as file:
            rows = {key: file.get_tensor(key).float() + 0.01 * key.endswith(TUNED) for key in names}
        save_file(rows, unet / name)
        listed |= dict.fromkeys(names, name)
    (unet / "diffusion_pytorch_model.safetensors.index.json").write_text(json.dumps({"weight_map": listed}))
    return f"{sum(name.endswith(TUNED) for name in listed)} matrices changed"


def shards(file: Path, most: int = 400_000_000) -> Iterator[list[str]]:
    """Share out the names in a file by how many numbers they hold."""
    with safe_open(file, "pt") as weights:
        names: list[str] = []
        count = 0
        for name in weights.keys():  # noqa: SIM118 - it is no dict
            names.append(name)
            count += torch.Size(weights.get_slice(name).get_shape()).numel()
            if count > most:
                yield names
                names, count = [], 0
        yield names


def convert(folder: Path) -> str:
    """Make the adapter."""
    adapter = convert_official(folder / "official", find(str(folder)), adapter_of(folder))
    count = sum(map(len, adapter.differences.values()))
    return f"{count} matrices of {len(adapter.rotated)} layers, {adapter_of(folder).stat().st_size / 1e6:.1f} MB"


def adapter_of(folder: Path) -> Path:
    """Name the file of the adapter."""
    return folder / "adapter.safetensors"


def measured(stage: str, *rest: Any) -> str:
    """Do a stage; its line tells seconds and the peak of memory."""
    torch.set_num_threads(multiprocessing.cpu_count())
    began = time.perf_counter()
    told = STAGES[stage](*rest)
    peak = peak_bytes() or 0  # files that are mapped into memory count, though the system may take them back
    return f"{stage:<8}{time.perf_counter() - began:6.0f} s {peak / 1e9:6.1f} GB  {told}"


STAGES: dict[str, Callable[..., str]] = {"write": write, "tune": tune, "convert": convert, "run": run}


def main() -> None:
    """Do the stages one after the other, each in a process of its own."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", default="128x64")
    parser.add_argument("--frames", type=int, default=25)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--guidance", type=float, default=1.0, help="at the far end; 1 is none, and half the work")
    parser.add_argument("--convert", action="store_true")
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    folder = options.folder.absolute()
    folder.mkdir(parents=True)  # one that is there may hold something
    rows: list[tuple[Any, ...]] = [
        ("write", folder),
        *([("tune", folder), ("convert", folder)] if options.convert else []),
    ]
    rows.append(("run", folder, (width, height), options.frames, options.dtype, options.guidance))
    try:
        for row in rows:
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                print(pool.apply(measured, row), flush=True)
    finally:
        if not options.keep:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
