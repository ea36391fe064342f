"""Training the autoencoder of `toy-video`: pictures of the drawn world to latents an eighth as wide, and back."""

from __future__ import annotations

from contextlib import contextmanager
from types import MethodType
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn import functional

from keyweave.base.seeds import derive
from keyweave.diffusion.vae import decode, encode
from keyweave.maths.tensors import to_frames, to_tensor
from keyweave.media.pictures.images import write_image
from keyweave.media.sheet import strip
from keyweave.recipes.thumbnail import start_as_thumbnail
from keyweave.toyworld.scenes import scene_of
from keyweave.toyworld.shots import shoot

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from diffusers.models.autoencoders.autoencoder_kl_temporal_decoder import AutoencoderKLTemporalDecoder
    from diffusers.models.resnet import SpatioTemporalResBlock
    from torch import Tensor, nn

    from keyweave.media.types import Frame
    from keyweave.toyworld.scenes import Split

WIDTHS = (96, 96, 128, 128)  # less than 96, and the norms of the class lose flat colours
CHANNELS = 8
_FRAMES = 14
_AT_ACTORS = 0.7  # the share of the cuttings in whose middle an actor is
_COLORFUL = 1.8  # how much more a fault of colour counts than one of light
_COARSE, _EDGES, _NOISE = 1.0, 0.5, 1e-5  # what the parts of the loss count
_SHOWN, _MEASURED = 12, 48


def fresh_autoencoder(seed: int = 0) -> AutoencoderKLTemporalDecoder:
    """Make an untrained autoencoder of the class that the released models have."""
    from diffusers.models.autoencoders.autoencoder_kl_temporal_decoder import (  # noqa: PLC0415 - slow to import, an extra
        AutoencoderKLTemporalDecoder,
    )

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(seed, "autoencoder"))
        shape: dict[str, Any] = {  # the class's own hints say that there is one level
            "down_block_types": ("DownEncoderBlock2D",) * len(WIDTHS),
            "block_out_channels": WIDTHS,
        }
        model = AutoencoderKLTemporalDecoder(
            **shape, layers_per_block=1, latent_channels=CHANNELS, sample_size=64, force_upcast=False
        )
        start_as_thumbnail(model)
    return model


