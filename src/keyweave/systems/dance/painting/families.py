"""Which painter a model is, by its family."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyweave.base.progress import SILENT, Progress
from keyweave.models.finding import find
from keyweave.models.loading import QwenModel, load
from keyweave.systems.dance.painting.flux import FluxPainter
from keyweave.systems.dance.painting.qwen import QwenPainter

if TYPE_CHECKING:
    from keyweave.models.loading import PartModel, PictureModel
    from keyweave.systems.dance.painting.painter import Painter


def find_painter(by: str, control: str, *, progress: Progress = SILENT) -> Painter:
    """Find and load a text-to-image model and the network that controls it; see `models.finding.find` for names."""
    model, controlling = find(by, "text-to-image", progress=progress), find(control, "part", progress=progress)
    picture = load(model, "text-to-image")
    return painter_of(picture, load(controlling, "part", device=picture.place.device, dtype=picture.place.dtype))


def painter_of(model: PictureModel, control: PartModel) -> Painter:
    """Put a model and a controlling network together, as the family of the model wants it."""
    return QwenPainter.of(model, control) if isinstance(model, QwenModel) else FluxPainter.of(model, control)
