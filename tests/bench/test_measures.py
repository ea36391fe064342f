"""Measures on clips whose numbers are known: the real ones, reversed ones, still ones, and paths written down."""

from math import log10

import numpy as np
import pytest

from keyweave.bench.measures import MEASURES, judged, measure, pinned, walk
from keyweave.bench.pairs import Footage, toyworld_pairs
from keyweave.recipes.features import fresh_features
from keyweave.recipes.scores import is_clear, is_mover

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def footages() -> list[Footage]:
    """Movers."""
    read = [pair.read() for pair in toyworld_pairs(16).pairs]
    return [one for one in read if one.shot is not None and is_mover(one.shot)]


def test_the_real_clip_is_perfect(footages: list[Footage]):
    assert len(footages) >= 4
    for footage in footages:
        found = measure(footage.frames, footage)
        assert found["psnr"] == found["swept"] == found["ends"] == 99
        assert found["ssim"] == pytest.approx(1)
        assert found["seams"] == 1
        assert found["progress"] == 1
        assert found["path"] == pytest.approx(1, abs=0.05)
        assert found["place"] == 0
        assert found["found"] == 1
        assert found.keys() | {"forward", "kind", "color"} == {one.key for one in MEASURES}


def test_a_reversed_clip_goes_the_wrong_way(footages: list[Footage]):
    for footage in footages:
        found = measure(footage.frames[::-1], footage)
        assert found["progress"] == 0
        assert found["path"] == pytest.approx(1, abs=0.05)


def test_numbers_agree_with_loops(footages: list[Footage]):
    footage = footages[0]
    made, real = footage.frames[:, ::-1].copy(), footage.frames
    found = measure(made, footage)
    assert footage.shot is not None
    assert footage.shot.truth is not None
    owners = footage.shot.truth.owners
    height, width = real.shape[1:3]
    whole, swept, ends = [], [], []
    for t in range(len(real)):
        for y in range(height):
            for x in range(width):
                apart = [(float(a) - float(b)) ** 2 for a, b in zip(made[t, y, x], real[t, y, x], strict=True)]
                if t in (0, len(real) - 1):
                    ends += apart
                    continue
                whole += apart
                if any(owners[:, y, x]):  # alone and unhidden, so that every part is the actor's
                    swept += apart
    for key, errors in (("psnr", whole), ("swept", swept), ("ends", ends)):
        assert found[key] == pytest.approx(10 * log10(255**2 / (sum(errors) / len(errors))))


def test_without_a_drawn_world_only_pictures_are_compared():
    frames = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3)).astype(np.uint8)
    found = measure(frames, Footage(frames))
    assert (found["psnr"], found["ends"], found["ssim"]) == (99, 99, None)
    assert found["swept"] is found["progress"] is found["place"] is None


def test_ends_that_show_their_keyframes_are_told():
    def drawn(shift: float, light: float) -> np.ndarray:  # a grating that goes right
        wave = 100 + light + 60 * np.sin(2 * np.pi * (np.arange(32) - shift) / 16)
        return np.broadcast_to(np.rint(wave)[None, :, None], (32, 32, 3)).astype(np.uint8)

    real = Footage(np.stack([drawn(k, 0) for k in range(10)]))
    for lights, shifts, share in (
        ([0] * 10, range(10), 1),
        ([9] * 10, range(10), 0),  # brighter than both keyframes
        (np.linspace(0, 9, 10), range(10), 0.5),  # it drifts, and jumps back at the end
        ([0] * 10, [k - 3 for k in range(10)], 0),  # behind at the first, and at the last
    ):
        made = np.stack([drawn(*row) for row in zip(shifts, lights, strict=True)])
        assert measure(made, real)["seams"] == share
    short = Footage(real.frames[:3])
    assert measure(short.frames, short)["seams"] is None


def at(*xs: float | None) -> list[np.ndarray | None]:
    return [None if x is None else np.array([x, 5.0]) for x in xs]


def test_a_walk_written_down():
    real = at(0, 2, 4, 6, 8)
    straight = walk(real, real)
    assert straight == {"progress": 1, "path": 1, "place": 0, "found": 1}
    back = walk(at(0, 4, 2, 6, 8), real)
    assert back == {"progress": 3 / 4, "path": 12 / 8, "place": 4 / 5, "found": 1}
    left = walk(at(0, -2, -4, -6, -8), at(0, -2, -4, -6, -8))
    assert left == straight
    lost = walk(at(0, None, 4, 6, 8), real)
    assert lost == {"progress": 2 / 4, "path": 1, "place": 0, "found": 2 / 3}
    creeping = walk(at(0, 0.4, 0.8, 1.2, 8), real)  # a fifth of an even step is none
    assert creeping["progress"] == 1 / 4
    assert walk(at(None, None, None, None, None), real) == {"progress": 0, "path": None, "place": None, "found": 0}
    nowhere = walk(real, at(3, 4, 5, 4, 3))
    assert set(nowhere.values()) == {None}


def test_a_film_has_the_keyframes_at_its_ends():
    made, real = (np.full((5, 2, 2, 3), level, np.uint8) for level in (1, 2))
    assert pinned(made, real)[:, 0, 0, 0].tolist() == [2, 1, 1, 1, 2]


def test_the_judge_is_asked_of_clear_frames_between_the_keyframes():
    footages = [pair.read() for pair in toyworld_pairs(6, frames=6).pairs]
    judge = fresh_features()
    rows, vectors = judged(judge, np.stack([one.frames for one in footages]), footages)
    assert vectors.shape == (6, 96)
    for row, footage in zip(rows, footages, strict=True):
        assert footage.shot is not None
        assert row["forward"] in (0, 1)
        assert (row["kind"] is None) >= (not is_clear(footage.shot.scene))
