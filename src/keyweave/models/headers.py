"""The header of a safetensors file: how long the file must be and how many numbers it holds, without reading them."""

from __future__ import annotations

import json
import math
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from keyweave.base.errors import ModelError
from keyweave.base.files import explain

if TYPE_CHECKING:
    from pathlib import Path

_LENGTH = struct.Struct("<Q")
_MOST_HEADER = 100_000_000  # the format's own limit
AGAIN = "Copy or download it again."


@dataclass(frozen=True)
class Header:
    """What a safetensors file says of itself.

    Args:
        size: bytes that the whole file must have.
        count: numbers in all its tensors.
    """

    size: int
    count: int


def read_header(path: Path) -> Header:
    """Read the header; a file that is none, or shorter or longer than its header says, is refused in one sentence."""
    try:
        has = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(_LENGTH.size)
            length = _LENGTH.unpack(head)[0] if len(head) == _LENGTH.size else 0
            text = file.read(length) if 2 <= length <= _MOST_HEADER else b""
    except OSError as fault:
        raise explain(fault, path, "read") from fault
    if not text.startswith(b"{"):
        raise ModelError(f"{path} is not a safetensors file.", AGAIN)
    if len(text) < length:
        raise _truncated(path, has, f"at least {_LENGTH.size + length:,}")
    try:
        rows = [row for name, row in json.loads(text).items() if name != "__metadata__"]
        header = Header(_LENGTH.size + length + max((_end(row) for row in rows), default=0), sum(map(_count, rows)))
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        raise ModelError(f"{path} is a damaged safetensors file: its header cannot be read.", AGAIN) from None
    if has < header.size:
        raise _truncated(path, has, f"{header.size:,}")
    if has > header.size:  # which the format forbids: something else was appended, or the header is another file's
        raise ModelError(f"{path} is damaged: it has {has:,} bytes, and its header tells of {header.size:,}.", AGAIN)
    return header


def _truncated(path: Path, has: int, needs: str) -> ModelError:
    return ModelError(f"{path} is truncated: it has {has:,} bytes of {needs}.", AGAIN)


def _end(row: dict[str, Any]) -> int:
    return int(row["data_offsets"][1])


def _count(row: dict[str, Any]) -> int:
    return math.prod(map(int, row["shape"]))
