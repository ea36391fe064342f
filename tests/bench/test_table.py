"""From findings with known numbers to the page."""

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from keyweave.bench.contenders import Contender
from keyweave.bench.intervals import FEWEST, of_mean
from keyweave.bench.measures import MEASURES
from keyweave.bench.pairs import Footage, Material, Pair
from keyweave.bench.run import REAL, Findings
from keyweave.bench.summary import summarise
from keyweave.bench.table import difference_rows, means_rows, write_report
from keyweave.metrics.frechet import frechet_distance

COUNT = 12


@pytest.fixture
def findings() -> Findings:
    """`full` is 2 dB above `trf` for each pair; both seeds of `full` differ; nothing else is measured."""
    clip = np.zeros((4, 8, 8, 3), np.uint8)
    pairs = tuple(Pair(f"clip {k}", lambda: Footage(clip)) for k in range(COUNT))
    chance = np.random.default_rng(0)
    base = chance.normal(20, 3, (COUNT, 1))

    def grid(psnr: np.ndarray) -> dict[str, np.ndarray]:
        empty = {one.key: np.full_like(psnr, np.nan) for one in MEASURES}
        return {**empty, "psnr": psnr, "warping": -psnr}

    everybody = (REAL, *(Contender(name, f"is {name}", REAL.make) for name in ("trf", "full")))
    return Findings(
        material=Material("set", pairs, pairs, 4, (8, 8), Fraction(7)),
        contenders=everybody,
        seeds=2,
        values={
            "real": grid(np.full((COUNT, 1), 99.0)),
            "trf": grid(base),
            "full": grid(np.hstack([base + 1, base + 3])),
        },
        vectors={one.name: chance.normal(number, 1, (1, COUNT, 3)) for number, one in enumerate(everybody)},
        others=chance.normal(0, 1, (COUNT, 3)),
        clips={one.name: [clip] * 2 for one in everybody},
    )


def test_means_and_differences(findings: Findings):
    summary = summarise(findings)
    assert summary.ours == "full"
    assert [one.key for one in summary.measures] == ["frechet", "psnr", "warping"]
    real, trf, full = means_rows(summary)
    assert (real["method"], trf["method"], full["method"]) == ("real", "trf", "full")
    assert full["PSNR, dB"] == pytest.approx(trf["PSNR, dB"] + 2)
    assert findings.others is not None
    expected = frechet_distance(findings.vectors["full"][0], findings.others)
    assert full["Frechet (toy-features)"] == pytest.approx(expected)
    frechet, psnr, warping = difference_rows(summary)
    assert frechet["difference"] == pytest.approx(full["Frechet (toy-features)"] - trf["Frechet (toy-features)"])
    assert (psnr["difference"], psnr["from"], psnr["to"]) == pytest.approx((2, 2, 2))
    assert (psnr["zero"], psnr["better"], psnr["pairs"]) == ("excluded", "ours", COUNT)
    assert (warping["difference"], warping["better"]) == (pytest.approx(-2), "ours")


def test_of_too_few_pairs_no_sign_is_told(findings: Findings, tmp_path: Path):
    """`full` is above `trf` for each pair; of nine pairs that may be chance, and the page says so."""
    count = FEWEST - 1
    fewer = replace(
        findings,
        material=replace(findings.material, pairs=findings.material.pairs[:count]),
        values={name: {key: row[:count] for key, row in rows.items()} for name, rows in findings.values.items()},
        vectors={},
        others=None,
    )
    psnr, *_ = difference_rows(summarise(fewer))
    assert (psnr["zero"], psnr["better"], psnr["pairs"]) == ("too few pairs", "-", count)
    assert psnr["from"] == pytest.approx(2)
    page = write_report(tmp_path, summarise(fewer)).read_text()
    assert "too narrow" in page
    (apart,) = json.loads((tmp_path / "report.json").read_text())["differences"]
    assert apart["measures"]["psnr"]["zero"] == "too few pairs"
    assert apart["measures"]["psnr"]["low"] == pytest.approx(2)


