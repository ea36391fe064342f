"""The numbers of a video model's settings that keyweave reckons with: checked before anything large is loaded.

diffusers and transformers take whatever stands there, and fail where it is used. What may be left out has the default
of their classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from keyweave.base.errors import ModelError
from keyweave.models.folders import CONFIG, read_object
from keyweave.models.headers import AGAIN
from keyweave.models.layouts import LAYOUTS

if TYPE_CHECKING:
    from pathlib import Path

_Positive = Annotated[float, Field(gt=0)]


class _Settings(BaseModel):
    """Some of the settings in a file; all others may be anything."""

    model_config = ConfigDict(frozen=True, strict=True, allow_inf_nan=False)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read them; what is wrong is said in one sentence. Where there is no such file, all are left out."""
        row = read_object(path) if path.is_file() else {}
        try:
            return cls.model_validate(row)
        except ValidationError as fault:
            first = fault.errors(include_url=False)[0]
            place = ".".join(map(str, first["loc"]))
            raise ModelError(f"The setting {place} in {path} cannot be used: {first['msg']}.", AGAIN) from None


class UnetSettings(_Settings):
    """Of the network that makes clips.

    Args:
        num_frames: of a clip, which has two ends.
        sample_size: the side of a square of latents that it was made for; the class has no default that says one.
    """

    num_frames: int = Field(default=25, ge=2)
    sample_size: int = Field(ge=1)


class _VaeSettings(_Settings):
    """Of the autoencoder."""

    scaling_factor: _Positive = 0.18215


class _ProcessorSettings(_Settings):
    """Of what makes pictures ready for the image encoder: means and spreads of red, green and blue."""

    # Defaults are not checked: where these are left out, the class has three numbers of its own.
    image_mean: Annotated[list[float], Field(min_length=3, max_length=3)] = []
    image_std: Annotated[list[_Positive], Field(min_length=3, max_length=3)] = []


class _SchedulerSettings(_Settings):
    """Of the levels of noise; without the outermost ones, diffusers reckons them from others."""

    sigma_min: _Positive | None = None
    sigma_max: _Positive | None = None
    steps_offset: int = 0


_FILES: dict[str, tuple[str, type[_Settings]]] = {
    "unet": (CONFIG, UnetSettings),
    "vae": (CONFIG, _VaeSettings),
    "image_processor": ("preprocessor_config.json", _ProcessorSettings),
    "scheduler": ("scheduler_config.json", _SchedulerSettings),
}


def check_settings(folder: Path) -> None:
    """Raise unless an image-to-video model's settings can be reckoned with."""
    for name, (file, settings) in _FILES.items():
        settings.read(folder / LAYOUTS["svd"].parts[name].folder / file)
