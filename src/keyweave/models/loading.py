"""From a folder to networks that compute: only classes that the table of layouts names, only safetensors."""

from __future__ import annotations

import importlib
import logging
import warnings
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, overload

from keyweave.base.errors import ModelError
from keyweave.base.extras import need
from keyweave.models.devices import Place, choose, free_bytes, place_weights
from keyweave.models.folders import (
    CONFIG,
    family_of,
    read_class,
    read_object,
    read_pipeline,
    refuse_kind,
    taken_variant,
)
from keyweave.models.headers import AGAIN
from keyweave.models.layouts import CLASSES, LAYOUTS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.autoencoders.autoencoder_kl_qwenimage import AutoencoderKLQwenImage
    from diffusers.models.autoencoders.autoencoder_kl_temporal_decoder import AutoencoderKLTemporalDecoder
    from diffusers.models.transformers.transformer_flux import FluxTransformer2DModel
    from diffusers.models.transformers.transformer_qwenimage import QwenImageTransformer2DModel
    from diffusers.models.unets.unet_spatio_temporal_condition import UNetSpatioTemporalConditionModel
    from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler
    from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler
    from torch import nn
    from transformers import (
        CLIPImageProcessor,
        CLIPTextModel,
        CLIPTokenizer,
        CLIPVisionModelWithProjection,
        Qwen2_5_VLForConditionalGeneration,
        Qwen2Tokenizer,
        T5EncoderModel,
        T5Tokenizer,
    )

    from keyweave.models.card import ModelCard
    from keyweave.models.finding import Found
    from keyweave.models.layouts import Family, Kind

_log = logging.getLogger(__name__)
_PURPOSE = "loading a generative model"
# A studio that goes back and forth between two models should not wait; more would fill the memory.
_KEPT = 2


@dataclass(frozen=True)
class VideoModel:
    """A model that makes a clip from a first frame.

    The networks are shared by all who load the same model: leave them as they were found, and train a copy.
    Inputs go to `place.device` in the `dtype` of the network that takes them.
    """

    vae: AutoencoderKLTemporalDecoder
    unet: UNetSpatioTemporalConditionModel
    image_encoder: CLIPVisionModelWithProjection
    image_processor: CLIPImageProcessor
    scheduler: EulerDiscreteScheduler
    card: ModelCard | None
    ref: str
    place: Place


@dataclass(frozen=True)
class FluxModel:
    """A model that makes a picture from words, of FLUX's family; what holds for `VideoModel` holds for it."""

    vae: AutoencoderKL
    transformer: FluxTransformer2DModel
    text_encoder: CLIPTextModel
    text_encoder_2: T5EncoderModel
    tokenizer: CLIPTokenizer
    tokenizer_2: T5Tokenizer
    scheduler: FlowMatchEulerDiscreteScheduler
    card: ModelCard | None
    ref: str
    place: Place


@dataclass(frozen=True)
class QwenModel:
    """A model that makes a picture from words, of Qwen-Image's family; what holds for `VideoModel` holds for it."""

    vae: AutoencoderKLQwenImage
    transformer: QwenImageTransformer2DModel
    text_encoder: Qwen2_5_VLForConditionalGeneration
    tokenizer: Qwen2Tokenizer
    scheduler: FlowMatchEulerDiscreteScheduler
    card: ModelCard | None
    ref: str
    place: Place


@dataclass(frozen=True)
class PartModel:
    """A network by itself, such as a UNet that was fine-tuned for one role, or one that controls another."""

    network: nn.Module
    card: ModelCard | None
    ref: str
    place: Place


PictureModel = FluxModel | QwenModel
Loaded = VideoModel | PictureModel | PartModel
_MADE_INTO: dict[Family, type[Any]] = {"svd": VideoModel, "flux": FluxModel, "qwen": QwenModel}


@overload
def load(
    found: Found, kind: Literal["image-to-video"] = ..., *, device: str | None = ..., dtype: str | None = ...
) -> VideoModel: ...
@overload
def load(
    found: Found, kind: Literal["text-to-image"], *, device: str | None = ..., dtype: str | None = ...
) -> PictureModel: ...
@overload
def load(found: Found, kind: Literal["part"], *, device: str | None = ..., dtype: str | None = ...) -> PartModel: ...
def load(found: Found, kind: Kind = "image-to-video", *, device: str | None = None, dtype: str | None = None) -> Loaded:
    """Load a model, or return the one that was loaded before from the same files to the same place.

    Args:
        found: what `find` returned.
        kind: what it must do.
        device: see `devices.choose`.
        dtype: what it computes in, whatever its weights are stored in; see `devices.choose`.

    Raises:
        ModelError: the model is of another kind, or its files do not fit its classes.
        MissingExtra: diffusers or transformers is not installed.
    """
    refuse_kind(found.ref, found.kind, kind)
    need("diffusers", _PURPOSE)
    need("transformers", _PURPOSE)
    place = choose(device, dtype)
    parts = _parts(found.folder, kind, place, _stamp(found.folder))
    if kind == "part":
        return PartModel(parts["network"], found.card, found.ref, place)
    family = family_of(found.folder, found.ref)
    # A scheduler counts its steps: each caller has its own.
    own = {name: deepcopy(parts[name]) for name, part in LAYOUTS[family].parts.items() if not part.learnt}
    return _MADE_INTO[family](**(parts | own), card=found.card, ref=found.ref, place=place)


