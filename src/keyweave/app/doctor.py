"""What this installation can do, and how to add what it cannot."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from keyweave.base.extras import EXTRA_OF, install_line, installed
from keyweave.base.version import VERSION

Verdict = Literal["ok", "missing", "absent"]  # missing: the core does not work; absent: only an extra is not there


@dataclass(frozen=True)
class Finding:
    """One line of the report."""

    subject: str
    verdict: Verdict
    says: str


def examine() -> list[Finding]:
    """Look at Python, devices, codecs, extras and the model cache. Nothing is installed or downloaded."""
    return [
        Finding("keyweave", "ok", VERSION),
        Finding("python", "ok", f"{platform.python_version()} on {platform.platform(terse=True)}"),
        Finding("processors", "ok", f"{os.cpu_count() or 1}"),
        *_core(),
        *_codecs(),
        *_device(),
        *_extras(),
        _cache(),
    ]


def cache_folder() -> Path:
    """Name the folder of the hub's models, by the hub's own rules."""
    home = os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "huggingface"
    return Path(os.environ.get("HF_HUB_CACHE") or Path(home) / "hub")


def _core() -> list[Finding]:
    found: list[Finding] = []
    for name in ("av", "numpy", "opencv-python-headless", "pillow", "pydantic", "rich", "torch"):
        try:
            found.append(Finding(name, "ok", metadata.version(name)))
        except metadata.PackageNotFoundError:
            found.append(Finding(name, "missing", f"not installed; {sys.executable} -m pip install {name}"))
    return found


def _codecs() -> list[Finding]:
    if not installed("av"):
        return []
    from keyweave.media.writers import FORMATS, missing_encoders  # noqa: PLC0415 - must work without it

    absent = missing_encoders()
    fine = [ending for ending in FORMATS if ending not in absent]
    found = [Finding("writes", "ok", " ".join(fine))]
    return found + [
        Finding(f"writing {ending}", "missing", f"this FFmpeg has no {name}") for ending, name in absent.items()
    ]


def _device() -> list[Finding]:
    if not installed("torch"):
        return []
    import torch  # noqa: PLC0415 - takes seconds, and only here

    if torch.cuda.is_available():
        names = ", ".join(torch.cuda.get_device_name(k) for k in range(torch.cuda.device_count()))
        return [Finding("device", "ok", f"cuda: {names}")]
    if torch.backends.mps.is_available():
        return [Finding("device", "ok", "mps")]
    return [Finding("device", "ok", "cpu (no GPU that PyTorch can use)")]


def _extras() -> list[Finding]:
    rows: list[Finding] = []
    for extra in sorted(set(EXTRA_OF.values())):
        absent = [package for package, of in EXTRA_OF.items() if of == extra and not installed(package)]
        says = f"without {', '.join(absent)}; {install_line(extra)}" if absent else "installed"
        rows.append(Finding(f"extra {extra}", "absent" if absent else "ok", says))
    return rows


def _cache() -> Finding:
    folder = cache_folder()
    if not folder.is_dir():
        return Finding("model cache", "ok", f"{folder} (empty)")
    models = sorted(one.name.removeprefix("models--").replace("--", "/") for one in folder.glob("models--*"))
    free = shutil.disk_usage(folder).free / 1e9
    return Finding("model cache", "ok", f"{folder}: {', '.join(models) or 'no models'}; {free:.0f} GB free")
