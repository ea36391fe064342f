"""The benchmark of labelling for people: a page with the paper's table beside ours, and pictures of both."""

from __future__ import annotations

import json
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from keyweave.base.files import write_text
from keyweave.base.version import VERSION
from keyweave.bench.chart import whiskers
from keyweave.bench.labelled import MEASURES, THRESHOLDS
from keyweave.media.curves import Curve, Panel, curves_picture
from keyweave.media.pictures.images import write_image
from keyweave.metrics.records import table

if TYPE_CHECKING:
    from pathlib import Path

    from keyweave.bench.intervals import Interval
    from keyweave.bench.labelled import Found, Line
    from keyweave.media.types import Image

# How Animals Dance, table 7.1: 20 films of dances from YouTube and TikTok, rotations by GVHMR.
PAPER = {"rand": 0.94, "information": 0.98, "precision": 0.93, "recall": 0.91, "balance": 0.92}
_NO_MATCH = (
    "The row of the thesis is of 20 films that nobody else has, with beats by librosa and poses by GVHMR: it says what "
    "can be hoped for, and no number below it can be set against it."
)
_HOW_SURE = "Means over dances, with bootstrap 95 % intervals over dances."
_WRONG = 12  # dances whose labels are shown
_HUNDREDTHS = 100


def write_dance_report(folder: Path, found: Found) -> Path:
    """Write all of it into a folder, in place of what an earlier run wrote; return the page."""
    panels = [
        (about["title"], [(line.entry.name, line.means[key]) for line in found.lines])
        for key, about in MEASURES.items()
    ]
    title = f"bench dance: {found.dances.name}"
    write_image(folder / "measures.png", whiskers(panels, title=title, facts=_facts(found)), overwrite=True)
    write_image(folder / "thresholds.png", _thresholds(found, title), overwrite=True)
    row = {"version": VERSION, **found.as_dict(), "paper": PAPER}
    write_text(folder / "report.json", json.dumps(row, indent=1, ensure_ascii=False) + "\n", overwrite=True)
    write_text(folder / "report.md", page(found), overwrite=True)
    return folder / "report.md"


def mean_rows(found: Found) -> list[dict[str, Any]]:
    """Return a row for each line of the table, that of the thesis first."""
    titles = {key: about["title"] for key, about in MEASURES.items()}
    paper = {title: f"{PAPER[key]:.2f}" if key in PAPER else "-" for key, title in titles.items()}
    return [
        {"poses": "thesis, table 7.1", "dances": 20, **paper},
        *(
            {
                "poses": line.entry.name,
                "dances": len(line.rows),
                **{title: _words(line, key) for key, title in titles.items()},
            }
            for line in found.lines
        ),
    ]


def page(found: Found) -> str:
    """Write the report as Markdown."""
    legend = "\n".join(f"- {about['title']}: {about['says']}" for about in MEASURES.values())
    parts = [
        f"# keyweave bench dance: {found.dances.name}",
        f"{_facts(found)}. {_asked(found)} keyweave {VERSION}.",
        "\n".join(f"- `{line.entry.name}`: {line.entry.says}" for line in found.lines),
        "## Labels",
        f"{_HOW_SURE} {_NO_MATCH}",
        table(mean_rows(found), style="markdown"),
        legend,
        "Where nothing is called mirrored a dance has no precision, where nothing is mirrored no recall.",
        "![the measures, with their intervals](measures.png)",
        "## Thresholds",
        "The mean over all dances if all had the same threshold, in place of one that is found from each.",
        "![ARI and F1 against the threshold](thresholds.png)",
        table(_threshold_rows(found), style="markdown"),
    ]
    wrong = [row for line in found.lines for row in _wrong_rows(line)]
    if wrong:
        parts += ["## Where it was wrong", f"The worst {min(_WRONG, len(wrong))} of {len(wrong)}."]
        parts.append(table(sorted(wrong, key=lambda row: row["ARI"])[:_WRONG], style="markdown"))
    if found.left_out:
        parts += ["## Left out", "\n".join(f"- {words}" for words in found.left_out)]
    return "\n\n".join(parts) + "\n"


def _facts(found: Found) -> str:
    most = max(len(line.rows) for line in found.lines)
    segments = sum(len(row.truth.split("-")) for row in max(found.lines, key=lambda line: len(line.rows)).rows)
    return f"{most} dances, {segments} segments"


def _asked(found: Found) -> str:
    words = [
        f"The {name.replace('_', ' ')} is {value:g} for all."
        for name, value in found.options.items()
        if value is not None
    ]
    return " ".join(words) or "Thresholds are found from each dance."


def _words(line: Line, key: str) -> str:
    """Write a mean and its interval; of a single dance, its number."""
    one = line.means[key]
    if one is not None:
        return _interval(one)
    values = [getattr(row.figures, key) for row in line.rows]
    known = [value for value in values if np.isfinite(value)]
    return f"{known[0]:.2f}" if known else "-"


def _interval(one: Interval) -> str:
    exact = one.low == one.high
    return f"{one.value:.2f}" if exact else f"{one.value:.2f} ({one.low:.2f} to {one.high:.2f})"


def _mean_curve(line: Line, curve: str) -> list[float]:
    """Return the mean over dances for each of `THRESHOLDS`; NaN where no dance has it."""
    grid = np.array([getattr(row, curve) for row in line.rows], np.float64)
    known = np.isfinite(grid)
    total, count = np.where(known, grid, 0).sum(axis=0), known.sum(axis=0)
    return np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0).tolist()


def _threshold_rows(found: Found) -> list[dict[str, Any]]:
    rows = []
    for line in found.lines:
        rand = _mean_curve(line, "rand")
        good = [at for at, value in zip(THRESHOLDS, rand, strict=True) if value >= max(rand) - 0.05]
        chosen = [row.threshold for row in line.rows]
        rows.append(
            {
                "poses": line.entry.name,
                "best ARI": f"{max(rand):.2f}",
                "not 0.05 below it": f"{good[0]:g} to {good[-1]:g}",
                "found, median": f"{median(chosen):.2f}",
                "found": f"{min(chosen):.2f} to {max(chosen):.2f}",
                "unit": line.unit,
            }
        )
    return rows


def _wrong_rows(line: Line) -> list[dict[str, Any]]:
    return [
        {"poses": line.entry.name, "dance": row.clip, "ARI": row.figures.rand, "right": row.truth, "found": row.labels}
        for row in line.rows
        if not row.figures.right
    ]


def _thresholds(found: Found, title: str) -> Image:
    """Draw ARI and F1 against the threshold; the curves of the house count from left to right, here hundredths."""
    panels = []
    for line in found.lines:
        hundredths = np.arange(round(_HUNDREDTHS * THRESHOLDS[-1]) + 1)
        curves = [
            Curve(
                name,
                np.interp(hundredths, _HUNDREDTHS * np.array(THRESHOLDS), _mean_curve(line, key), left=np.nan).tolist(),
            )
            for key, name in (("rand", "ARI"), ("balance", "F1 of mirrored pairs"))
        ]
        chosen = median(row.threshold for row in line.rows)
        note = f"found from each dance: {chosen:.2f} in the median"
        panels.append(Panel(line.entry.name, curves, note, floor=0.0, ceiling=1.0))
    return curves_picture(panels, title=f"{title}, by threshold", facts=_facts(found), axis="x 0.01")