@pytest.mark.parametrize(
    ("called", "ours"),
    [
        (("trf", "full@steps=50"), "full@steps=50"),
        (("full@draft", "full@steps=50"), "full@draft"),
        (("full@draft", "full"), "full"),
        (("trf", "full-linear"), "trf"),
    ],
)
def test_ours_may_have_a_sampling_of_its_own(findings: Findings, called: tuple[str, str], ours: str):
    real, *others = findings.contenders
    names: dict[str, str] = dict(zip(("trf", "full"), called, strict=True))
    everybody = (real, *(replace(one, name=names[one.name]) for one in others))
    values = {names.get(name, name): grids for name, grids in findings.values.items()}
    renamed = replace(findings, contenders=everybody, values=values, vectors={}, others=None)
    summary = summarise(renamed)
    assert summary.ours == ours
    assert [(one.ours, one.other) for one in summary.differences] == [(ours, *(set(called) - {ours}))]


def test_without_ours_the_first_is_compared(findings: Findings):
    findings.values.pop("full")
    fewer = Findings(**{**vars(findings), "contenders": findings.contenders[:2], "others": None})
    summary = summarise(fewer)
    assert summary.ours == "trf"
    assert summary.differences == ()
    assert [one.key for one in summary.measures] == ["psnr", "warping"]


def test_the_page(findings: Findings, tmp_path: Path):
    path = write_report(tmp_path / "report", summarise(findings))
    page = path.read_text()
    for line in (
        "# keyweave bench inbetween: set",
        "12 pairs, 2 seeds, 4 frames of 8x8.",
        "- `real`: the real clip itself: how good the judges are\n- `trf`: is trf\n- `full`: is full\n",
        "## full minus each other method",
        "| PSNR, dB",
        "FID and FVD are not measured",
        "never a number",
        "| full                 |     32.68 |     424.7 |",
        "- PSNR, dB: to the real frames between the keyframes; more is better.\n",
        "The first 2 pairs, not picked",
        "![001.png](pairs/001.png)",
    ):
        assert line in page
    row = json.loads((path.parent / "report.json").read_text())
    (apart,) = row["differences"]
    assert (apart["of"], apart["minus"]) == ("full", "trf")
    assert apart["measures"]["psnr"]["value"] == pytest.approx(2)
    assert apart["measures"]["psnr"]["zero"] == "excluded"
    assert "zero" not in row["groups"][1]["means"]["psnr"]  # that of a mean says nothing
    assert apart["each training"]["psnr"] == []
    assert row["pairs"][0]["values"]["full"]["ssim"] == [None, None]
    assert len(row["pairs"][0]["values"]["full"]["psnr"]) == 2
    assert sorted(one.name for one in path.parent.iterdir()) == ["measures.png", "pairs", "report.json", "report.md"]
    write_report(path.parent, summarise(findings))
    assert path.read_text() == page


@pytest.fixture
def grown(findings: Findings) -> Findings:
    """`full` and `no-rotation` from 50 clips and 100, two trainings each, beside `trf`."""
    chance = np.random.default_rng(1)
    base = findings.values["trf"]
    everybody, values = [REAL, findings.contenders[1]], {name: findings.values[name] for name in ("real", "trf")}
    vectors = {name: findings.vectors[name] for name in values}
    for method in ("full", "no-rotation"):
        for clips in (50, 100):
            for seed in (0, 1):
                name = f"{method}, {clips} clips, seed {seed}"
                better = (clips == 100) * 0.5 + (method == "full") * (0.2 if clips == 50 else -0.3)
                noise = chance.normal(better, 0.1, (COUNT, 1))
                everybody.append(Contender(name, method, REAL.make, method=method, clips=clips))
                values[name] = {key: grid + (noise + seed if key == "psnr" else 0) for key, grid in base.items()}
                vectors[name] = chance.normal(seed, 1, (1, COUNT, 3))
    clip = findings.clips["real"]
    return replace(
        findings,
        contenders=tuple(everybody),
        values=values,
        vectors=vectors,
        clips=dict.fromkeys((one.name for one in everybody), clip),
    )


