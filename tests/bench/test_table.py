"""From findings with known numbers to the page."""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from keyweave.bench.contenders import Contender
from keyweave.bench.measures import MEASURES
from keyweave.bench.pairs import Footage, Material, Pair
from keyweave.bench.run import REAL, Findings
from keyweave.bench.summary import summarise
from keyweave.bench.table import difference_rows, means_rows, write_report
from keyweave.metrics.frechet import frechet_distance

COUNT = 6


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


def test_without_ours_the_first_is_compared(findings: Findings):
    findings.values.pop("full")
    fewer = Findings(**{**vars(findings), "contenders": findings.contenders[:2], "others": None})
    summary = summarise(fewer)
    assert summary.ours == "trf"
    assert summary.differences == {}
    assert [one.key for one in summary.measures] == ["psnr", "warping"]


def test_the_page(findings: Findings, tmp_path: Path):
    path = write_report(tmp_path / "report", summarise(findings))
    page = path.read_text()
    for line in (
        "# keyweave bench inbetween: set",
        "6 pairs, 2 seeds, 4 frames of 8x8.",
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
    assert row["differences"]["of"] == "full"
    assert row["differences"]["minus"]["trf"]["psnr"]["value"] == pytest.approx(2)
    assert row["pairs"][0]["values"]["full"]["ssim"] == [None, None]
    assert len(row["pairs"][0]["values"]["full"]["psnr"]) == 2
    assert sorted(one.name for one in path.parent.iterdir()) == ["measures.png", "pairs", "report.json", "report.md"]
    write_report(path.parent, summarise(findings))
    assert path.read_text() == page
