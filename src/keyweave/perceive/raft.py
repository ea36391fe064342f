"""Optical flow by RAFT (Teed & Deng 2020), a learnt search, where torchvision and weights for it are there.

torchvision builds the network; keyweave brings no weights. It reads them from a safetensors file, which `CONVERT` makes
of those that torchvision hands out.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch

from keyweave.base.errors import MissingExtra
from keyweave.perceive.filling import resized
from keyweave.perceive.flow import FlowPair, opaque, resize_flow, shrunk, trust
from keyweave.perceive.weights import filled, read_weights

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from keyweave.media.types import Frame
    from keyweave.protocols import Flow

CONVERT = (
    'python -c "from torchvision.models.optical_flow import raft_large; from safetensors.torch import save_file; '
    "save_file(raft_large(weights='DEFAULT').state_dict(), 'raft-large.safetensors')\""
)
PIXELS = 960 * 540  # at this size a search takes up to a gigabyte; it grows with the square of the pixels
UPDATES = 12  # as often as it was taught to
_NAME = "RAFT"
_STEP = 8  # the network sees pictures in cells of so many pixels
_LEAST = 128  # the shortest side that it can search


@dataclass(frozen=True, eq=False)
class Raft:
    """The network, ready to search; satisfies `protocols.FlowEstimator`.

    Args:
        network: torchvision's, in evaluation mode.
        device: where it is.
        pixels: larger pictures are searched at this size, which bounds the memory.
        updates: how often a flow is refined; time grows with it.
    """

    network: torch.nn.Module
    device: torch.device
    pixels: int = PIXELS
    updates: int = UPDATES

    def __call__(self, a: Frame, b: Frame) -> Flow:
        """Return the flow (H, W, 2) in pixels (dx, dy) from a to b."""
        if a.shape != b.shape:
            raise ValueError(f"flow is between pictures of one size; got {a.shape} and {b.shape}")
        size = a.shape[1], a.shape[0]
        inner = searched_size(size, self.pixels)
        ends = [self._ready(shrunk(opaque(image), inner)) for image in (a, b)]
        with torch.inference_mode():
            found: Tensor = self.network(*ends, num_flow_updates=self.updates)[-1]
        # The table of all cells by all cells would stay until the next search, which then holds two.
        cast("Any", self.network).corr_block.corr_pyramid = []
        flow = found[0, :, : inner[1], : inner[0]].permute(1, 2, 0).cpu().numpy()
        return np.asarray(resize_flow(np.ascontiguousarray(flow), size), np.float32)

    def between(self, a: Frame, b: Frame) -> FlowPair:
        """Search both ways, and rate what is found at the size at which it was searched."""
        size = a.shape[1], a.shape[0]
        inner = searched_size(size, self.pixels)
        a, b = (shrunk(opaque(image), inner) for image in (a, b))
        flows = self(a, b), self(b, a)
        trusts = trust(a, b, *flows), trust(b, a, *flows[::-1])
        forward, backward = (resize_flow(each, size) for each in flows)
        return FlowPair(forward, backward, *(resized(each, size) for each in trusts))

    def _ready(self, image: Frame) -> Tensor:  # (H, W, 3) to (1, 3, H', W')
        """Continue a picture to whole cells by its lower and right border, and take its levels to between -1 and 1."""
        below, beside = (max(_LEAST, -(-length // _STEP) * _STEP) - length for length in image.shape[:2])
        whole = np.pad(image, ((0, below), (0, beside), (0, 0)), "edge")
        return torch.from_numpy(whole).to(self.device).permute(2, 0, 1)[None].float() / 127.5 - 1


@lru_cache(maxsize=1)  # it is asked for once for each pair of pictures
def load_raft(weights: Path, *, device: str | None = None, pixels: int = PIXELS, updates: int = UPDATES) -> Raft:
    """Load RAFT with weights from a safetensors file; from their names it tells the large network from the small one.

    Args:
        weights: what `CONVERT` wrote, or the same of `raft_small`.
        device: see `devices.choose`.
        pixels: larger pictures are searched at this size.
        updates: how often a flow is refined.
    """
    if pixels < _LEAST**2 or updates < 1:
        raise ValueError(f"RAFT needs at least {_LEAST**2} pixels and 1 update; got {pixels} and {updates}")
    state = read_weights(weights, called=_NAME, convert=CONVERT)
    networks = _networks()
    large = any(name.startswith("mask_predictor.") for name in state)  # the small one has no such part
    network: torch.nn.Module = (networks.raft_large if large else networks.raft_small)(weights=None)
    network = filled(network, state, weights, called=_NAME, device=device)
    return Raft(network, next(network.parameters()).device, pixels, updates)


def searched_size(size: tuple[int, int], pixels: int) -> tuple[int, int]:
    """Return the size (width, height) at which pictures are searched: as it is, or smaller in the same shape.

    A very long picture must be made shorter still, for it is continued on its short side.
    """
    scale = min(1.0, (pixels / (size[0] * size[1])) ** 0.5, pixels / _LEAST / max(size))
    return max(1, int(size[0] * scale)), max(1, int(size[1] * scale))


def _networks() -> Any:
    try:
        return importlib.import_module("torchvision.models.optical_flow")
    except ModuleNotFoundError as fault:
        if fault.name != "torchvision":
            raise  # installed but broken: the true cause must stay visible
        raise MissingExtra(
            "Searching motion with RAFT needs the package torchvision, which is not installed.",
            "Install the one that belongs to your PyTorch, as pytorch.org tells; often: pip install torchvision",
        ) from None
    except (ImportError, OSError, RuntimeError) as fault:
        raise MissingExtra(
            f"The torchvision that is installed does not work with PyTorch {torch.__version__}: {fault}.",
            "Install the two together, of the same build, as pytorch.org tells.",
        ) from fault
