"""Names: mirrored clusters, motions to either side, and the order of the alphabet; all distances written by hand."""

from dataclasses import dataclass

import numpy as np
import pytest

from keyweave.systems.dance.labels import write_labels
from keyweave.systems.dance.motions import Distances
from keyweave.systems.dance.naming import Labelling, label_segments

NEAR, FAR = 0.1, 1.0


@dataclass
class Told:
    """A motion whose distances are told."""

    told: Distances
    gone: np.ndarray
    unit: str = "told"
    doubt: tuple[float, float] = (0.2, 0.6)

    def distances(self, segments) -> Distances:
        return self.told

    def sideways(self, segments) -> np.ndarray:
        return self.gone


def told(motions: str, *, gone: list[float] | None = None, symmetric: str = "") -> Told:
    """Letters are motions; a small one is the mirror image of the large one."""
    direct = np.array(
        [[0.0 if i == j else NEAR if a == b else FAR for j, b in enumerate(motions)] for i, a in enumerate(motions)]
    )
    mirrored = np.array([[NEAR if a == b.swapcase() or a == b in symmetric else FAR for b in motions] for a in motions])
    return Told(Distances(direct, mirrored), np.zeros(len(motions)) if gone is None else np.array(gone))


def labelled(motion: Told, **thresholds: float) -> Labelling:
    return label_segments(motion, [(n, n + 0.5) for n in range(len(motion.gone))], **thresholds)


@pytest.mark.parametrize(
    ("motions", "labels"),
    [
        ("AaAa", "A-A'-A-A'"),
        ("bBCb", "A-A'-B-A"),  # what is danced first has no prime
        ("BCcBD", "A-B-B'-A-C"),
        ("A", "A"),
        ("AAAA", "A-A-A-A"),
        ("ABCD", "A-B-C-D"),
        ("CABacb", "A-B-C-B'-A'-C'"),
    ],
)
def test_names_follow_the_order_of_appearance(motions: str, labels: str):
    assert write_labels(labelled(told(motions)).labels) == labels


def test_a_symmetric_motion_is_mirrored_to_none():
    assert write_labels(labelled(told("AABB", symmetric="AB")).labels) == "A-A-B-B"


def test_what_is_as_near_as_it_is_mirrored_is_not_called_mirrored():
    motion = told("AABB")
    motion.told.direct[:2, 2:] = motion.told.direct[2:, :2] = 0.32  # two symmetric motions that are alike
    motion.told.mirrored[:] = 0.3
    assert write_labels(labelled(motion, threshold=0.3, mirror_threshold=0.4).labels) == "A-A-B-B"
    motion.told.mirrored[:] = 0.28
    assert write_labels(labelled(motion, threshold=0.3, mirror_threshold=0.4).labels) == "A-A-A'-A'"
    assert write_labels(labelled(motion, threshold=0.3, mirror_threshold=0.28).labels) == "A-A-B-B"


def test_the_median_decides_and_no_outlier():
    motion = told("AAABBB")
    motion.told.mirrored[0, 3] = motion.told.mirrored[3, 0] = 0.0
    assert write_labels(labelled(motion).labels) == "A-A-A-B-B-B"
    motion = told("AAAaaa")
    motion.told.mirrored[0, 3] = motion.told.mirrored[3, 0] = FAR
    assert write_labels(labelled(motion).labels) == "A-A-A-A'-A'-A'"


def test_a_cluster_is_the_mirror_of_one_other_the_nearest():
    motion = told("ABC")
    for (i, j), distance in {(0, 1): 0.2, (0, 2): 0.1, (1, 2): FAR}.items():
        motion.told.mirrored[i, j] = motion.told.mirrored[j, i] = distance
    assert write_labels(labelled(motion).labels) == "A-B-A'"


@pytest.mark.parametrize(
    ("gone", "labels"),
    [
        ([0.5, -0.5, 0.5, -0.5], "A-A'-A-A'"),
        ([-0.5, -0.5, 0.5, -0.05], "A-A-A'-A"),  # three of four go; the fourth by its sign
        ([0.5, -0.5, 0.05, -0.05], "A-A-A-A"),  # two of four do not
        ([0.5, 0.5, 0.5, 0.5], "A-A-A-A"),
        ([0.5, 0.5, 0.5, -0.05], "A-A-A-A"),  # nobody goes the other way
    ],
)
def test_motions_to_either_side_are_each_others_mirror(gone: list[float], labels: str):
    assert write_labels(labelled(told("AAAA", gone=gone, symmetric="A")).labels) == labels


def test_mirrored_clusters_are_not_split_again():
    assert write_labels(labelled(told("AAaa", gone=[1, -1, 1, -1])).labels) == "A-A-A'-A'"


def test_what_is_found_is_told():
    motion = told("ABAA")
    motion.told.direct[0, 2] = motion.told.direct[2, 0] = 0.15  # 3 is the nearest to 0 and 2
    motion.told.direct[0, 3] = motion.told.direct[3, 0] = 0.05
    found = labelled(motion)
    assert [(str(one.label), one.members, one.typical) for one in found.named] == [("A", (0, 2, 3), 3), ("B", (1,), 1)]
    assert found.band == (0.15, FAR)
    assert 0.15 < found.threshold < FAR
    assert found.mirror_threshold > found.threshold
    assert found.heights == pytest.approx([0.05, 0.15, FAR])
    assert (found.unit, found.distances) == ("told", motion.told)


def test_nothing_cannot_be_labelled():
    with pytest.raises(ValueError, match="a segment"):
        labelled(told(""))
