"""What a text-to-image model has learnt of one subject: low-rank changes of its attention, in one safetensors file.

The file carries its card with it, and the prompt that the subject answers to.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from keyweave.base.errors import ModelError, ModelNotFound
from keyweave.base.extras import need
from keyweave.base.files import replacing
from keyweave.base.seeds import derive
from keyweave.models.adapters import refuse_infinite
from keyweave.models.card import ModelCard
from keyweave.models.headers import AGAIN, read_header

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from torch import Tensor, nn

# Attention of pictures and words: the names are the same in all families of diffusers' transformers.
PROJECTIONS = ("to_q", "to_k", "to_v", "to_out.0", "add_q_proj", "add_k_proj", "add_v_proj", "to_add_out")
_CARD, _PROMPT = "keyweave subject", "prompt"
_NAME = "subject"
_SIDES = ("lora_A", "lora_B")
_PURPOSE = "painting a subject"


@dataclass(frozen=True, eq=False)
class SubjectLora:
    """A subject that was learnt.

    Args:
        matrices: by `network.layer.lora_A` (rank, in) and `network.layer.lora_B` (out, rank).
        prompt: what to ask for to get it.
        card: what is known about it; its `base` is the model that it was learnt on.
    """

    matrices: Mapping[str, Tensor]
    prompt: str
    card: ModelCard

    @property
    def rank(self) -> int:
        """Of the changes."""
        return next(len(matrix) for name, matrix in self.matrices.items() if name.endswith(_SIDES[0]))


@contextmanager
def low_rank(networks: Mapping[str, nn.Module], rank: int) -> Iterator[dict[str, nn.Parameter]]:
    """Let the attention of networks be changed by matrices of low rank; afterwards they are as they were.

    Args:
        networks: of diffusers, by the names that they have in files; they stay where they are and frozen.
        rank: of the changes.

    Yields:
        The matrices by their names, in full precision; while every `lora_B` is 0, which it is at first, nothing is
        changed.
    """
    need("peft", _PURPOSE)
    import torch  # noqa: PLC0415
    from peft import LoraConfig  # noqa: PLC0415

    parts: list[Any] = []
    found: dict[str, nn.Parameter] = {}
    try:
        for name, network in networks.items():
            part: Any = network
            config = LoraConfig(r=rank, lora_alpha=rank, target_modules=list(PROJECTIONS))
            with torch.random.fork_rng(devices=[]):  # what peft draws is not kept
                part.add_adapter(config, adapter_name=_NAME)
            parts.append(part)
            for place, parameter in part.named_parameters():
                layer, dot, side = place.removesuffix(f".{_NAME}.weight").rpartition(".")
                if dot and side in _SIDES:
                    parameter.data = parameter.data.float()
                    found[f"{name}.{layer}.{side}"] = parameter
        for parameter in found.values():
            parameter.data.zero_()
            parameter.requires_grad = True
        yield found
    finally:
        for part in parts:
            part.unload_lora()


def begin(matrices: Mapping[str, nn.Parameter], seed: int) -> None:
    """Give matrices the values that a training begins with: each `lora_A` random, each `lora_B` 0."""
    import torch  # noqa: PLC0415

    for name, matrix in matrices.items():
        if name.endswith(_SIDES[1]):
            matrix.data.zero_()
            continue
        chance = torch.Generator().manual_seed(derive(seed, "lora", name))
        matrix.data.copy_(torch.randn(matrix.shape, generator=chance) / len(matrix))


def put(lora: SubjectLora, matrices: Mapping[str, nn.Parameter]) -> None:
    """Give matrices the values that were learnt."""
    for name in sorted(matrices.keys() | lora.matrices.keys()):
        mine, theirs = matrices.get(name), lora.matrices.get(name)
        if mine is None or theirs is None or mine.shape != theirs.shape:
            where = name.removesuffix(f".{_SIDES[0]}").removesuffix(f".{_SIDES[1]}")
            raise ModelError(
                f"The subject {lora.card.name} does not fit these models: they differ at {where}.",
                f"It was learnt on {lora.card.base}; use it there.",
            )
        mine.data.copy_(theirs)


def write_subject(path: Path, lora: SubjectLora, *, overwrite: bool = False) -> None:
    """Write what was learnt, as precisely as it was."""
    need("safetensors", "writing a subject")
    from safetensors.torch import save_file  # noqa: PLC0415 - an extra

    tensors = {f"{name}.weight": matrix.detach().cpu().contiguous() for name, matrix in lora.matrices.items()}
    with replacing(path, overwrite=overwrite) as written:
        save_file(tensors, written, metadata={_CARD: lora.card.to_json(), _PROMPT: json.dumps(lora.prompt)})


def read_subject(path: Path) -> SubjectLora:
    """Read what was learnt; anything else is refused in one sentence."""
    if not path.is_file():
        raise ModelNotFound(f"There is no learnt subject {path}.", "Check the spelling of the path.")
    need("safetensors", "reading a subject")
    read_header(path)  # whole, and safetensors at all
    from safetensors import SafetensorError, safe_open  # noqa: PLC0415 - an extra

    try:
        with safe_open(str(path), framework="pt") as file:
            facts = file.metadata() or {}
            if _CARD not in facts:
                raise ModelError(
                    f"{path} is a safetensors file, but no subject that keyweave learnt.",
                    "`keyweave dance mirror --by REF --control REF` makes one.",
                )
            card, prompt = ModelCard.model_validate_json(facts[_CARD]), str(json.loads(facts[_PROMPT]))
            matrices = {name.removesuffix(".weight"): file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (ValidationError, ValueError, KeyError, TypeError, SafetensorError):
        raise ModelError(f"{path} is a damaged subject: its card or its matrices cannot be read.", AGAIN) from None
    if not matrices or not all(name.endswith(_SIDES) and one.ndim == 2 for name, one in matrices.items()):
        raise ModelError(f"{path} is a damaged subject: it holds other things than matrices of low rank.", AGAIN)
    for name, matrix in matrices.items():
        refuse_infinite(matrix, path, name)
    return SubjectLora(matrices, prompt, card)
