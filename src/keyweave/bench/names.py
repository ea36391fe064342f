"""What methods are called on the command line: `full`, or `full@steps=50+guidance=2` with a sampling of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyweave.base.errors import InputError
from keyweave.systems.inbetween.presets import parse_sampling

if TYPE_CHECKING:
    from keyweave.systems.inbetween.sampling import Sampling

AT = "@"
_AND = "+"  # commas part methods
JOINED = f"Join what is changed by {_AND}, such as full{AT}steps=50{_AND}guidance=2."


def method_of(name: str) -> str:
    """Return the method itself, however it samples."""
    return name.partition(AT)[0]


def sampling_of(name: str, sampling: Sampling) -> Sampling:
    """Return how a method samples: as all do, but for what its name says.

    Raises:
        InputError: that is no sampling.
    """
    _, is_own, words = name.partition(AT)
    if not is_own:
        return sampling
    try:
        return parse_sampling(words.replace(_AND, ","), sampling)
    except ValueError as fault:
        raise InputError(
            f"The method {name!r}: {fault}.", f"Such as full{AT}faithful or full{AT}steps=50{_AND}guidance=2."
        ) from None
