"""Windows of clips as what a network takes."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from keyweave.models.devices import Place
from keyweave.systems.inbetween import encoded


def test_pictures_are_encoded_where_the_networks_compute(tiny: Any, monkeypatch: pytest.MonkeyPatch):
    """The networks lie on the CPU until they are called; "meta" stands for the GPU that they come to."""
    seen = []

    def encode(_: Any, pictures: torch.Tensor) -> Any:
        seen.append(pictures.device.type)
        return SimpleNamespace(mode=lambda: torch.zeros(len(pictures), 4, 16, 16))

    def look(pictures: torch.Tensor) -> Any:
        seen.append(pictures.device.type)
        return SimpleNamespace(image_embeds=torch.zeros(len(pictures), 32))

    monkeypatch.setattr(encoded, "encode", encode)
    window = np.zeros((4, 32, 32, 3), np.uint8)
    model: Any = SimpleNamespace(**{**vars(tiny), "place": Place("meta", "float32"), "image_encoder": look})
    encoded._row(model, window, "a", 0)
    assert seen == ["meta"] * 4
