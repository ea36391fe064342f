"""The run: what is made once is not made again, and what decides a clip decides its place in the cache."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from keyweave.base.errors import Cancelled, InputError
from keyweave.base.progress import Progress
from keyweave.base.recipe import ModelMark
from keyweave.bench import run
from keyweave.bench.contenders import Contender, contenders
from keyweave.bench.finishing import finished
from keyweave.bench.kept import Kept
from keyweave.bench.pairs import Footage, Material, Pair, toyworld_pairs
from keyweave.bench.run import Findings, Judge, bench_inbetween, together
from keyweave.media.types import Frame
from keyweave.recipes.features import fresh_features

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def material() -> Material:
    return toyworld_pairs(10, others=4, frames=4, size=(32, 32))


class Counting:
    """A method by chance that counts its clips, and what seeds it was given."""

    def __init__(self, name: str = "counting", **facts: dict[str, str]) -> None:
        self.numbers: list[int] = []
        self.seeds: list[int] = []
        self.batches: list[int] = []
        self.clips = 0
        self.contender = Contender(name, "counts", self.make, by_chance=True, **facts)  # type: ignore[arg-type]

    def make(self, real: Frame, numbers: Sequence[int], seeds: Sequence[int], progress: Progress) -> Frame:
        self.numbers += numbers
        self.seeds += seeds
        self.batches.append(len(real))
        self.clips += len(real)
        progress.step()
        noise = [np.random.default_rng(seed).integers(0, 9, real.shape[1:]).astype(np.uint8) for seed in seeds]
        return real // 2 + np.stack(noise)


def filled(material: Material, folder: Path, one: Counting, *, seeds: int = 1, seed: int = 0) -> Findings:
    return bench_inbetween(material, [one.contender], folder, seeds=seeds, seed=seed)


def test_a_second_run_makes_nothing_and_finds_the_same(material: Material, tmp_path: Path):
    first, second = Counting(), Counting()
    found = filled(material, tmp_path, first, seeds=2)
    again = filled(material, tmp_path, second, seeds=2)
    assert first.batches == [8, 8, 2, 2]  # two seeds of each
    assert len(set(first.seeds)) == first.clips == 20
    assert second.clips == 0
    assert found.values["counting"]["psnr"].shape == (10, 2)
    assert found.values["real"]["psnr"].shape == (10, 1)
    for key, grid in found.values["counting"].items():
        np.testing.assert_array_equal(again.values["counting"][key], grid)
    for one, other in zip(found.clips["counting"], again.clips["counting"], strict=True):
        np.testing.assert_array_equal(one, other)
    assert len(found.clips["counting"]) == 8  # the first ones are shown


def test_what_decides_a_clip_makes_it_anew(material: Material, tmp_path: Path):
    filled(material, tmp_path, Counting())
    changed = [
        (Counting("other"), {}),
        (Counting(options={"sampling": "steps=9"}), {}),
        (Counting(models={"model": ModelMark("./m", "0" * 64)}), {}),  # type: ignore[dict-item]
        (Counting(), {"seed": 1}),
    ]
    for one, rest in changed:
        filled(material, tmp_path, one, **rest)
        assert one.clips == 10
    alike = Counting("counting@steps=9", options={"sampling": "steps=9"})
    filled(material, tmp_path, alike)
    assert alike.clips == 0  # what decides is how it samples, not how that was asked for
    more = Counting()
    filled(material, tmp_path, more, seeds=3)
    assert more.clips == 20  # the first seed is there


def test_pairs_of_another_shape_are_others(tmp_path: Path):
    """One colour lying down has the same bytes as standing up."""
    for height, width in ((16, 32), (32, 16)):
        clip = np.full((4, height, width, 3), 90, np.uint8)
        pair = Pair("grey", partial(Footage, clip))
        shaped = Material("set", (pair,), (), 4, (width, height), Fraction(7), 3)
        (made,) = bench_inbetween(shaped, contenders(["crossfade"], None), tmp_path).clips["crossfade"]
        assert made.shape == clip.shape


def test_what_other_code_made_is_made_anew(material: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    filled(material, tmp_path, Counting())
    network = Counting(models={"model": ModelMark("./m", "0" * 64)})  # type: ignore[dict-item]
    filled(material, tmp_path, network)
    found = metadata.version
    monkeypatch.setattr(metadata, "version", lambda name: found(name) + "x" * (name == "diffusers"))
    assert [filled_anew(material, tmp_path, one) for one in (Counting(), network)] == [0, 10]  # whom it concerns
    monkeypatch.setattr(metadata, "version", lambda name: found(name) + "x" * (name == "numpy"))
    assert filled_anew(material, tmp_path, Counting()) == 10
    monkeypatch.undo()
    assert filled_anew(material, tmp_path, Counting()) == 0
    monkeypatch.setattr(run, "_FILLED", -1)
    assert filled_anew(material, tmp_path, Counting()) == 10


def filled_anew(material: Material, folder: Path, one: Counting) -> int:
    """Return how many clips it makes, over those that are kept."""
    before = one.clips
    filled(material, folder, one)
    return one.clips - before


def test_stopped_it_goes_on_where_it_was(material: Material, tmp_path: Path):
    class Tired(Counting):
        def make(self, real: Frame, numbers: Sequence[int], seeds: Sequence[int], progress: Progress) -> Frame:
            if self.seeds:
                raise Cancelled("Stopped.")
            return super().make(real, numbers, seeds, progress)

    with pytest.raises(Cancelled):
        filled(material, tmp_path, Tired())
    rest = Counting()
    found = filled(material, tmp_path, rest)
    assert rest.clips == 2
    assert rest.numbers == [8, 9]
    whole = filled(material, tmp_path / "other", Counting())
    np.testing.assert_array_equal(found.values["counting"]["psnr"], whole.values["counting"]["psnr"])


def test_who_is_beside_a_pair_does_not_matter(material: Material, tmp_path: Path):
    found = filled(material, tmp_path / "8", Counting())
    alone, more = Counting(), Counting()
    kept = bench_inbetween(material, [more.contender], tmp_path / "8", batch=3)
    assert more.clips == 0  # what was made in other company is taken
    single = bench_inbetween(material, [alone.contender], tmp_path / "1", batch=1)
    assert alone.batches == [1] * 10
    for other in (kept, single):
        np.testing.assert_array_equal(other.values["counting"]["psnr"], found.values["counting"]["psnr"])


def test_what_is_finished_is_the_same_clips_with_the_keyframes_colours_and_detail(
    material: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    one, again, other = Counting(), Counting(), Counting()
    raw = filled(material, tmp_path, one)
    done = bench_inbetween(material, [replace(again.contender, finish=True)], tmp_path)
    assert again.clips == 0
    ends = [pair.read().frames[[0, -1]] for pair in material.pairs]
    for plain, clip, (first, last) in zip(raw.clips["counting"], done.clips["counting"], ends, strict=False):
        np.testing.assert_array_equal(clip, finished(plain, first, last))
        assert not np.array_equal(clip, plain)
    assert np.all(done.values["counting"]["psnr"] > raw.values["counting"]["psnr"])  # they were half as light
    monkeypatch.setattr(run, "finished", lambda *_: pytest.fail("it is kept"))
    kept = bench_inbetween(material, [replace(other.contender, finish=True)], tmp_path)
    np.testing.assert_array_equal(kept.values["counting"]["psnr"], done.values["counting"]["psnr"])


def test_as_many_pairs_at_once_as_their_size_lets():
    sizes = {(64, 64): 8, (128, 128): 8, (256, 128): 4, (512, 320): 1, (1024, 576): 1}
    assert {size: together(size) for size in sizes} == sizes


def test_a_damaged_clip_is_made_again(material: Material, tmp_path: Path):
    filled(material, tmp_path, Counting())
    for path in tmp_path.rglob("*.npz"):
        path.write_bytes(path.read_bytes()[:50])
    again = Counting()
    filled(material, tmp_path, again)
    assert again.clips == 10


def test_what_is_kept_comes_back(tmp_path: Path):
    kept = Kept(tmp_path)
    clip = np.arange(24, dtype=np.uint8).reshape(2, 2, 2, 3)
    assert kept.clip("ab1") is kept.numbers("ab1") is None
    kept.keep_clip("ab1", clip)
    kept.keep_numbers("ab1", {"a": None})
    back = kept.clip("ab1")
    assert back is not None
    np.testing.assert_array_equal(back, clip)
    assert kept.numbers("ab1") == {"a": None}
    assert sorted(path.name for path in (tmp_path / "ab").iterdir()) == ["ab1.json", "ab1.npz"]


def test_the_judge_decides_its_numbers_only(material: Material, tmp_path: Path):
    one = Counting()
    filled(material, tmp_path, one)
    judge = Judge(fresh_features(), ModelMark("toy-features", "1" * 64))
    found = bench_inbetween(material, [one.contender], tmp_path, judge=judge)
    assert one.clips == 10
    assert found.vectors["counting"].shape == (1, 10, 96)
    assert found.others is not None
    assert found.others.shape == (4, 96)
    assert np.isin(found.values["counting"]["forward"], (0, 1)).all()


def test_without_learning_the_ends_are_the_keyframes(material: Material, tmp_path: Path):
    found = bench_inbetween(material, contenders(["crossfade"], None), tmp_path)
    assert (found.values["crossfade"]["ends"] == 99).all()
    clip, real = found.clips["crossfade"][0], found.clips["real"][0].astype(float)
    expected = real[0] + (real[-1] - real[0]) / 3
    np.testing.assert_allclose(clip[1], expected, atol=0.51)


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["film"], "FILM is a network of its own, and keyweave has neither its code nor its weights"),
        (["FILM"], "FILM is a network of its own"),
        (["dynamicrafter"], "DynamiCrafter is a network of its own"),
        (["flow", "DynamiCrafter"], "DynamiCrafter is a network of its own"),
        (["Flow"], "There is no method 'Flow'"),
        (["flaw"], "There is no method 'flaw'"),
        (["flow", "flow"], "flow is named twice"),
        ([], "No method is named"),
    ],
)
def test_methods_that_there_are_not(names: list[str], says: str):
    with pytest.raises(InputError, match=says):
        contenders(names, None)


def test_no_seed_is_too_few(material: Material, tmp_path: Path):
    with pytest.raises(InputError, match="1 seed or more; got 0"):
        filled(material, tmp_path, Counting(), seeds=0)
