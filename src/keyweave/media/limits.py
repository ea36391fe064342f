"""How large an untrusted file may be before it is refused, checked before anything is decoded."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields

from keyweave.base.errors import InputError, MediaError


@dataclass(frozen=True)
class Limits:
    """Upper bounds for what is read; each can be set by an environment variable such as KEYWEAVE_MAX_PIXELS."""

    pixels: int = 134_217_728  # of one picture or frame: 16384 x 8192
    file_bytes: int = 64 * 1024**3
    seconds: int = 6 * 3600
    frames: int = 2_000_000

    @classmethod
    def from_environment(cls) -> Limits:
        """Read KEYWEAVE_MAX_PIXELS, _FILE_BYTES, _SECONDS and _FRAMES, each a whole number."""
        found: dict[str, int] = {}
        for field in fields(cls):
            name = variable(field.name)
            text = os.environ.get(name)
            if text is None:
                continue
            if not text.isdecimal() or int(text) == 0:
                raise InputError(f"{name} is {text!r}; it must be a whole number above 0.", f"Unset or correct {name}.")
            found[field.name] = int(text)
        return cls(**found)

    def check(self, what: str, name: str, got: float) -> None:
        """Refuse `what` when `got` is above the limit called `name`."""
        most = getattr(self, name)
        if got > most:
            raise MediaError(
                f"{what} has {got:,.0f} {name.replace('_', ' ')}; at most {most:,} are read.",
                f"Set {variable(name)} to allow more.",
            )


def variable(name: str) -> str:
    """Name the environment variable that sets a limit."""
    return f"KEYWEAVE_MAX_{name.upper()}"
