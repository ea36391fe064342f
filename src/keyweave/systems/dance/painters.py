"""Painters: text-to-image models that follow edges. What differs between families of them stands here, and only here.

All of them are flows: at `sigma` the picture is (1 - sigma) x + sigma noise, and the network tells the velocity
noise - x.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from keyweave.base.errors import ModelError
from keyweave.base.progress import SILENT, Progress
from keyweave.base.seeds import derive
from keyweave.models.finding import find
from keyweave.models.loading import load

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor, nn

    from keyweave.models.loading import PartModel, PictureModel

    Size = tuple[int, int]  # width and height, in pixels
    Words = tuple[Tensor, ...]  # what text encoders say of a prompt, one row each

_LONGEST = 512  # tokens of a prompt


@dataclass(frozen=True, eq=False)
class Wish:
    """What is to be painted.

    Args:
        words: what the painter says of the prompt.
        hints: (N, ...) what it says of the edges.
        size: of the picture.
        guidance: how much words count.
    """

    words: Words
    hints: Tensor
    size: Size
    guidance: float


class Painter(Protocol):
    """A model that paints what words say, along edges."""

    @property
    def refs(self) -> tuple[str, ...]:
        """The models, by what names them for good."""
        ...

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        """Those that learn a subject."""
        ...

    @property
    def device(self) -> str:
        """Where they compute."""
        ...

    @property
    def step(self) -> int:
        """Both sides of a picture are multiples of it."""
        ...

    @property
    def guidance(self) -> float:
        """How much words count when it paints, where nobody says otherwise."""
        ...

    def words(self, prompt: str) -> Words:
        """Read a prompt."""
        ...

    def latents(self, pictures: Tensor) -> Tensor:
        """Encode pictures (N, 3, H, W) to tokens (N, L, C)."""
        ...

    def hints(self, drawings: Tensor) -> Tensor:
        """Make of edges (N, 3, H, W) what the controlling network takes, (N, ...)."""
        ...

    def velocity(self, x: Tensor, sigma: Tensor, wish: Wish) -> Tensor:
        """Tell the velocity of tokens (N, L, C) at levels of noise (N,)."""
        ...

    def sigmas(self, steps: int, size: Size) -> Tensor:
        """Return the levels of noise that a picture passes, from 1 to 0: (steps + 1,)."""
        ...

    def shape(self, size: Size) -> tuple[int, int]:
        """Return how many tokens a picture has, and how many channels these: L and C."""
        ...

    def pictures(self, latents: Tensor, size: Size) -> Tensor:
        """Decode tokens (N, L, C) to pictures (N, 3, H, W)."""
        ...


@torch.no_grad()
def paint(painter: Painter, wish: Wish, *, seed: int, steps: int) -> Tensor:  # (N, 3, H, W)
    """Paint along Euler's straight steps; one seed begins every picture with the same noise."""
    chance = torch.Generator().manual_seed(derive(seed, "painting"))
    x = torch.randn(1, *painter.shape(wish.size), generator=chance).to(painter.device)
    x = x.repeat(len(wish.hints), 1, 1)
    for now, then in pairwise(painter.sigmas(steps, wish.size).tolist()):
        x = x + (then - now) * painter.velocity(x, x.new_full((len(x),), now), wish).float()
    return painter.pictures(x, wish.size)


def find_painter(by: str, control: str, *, progress: Progress = SILENT) -> FluxPainter:
    """Find and load a text-to-image model and the network that controls it; see `models.finding.find` for names."""
    model, controlling = find(by, "text-to-image", progress=progress), find(control, "part", progress=progress)
    picture = load(model, "text-to-image")
    part = load(controlling, "part", device=picture.place.device, dtype=picture.place.dtype)
    return FluxPainter.of(picture, part)


