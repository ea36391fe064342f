"""Packages that only some jobs need: the one sentence that names the extra to install."""

from __future__ import annotations

import importlib
import importlib.util
from typing import TYPE_CHECKING

from keyweave.base.errors import MissingExtra

if TYPE_CHECKING:
    from types import ModuleType

# Which extra of pyproject.toml brings a package, by the name it is imported under.
EXTRA_OF = {
    "accelerate": "train",
    "ai_edge_litert": "dance",
    "beat_this": "beats",
    "diffusers": "generate",
    "huggingface_hub": "generate",
    "librosa": "dance",
    "opentimelineio": "editing",
    "peft": "generate",
    "psutil": "generate",
    "safetensors": "train",
    "transformers": "generate",
}


def need(package: str, purpose: str) -> ModuleType:
    """Import `package`, or say in one sentence what it is needed for and how to get it.

    Args:
        package: import name, one of EXTRA_OF.
        purpose: what cannot be done without it, as in "loading a diffusion model".
    """
    extra = EXTRA_OF[package]
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as fault:
        if fault.name != package:
            raise  # installed but broken: the true cause must stay visible
        raise MissingExtra(
            f"{purpose[0].upper()}{purpose[1:]} needs the package {package}, which is not installed.",
            f"Install it with: {install_line(extra)}",
        ) from None


def installed(package: str) -> bool:
    """Tell whether a package could be imported, without importing it."""
    return importlib.util.find_spec(package) is not None


def install_line(extra: str) -> str:
    """Name the command that installs an extra."""
    return f'pip install "keyweave[{extra}]"'
