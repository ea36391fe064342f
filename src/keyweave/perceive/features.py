"""The network of `toy-features`: it sees who is in a clip of the drawn world, and which way time runs.

Its answers judge made clips: is the actor of this frame still one, does it go the way that its look says? The vector
that it sums a clip up in serves Frechet distances.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from keyweave.base.errors import ModelError
from keyweave.base.extras import need
from keyweave.base.files import write_text
from keyweave.models.devices import choose
from keyweave.models.folders import CONFIG, read_class, read_object, refuse_kind
from keyweave.models.headers import AGAIN

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import Tensor

    from keyweave.models.finding import Found

WEIGHTS = "model.safetensors"
_CLASS = "ToyFeatures"
_GROUPS = 8
_WIDTHS, _VECTOR = (24, 48, 96), 96


@dataclass(frozen=True, eq=False)
class Seen:
    """What the network says of clips, as logits.

    Args:
        forward: (B,) above 0 where time runs forward.
        kinds: (B, K + 1) who is in the clip; the last column is for nobody.
        colors: (B, C + 1) of what colour; the last column again.
        frame_kinds: (B, T, K + 1) the same of each frame by itself.
        frame_colors: (B, T, C + 1) the same.
        vector: (B, V) all that the clip is summed up in.
    """

    forward: Tensor
    kinds: Tensor
    colors: Tensor
    frame_kinds: Tensor
    frame_colors: Tensor
    vector: Tensor


class ToyFeatures(nn.Module):
    """Flat convolutions look at each frame, convolutions over time at what becomes of it.

    A clip and its reversal are held against each other: which of the two looks more like time running forward? So the
    answers to both are opposite, whatever was learnt.

    Args:
        kinds: names of the actors that it tells apart.
        colors: names of their colours.
        widths: channels at a half, a quarter and an eighth of the width of a picture.
        vector: how many numbers sum up a clip.
    """

    def __init__(
        self,
        kinds: Sequence[str],
        colors: Sequence[str],
        *,
        widths: tuple[int, int, int] = _WIDTHS,
        vector: int = _VECTOR,
    ) -> None:
        super().__init__()
        self.kinds, self.colors = tuple(kinds), tuple(colors)
        self._shape = {"widths": list(widths), "vector": vector}
        half, quarter, eighth = widths
        self.look = nn.Sequential(
            nn.Conv2d(3, half, 5, stride=2, padding=2),
            _settled(half),
            nn.Conv2d(half, quarter, 3, stride=2, padding=1),
            _settled(quarter),
            nn.Conv2d(quarter, eighth, 3, stride=2, padding=1),
            _Residual(eighth),
            _settled(eighth),
        )
        self.still = nn.ModuleDict(_answers(2 * eighth, len(kinds), len(colors)))
        self.near = nn.Conv2d(eighth, quarter, 3, padding=1)
        self.then = nn.Sequential(
            _settled(quarter),
            _along_time(quarter, eighth),
            _settled(eighth),
            _along_time(eighth, eighth, stride=2),
            _settled(eighth),
            _along_time(eighth, eighth, stride=2),
        )
        self.sum_up = nn.Sequential(nn.LayerNorm(2 * eighth), nn.Linear(2 * eighth, vector), nn.SiLU())
        self.moving = nn.ModuleDict(_answers(vector, len(kinds), len(colors)))
        self.arrow = nn.Linear(vector, 1, bias=False)

    def config(self) -> dict[str, Any]:
        """Return what makes the same network again."""
        return {"_class_name": _CLASS, "kinds": list(self.kinds), "colors": list(self.colors), **self._shape}

    def forward(self, clips: Tensor) -> Seen:  # (B, T, 3, H, W) in [-1, 1], sides that 8 divides
        """Look at clips."""
        seen = self.look(clips.flatten(0, 1))
        stills = _pooled(seen).unflatten(0, clips.shape[:2])
        near = self.near(seen)
        cells = near.flatten(2).unflatten(0, clips.shape[:2]).transpose(1, 2)  # (B, C, T, H' W')
        ahead, back = self.sum_up(_pooled(self.then(torch.cat([cells, cells.flip(2)])))).chunk(2)
        return Seen(
            forward=self.arrow(ahead - back)[:, 0],
            kinds=self.moving["kinds"](ahead),
            colors=self.moving["colors"](ahead),
            frame_kinds=self.still["kinds"](stills),
            frame_colors=self.still["colors"](stills),
            vector=ahead,
        )


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.change = nn.Sequential(
            _settled(width),
            nn.Conv2d(width, width, 3, padding=1),
            _settled(width),
            nn.Conv2d(width, width, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.change(x)


def _settled(width: int) -> nn.Sequential:
    return nn.Sequential(nn.GroupNorm(_GROUPS, width), nn.SiLU())


def _along_time(width: int, wider: int, stride: int = 1) -> nn.Conv2d:
    """Make a convolution over time of (B, C, T, cells): a flat one, far quicker than the class for three axes."""
    return nn.Conv2d(width, wider, (3, 1), stride=(stride, 1), padding=(1, 0))


def _answers(width: int, kinds: int, colors: int) -> dict[str, nn.Module]:
    return {"kinds": nn.Linear(width, kinds + 1), "colors": nn.Linear(width, colors + 1)}


def _pooled(x: Tensor) -> Tensor:  # (B, C, H, W) -> (B, 2 C)
    """Return what is anywhere, and what is everywhere: an actor is small."""
    return torch.cat([x.amax(dim=(2, 3)), x.mean(dim=(2, 3))], dim=1)


def save_features(network: ToyFeatures, folder: Path) -> None:
    """Write a network into a folder that is there, in half precision."""
    need("safetensors", "saving a network")
    from safetensors.torch import save_file  # noqa: PLC0415 - an extra

    write_text(folder / CONFIG, json.dumps(network.config(), indent=2) + "\n", overwrite=True)
    save_file(
        {name: tensor.to("cpu", torch.bfloat16) for name, tensor in network.state_dict().items()}, folder / WEIGHTS
    )


def load_features(found: Found, *, device: str | None = None) -> ToyFeatures:
    """Load the network of `find("toy-features", "features")`; it computes in float32.

    Args:
        found: what `find` returned.
        device: see `devices.choose`.

    Raises:
        ModelError: the model is of another kind, or damaged.
        MissingExtra: safetensors is not installed.
    """
    refuse_kind(found.ref, found.kind, "features")
    need("safetensors", "loading a network")
    from safetensors import SafetensorError  # noqa: PLC0415
    from safetensors.torch import load_file  # noqa: PLC0415

    settings = read_object(found.folder / CONFIG)
    if read_class(found.folder) != _CLASS:
        raise ModelError(f"{found.ref} is a {read_class(found.folder)}; here a {_CLASS} is needed.")
    try:
        network = ToyFeatures(
            settings["kinds"], settings["colors"], widths=tuple(settings["widths"]), vector=settings["vector"]
        )
        network.load_state_dict({name: t.float() for name, t in load_file(found.folder / WEIGHTS).items()})
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as fault:
        words = " ".join(str(fault).split())[:200].rstrip(".")
        raise ModelError(f"{found.folder} cannot be loaded as a {_CLASS}: {words}.", AGAIN) from fault
    return network.eval().requires_grad_(False).to(choose(device, "float32").device)
