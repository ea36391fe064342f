"""Labels of a choreography: A-A'-B says that a motion is danced, then mirrored, then another one."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from keyweave.base.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_LABELS = 2048  # two beats each, of a song of half an hour
MOST_NAMES = 26 * 27
_LABEL = re.compile(r"([A-Z]{1,2})(['\u2019\u2032]?)")


@dataclass(frozen=True, order=True)
class Label:
    """What a segment of a dance is called.

    Args:
        name: A to Z, then AA to ZZ: the same motion has the same name.
        mirrored: whether it is danced the other way round; written as a prime.
    """

    name: str
    mirrored: bool = False

    def __str__(self) -> str:
        return self.name + "'" * self.mirrored

    @property
    def mirror(self) -> Label:
        """The same motion the other way round."""
        return replace(self, mirrored=not self.mirrored)


def read_labels(text: str) -> tuple[Label, ...]:
    """Read labels that are joined by dashes, such as A-A'-B-C."""
    parts = [part.strip() for part in text.strip().split("-")]
    if len(parts) > MOST_LABELS:
        raise InputError(f"A choreography has up to {MOST_LABELS} labels; got {len(parts)}.")
    labels = []
    for number, part in enumerate(parts, start=1):
        found = _LABEL.fullmatch(part)
        if found is None:
            what = repr(part) if part else "nothing"
            raise InputError(
                f"Label {number} of the choreography is {what}.",
                "Write letters with dashes between them, and ' where the motion is mirrored: A-A'-B-C.",
            )
        labels.append(Label(found[1], bool(found[2])))
    return tuple(labels)


def write_labels(labels: Iterable[Label]) -> str:
    """Join labels by dashes."""
    return "-".join(str(label) for label in labels)


def name_of(number: int) -> str:
    """Return the name that comes so many after A."""
    if not 0 <= number < MOST_NAMES:
        raise ValueError(f"there are names for 0 to {MOST_NAMES - 1}; got {number}")
    return chr(ord("A") + number) if number < 26 else chr(ord("A") + number // 26 - 1) + chr(ord("A") + number % 26)
