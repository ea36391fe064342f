"""FLUX.1 as a painter: guidance is a number that the network is told, and words are read by CLIP and T5."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from keyweave.base.errors import ModelError
from keyweave.systems.dance.painting.parts import noise_levels, packed, refuse_stranger, unpacked

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor, nn

    from keyweave.models.loading import FluxModel, PartModel
    from keyweave.systems.dance.painting.painter import Size, Wish, Words

_LONGEST = 512  # tokens of a prompt


@dataclass(frozen=True, eq=False)
class FluxPainter:
    """FLUX.1 with a ControlNet of its own (black-forest-labs/FLUX.1-dev with XLabs-AI/flux-controlnet-canny)."""

    model: FluxModel
    refs: tuple[str, ...]
    networks: Mapping[str, nn.Module]
    device: str
    step: int
    guidance: float = 3.5

    @classmethod
    def of(cls, model: FluxModel, control: PartModel) -> FluxPainter:
        """Put a model and a controlling network together."""
        alike = "in_channels", "joint_attention_dim", "pooled_projection_dim"
        refuse_stranger(model, control, "FluxControlNetModel", alike)
        network: Any = control.network
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
        """Ask the scheduler."""
        return noise_levels(self.model.scheduler, steps, self.shape(size)[0])

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