def test_trainings_are_pooled_and_compared_at_the_same_number_of_clips(grown: Findings):
    summary = summarise(grown)
    assert [group.name for group in summary.groups] == [
        "real",
        "trf",
        *(f"{method}, {clips} clips" for method in ("full", "no-rotation") for clips in (50, 100)),
    ]
    assert [(one.ours, one.other) for one in summary.differences] == [
        (f"full, {clips} clips", other) for clips in (50, 100) for other in ("trf", f"no-rotation, {clips} clips")
    ]

    def psnr(method: str, clips: int, seed: int) -> np.ndarray:
        return grown.values[f"{method}, {clips} clips, seed {seed}"]["psnr"][:, 0]

    for clips, one in zip((50, 100), summary.differences[1::2], strict=True):
        apart = np.stack([psnr("full", clips, seed) - psnr("no-rotation", clips, seed) for seed in (0, 1)])
        found = one.measures["psnr"]
        assert found is not None
        assert found.value == pytest.approx(apart.mean())
        assert found.pairs == COUNT  # not twice as many
        expected = of_mean(apart.mean(axis=0))
        assert expected is not None
        assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
        assert one.each["psnr"] == pytest.approx(apart.mean(axis=1))
    against = summary.differences[0]
    base = grown.values["trf"]["psnr"][:, 0]
    assert against.each["psnr"] == pytest.approx([(psnr("full", 50, seed) - base).mean() for seed in (0, 1)])
    assert grown.others is not None
    distances = [frechet_distance(grown.vectors[f"full, 50 clips, seed {k}"][0], grown.others) for k in (0, 1)]
    mean = summary.means["full, 50 clips"]["frechet"]
    assert mean is not None
    assert mean.value == pytest.approx(np.mean(distances))
    assert [summary.each[f"full, 50 clips, seed {k}"]["frechet"] for k in (0, 1)] == pytest.approx(distances)


def test_without_full_what_learns_is_compared(grown: Findings):
    fewer = replace(grown, contenders=tuple(one for one in grown.contenders if one.method != "full"))
    assert {one.ours for one in summarise(fewer).differences} == {"no-rotation, 50 clips", "no-rotation, 100 clips"}


def test_the_page_of_trainings(grown: Findings, tmp_path: Path):
    page = write_report(tmp_path, summarise(grown)).read_text()
    for line in (
        "Means over pairs, of each pair over seeds and trainings.",
        "## How much data it takes",
        "![measures and numbers of clips](clips.png)",
        "## Each training by itself",
        "| full, 50 clips, seed 1",
        "## full minus each other method",
        "| each training",
    ):
        assert line in page
    assert (tmp_path / "clips.png").is_file()
    (row,) = [row for row in json.loads((tmp_path / "report.json").read_text())["groups"] if row["clips"] == 50][:1]
    assert row["methods"] == ["full, 50 clips, seed 0", "full, 50 clips, seed 1"]


def test_the_page_tells_how_far_apart_keyframes_are(findings: Findings, tmp_path: Path):
    """Clips have 4 frames: 6 apart, each has a real frame at its very time."""
    for gap, exact in ((6, True), (7, False)):
        apart = replace(findings, material=replace(findings.material, gap=gap))
        path = write_report(tmp_path, summarise(apart))
        page = path.read_text()
        assert f"\n\n{apart.material.timing}\n\n" in page
        assert ("the nearest real frame" in page) is not exact
        material = json.loads((tmp_path / "report.json").read_text())["material"]
        assert (material["gap"], material["exact"]) == (gap, exact)
    assert "Keyframes are" not in write_report(tmp_path, summarise(findings)).read_text()


def test_the_page_says_what_was_run(findings: Findings, tmp_path: Path):
    trf = replace(findings.contenders[1], options={"sampling": "steps=25"}, evaluations=100, remark="without its jumps")
    page = write_report(
        tmp_path, summarise(replace(findings, contenders=(REAL, trf, findings.contenders[2])))
    ).read_text()
    assert "- `trf`: is trf; steps=25; 100 evaluations of the network; without its jumps\n" in page


def test_the_sheets_say_whether_clips_were_finished(findings: Findings, tmp_path: Path):
    assert "first seed, the clips as they were made." in write_report(tmp_path, summarise(findings)).read_text()
    real, trf, full = findings.contenders
    done = replace(findings, contenders=(real, trf, replace(full, finish=True)))
    page = write_report(tmp_path, summarise(done)).read_text()
    assert "as they were made" not in page
    assert "first seed, generated clips finished with the keyframes' colours and detail." in page
