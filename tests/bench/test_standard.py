"""FID and FVD in the benchmark: what their networks are shown, what is kept, and what comes of it."""

import json
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from keyweave.base.errors import InputError
from keyweave.base.progress import Progress
from keyweave.base.recipe import ModelMark
from keyweave.bench.contenders import Contender
from keyweave.bench.intervals import of_redrawn, redrawn
from keyweave.bench.pairs import Footage, Material, Pair
from keyweave.bench.run import Findings, bench_inbetween
from keyweave.bench.standard import KINDS, Standard, check_standards
from keyweave.bench.summary import summarise
from keyweave.bench.table import difference_rows, means_rows, standard_lines, write_report
from keyweave.media.types import Frame
from keyweave.metrics.frechet import frechet_distance

pytestmark = pytest.mark.usefixtures("one_thread")
COUNT, FRAMES = 10, 9


class Means(torch.nn.Module):
    """A network that sums a picture, or a clip, up in the means of its colours, and counts what it was shown."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1), requires_grad=False)
        self.shown: list[Tensor] = []

    def forward(self, given: Tensor) -> Tensor:
        self.shown.append(given)
        return given.mean(dim=(-1, -2)) if given.ndim == 4 else given.mean(dim=(1, -1, -2))


def standard(key: str, digit: str = "1") -> Standard:
    return Standard(replace(KINDS[key], width=3), Means(), ModelMark(f"{key}.safetensors", digit * 64))


def shown(one: Standard) -> list[Tensor]:
    assert isinstance(one.network, Means)
    return one.network.shown


def clip(number: int) -> Frame:
    return np.random.default_rng(number).integers(0, 256, (FRAMES, 8, 8, 3), dtype=np.uint8)


def pair(number: int) -> Pair:
    return Pair(f"clip {number}", lambda: Footage(clip(number)))


def material(others: int = 0) -> Material:
    beside = tuple(pair(100 + k) for k in range(others))
    return Material("set", tuple(map(pair, range(COUNT))), beside, FRAMES, (8, 8), Fraction(7))


class Darker:
    """A method by chance, which counts the clips that it makes."""

    def __init__(self, name: str = "darker", by: int = 2) -> None:
        self.made = 0
        self.by = by
        self.contender = Contender(name, "darkens", self.make, by_chance=True, options={"by": str(by)})

    def make(self, real: Frame, numbers: Sequence[int], seeds: Sequence[int], progress: Progress) -> Frame:
        self.made += len(real)
        noise = [np.random.default_rng(seed).integers(0, 30, real.shape[1:]).astype(np.uint8) for seed in seeds]
        return real // self.by + np.stack(noise)


def run(folder: Path, *standards: Standard, one: Darker | None = None, others: int = 0, seeds: int = 1) -> Findings:
    contenders = [(one or Darker()).contender]
    return bench_inbetween(material(others), contenders, folder, standards=standards, seeds=seeds)


def levels(frames: Frame) -> np.ndarray:  # (..., H, W, 3) -> (..., 3)
    return (frames / 127.5 - 1).mean(axis=(-3, -2))


def test_frames_between_the_keyframes_are_looked_at_one_by_one_and_films_whole():
    film = clip(0)
    fid, fvd = standard("fid"), standard("fvd")
    np.testing.assert_allclose(fid.look(film), levels(film[1:-1]), atol=1e-6)
    np.testing.assert_allclose(fvd.look(film), levels(film).mean(0)[None], atol=1e-6)
    assert shown(fid)[0].shape == (FRAMES - 2, 3, 8, 8)
    assert shown(fvd)[0].shape == (1, FRAMES, 3, 8, 8)


def test_everybodys_films_are_seen_with_the_keyframes_in_place(tmp_path: Path):
    found = run(tmp_path, standard("fid"), standard("fvd"), seeds=2)
    fid, fvd = found.sights
    assert fid.vectors["darker"].shape == (2, COUNT, FRAMES - 2, 3)
    assert fvd.vectors["darker"].shape == (2, COUNT, 1, 3)
    for number, made in enumerate(found.clips["darker"]):
        film = np.concatenate([clip(number)[:1], made[1:-1], clip(number)[-1:]])
        np.testing.assert_allclose(fid.vectors["darker"][0, number], levels(film[1:-1]), atol=1e-6)
        np.testing.assert_allclose(fvd.vectors["darker"][0, number, 0], levels(film).mean(0), atol=1e-6)
    assert (fid.made, fvd.made) == (COUNT * (FRAMES - 2), COUNT)


def test_real_clips_are_others_or_those_of_the_pairs(tmp_path: Path):
    own, apart = (run(tmp_path / str(others), standard("fid"), others=others).sights[0] for others in (0, 6))
    assert (own.apart, apart.apart) == (False, True)
    expected = [levels(clip(k)[1:-1]) for k in range(COUNT)]
    np.testing.assert_allclose(own.real, np.concatenate(expected), atol=1e-6)
    np.testing.assert_allclose(apart.real, np.concatenate([levels(clip(100 + k)[1:-1]) for k in range(6)]), atol=1e-6)


def test_other_weights_look_again_and_make_nothing(tmp_path: Path):
    first, same, other = standard("fid"), standard("fid"), standard("fid", "2")
    kept = run(tmp_path, first, others=4)
    clips = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npz")}
    plain = set(tmp_path.rglob("*.json"))
    one = Darker()
    again = run(tmp_path, same, one=one, others=4)
    assert len(shown(first)) == 2 * COUNT + 4
    assert shown(same) == []
    np.testing.assert_array_equal(again.sights[0].vectors["darker"], kept.sights[0].vectors["darker"])
    run(tmp_path, other, one=one, others=4)
    assert len(shown(other)) == 2 * COUNT + 4
    assert one.made == 0
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npz")} == clips
    assert len(set(tmp_path.rglob("*.json")) - plain) == 2 * COUNT + 4
    more = standard("fvd")
    run(tmp_path, same, more, one=one, others=4)  # one more measure leaves the first where it is
    assert (shown(same), len(shown(more)), one.made) == ([], 2 * COUNT + 4, 0)


def test_without_them_nothing_else_is_kept_or_told(tmp_path: Path):
    found = run(tmp_path)
    assert found.sights == ()
    assert len(list(tmp_path.rglob("*.json"))) == len(list(tmp_path.rglob("*.npz"))) == 2 * COUNT
    summary = summarise(found)
    assert standard_lines(summary) == []
    assert "standard" not in summary.as_dict()
    assert {"fid", "fvd"}.isdisjoint(one.key for one in summary.measures)


@pytest.mark.parametrize(
    "damage", ['{"shape": [7, 3]}', '{"shape": [9, 9], "float32": "AAAA"}', '{"shape": [1], "float32": "AAA"}', "{"]
)
def test_damaged_vectors_are_seen_again(tmp_path: Path, damage: str):
    whole = run(tmp_path, standard("fid")).sights[0]
    for path in tmp_path.rglob("*.json"):
        if "float32" in path.read_text():
            path.write_text(damage)
    again = standard("fid")
    np.testing.assert_array_equal(run(tmp_path, again).sights[0].vectors["darker"], whole.vectors["darker"])
    assert len(shown(again)) == 2 * COUNT


@pytest.mark.parametrize("others", [0, 6])
def test_the_table_has_the_distance_from_real_ones(tmp_path: Path, others: int):
    few, many = Darker("few", 2), Darker("many", 4)
    found = bench_inbetween(
        material(others),
        [few.contender, many.contender],
        tmp_path,
        standards=[standard("fid"), standard("fvd")],
        seeds=2,
    )
    summary = summarise(found)
    assert [one.key for one in summary.measures][:2] == ["fid", "fvd"]
    real, *rows = means_rows(summary)
    beside = [clip(100 + k) for k in range(others)] or [clip(k) for k in range(COUNT)]
    expected = {}
    for row in rows:
        distances = {"FID": [], "FVD": []}
        for seed in (0, 1):
            films = found.sights[0].vectors[row["method"]][seed].reshape(-1, 3)
            distances["FID"].append(frechet_distance(films, np.concatenate([levels(one[1:-1]) for one in beside])))
            whole = found.sights[1].vectors[row["method"]][seed, :, 0]
            distances["FVD"].append(frechet_distance(whole, np.array([levels(one).mean(0) for one in beside])))
        expected[row["method"]] = {name: np.mean(values) for name, values in distances.items()}
        assert {name: row[name] for name in ("FID", "FVD")} == pytest.approx(expected[row["method"]], rel=1e-4)
    assert rows[1]["FID"] > rows[0]["FID"]
    if others:
        own = frechet_distance(found.sights[0].vectors["real"].reshape(-1, 3), found.sights[0].real)
        assert own > 0
        assert real["FID"] == pytest.approx(own)
    else:
        assert real["FID"] is real["FVD"] is None
    fid, fvd, *_ = difference_rows(summary)
    assert fid["difference"] == pytest.approx(expected["few"]["FID"] - expected["many"]["FID"], rel=1e-3)
    assert (fid["better"], fid["zero"], fvd["measure"]) == ("ours", "excluded", "FVD")


def test_long_vectors_are_drawn_again_like_short_ones(tmp_path: Path):
    """The quick way of drawing pairs again gives the same intervals as the plain one."""
    found = run(tmp_path, standard("fid"), others=6, seeds=2)
    (sight,) = found.sights
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(200, 3)))[0].T  # distances stay as they are
    wide = replace(sight, vectors={name: films @ turn for name, films in sight.vectors.items()}, real=sight.real @ turn)
    plain, quick = (summarise(replace(found, sights=(one,))).means["darker"]["fid"] for one in (sight, wide))
    assert plain is not None
    assert quick is not None
    assert (quick.value, quick.low, quick.high) == pytest.approx((plain.value, plain.low, plain.high), rel=1e-4)
    films = sight.vectors["darker"]

    def by_hand(pairs: np.ndarray) -> float:
        return float(np.mean([frechet_distance(np.concatenate(list(one[pairs])), sight.real) for one in films]))

    expected = of_redrawn(redrawn(COUNT, by_hand), COUNT)
    assert (plain.value, plain.low, plain.high) == pytest.approx((expected.value, expected.low, expected.high))


def test_the_page_says_by_what_and_of_how_many(tmp_path: Path):
    few = replace(standard("fvd"), kind=KINDS["fvd"])  # 400 numbers of 10 films
    found = run(tmp_path / "cache", standard("fid", "a"), others=6)
    (fid,) = found.sights
    (fvd,) = run(tmp_path / "cache", few).sights
    page = write_report(tmp_path, summarise(replace(found, sights=(fid, fvd)))).read_text()
    for line in (
        "- FID: Frechet inception distance of the frames between the keyframes from real ones; less is better.\n",
        "- FID: Inception-v3 as pytorch-fid has it, its 2048 last averages; weights fid.safetensors (sha256 ",
        f"(sha256 {'a' * 64}",
        "); pictures brought to 299x299 bilinearly, between centres of pixels, nothing smoothed before; 70 frames",
        "; 70 frames between the keyframes of each method and seed beside 42 of real clips that no pair is from.\n",
        "- FVD: I3D of Kinetics-400 (RGB), its 400 logits averaged over time; weights fvd.safetensors (sha256 ",
        "brought to 224x224",
        "; 10 films of each method and seed beside 10 of the pairs' own real clips.\n",
        "- FVD rests on 10 samples, fewer than the 400 numbers of a vector: it comes out far too high, and can be",
        "FID has its floor in the row `real`: so far apart are real clips, as many as there are pairs. No Frechet",
        "FVD: from the pairs' own real clips, so that there is no floor, and none of the row `real`.\n",
        "measures of these names, maybe by other files of weights and pictures resized otherwise, on other films",
        "never a number",
    ):
        assert line in page
    assert "FID rests" not in page  # 70 are more than its 3
    assert "not measured" not in page
    row = json.loads((tmp_path / "report.json").read_text())["standard"]
    assert row["fid"]["weights"] == {"ref": "fid.safetensors", "sha256": "a" * 64}
    assert (row["fid"]["made"], row["fid"]["real"], row["fid"]["dimensions"], row["fid"]["note"]) == (70, 42, 3, "")
    assert (row["fvd"]["made"], row["fvd"]["real"], row["fvd"]["dimensions"]) == (10, 10, 400)
    assert row["fvd"]["note"].startswith("FVD rests on 10 samples")
    single = write_report(tmp_path, summarise(replace(found, sights=(fid,)))).read_text()
    assert "FVD is not measured: it means a network whose weights keyweave does not have; see --fvd." in single


def test_too_few_pairs_or_frames_are_refused():
    whole = material()
    check_standards([standard("fid"), standard("fvd")], whole)
    with pytest.raises(
        InputError, match=r"^FID takes 4 pairs or more, .*; there are 3\. Give it more, or leave --fid out"
    ):
        check_standards([standard("fid")], replace(whole, pairs=whole.pairs[:3]))
    with pytest.raises(
        InputError, match=r"^FVD takes clips of 9 frames or more; these have 8\. Set --frames, or leave"
    ):
        check_standards([standard("fid"), standard("fvd")], replace(whole, frames=8))
