"""Networks in TensorFlow's format for small machines, run by LiteRT."""

from __future__ import annotations

import importlib
import math
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from keyweave.base.errors import ModelError
from keyweave.base.extras import need

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Floats = NDArray[np.floating]


class Network(Protocol):
    """From a picture (H, W, 3) to some arrays of numbers."""

    def __call__(self, picture: Floats) -> Sequence[Floats]: ...  # noqa: D102


def load_network(path: Path, *, threads: int = 2) -> Network:
    """Load a network that takes one picture.

    Args:
        path: a .tflite file; it is trusted, for its checksum was compared when it came.
        threads: how many it may use.
    """
    try:
        network: Any = _litert().Interpreter(model_path=str(path), num_threads=threads)
        network.allocate_tensors()
    except (ValueError, RuntimeError):
        raise ModelError(f"LiteRT cannot run {path}.", "Fetch it again: keyweave models pull people") from None
    (door,) = network.get_input_details()
    doors = network.get_output_details()

    def run(picture: Floats) -> list[Floats]:
        network.set_tensor(door["index"], np.asarray(picture, np.float32)[None])
        network.invoke()
        return [network.get_tensor(each["index"]) for each in doors]

    return run


def shaped(outputs: Sequence[Floats], *shape: int) -> Floats:
    """Return the output with as many numbers as a shape has, in that shape; how outputs are ordered differs."""
    (found,) = (each for each in outputs if each.size == math.prod(shape))
    return found.reshape(shape).astype(np.float64)


def sigmoid(numbers: Floats) -> Floats:
    """Return what share of certainty (0 to 1) a network's numbers stand for."""
    return 1 / (1 + np.exp(-np.clip(numbers, -100, 100)))


def _litert() -> Any:
    need("ai_edge_litert", "finding poses")
    return importlib.import_module("ai_edge_litert.interpreter")
