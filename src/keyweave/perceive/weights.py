"""Weights of networks that others trained: read from safetensors files that people bring, names and shapes compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from keyweave.base.errors import ModelError, ModelNotFound
from keyweave.base.extras import need
from keyweave.models.devices import choose

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from torch import Tensor, nn

    Network = TypeVar("Network", bound=nn.Module)

_COUNTER = ".num_batches_tracked"  # only training reads it, and older files have none


def convert_line(pickle: str, file: str) -> str:
    """Return the command that makes a safetensors file of a pickled state dict, whatever device it was saved from."""
    return (
        'python -c "import torch; from safetensors.torch import save_file; '
        f"save_file({{name: tensor.contiguous() for name, tensor in "
        f"torch.load('{pickle}', map_location='cpu', weights_only=True).items()}}, '{file}')\""
    )


def read_weights(path: Path, *, called: str, convert: str) -> dict[str, Tensor]:
    """Read all tensors of a file.

    Args:
        path: a safetensors file.
        called: whose weights they should be, for messages.
        convert: the command that makes such a file.
    """
    if not path.is_file():
        raise ModelNotFound(f"There is no file {path} with weights for {called}.", f"To make one: {convert}")
    need("safetensors", f"reading the weights of {called}")
    from safetensors import SafetensorError  # noqa: PLC0415 - an extra
    from safetensors.torch import load_file  # noqa: PLC0415

    try:
        return load_file(path)
    except (SafetensorError, OSError) as fault:
        raise ModelError(
            f"{path} is not a safetensors file, or is damaged ({fault}).",
            f"Pickles (.pth, .pt) can run code and are not read; to convert one: {convert}",
        ) from None


def filled(
    network: Network,
    state: Mapping[str, Tensor],
    path: Path,
    *,
    called: str,
    ignored: Iterable[str] = (),
    device: str | None = None,
) -> Network:
    """Fill a network with its weights, and return it ready to look, in float32.

    Args:
        network: whose tensors have the names of the file's.
        state: what `read_weights` returned.
        path: where that is from, for messages.
        called: whose weights they should be.
        ignored: how names begin that may be there and are not wanted.
        device: see `devices.choose`.

    Raises:
        ModelError: a tensor is missing, is too much, or has another shape.
    """
    wanted = {name: tensor for name, tensor in network.state_dict().items() if not name.endswith(_COUNTER)}
    found = {
        name: tensor
        for name, tensor in state.items()
        if not name.endswith(_COUNTER) and not name.startswith(tuple(ignored))
    }
    missing, surplus = (sorted(a.keys() - b.keys()) for a, b in ((wanted, found), (found, wanted)))
    others = sorted(name for name in wanted.keys() & found.keys() if wanted[name].shape != found[name].shape)
    fault = ""
    if missing:
        fault = f"{len(missing)} of {len(wanted)} tensors are missing, such as {missing[0]}"
    elif surplus:
        fault = f"{len(surplus)} tensors are not its own, such as {surplus[0]}"
    elif others:
        fault = f"{others[0]} has the shape {_shape(found[others[0]])} in place of {_shape(wanted[others[0]])}"
    if fault:
        raise ModelError(f"{path} does not hold the weights of {called}: {fault}.")
    network.load_state_dict(found, strict=False)  # all are there but counters
    return network.eval().requires_grad_(False).to(choose(device, "float32").device)


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "of one number"
