"""Qwen-Image as a painter: guidance goes away from a picture without words, which a language model read as well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from keyweave.base.errors import ModelError
from keyweave.systems.dance.painting.parts import noise_levels, packed, refuse_stranger, unpacked

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor, nn

    from keyweave.models.loading import PartModel, QwenModel
    from keyweave.systems.dance.painting.painter import Size, Wish, Words

# What the model was trained to be asked, to the letter. What is read before the prompt is dropped.
_ASKED = (
    "<|im_start|>system\nDescribe the image by detailing the color, shape, size, texture, quantity, text, spatial "
    "relationships of the objects and background:<|im_end|>\n<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"
)
_DROPPED = 34  # tokens
_LONGEST = 1024  # tokens of what follows them
_NOTHING = " "


@dataclass(frozen=True, eq=False)
class QwenPainter:
    """Qwen-Image with a ControlNet of its own (Qwen/Qwen-Image with InstantX/Qwen-Image-ControlNet-Union)."""

    model: QwenModel
    refs: tuple[str, ...]
    networks: Mapping[str, nn.Module]
    device: str
    step: int
    guidance: float = 4.0

    @classmethod
    def of(cls, model: QwenModel, control: PartModel) -> QwenPainter:
        """Put a model and a controlling network together."""
        refuse_stranger(model, control, "QwenImageControlNetModel", ("in_channels", "joint_attention_dim"))
        network: Any = control.network
        if network.config.extra_condition_channels:
            raise ModelError(f"{control.ref} fills holes in a picture.", "Take one that follows canny edges.")
        networks: dict[str, nn.Module] = {"transformer": model.transformer, "controlnet": network}
        return cls(
            model, (model.ref, control.ref), networks, model.place.device, 2 * model.vae.spatial_compression_ratio
        )

    @torch.no_grad()
    def words(self, prompt: str) -> Words:
        """Read a prompt, and an empty one to go away from: (1, L, D) each."""
        return self._read(prompt), self._read(_NOTHING)

    @torch.no_grad()
    def latents(self, pictures: Tensor) -> Tensor:
        """Encode pictures as films of one frame: the middle of what the encoder allows."""
        vae: Any = self.model.vae
        found = vae.encode(pictures[:, :, None].to(self.device, vae.dtype)).latent_dist.mean.float()
        mean, spread = self._spread()
        return packed(((found - mean) / spread)[:, :, 0])

    def hints(self, drawings: Tensor) -> Tensor:
        """Encode edges: the network looks at latents."""
        return self.latents(drawings)

    def velocity(self, x: Tensor, sigma: Tensor, wish: Wish) -> Tensor:
        """Ask the controlling network, then the transformer: once by the words, and once without if guided.

        Guidance would make tokens too long, so each is brought back to its length, as the maker's code does.
        """
        transformer: Any = self.networks["transformer"]
        control: Any = self.networks["controlnet"]
        prompt, nothing = (row.expand(len(x), *row.shape[1:]) for row in wish.words)
        dtype = next(control.parameters()).dtype
        rows, columns = wish.size[1] // self.step, wish.size[0] // self.step

        def asked(network: Any, words: Tensor, **more: Any) -> Any:
            return network(
                hidden_states=x.to(dtype),
                encoder_hidden_states=words.to(dtype),
                timestep=sigma.to(dtype),
                img_shapes=[[(1, rows, columns)]] * len(x),
                return_dict=False,
                **more,
            )

        samples = asked(control, prompt, controlnet_cond=wish.hints.to(dtype))
        worded = asked(transformer, prompt, controlnet_block_samples=samples)[0]
        if wish.guidance <= 1:
            return worded
        plain = asked(transformer, nothing, controlnet_block_samples=samples)[0]
        guided = plain + wish.guidance * (worded - plain)
        return guided * (worded.norm(dim=-1, keepdim=True) / guided.norm(dim=-1, keepdim=True))

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
        mean, spread = self._spread()
        found = unpacked(latents, size[1] // self.step)[:, :, None] * spread + mean
        return vae.decode(found.to(vae.dtype), return_dict=False)[0][:, :, 0].float()

    def _read(self, prompt: str) -> Tensor:  # (1, L, D)
        """Return what the language model has in mind at each token."""
        model: Any = self.model
        found = model.tokenizer(
            [_ASKED.format(prompt)], max_length=_DROPPED + _LONGEST, truncation=True, return_tensors="pt"
        ).to(self.device)
        # Asked as a whole, not by its inner part alone: so it comes to the device where parts come one at a time.
        said = model.text_encoder(
            input_ids=found.input_ids,
            attention_mask=found.attention_mask,
            output_hidden_states=True,
            use_cache=False,
            logits_to_keep=1,
        )
        return said.hidden_states[-1][:, _DROPPED:]

    def _spread(self) -> tuple[Tensor, Tensor]:
        """Return mean and deviation of latents by channel: (C, 1, 1, 1) each."""
        vae: Any = self.model.vae
        mean, spread = torch.tensor([vae.config.latents_mean, vae.config.latents_std], device=self.device)
        return mean[:, None, None, None], spread[:, None, None, None]