class AutoencoderTask:
    """Learn to hand pictures through.

    A sample is a clip, from which some frames are taken, or squares cut out of them: faults in actors show, and most of
    a whole frame is sky.

    Args:
        model: the autoencoder.
        size: how wide and high the cuttings are, in pixels; 64 for whole frames.
        frames: how many are taken from each clip.
        seed: another world.
    """

    def __init__(self, model: AutoencoderKLTemporalDecoder, *, size: int, frames: int, seed: int = 0) -> None:
        self._model = model
        self._size = size
        self._frames = frames
        self._seed = seed
        # What mixes frames starts as nothing, and single frames never change that: left out, the step is the same.
        self._held = [
            parameter for name, parameter in model.named_parameters() if "temporal" in name or "time_" in name
        ]
        for parameter in self._held:
            parameter.requires_grad_(False)

    @property
    def model(self) -> nn.Module:
        """What is trained."""
        return self._model

    def loss(self, samples: Sequence[int]) -> tuple[Tensor, dict[str, float]]:
        """Return the loss over frames of these clips."""
        device = next(self._model.parameters()).device
        pictures = to_tensor(np.concatenate([self._cuttings(number) for number in samples])).to(device)
        noise = torch.from_numpy(
            np.concatenate([_noise(self._seed, number, self._frames, self._size // 8) for number in samples])
        ).to(device)
        with single_frames(self._model):
            posterior = encode(self._model, pictures)
            made = decode(self._model, posterior.mean + posterior.std * noise, 1)
        fault = likeness(made, pictures)
        return fault + _NOISE * posterior.kl().mean(), {"psnr": psnr(made.detach(), pictures)}

    @torch.no_grad()
    def validate(self, folder: Path, step: int) -> dict[str, float]:
        """Measure on whole frames of clips that are never trained on; draw some."""
        device = next(self._model.parameters()).device
        frames = np.stack([_frame("validation", number, self._seed) for number in range(_MEASURED)])
        real = to_tensor(frames)
        made = torch.cat([self._through(batch.to(device)) for batch in real.split(8)])
        rows = [("real", list(frames[:_SHOWN])), ("made", list(to_frames(made[:_SHOWN])))]
        sheet = strip(rows, title=f"autoencoder, step {step}", cell_width=128)
        write_image(folder / f"autoencoder-{step:06d}.png", sheet, overwrite=True)
        return {"psnr": psnr(made, real), **_colors_kept(made, real)}

    def _through(self, pictures: Tensor) -> Tensor:
        return decode(self._model, encode(self._model, pictures).mode(), 1).clamp(-1, 1).cpu()

    def _cuttings(self, number: int) -> np.ndarray:
        """Return squares (frames, size, size, 3) of a clip."""
        chance = np.random.default_rng(derive(self._seed, "cuttings", number))
        scene = scene_of("train", number, seed=self._seed)
        clip = shoot(scene, frames=_FRAMES).frames
        height, width = clip.shape[1:3]
        found = np.empty((self._frames, self._size, self._size, 3), np.uint8)
        for row, frame in enumerate(chance.choice(_FRAMES, self._frames, replace=False)):
            at = chance.uniform(0, (width, height))
            if chance.random() < _AT_ACTORS:
                role = scene.cast[int(chance.integers(len(scene.cast)))]
                time = frame / (_FRAMES - 1)
                (place,), _, _ = role.course.at(np.array([time]))
                at = (place - (scene.pan * time, 0)) * height + chance.normal(0, self._size / 6, 2)
            x, y = (at - self._size / 2).round().astype(int).clip(0, (width - self._size, height - self._size))
            cutting = clip[frame, y : y + self._size, x : x + self._size]
            found[row] = cutting[:, ::-1] if chance.random() < 0.5 else cutting
        return found


@contextmanager
def single_frames(model: AutoencoderKLTemporalDecoder) -> Iterator[None]:
    """Leave out what mixes frames, while it is nothing anyway: half of the time of a step."""
    from diffusers.models.resnet import SpatioTemporalResBlock  # noqa: PLC0415

    blocks = [block for block in model.modules() if isinstance(block, SpatioTemporalResBlock)]
    for block in blocks:
        block.forward = MethodType(_in_space_only, block)
    try:
        yield
    finally:
        for block in blocks:
            del block.forward


def _in_space_only(
    block: SpatioTemporalResBlock, hidden_states: Tensor, temb: Tensor | None = None, **_: Any
) -> Tensor:
    return block.spatial_res_block(hidden_states, temb)


def likeness(made: Tensor, real: Tensor, weight: Tensor | None = None) -> Tensor:
    """Return how far pictures (B, 3, H, W) are apart: in light, in colour, in the large, and at edges.

    Args:
        made: pictures.
        real: the right ones.
        weight: (B, 1, H, W) what each place counts; all the same without.
    """
    turn = torch.tensor([[1, 1, 1], [1, -1, 0], [1, 1, -2]], dtype=made.dtype, device=made.device)
    turn = turn / turn.norm(dim=1, keepdim=True) * torch.tensor([1, _COLORFUL, _COLORFUL]).to(made)[:, None]
    fault = torch.einsum("ij,bjhw->bihw", turn, made - real)
    if weight is not None:
        fault = fault * weight
    coarse = functional.avg_pool2d(fault, 8)
    edges = fault.diff(dim=2).abs().mean() + fault.diff(dim=3).abs().mean()
    return fault.abs().mean() + fault.square().mean() + _COARSE * coarse.abs().mean() + _EDGES * edges


def _noise(seed: int, number: int, frames: int, wide: int) -> np.ndarray:
    chance = np.random.default_rng(derive(seed, "posterior", number))
    return chance.standard_normal((frames, CHANNELS, wide, wide), np.float32)


def _frame(split: Split, number: int, seed: int) -> Frame:
    return shoot(scene_of(split, number, seed=seed), frames=_FRAMES).frames[number % _FRAMES]


def psnr(made: Tensor, real: Tensor) -> float:
    """Return the mean PSNR of pictures (B, 3, H, W) from -1 to 1, in dB."""
    fault = (made.clamp(-1, 1) - real).square().mean(dim=(1, 2, 3)) / 4
    return float((-10 * torch.log10(fault.clamp_min(1e-10))).mean())


def _colors_kept(made: Tensor, real: Tensor) -> dict[str, float]:
    """Return, for red minus green and for yellow minus blue, how much of what pictures differ in is kept; 1 is all."""
    kept = {}
    for name, turn in (("red", (1.0, -1.0, 0.0)), ("blue", (1.0, 1.0, -2.0))):
        mine, theirs = (torch.einsum("c,bchw->b", torch.tensor(turn), pictures) for pictures in (made, real))
        spread = (theirs - theirs.mean()).square().sum().clamp_min(1e-9)
        kept[name] = 1 - float((mine - theirs).square().sum() / spread)
    return kept
