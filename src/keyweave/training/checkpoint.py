"""Checkpoints: all that a training is at a step, as safetensors and JSON; whole or not there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from keyweave.base.errors import InputError, MediaError
from keyweave.base.files import existing_file, replacing_folder, write_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import torch
    from torch import Tensor

_STATE, _TENSORS = "state.json", "tensors.safetensors"
_MARK = "keyweave training"


def save(folder: Path, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
    """Write a checkpoint in one step; the one before it stays until then."""
    from safetensors.torch import save_file  # noqa: PLC0415 - only trainings need it

    with replacing_folder(folder, overwrite=True) as part:
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, part / _TENSORS)
        write_text(part / _STATE, json.dumps({_MARK: 1, **state}, indent=2) + "\n")


def load(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read a checkpoint."""
    from safetensors import SafetensorError  # noqa: PLC0415
    from safetensors.torch import load_file  # noqa: PLC0415

    state = state_of(folder)
    try:
        return load_file(folder / _TENSORS), state
    except (SafetensorError, FileNotFoundError) as fault:
        raise damaged(folder, f"{_TENSORS}: {fault}") from None


def damaged(folder: Path, why: str) -> MediaError:
    """Say that a checkpoint cannot be gone on from."""
    return MediaError(
        f"The checkpoint {folder} is damaged: {why}.",
        f"Put it back from a copy, or delete {folder} to begin the training anew.",
    )


def state_of(folder: Path) -> dict[str, Any]:
    """Read what a checkpoint says of itself, without its tensors."""
    text = existing_file(folder / _STATE).read_text(encoding="utf-8")
    try:
        state = json.loads(text)
        if state.pop(_MARK) != 1:
            raise InputError(f"{folder} is a checkpoint of a later version.", "Install a newer keyweave.")
    except (ValueError, KeyError, AttributeError, TypeError):
        raise InputError(f"{folder / _STATE} is no state of a training.", "Name the folder of a training.") from None
    return state


def exists(folder: Path) -> bool:
    """Tell whether there is a checkpoint."""
    return (folder / _STATE).is_file()


def pack(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return the state of an optimizer as named tensors."""
    rows = optimizer.state_dict()["state"]
    return {f"optimizer.{number}.{name}": value for number, row in rows.items() for name, value in row.items()}


def unpack(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Give an optimizer the state back that `pack` took from it."""
    rows: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith("optimizer."):
            _, number, name = key.split(".")
            rows.setdefault(int(number), {})[name] = value
    state = optimizer.state_dict()
    optimizer.load_state_dict({"state": rows, "param_groups": state["param_groups"]})
