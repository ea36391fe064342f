"""What a person asks of a plan, checked before it is searched for: what contradicts itself is said in one sentence."""

from __future__ import annotations

import math
from itertools import combinations, pairwise
from typing import TYPE_CHECKING

import numpy as np

from keyweave.base.errors import InputError
from keyweave.systems.dance.labels import Label, write_labels

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import NDArray

    Pair = tuple[int, int]


def check_wishes(
    labels: Sequence[Label], mirror: NDArray[np.intp], pins: Mapping[Label, Pair], mirrored_poses: Collection[str]
) -> None:
    """Refuse a choreography, pins or mirrored poses that cannot be.

    Args:
        labels: the choreography.
        mirror: (N,) the number of each keyframe's mirrored one.
        pins: pairs that labels must have.
        mirrored_poses: names of labels that end in the mirrored pose of the one they begin in.
    """
    count = len(mirror)
    if not labels:
        raise InputError("A choreography has a label or more; got none.")
    if count < 2:
        raise InputError(f"A dance needs 2 keyframes or more; got {count}.")
    mirrored = [label for label in labels if label.mirrored]
    if mirrored and np.array_equal(mirror, np.arange(count)):
        raise InputError(
            f"The choreography has {mirrored[0]}, and no keyframe has a mirrored one.",
            "Make mirrored keyframes first, or take the ' out of the labels.",
        )
    for label, pair in pins.items():
        _check_pin(label, pair, labels, count)
    for one, two in combinations(pins, 2):
        _check_two_pins(one, two, pins, mirror)
    for name in sorted(mirrored_poses):
        _check_mirrored_poses(name, labels, mirror, pins)


def check_range(low: float, high: float) -> None:
    """Refuse a range of motion that is none."""
    if not 0 <= low < high < math.inf:
        raise InputError(f"The range of motion reaches from 0 or more to something larger; got {low:g} to {high:g}.")


def _check_pin(label: Label, pair: Pair, labels: Sequence[Label], count: int) -> None:
    pin = _said(label, pair)
    if label not in labels:
        raise InputError(
            f"{pin} gives keyframes to {label}, which is not in the choreography {_shortened(labels)}.",
            "Give them to a label that is.",
        )
    for keyframe in pair:
        if not 0 <= keyframe < count:
            raise InputError(f"{pin} names keyframe {keyframe + 1}; there are 1 to {count}.")
    if pair[0] == pair[1]:
        raise InputError(f"{pin} begins and ends in one keyframe; a motion needs two.")


def _check_two_pins(one: Label, two: Label, pins: Mapping[Label, Pair], mirror: NDArray[np.intp]) -> None:
    first, second = pins[one], pins[two]
    turned = int(mirror[second[0]]), int(mirror[second[1]])
    both = f"{_said(one, first)} and {_said(two, second)} contradict each other"
    if one.name == two.name and first != turned:
        due = int(mirror[first[0]]), int(mirror[first[1]])
        raise InputError(f"{both}: {two} is {one} mirrored, which would be {_said(two, due)}.")
    if one.name != two.name and first in (second, turned):
        what = "have the same keyframes" if first == second else "are each other mirrored"
        raise InputError(f"{both}: they {what}, and different labels are different motions.")


def _check_mirrored_poses(
    name: str, labels: Sequence[Label], mirror: NDArray[np.intp], pins: Mapping[Label, Pair]
) -> None:
    if name not in {label.name for label in labels}:
        raise InputError(
            f"{name} is to end in the mirrored pose of its beginning, and is not in the choreography "
            f"{_shortened(labels)}."
        )
    for one, then in pairwise(labels):
        if one.name == name and then == one.mirror:
            raise InputError(
                f"{name} is to end in the mirrored pose of its beginning, so that {one}-{then} would stand still.",
                "Let it end in another pose, or do not let its mirrored one follow it.",
            )
    for label, pair in pins.items():
        if label.name == name and mirror[pair[0]] != pair[1]:
            raise InputError(
                f"{_said(label, pair)} does not end in the mirrored pose of its beginning, which {name} is to do.",
                f"The mirrored one of keyframe {pair[0] + 1} is {mirror[pair[0]] + 1}.",
            )


def _said(label: Label, pair: Pair) -> str:
    return f"{label}={pair[0] + 1}>{pair[1] + 1}"  # people count from 1


def _shortened(labels: Sequence[Label], most: int = 12) -> str:
    return write_labels(labels[:most]) + ("-..." if len(labels) > most else "")
