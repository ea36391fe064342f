"""Where tensors live and how precise they are: decided here, once, at loading; below, code follows its tensors."""

from __future__ import annotations

import math
import platform
import time
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal

from keyweave.base.errors import InputError
from keyweave.base.extras import need

if TYPE_CHECKING:
    from collections.abc import Callable

Offload = Literal["all on device", "model offload"]
DTYPES = ("float32", "bfloat16", "float16")
DEVICES = "cpu, cuda, cuda:N or mps"
# Below this gain, half the precision is not worth having. Processors lie far to either side of it, so that one which is
# busy with something else comes to the same answer.
_WORTH = 2
_HOPELESS = 10  # times slower, which no disturbance explains away
_ROUNDS = 50  # in which both are timed in turn, so that what disturbs one does not spare the other for long
# Pictures on their way through a network need room too; released models need about as much as their weights.
_FOR_WEIGHTS = 0.5


@dataclass(frozen=True)
class Place:
    """Where a model computes.

    Args:
        device: such as "cpu" or "cuda:0".
        dtype: the name of the precision, such as "float32".
    """

    device: str
    dtype: str


def choose(device: str | None = None, dtype: str | None = None) -> Place:
    """Choose where to compute and how precisely; what was asked for is taken, or refused in one sentence.

    Args:
        device: "cpu", "cuda", "cuda:1" or "mps"; the fastest there is if left out.
        dtype: "float32", "bfloat16" or "float16"; if left out, half precision where it is faster.
    """
    chosen = _best_device() if device is None else _checked_device(device)
    if dtype is not None and dtype not in DTYPES:
        raise InputError(f"--dtype: {dtype!r} is no precision.", f"Choose from: {', '.join(DTYPES)}.")
    return Place(chosen, dtype or _best_dtype(chosen))


def place_weights(model_bytes: int, free_bytes: int) -> Offload:
    """Decide whether a model's parts stay on the device together, or come to it one at a time.

    Args:
        model_bytes: of all parts, in the precision that they compute in.
        free_bytes: of the device's memory.
    """
    return "all on device" if model_bytes <= _FOR_WEIGHTS * free_bytes else "model offload"


def free_bytes(device: str) -> int | None:
    """Return the free memory of a GPU; None where programs and GPU share one memory.

    What PyTorch holds ready and nothing lies in is free, too: else a second clip of the same size would find less than
    the first did, and be made in another way.
    """
    if not device.startswith("cuda"):
        return None
    import torch  # noqa: PLC0415

    ready = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return torch.cuda.mem_get_info(device)[0] + ready


def room_for_work(device: str) -> int:
    """Return how many bytes the work of a model may take on a device.

    On a CUDA GPU, what is free. Elsewhere half of what there is, which is the same however busy the machine is, and so
    is what is made there; the other half is for weights and for other programs.
    """
    free = free_bytes(device)
    return need("psutil", "reckoning memory").virtual_memory().total // 2 if free is None else free


def hardware(device: object) -> str:
    """Say in a few words what a device is, for cards.

    Args:
        device: a torch device, or its name.
    """
    if str(device).startswith("cuda"):
        import torch  # noqa: PLC0415

        return torch.cuda.get_device_name(str(device))
    return f"{'a CPU' if str(device) == 'cpu' else device} ({platform.machine()})"


def _best_device() -> str:
    import torch  # noqa: PLC0415

    if torch.cuda.is_available():
        return "cuda:0"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _checked_device(device: str) -> str:
    import torch  # noqa: PLC0415

    name, colon, number = device.partition(":")
    if name not in ("cpu", "cuda", "mps") or (colon and not (name == "cuda" and number.isdecimal())):
        raise InputError(f"--device: {device!r} is no device.", f"Choose from: {DEVICES}.")
    if name == "mps" and not torch.backends.mps.is_available():
        raise InputError("--device: this PyTorch sees no Apple GPU (mps).", "Leave --device out to use what there is.")
    if name != "cuda":
        return name
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if count == 0:
        raise InputError(
            "--device: this PyTorch sees no CUDA GPU.", "Leave --device out; `keyweave doctor` tells more."
        )
    if int(number or 0) >= count:
        raise InputError(f"--device: there is no {device}; this machine has {count}, counted from cuda:0.")
    return f"cuda:{int(number or 0)}"


def _best_dtype(device: str) -> str:
    import torch  # noqa: PLC0415

    if device.startswith("cuda"):
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float16"
    if device == "mps":
        return "float16"
    return _best_dtype_of_cpu()


@cache
def _best_dtype_of_cpu() -> str:
    """Measure it: on some processors products in bfloat16 are 80 times slower than in float32, on others faster."""
    import torch  # noqa: PLC0415

    one, threads = torch.ones(128, 128), torch.get_num_threads()
    half = one.bfloat16()
    torch.set_num_threads(1)  # waiting for a thread that a neighbour holds up would drown what is measured
    try:
        gain = _gain(lambda: one @ one, lambda: half @ half)
    finally:
        torch.set_num_threads(threads)
    return "bfloat16" if gain > _WORTH else "float32"


def _gain(one: Callable[[], object], other: Callable[[], object]) -> float:
    """Return how many times longer one work takes than another, both at their best; no first call counts."""
    best = [math.inf, math.inf]
    for number in range(_ROUNDS + 1):
        if number > 1 and best[1] > _HOPELESS * best[0]:
            break
        for which, work in enumerate((one, other)):
            start = time.perf_counter()
            work()
            taken = time.perf_counter() - start
            best[which] = min(best[which], taken) if number else math.inf
    return best[0] / max(best[1], 1e-9)
