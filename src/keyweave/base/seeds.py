"""Independent streams of chance from one integer, by name.

The construction is fixed: the seed and the names are written as a JSON array (ASCII, no spaces), hashed with
SHA-256, and the digest, read as a big-endian integer, seeds the stream. Names are strings or whole numbers, and
`1` is not `"1"`. A new stream elsewhere, another batch size or another device therefore never shifts a stream.
"""

from __future__ import annotations

import hashlib
import json
import random
import secrets

SEED_BITS = 32  # of a seed that is drawn when none is given: short enough to type again


def draw_seed() -> int:
    """Draw a seed for a job that was given none; the recipe records it."""
    return secrets.randbits(SEED_BITS)


def derive(seed: int, *names: str | int, bits: int = 63) -> int:
    """Return the seed of the named stream, for generators of other libraries such as torch's or NumPy's."""
    return int.from_bytes(_digest(seed, names), "big") >> (256 - bits)


def stream(seed: int, *names: str | int) -> random.Random:
    """Return the named stream as a generator; Python keeps its `random()` the same on every version and machine."""
    return random.Random(int.from_bytes(_digest(seed, names), "big"))  # noqa: S311 - nothing secret is drawn from it


def _digest(seed: int, names: tuple[str | int, ...]) -> bytes:
    return hashlib.sha256(json.dumps([seed, *names], separators=(",", ":")).encode("ascii")).digest()
