"""Subjects cut out by SAM 2.1 (Ravi et al. 2024), which is told by a box where to look."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn.functional import interpolate

from keyweave.base.progress import SILENT, Progress
from keyweave.models.finding import find
from keyweave.models.folders import read_class, refuse_class
from keyweave.models.loading import load
from keyweave.perceive.masks import is_somebody, nobody, subject_boxes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from keyweave.media.types import Frame
    from keyweave.models.devices import Place
    from keyweave.models.finding import Found

    Floats = NDArray[np.floating]
    Mask = NDArray[np.bool_]

# The released weights call themselves by the class that follows a subject through a film; its part for single pictures
# is all that is taken of them.
CLASSES = ("Sam2Model", "Sam2VideoModel")
# How its pictures were prepared for it: the statistics of ImageNet, in shares of full brightness.
_MEAN, _SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_ROOM = 0.05  # of the box's sides: a first cut often misses a hand, and SAM was trained with boxes that are off by more


@dataclass(frozen=True)
class SamMasker:
    """Cuts out the one subject of each picture, wherever our own masks find or suppose it; a `Masker`.

    Args:
        found: a model of SAM 2 or 2.1, loaded when it is first needed.
        device: see `devices.choose`.
        dtype: see `devices.choose`.
    """

    found: Found
    device: str | None = None
    dtype: str | None = None

    def __call__(self, pictures: Sequence[Frame], /) -> Mask:
        """Return masks (N, H, W) of pictures (H, W, 3) of one size."""
        with _unsurprised():
            part = load(self.found, "part", device=self.device, dtype=self.dtype)
        masks = [
            cut_in_box(part.network, np.asarray(picture[..., :3]), box, part.place)
            for picture, box in zip(pictures, with_room(subject_boxes(pictures), pictures[0]), strict=True)
        ]
        for number, mask in enumerate(masks, start=1):
            if not is_somebody(mask):
                raise nobody(number, len(masks))
        return np.stack(masks)


def sam_masker(ref: str, *, progress: Progress = SILENT) -> SamMasker:
    """Find a model of SAM 2, such as hub:facebook/sam2.1-hiera-small, and make it a `Masker`."""
    found = find(ref, "part", progress=progress)
    refuse_class(found.folder, read_class(found.folder), CLASSES)
    return SamMasker(found)


def with_room(boxes: Floats, picture: Frame) -> Floats:
    """Return boxes (N, 4) with some room around them, within the picture."""
    height, width = picture.shape[:2]
    low, high = boxes[:, :2], boxes[:, 2:]
    room = _ROOM * (high - low)
    return np.concatenate([np.maximum(low - room, 0), np.minimum(high + room, (width, height))], axis=1)


@torch.inference_mode()
def cut_in_box(network: Any, picture: Frame, box: Floats, place: Place) -> Mask:
    """Return the mask (H, W) of what is in a box of a picture: of three candidates the one that is trusted most.

    Args:
        network: a `Sam2Model`.
        picture: (H, W, 3).
        box: (4,) left, top, right and bottom in pixels.
        place: where and how precisely the network computes.
    """
    height, width = picture.shape[:2]
    side = network.config.prompt_encoder_config.image_size
    # Pictures of any shape are stretched to its square, and the box with them.
    stretched = box * np.array([side / width, side / height] * 2)
    found = network(
        pixel_values=prepared(picture, side).to(place.device, network.dtype),
        input_boxes=torch.tensor(stretched, dtype=network.dtype, device=place.device)[None, None],
        multimask_output=True,
    )
    best = int(found.iou_scores[0, 0].argmax())
    logits = found.pred_masks[0, 0, best][None, None].float()
    return (interpolate(logits, (height, width), mode="bilinear")[0, 0] > 0).cpu().numpy()


def prepared(picture: Frame, side: int) -> Tensor:
    """Return a picture (H, W, 3) as the network wants it, (1, 3, side, side); its own processor needs torchvision."""
    shares = torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None].float() / 255
    square = interpolate(shares, (side, side), mode="bilinear", antialias=True)
    mean, spread = (torch.tensor(values).view(1, 3, 1, 1) for values in (_MEAN, _SPREAD))
    return (square - mean) / spread


@contextmanager
def _unsurprised() -> Iterator[None]:
    """Keep the library from warning of weights for films that are taken for pictures, as it is meant to be."""
    log = logging.getLogger("transformers.configuration_utils")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(before)
