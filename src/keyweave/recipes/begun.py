"""A training of `toy-video` that goes on from a model which was made before, on clips that it has not seen."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import torch

from keyweave.base.errors import InputError, ModelError
from keyweave.base.files import replacing_folder
from keyweave.models.finding import find
from keyweave.models.loading import load
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
    _copies(found)
    with replacing_folder(folder / _FOLDER, overwrite=True) as made:
        shutil.copytree(found.folder, made, dirs_exist_ok=True)


def begun(folder: Path) -> Found | None:
    """Return the model that a training goes on from; None if it began with nothing."""
    return find(str((folder / _FOLDER).resolve())) if (folder / _FOLDER).exists() else None


def refuse_other(folder: Path, wanted: Found | None) -> None:
    """Raise if a training that was begun did not begin with what is wanted now; None leaves that to it."""
    there = begun(folder)
    if wanted and there is None:
        raise InputError(f"{folder} was begun without --from.", "Leave --from out, or name a new folder.")
    if wanted and there and wanted.mark().sha256 != there.mark().sha256:
        raise InputError(f"{folder} was begun from another model.", "Leave --from out, or name a new folder.")


def autoencoder_of(found: Found) -> AutoencoderKLTemporalDecoder:
    """Return its autoencoder, to be trained."""
    return _copies(found)[0]


def network_of(found: Found) -> UNetSpatioTemporalConditionModel:
    """Return its network, to be trained."""
    return _copies(found)[1]


def encoder_of(found: Found) -> CLIPVisionModelWithProjection:
    """Return its image encoder, which stays as it is."""
    return _copies(found)[2]


def scale_of_begun(found: Found) -> float:
    """Return what brings its latents to a spread of 1."""
    return float(load(found, device="cpu", dtype="float32").vae.config["scaling_factor"])


def _copies(
    found: Found,
) -> tuple[AutoencoderKLTemporalDecoder, UNetSpatioTemporalConditionModel, CLIPVisionModelWithProjection]:
    model = load(found, device="cpu", dtype="float32")
    copies = (fresh_autoencoder(), fresh_network(), fresh_encoder())
    for name, copy in zip(_PARTS, copies, strict=True):
        part: Any = getattr(model, name)
        try:
            copy.load_state_dict({key: weight.to(torch.float32) for key, weight in part.state_dict().items()})
        except RuntimeError:
            raise ModelError(
                f"{found.ref} cannot be trained on: its {name} is not the one that this recipe trains.",
                "Name a model that `keyweave train toy-video` of this version made.",
            ) from None
    return copies