def bytes_to_come(network: nn.Module, device: str) -> int:
    """Return how much of a network is not on the device yet, and comes there when it is called."""
    place = device.partition(":")[0]  # "cuda" and "cuda:0" are one
    return sum(one.numel() * one.element_size() for one in network.parameters() if one.device.type != place)


def lay_out(network: nn.Module) -> None:
    """Lay the weights of flat convolutions out pixel by pixel, which makes an encoder on a processor faster."""
    torch = importlib.import_module("torch")
    for part in network.modules():
        if isinstance(part, torch.nn.Conv2d):
            weight: Any = part.weight
            weight.data = weight.data.contiguous(memory_format=torch.channels_last)


def _stamp(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Tell one state of a folder's weights from another: a training may write them anew."""
    states = ((str(path), path.stat()) for path in sorted(folder.rglob("*.safetensors")))
    return tuple((name, state.st_size, state.st_mtime_ns) for name, state in states)


@lru_cache(maxsize=_KEPT)
def _parts(folder: Path, kind: Kind, place: Place, stamp: object) -> dict[str, Any]:  # noqa: ARG001 - part of the key
    """Load the parts of a model by the names that they have in our code."""
    if kind == "part":
        parts = {"network": _load(folder, read_class(folder), place.dtype)}
    else:
        classes = read_pipeline(folder).classes
        parts = {
            name: _load(folder / part.folder, classes[part.folder], place.dtype)
            for name, part in LAYOUTS[family_of(folder)].parts.items()
        }
    _settle([one for one in parts.values() if hasattr(one, "parameters")], place.device)
    if place.device == "cpu" and kind == "image-to-video":
        from keyweave.maths.over_time import flatten_time  # noqa: PLC0415 - needs torch, which is slow to import

        flatten_time(parts["unet"])
        flatten_time(parts["vae"])
    if place.device == "cpu" and hasattr(parts.get("vae"), "encoder"):
        lay_out(parts["vae"].encoder)
    return parts


def _load(folder: Path, name: str, dtype: str) -> Any:
    """Load a network, or the settings of a part that has no weights."""
    library, names = CLASSES[name]
    module, damaged = importlib.import_module(library), need("safetensors", _PURPOSE).SafetensorError
    make: Any = next(getattr(module, one) for one in names if hasattr(module, one))
    try:
        if not hasattr(make, "state_dict"):
            return make.from_pretrained(folder, local_files_only=True)
        with _without_bars(), warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of the libraries' own parts, for those who write them
            network, report = make.from_pretrained(
                folder,
                local_files_only=True,
                use_safetensors=True,
                variant=taken_variant(path.name for path in folder.iterdir()) or None,
                output_loading_info=True,
                dtype=getattr(importlib.import_module("torch"), _dtype_of(folder, name, dtype)),
            )
    except (OSError, ValueError, TypeError, KeyError, RuntimeError, damaged) as fault:
        words = " ".join(str(fault).split())[:200].rstrip(".")
        raise ModelError(f"{folder} cannot be loaded as a {name}: {words}.", AGAIN) from fault
    lost = sorted(map(str, [*report["missing_keys"], *report["mismatched_keys"]]))
    if lost:  # the libraries would fill these with noise
        raise ModelError(f"{folder} does not fit a {name}: {len(lost)} tensors are missing or misshapen ({lost[0]}).")
    return network.eval().requires_grad_(requires_grad=False)


@contextmanager
def _without_bars() -> Iterator[None]:
    """Keep the libraries from drawing bars of their own into ours."""
    logs = [need(library, _PURPOSE).utils.logging for library in ("diffusers", "transformers")]
    shown = [log for log in logs if log.is_progress_bar_enabled()]
    for log in shown:
        log.disable_progress_bar()
    try:
        yield
    finally:
        for log in shown:
            log.enable_progress_bar()


def _dtype_of(folder: Path, name: str, dtype: str) -> str:
    """Keep an autoencoder that says so out of float16, where its numbers pass the largest that there is."""
    upcast = name.startswith("AutoencoderKL") and read_object(folder / CONFIG).get("force_upcast", True)
    return "float32" if upcast and dtype == "float16" else dtype


def _settle(networks: list[Any], device: str) -> None:
    """Bring networks to the device together, or one at a time if its memory is short."""
    free = free_bytes(device)
    needed = sum(one.numel() * one.element_size() for network in networks for one in network.parameters())
    if free is None or place_weights(needed, free) == "all on device":
        for network in networks:
            network.to(device)
        return
    _log.info("Only %.1f GB are free on %s: parts of the model come to it one at a time.", free / 1e9, device)
    need("accelerate", _PURPOSE)
    from keyweave.models.turns import take_turns  # noqa: PLC0415 - slow to import, and rarely wanted

    take_turns(networks, device)