@dataclass(frozen=True, eq=False)
class FluxPainter:
    """FLUX.1 with a ControlNet of its own (black-forest-labs/FLUX.1-dev with XLabs-AI/flux-controlnet-canny)."""

    model: PictureModel
    refs: tuple[str, ...]
    networks: Mapping[str, nn.Module]
    device: str
    step: int
    guidance: float = 3.5

    @classmethod
    def of(cls, model: PictureModel, control: PartModel) -> FluxPainter:
        """Put a model and a controlling network together."""
        network: Any = control.network
        if type(network).__name__ != "FluxControlNetModel":
            raise ModelError(f"{control.ref} is a {type(network).__name__}; here a FluxControlNetModel is needed.")
        ours: Any = model.transformer
        for name in ("in_channels", "joint_attention_dim", "pooled_projection_dim"):
            if network.config[name] != ours.config[name]:
                raise ModelError(
                    f"{control.ref} cannot control {model.ref}: its {name} is {network.config[name]}, and there "
                    f"{ours.config[name]}."
                )
        if network.inner_dim != ours.inner_dim:
            raise ModelError(
                f"{control.ref} cannot control {model.ref}: it is {network.inner_dim} wide, not {ours.inner_dim}."
            )
        if network.union:
            raise ModelError(
                f"{control.ref} listens to several kinds of control at once.", "Take one that was made for canny edges."
            )
        scale = 2 ** len(model.vae.config["block_out_channels"])
        networks: dict[str, nn.Module] = {"transformer": model.transformer, "controlnet": control.network}
        return cls(model, (model.ref, control.ref), networks, model.place.device, scale)

    @torch.no_grad()
    def words(self, prompt: str) -> Words:
        """Read a prompt with both text encoders: (1, L, D) for each token, and (1, D) for all."""
        model: Any = self.model

        def tokens(tokenizer: Any) -> Tensor:
            most = min(_LONGEST, tokenizer.model_max_length)
            found = tokenizer([prompt], padding="max_length", max_length=most, truncation=True, return_tensors="pt")
            return found.input_ids.to(self.device)

        whole = model.text_encoder(tokens(model.tokenizer)).pooler_output
        return model.text_encoder_2(tokens(model.tokenizer_2))[0], whole

    @torch.no_grad()
    def latents(self, pictures: Tensor) -> Tensor:
        """Encode pictures: the middle of what the encoder allows."""
        vae: Any = self.model.vae
        found = vae.encode(pictures.to(self.device, vae.dtype)).latent_dist.mean.float()
        return packed((found - vae.config.shift_factor) * vae.config.scaling_factor)

    def hints(self, drawings: Tensor) -> Tensor:
        """Give edges to a network that looks at pixels as they are, and encode them for one that looks at latents."""
        network: Any = self.networks["controlnet"]
        return self.latents(drawings) if network.input_hint_block is None else drawings.to(self.device)

    def velocity(self, x: Tensor, sigma: Tensor, wish: Wish) -> Tensor:
        """Ask the controlling network, then the transformer."""
        transformer: Any = self.networks["transformer"]
        control: Any = self.networks["controlnet"]
        tokens, whole = (row.expand(len(x), *row.shape[1:]) for row in wish.words)
        dtype = next(control.parameters()).dtype
        ids = torch.zeros(tokens.shape[1], 3, device=x.device), self._places(wish.size, x)

        def asked(network: Any, **more: Any) -> Any:
            strength = x.new_full((len(x),), wish.guidance) if network.config.guidance_embeds else None
            return network(
                hidden_states=x.to(dtype),
                encoder_hidden_states=tokens.to(dtype),
                pooled_projections=whole.to(dtype),
                timestep=sigma.to(dtype),
                guidance=strength,
                txt_ids=ids[0],
                img_ids=ids[1],
                return_dict=False,
                **more,
            )

        doubles, singles = asked(control, controlnet_cond=wish.hints.to(dtype))
        return asked(
            transformer,
            controlnet_block_samples=doubles,
            controlnet_single_block_samples=singles,
            controlnet_blocks_repeat=control.input_hint_block is not None,  # as its maker's code does
        )[0]

    def sigmas(self, steps: int, size: Size) -> Tensor:
        """Ask the scheduler: the more tokens, the longer it stays where there is much noise."""
        scheduler: Any = deepcopy(self.model.scheduler)
        facts = scheduler.config
        slope = (facts.max_shift - facts.base_shift) / (facts.max_image_seq_len - facts.base_image_seq_len)
        shift = facts.base_shift + slope * (self.shape(size)[0] - facts.base_image_seq_len)
        scheduler.set_timesteps(sigmas=np.linspace(1, 1 / steps, steps), mu=shift)
        return scheduler.sigmas

    def shape(self, size: Size) -> tuple[int, int]:
        """Count tokens of two by two latents."""
        transformer: Any = self.networks["transformer"]
        return (size[0] // self.step) * (size[1] // self.step), transformer.config.in_channels

    @torch.no_grad()
    def pictures(self, latents: Tensor, size: Size) -> Tensor:
        """Decode tokens."""
        vae: Any = self.model.vae
        found = unpacked(latents, size[1] // self.step) / vae.config.scaling_factor + vae.config.shift_factor
        return vae.decode(found.to(vae.dtype), return_dict=False)[0].float()

    def _places(self, size: Size, like: Tensor) -> Tensor:
        """Return row and column of each token, after a 0: (L, 3)."""
        rows, columns = size[1] // self.step, size[0] // self.step
        found = torch.cartesian_prod(torch.zeros(1), torch.arange(rows * 1.0), torch.arange(columns * 1.0))
        return found.to(like.device)


def packed(latents: Tensor) -> Tensor:  # (N, C, 2 h, 2 w) -> (N, h w, 4 C)
    """Make one token of two by two latents."""
    return pixel_unshuffle(latents, 2).flatten(2).mT


def unpacked(tokens: Tensor, rows: int) -> Tensor:  # (N, h w, 4 C) -> (N, C, 2 h, 2 w)
    """Undo `packed`."""
    return pixel_shuffle(tokens.mT.unflatten(2, (rows, -1)), 2)
