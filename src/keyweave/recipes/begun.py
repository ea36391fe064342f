"""A training of `toy-video` that goes on from a model which was made before, on clips that it has not seen."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import torch

from keyweave.base.errors import ModelError
from keyweave.base.files import replacing_folder
from keyweave.models.finding import find
from keyweave.models.loading import VideoModel, load
from keyweave.recipes.autoencoder import fresh_autoencoder
from keyweave.recipes.looks import fresh_encoder
from keyweave.recipes.video import fresh_network

if TYPE_CHECKING:
    from pathlib import Path

    from diffusers.models.autoencoders.autoencoder_kl_temporal_decoder import AutoencoderKLTemporalDecoder
    from diffusers.models.unets.unet_spatio_temporal_condition import UNetSpatioTemporalConditionModel
    from transformers import CLIPVisionModelWithProjection

    from keyweave.models.finding import Found

_FOLDER = "begun"
_PARTS = ("vae", "unet", "image_encoder")


def begin_with(folder: Path, found: Found) -> None:
    """Keep a copy of a model in a training's folder; the training then goes on from it.

    Raises:
        ModelError: its networks are not those of the recipe.
    """
    _copies(load(found, device="cpu", dtype="float32"))
    with replacing_folder(folder / _FOLDER) as made:
        shutil.copytree(found.folder, made, dirs_exist_ok=True)


def begun(folder: Path) -> VideoModel | None:
    """Return the model that a training goes on from; None if it began with nothing."""
    if not (folder / _FOLDER).exists():
        return None
    return load(find(str((folder / _FOLDER).resolve())), device="cpu", dtype="float32")


def autoencoder_of(model: VideoModel) -> AutoencoderKLTemporalDecoder:
    """Return a copy of its autoencoder that can be trained."""
    return _copies(model)[0]


def networks_of(model: VideoModel) -> tuple[UNetSpatioTemporalConditionModel, CLIPVisionModelWithProjection]:
    """Return copies of its network and of its image encoder that can be trained."""
    return _copies(model)[1:]


def _copies(
    model: VideoModel,
) -> tuple[AutoencoderKLTemporalDecoder, UNetSpatioTemporalConditionModel, CLIPVisionModelWithProjection]:
    copies = (fresh_autoencoder(), fresh_network(), fresh_encoder())
    for name, copy in zip(_PARTS, copies, strict=True):
        part: Any = getattr(model, name)
        try:
            copy.load_state_dict({key: weight.to(torch.float32) for key, weight in part.state_dict().items()})
        except RuntimeError:
            raise ModelError(
                f"{model.ref} cannot be trained on: its {name} is not the one that this recipe trains.",
                "Name a model that `keyweave train toy-video` of this version made.",
            ) from None
    return copies
