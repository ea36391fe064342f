"""Which kinds of model there are, and what a folder of each kind holds: the one table that names outside classes.

A folder says in `model_index.json` which classes it wants. Nothing is imported because a folder says so: a class is
used only if it stands in this table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Kind = Literal["image-to-video", "text-to-image", "features", "adapter", "part"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_VAE = "AutoencoderKLTemporalDecoder"
_UNET = "UNetSpatioTemporalConditionModel"
_ENCODER = "CLIPVisionModelWithProjection"

# Where a class comes from. Names that another release of its library used stand for the class of today; of several,
# the first that the installed library has is taken (Pillow's processor needs no torchvision, and gives equal pixels).
_PROCESSOR = ("transformers", ("CLIPImageProcessorPil", "CLIPImageProcessor"))
CLASSES: dict[str, tuple[str, tuple[str, ...]]] = {
    _VAE: ("diffusers", (_VAE,)),
    _UNET: ("diffusers", (_UNET,)),
    _ENCODER: ("transformers", (_ENCODER,)),
    "CLIPImageProcessor": _PROCESSOR,
    "CLIPImageProcessorFast": _PROCESSOR,
    "CLIPImageProcessorPil": _PROCESSOR,
    "CLIPFeatureExtractor": _PROCESSOR,
    "EulerDiscreteScheduler": ("diffusers", ("EulerDiscreteScheduler",)),
}


@dataclass(frozen=True)
class Part:
    """A part of a model.

    Args:
        folder: its folder, and its key in `model_index.json`.
        classes: those that may stand there.
        learnt: whether it has weights.
    """

    folder: str
    classes: tuple[str, ...]
    learnt: bool = True


@dataclass(frozen=True)
class Layout:
    """What a model of one kind holds.

    Args:
        pipelines: values of `_class_name` in `model_index.json` that mean this kind.
        parts: by the name that they have in our code.
    """

    pipelines: tuple[str, ...]
    parts: dict[str, Part]


LAYOUTS: dict[Kind, Layout] = {
    "image-to-video": Layout(
        pipelines=("StableVideoDiffusionPipeline",),
        parts={
            "vae": Part("vae", (_VAE,)),
            "unet": Part("unet", (_UNET,)),
            "image_encoder": Part("image_encoder", (_ENCODER,)),
            "image_processor": Part(
                "feature_extractor",
                tuple(name for name, home in CLASSES.items() if home is _PROCESSOR),
                learnt=False,
            ),
            "scheduler": Part("scheduler", ("EulerDiscreteScheduler",), learnt=False),
        },
    ),
}
PIPELINES: dict[str, Kind] = {name: kind for kind, layout in LAYOUTS.items() for name in layout.pipelines}
# What may lie in a folder of its own, as a fine-tuned network often does.
NETWORKS: tuple[str, ...] = tuple(
    dict.fromkeys(
        name for layout in LAYOUTS.values() for part in layout.parts.values() if part.learnt for name in part.classes
    )
)
