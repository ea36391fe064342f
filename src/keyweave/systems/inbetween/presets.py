"""Sampling by name: a preset, or one with some of its numbers changed, as people type it and as recipes keep it."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

from keyweave.diffusion.told import Told
from keyweave.systems.inbetween.sampling import Sampling

if TYPE_CHECKING:
    from collections.abc import Callable

PRESETS: dict[str, Sampling] = {
    "draft": Sampling(steps=12, sketch="flow", fusion="linear"),
    "fast": Sampling(steps=25, sketch="flow", fusion="linear"),
    "faithful": Sampling(steps=50, repeats=5),  # as the paper and its authors' script do it
}
DEFAULT = "fast"


def parse_sampling(text: str, changed: Sampling = PRESETS[DEFAULT]) -> Sampling:
    """Read such as `faithful`, `fast,steps=50,guidance=1..3` or `steps=10`.

    Args:
        text: what was typed.
        changed: what is changed where no preset is named.

    Raises:
        ValueError: with one sentence, if it is none of these.
    """
    words = [word.strip() for word in text.split(",")]
    if "=" not in words[0]:
        name = words.pop(0)
        if name not in PRESETS:
            raise ValueError(f"{name!r} is no preset; choose from {', '.join(PRESETS)}, or write NAME=VALUE")
        sampling = PRESETS[name]
    else:
        sampling = changed
    for word in words:
        name, is_given, value = (part.strip() for part in word.partition("="))
        if not is_given or name not in _READ:
            raise ValueError(f"{word!r} is none of {', '.join(f'{one}=' for one in _READ)}")
        read = _READ[name](name, value)
        told = name in _TOLD
        sampling = replace(
            sampling, **({"told": replace(sampling.told, **{_TOLD[name]: read})} if told else {name: read})
        )
    return sampling


def sampling_words(sampling: Sampling) -> str:
    """Write all its numbers, so that it stays the same should a preset change."""
    low, high = sampling.guidance
    values: dict[str, Any] = {name: getattr(sampling, name) for name in _READ if name not in _TOLD}
    values |= {"guidance": f"{_exact(low)}..{_exact(high)}"}
    values |= {name: getattr(sampling.told, field) for name, field in _TOLD.items()}
    return ",".join(f"{name}={_exact(value) if isinstance(value, float) else value}" for name, value in values.items())


def _exact(value: float) -> str:
    """Write a number so that it is read again as it was: short, unless that loses digits."""
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


def _whole(least: int, most: int) -> Callable[[str, str], int]:
    def read(name: str, value: str) -> int:
        if not re.fullmatch(r"\d{1,6}", value) or not least <= int(value) <= most:
            raise ValueError(f"{name} is a whole number from {least} to {most}; got {value!r}")
        return int(value)

    return read


def _number(least: float, most: float) -> Callable[[str, str], float]:
    def read(name: str, value: str) -> float:
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not least <= number <= most:
            raise ValueError(f"{name} is a number from {least:g} to {most:g}; got {value!r}")
        return number

    return read


def _choice(name: str, value: str) -> str:
    allowed = get_args(get_type_hints(Sampling)[name])
    if value not in allowed:
        raise ValueError(f"{name} is one of {', '.join(allowed)}; got {value!r}")
    return value


def _ramp(name: str, value: str) -> tuple[float, float]:
    low, dots, high = value.partition("..")
    one = _number(1, 30)
    return (one(name, low), one(name, high)) if dots else (one(name, low), one(name, low))


_TOLD = {"fps": "fps", "motion": "bucket", "augmentation": "augmentation"}
assert set(_TOLD.values()) == set(Told.__dataclass_fields__)
_READ: dict[str, Callable[[str, str], Any]] = {
    "steps": _whole(1, 1000),
    "repeats": _whole(0, 50),
    "share": _number(0, 1),
    "tries": _whole(1, 100),
    "sketch": _choice,
    "solver": _choice,
    "fusion": _choice,
    "guidance": _ramp,
    "fps": _whole(1, 60),
    "motion": _whole(0, 255),
    "augmentation": _number(0, 1),
}
