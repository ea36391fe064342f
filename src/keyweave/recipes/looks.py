"""Training what the image encoder of `toy-video` sees: who is there, of what colour, and where it is bound.

A still tells which way its actors go by their looks alone, and looks are many: a network of motion would have to learn
them from thousands of clips, which take long to encode. First frames cost nothing, and none is ever shown twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from keyweave.base.seeds import derive
from keyweave.diffusion.image_to_video import seen_by_encoder
from keyweave.maths.tensors import to_tensor
from keyweave.toyworld.actors import COLORS
from keyweave.toyworld.scenes import KINDS, scene_of
from keyweave.toyworld.shots import shoot

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import Tensor
    from transformers import CLIPImageProcessor, CLIPVisionModelWithProjection

    from keyweave.toyworld.scenes import Scene, Split

TOLD = 64  # how wide the embedding of a picture is
_WAVES = 4  # octaves in which the reader is told a place
_CAST = 2  # actors of a scene at most
_GOES = 0.05  # of a height: who goes less far is bound nowhere
_MEASURED, _TOGETHER = 1000, 100


def fresh_encoder(seed: int = 0) -> CLIPVisionModelWithProjection:
    """Make an untrained image encoder; it sees pictures 224 wide, since the pipeline makes them so."""
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection  # noqa: PLC0415

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(seed, "image encoder"))
        return CLIPVisionModelWithProjection(
            CLIPVisionConfig(
                hidden_size=96,
                intermediate_size=384,
                num_hidden_layers=4,
                num_attention_heads=3,
                image_size=224,
                patch_size=28,
                projection_dim=TOLD,
            )
        )


class Reader(nn.Module):
    """Reads from an embedding who is at a place; only to teach the encoder, and thrown away afterwards."""

    def __init__(self) -> None:
        super().__init__()
        answers = 2 + len(KINDS) + len(COLORS)
        self.layers = nn.Sequential(nn.Linear(TOLD + 4 * _WAVES, 128), nn.GELU(), nn.Linear(128, answers))

    def forward(self, embedding: Tensor, places: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return ways (B, A, 2), and logits of kinds and colours (B, A, ...), of those at places (B, A, 2)."""
        waves = places[..., None] * torch.pi * 2.0 ** torch.arange(_WAVES, device=places.device)
        asked = torch.cat([waves.sin(), waves.cos()], dim=-1).flatten(-2)
        told = embedding[:, None].expand(-1, places.shape[1], -1)
        ways, kinds, colors = self.layers(torch.cat([told, asked], dim=-1)).split([2, len(KINDS), len(COLORS)], dim=-1)
        return ways, kinds, colors


class LookTask:
    """Learn to tell from a first frame who is where, of what colour, and which way it will go.

    Args:
        encoder: what learns.
        processor: how it is shown pictures.
        seed: decides all chance.
    """

    def __init__(self, encoder: CLIPVisionModelWithProjection, processor: CLIPImageProcessor, *, seed: int = 0) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive(seed, "reader"))
            reader = Reader()
        self._encoder = encoder
        # Attention of so few and narrow tokens is quickest on a processor when written out.
        encoder.set_attn_implementation("eager")
        self._reader = reader
        self._model = nn.ModuleDict({"image_encoder": encoder, "reader": reader})
        self._processor = processor
        self._seed = seed

    @property
    def model(self) -> nn.Module:
        """What is trained: the encoder, and what reads from it."""
        return self._model

    @property
    def encoder(self) -> CLIPVisionModelWithProjection:
        """What sees."""
        return self._encoder

    def loss(self, samples: Sequence[int]) -> tuple[Tensor, dict[str, float]]:
        """Return the loss over the first frames of the clips with these numbers."""
        scenes = _scenes("train", samples, self._seed)
        places, ways, kinds, colors = self._truth(scenes)
        said_ways, said_kinds, said_colors = self._said(scenes, places)
        there, bound = kinds >= 0, ways.norm(dim=-1) > 0
        faults = {
            "way": (said_ways - ways).square().sum(-1)[bound].sum() / bound.sum().clamp_min(1),
            "kind": functional.cross_entropy(said_kinds[there], kinds[there]),
            "color": functional.cross_entropy(said_colors[there], colors[there]),
        }
        return torch.stack(list(faults.values())).sum(), {name: float(fault.detach()) for name, fault in faults.items()}

    @torch.no_grad()
    def validate(self, folder: Path, step: int) -> dict[str, float]:
        """Measure how often it is right about actors that it was never shown."""
        del folder, step
        right: dict[str, list[Tensor]] = {"way": [], "kind": [], "color": []}
        for first in range(0, _MEASURED, _TOGETHER):
            scenes = _scenes("validation", range(first, first + _TOGETHER), self._seed)
            places, ways, kinds, colors = self._truth(scenes)
            said_ways, said_kinds, said_colors = self._said(scenes, places)
            there, bound = kinds >= 0, ways[..., 0] != 0
            right["way"].append((said_ways[..., 0] * ways[..., 0] > 0)[bound])
            right["kind"].append((said_kinds.argmax(-1) == kinds)[there])
            right["color"].append((said_colors.argmax(-1) == colors)[there])
        return {name: float(torch.cat(rows).float().mean()) for name, rows in right.items()}

    def _said(self, scenes: Sequence[Scene], places: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        frames = np.stack([shoot(scene, frames=1).frames[0] for scene in scenes])
        pictures = to_tensor(frames).to(self._encoder.device)
        seen = self._encoder(seen_by_encoder(self._processor, pictures)).image_embeds
        said: tuple[Tensor, Tensor, Tensor] = self._reader(seen, places)
        return said

    def _truth(self, scenes: Sequence[Scene]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return places and ways (B, A, 2), the latter of length 1 or 0, and kinds and colours (B, A), -1 for none."""
        places, ways = np.zeros((2, len(scenes), _CAST, 2), np.float32)
        kinds, colors = np.full((2, len(scenes), _CAST), -1)
        for row, scene in enumerate(scenes):
            for actor, role in enumerate(scene.cast):
                begin, end = role.course.points[[0, -1]]
                places[row, actor] = begin
                far = float(np.linalg.norm(end - begin))
                ways[row, actor] = (end - begin) / far if far > _GOES else 0
                kinds[row, actor], colors[row, actor] = KINDS.index(role.kind), list(COLORS).index(role.color)
        device = self._encoder.device
        one, two, three, four = (torch.from_numpy(rows).to(device) for rows in (places, ways, kinds, colors))
        return one, two, three, four


@torch.no_grad()
def said_of(encoder: CLIPVisionModelWithProjection, processor: CLIPImageProcessor, firsts: Tensor) -> Tensor:
    """Return what the encoder says, (N, D), of first frames (N, 3, H, W) in whole levels."""
    told = [
        encoder(seen_by_encoder(processor, some.to(encoder.device).float() / 127.5 - 1)).image_embeds
        for some in firsts.split(_TOGETHER)
    ]
    return torch.cat(told)


def _scenes(split: Split, numbers: Sequence[int], seed: int) -> list[Scene]:
    return [scene_of(split, number, seed=seed) for number in numbers]
