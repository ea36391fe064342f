"""The labels of a dance as pictures: a strip of the most typical segment of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyweave.media.clips import open_frames
from keyweave.media.sheet import strip

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from keyweave.media.types import Frame, Image
    from keyweave.systems.dance.naming import Labelling
    from keyweave.systems.dance.segments import Segment

_ON_STRIP = 6  # frames of each label
_CELL = 150


def label_chart(reference: Path, segments: Sequence[Segment], found: Labelling) -> Image:
    """Draw a strip for each label: how it is danced where it is most like all of its kind.

    Args:
        reference: the film of the dance.
        segments: of it.
        found: their labels.
    """
    wanted = []  # (time, label, place on its strip)
    for row, named in enumerate(found.named):
        segment = segments[named.typical]
        step = (segment.stop - segment.start) / (_ON_STRIP - 1)
        wanted += [(segment.start + number * step, row, number) for number in range(_ON_STRIP)]
    wanted.sort()
    rows: list[list[Frame]] = [[] for _ in found.named]
    due = iter(wanted)
    at, row, _ = next(due)
    with open_frames(reference) as source:
        last: Frame | None = None
        for item in source.shown():
            while at is not None and at < item.start and last is not None:
                rows[row].append(last)
                at, row, _ = next(due, (None, 0, 0))
            last = item.frame
            if at is None:
                break
    while at is not None and last is not None:  # the film ends before the beat does
        rows[row].append(last)
        at, row, _ = next(due, (None, 0, 0))
    names = [f"{named.label}  {len(named.members)}x" for named in found.named]
    return strip(list(zip(names, rows, strict=True)), title="labels", cell_width=_CELL)
