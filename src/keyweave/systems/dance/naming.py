"""Name the motions of a dance: A is what is danced first, A' is the same mirrored, B comes next."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from keyweave.base.errors import InputError
from keyweave.systems.dance.clusters import cluster
from keyweave.systems.dance.labels import MOST_NAMES, Label, name_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from keyweave.systems.dance.motions import Distances, Motion, Segments

    Floats = NDArray[np.floating]
    Members = tuple[int, ...]  # segments of one cluster, rising

LOOSER = 1.15  # the paper's threshold for mirror images over the one for motions, 0.25 / 0.21, and a little less
RATHER = 0.9  # a mirror image is nearer than this share of how far apart the two are as they are danced
ASIDE = 0.1  # lengths of the torso
MOST = 0.75  # the share of a cluster's segments that must go sideways


@dataclass(frozen=True, eq=False)
class Named:
    """All segments that have one label.

    Args:
        label: what they are called.
        members: which they are, rising.
        typical: the one that is nearest to all others.
    """

    label: Label
    members: tuple[int, ...]
    typical: int


@dataclass(frozen=True, eq=False)
class Labelling:
    """The labels of a dance, and how they were found.

    Args:
        labels: one of each segment.
        named: the segments by label, in order of appearance.
        distances: how far apart segments are.
        sideways: (S,) how far the dancer goes in each, in lengths of the torso.
        unit: what distances and thresholds are measured in.
        heights: (S - 1,) at which clusters merge, rising.
        threshold: segments nearer than this are the same motion.
        mirror_threshold: clusters whose mirror images are nearer than this are mirrored.
        band: any threshold between these two gives the same clusters: the wider, the surer.
    """

    labels: tuple[Label, ...]
    named: tuple[Named, ...]
    distances: Distances
    sideways: Floats
    unit: str
    heights: Floats
    threshold: float
    mirror_threshold: float
    band: tuple[float, float]


def label_segments(
    motion: Motion, segments: Segments, *, threshold: float | None = None, mirror_threshold: float | None = None
) -> Labelling:
    """Label the segments of a dance.

    Args:
        motion: of the dancer.
        segments: start and stop of each, in seconds.
        threshold: segments nearer than this are the same motion; found from the dance if not given.
        mirror_threshold: the same for mirror images.

    Raises:
        InputError: the dancer is not seen in a segment, a threshold is none, or there are more motions than names.
    """
    if not segments:
        raise ValueError("there must be a segment to label")
    check_thresholds(threshold, mirror_threshold)
    distances, sideways = motion.distances(segments), motion.sideways(segments)
    found = cluster(distances.direct, doubt=motion.doubt, threshold=threshold)
    mirror_threshold = LOOSER * found.threshold if mirror_threshold is None else mirror_threshold
    pairs = mirrored_clusters(found.members, distances, mirror_threshold)
    paired = {members for pair in pairs for members in pair}
    groups: list[tuple[Members, ...]] = list(pairs)
    groups += [split_by_direction(members, sideways) for members in found.members if members not in paired]
    named = tuple(
        Named(label, members, typical(members, distances.direct)) for label, members in _in_order(groups).items()
    )
    labels = {member: one.label for one in named for member in one.members}
    return Labelling(
        tuple(labels[number] for number in range(len(segments))),
        named,
        distances,
        sideways,
        motion.unit,
        found.heights,
        found.threshold,
        mirror_threshold,
        found.band,
    )


def check_thresholds(*values: float | None) -> None:
    """Refuse thresholds that are none."""
    for value in values:
        if value is not None and not 0 < value < math.inf:
            raise InputError(f"Motions are told apart by a threshold above 0; got {value:g}.")


def mirrored_clusters(
    clusters: Sequence[Members], distances: Distances, threshold: float
) -> list[tuple[Members, Members]]:
    """Return pairs of clusters that are each other's mirror image, the nearest first; each cluster is in one at most.

    The median of all their segments decides, since one outlier should not. A symmetric motion is as near to others
    as to their mirror images, and so it is mirrored to none.
    """
    near = []
    for one, other in combinations(clusters, 2):
        mirrored, direct = (
            float(np.median(matrix[np.ix_(one, other)])) for matrix in (distances.mirrored, distances.direct)
        )
        if mirrored < threshold and mirrored < RATHER * direct:
            near.append((mirrored, one, other))
    pairs, taken = [], set()
    for _, one, other in sorted(near):
        if not taken & {one, other}:
            pairs.append((one, other))
            taken |= {one, other}
    return pairs


def split_by_direction(members: Members, sideways: Floats) -> tuple[Members, ...]:
    """Part a cluster that goes to either side while the body does the same; return it whole if it does not."""
    gone = sideways[list(members)]
    goes = np.abs(gone) > ASIDE
    if goes.mean() < MOST or not (goes & (gone > 0)).any() or not (goes & (gone < 0)).any():
        return (members,)
    return tuple(tuple(member for member in members if (sideways[member] > 0) == towards) for towards in (True, False))


def typical(members: Members, direct: Floats) -> int:
    """Return the segment that is nearest to all others of its cluster; the first of several."""
    return members[int(direct[np.ix_(members, members)].sum(axis=1).argmin())]


def _in_order(groups: Sequence[tuple[Members, ...]]) -> dict[Label, Members]:
    """Give each group the next name, by its first segment; its second cluster to appear is the mirrored one."""
    if len(groups) > MOST_NAMES:
        raise InputError(
            f"This dance has {len(groups)} different motions, and there are names for {MOST_NAMES}.",
            "Take a higher threshold, or a shorter dance.",
        )
    named = {}
    for number, group in enumerate(sorted(sorted(group) for group in groups)):
        for mirrored, members in enumerate(group):
            named[Label(name_of(number), bool(mirrored))] = members
    return dict(sorted(named.items(), key=lambda item: item[1]))
