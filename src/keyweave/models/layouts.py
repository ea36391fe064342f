"""Which kinds of model there are, and what a folder of each family holds: the one table that names outside classes.

A folder says in `model_index.json` which classes it wants. Nothing is imported because a folder says so: a class is
used only if it stands in this table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Kind = Literal["image-to-video", "text-to-image", "features", "adapter", "part"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Family = Literal["svd", "flux", "qwen"]

_VAE = "AutoencoderKLTemporalDecoder"
_UNET = "UNetSpatioTemporalConditionModel"
_ENCODER = "CLIPVisionModelWithProjection"
_FLUX_VAE = "AutoencoderKL"
_FLUX = "FluxTransformer2DModel"
_FLUX_CONTROL = "FluxControlNetModel"
_QWEN_VAE = "AutoencoderKLQwenImage"
_QWEN = "QwenImageTransformer2DModel"
_QWEN_READER = "Qwen2_5_VLForConditionalGeneration"
_QWEN_CONTROL = "QwenImageControlNetModel"
_FLOW = "FlowMatchEulerDiscreteScheduler"

# Where a class comes from. Names that another release of its library used stand for the class of today; of several,
# the first that the installed library has is taken (Pillow's processor needs no torchvision, and gives equal pixels).
_PROCESSOR = ("transformers", ("CLIPImageProcessorPil", "CLIPImageProcessor"))
_CLIP_WORDS = ("transformers", ("CLIPTokenizer",))
_T5_WORDS = ("transformers", ("T5TokenizerFast", "T5Tokenizer"))
_QWEN_WORDS = ("transformers", ("Qwen2TokenizerFast", "Qwen2Tokenizer"))
CLASSES: dict[str, tuple[str, tuple[str, ...]]] = {
    _VAE: ("diffusers", (_VAE,)),
    _UNET: ("diffusers", (_UNET,)),
    _ENCODER: ("transformers", (_ENCODER,)),
    "CLIPImageProcessor": _PROCESSOR,
    "CLIPImageProcessorFast": _PROCESSOR,
    "CLIPImageProcessorPil": _PROCESSOR,
    "CLIPFeatureExtractor": _PROCESSOR,
    "EulerDiscreteScheduler": ("diffusers", ("EulerDiscreteScheduler",)),
    _FLUX_VAE: ("diffusers", (_FLUX_VAE,)),
    _FLUX: ("diffusers", (_FLUX,)),
    _FLUX_CONTROL: ("diffusers", (_FLUX_CONTROL,)),
    _QWEN_VAE: ("diffusers", (_QWEN_VAE,)),
    _QWEN: ("diffusers", (_QWEN,)),
    _QWEN_READER: ("transformers", (_QWEN_READER,)),
    _QWEN_CONTROL: ("diffusers", (_QWEN_CONTROL,)),
    _FLOW: ("diffusers", (_FLOW,)),
    "Sam2Model": ("transformers", ("Sam2Model",)),
    "Sam2VideoModel": ("transformers", ("Sam2Model",)),  # follows a subject; its part for single pictures is taken
    "CLIPTextModel": ("transformers", ("CLIPTextModel",)),
    "T5EncoderModel": ("transformers", ("T5EncoderModel",)),
    "CLIPTokenizer": _CLIP_WORDS,
    "CLIPTokenizerFast": _CLIP_WORDS,
    "T5Tokenizer": _T5_WORDS,
    "T5TokenizerFast": _T5_WORDS,
    "Qwen2Tokenizer": _QWEN_WORDS,
    "Qwen2TokenizerFast": _QWEN_WORDS,
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
    """What a model of one family holds.

    Args:
        kind: what it does.
        pipelines: values of `_class_name` in `model_index.json` that mean this family.
        parts: by the name that they have in our code.
    """

    kind: Kind
    pipelines: tuple[str, ...]
    parts: dict[str, Part]


def _names_of(home: tuple[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Return all names that stand for one class."""
    return tuple(name for name, other in CLASSES.items() if other is home)


LAYOUTS: dict[Family, Layout] = {
    "svd": Layout(
        kind="image-to-video",
        pipelines=("StableVideoDiffusionPipeline",),
        parts={
            "vae": Part("vae", (_VAE,)),
            "unet": Part("unet", (_UNET,)),
            "image_encoder": Part("image_encoder", (_ENCODER,)),
            "image_processor": Part(
                "feature_extractor",
                _names_of(_PROCESSOR),
                learnt=False,
            ),
            "scheduler": Part("scheduler", ("EulerDiscreteScheduler",), learnt=False),
        },
    ),
    "flux": Layout(
        kind="text-to-image",
        pipelines=("FluxPipeline", "FluxControlNetPipeline"),
        parts={
            "vae": Part("vae", (_FLUX_VAE,)),
            "transformer": Part("transformer", (_FLUX,)),
            "text_encoder": Part("text_encoder", ("CLIPTextModel",)),
            "text_encoder_2": Part("text_encoder_2", ("T5EncoderModel",)),
            "tokenizer": Part("tokenizer", _names_of(_CLIP_WORDS), learnt=False),
            "tokenizer_2": Part("tokenizer_2", _names_of(_T5_WORDS), learnt=False),
            "scheduler": Part("scheduler", (_FLOW,), learnt=False),
        },
    ),
    "qwen": Layout(
        kind="text-to-image",
        pipelines=("QwenImagePipeline", "QwenImageControlNetPipeline"),
        parts={
            "vae": Part("vae", (_QWEN_VAE,)),
            "transformer": Part("transformer", (_QWEN,)),
            "text_encoder": Part("text_encoder", (_QWEN_READER,)),
            "tokenizer": Part("tokenizer", _names_of(_QWEN_WORDS), learnt=False),
            "scheduler": Part("scheduler", (_FLOW,), learnt=False),
        },
    ),
}
PIPELINES: dict[str, Family] = {name: family for family, layout in LAYOUTS.items() for name in layout.pipelines}
# What may lie in a folder of its own: a fine-tuned network often does, one that controls another or cuts out always.
NETWORKS: tuple[str, ...] = (
    *dict.fromkeys(
        name for layout in LAYOUTS.values() for part in layout.parts.values() if part.learnt for name in part.classes
    ),
    _FLUX_CONTROL,
    _QWEN_CONTROL,
    "Sam2Model",
    "Sam2VideoModel",
)
