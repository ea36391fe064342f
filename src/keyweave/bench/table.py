"""A benchmark for people: a page of tables, a picture of the measures, and sheets of the first pairs."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from keyweave.base.files import write_text
from keyweave.base.version import VERSION
from keyweave.bench.chart import whiskers
from keyweave.bench.pairs import GAP
from keyweave.bench.summary import FRECHET
from keyweave.media.pictures.images import write_image
from keyweave.media.sheet import strip
from keyweave.metrics.records import table

if TYPE_CHECKING:
    from pathlib import Path

    from keyweave.bench.intervals import Interval
    from keyweave.bench.measures import Measure
    from keyweave.bench.summary import Summary

_COLUMNS = 7  # frames of a clip on a sheet
_CELL = 128
_DRAWN = ("frechet", "progress", "swept", "psnr", "ssim", "place", "forward", "ends")  # in the picture

_HOW_SURE = (
    "Differences between the same pairs, seeds averaged first, with bootstrap 95 % intervals over pairs. Where zero is "
    "excluded, other pairs of this kind would very likely give the same sign."
)
_OTHER_MEASURES = (
    f"Generative Inbetweening, FID and FVD with the standard networks at 1024x576, on pairs {GAP} frames or more apart "
    "of Davis (117) and Pexels (106). They are other measures on other films by another model: only the order of the "
    "methods can be set beside the tables above, never a number."
)

# Generative Inbetweening (Wang et al.), tables of the thesis; FID / FVD, less is better.
PAPER: tuple[dict[str, Any], ...] = tuple(
    dict(zip(("method", "Davis FID", "Davis FVD", "Pexels FID", "Pexels FVD"), row, strict=True))
    for row in (
        ("FILM", 41.85, 1048.65, 25.16, 371.83),
        ("TRF", 36.79, 563.07, 31.43, 563.16),
        ("DynamiCrafter", 38.32, 439.74, 32.06, 393.12),
        ("no-rotation (w/o RA)", 36.70, 549.98, 26.42, 458.76),
        ("no-tuning (w/o FT)", 47.23, 604.76, 37.68, 555.10),
        ("full", 32.68, 424.69, 22.99, 306.84),
    )
)


def write_report(folder: Path, summary: Summary) -> Path:
    """Write all of it into a folder, in place of what an earlier run wrote; return the page."""
    sheets = _write_sheets(folder / "pairs", summary)
    picture = whiskers(
        [(one.title, _row(summary, one)) for one in summary.measures if one.key in _DRAWN],
        title=f"bench inbetween: {summary.findings.material.name}",
        facts=_facts(summary),
    )
    write_image(folder / "measures.png", picture, overwrite=True)
    row = {"version": VERSION, **summary.as_dict(), "paper": list(PAPER)}
    write_text(folder / "report.json", json.dumps(row, indent=1, ensure_ascii=False) + "\n", overwrite=True)
    write_text(folder / "report.md", page(summary, sheets), overwrite=True)
    return folder / "report.md"


def means_rows(summary: Summary) -> list[dict[str, Any]]:
    """Return a row for each method, the real clips first."""
    return [
        {
            "method": one.name,
            **{measure.title: _mean(summary.means[one.name][measure.key]) for measure in summary.measures},
        }
        for one in summary.findings.contenders
    ]


def difference_rows(summary: Summary) -> list[dict[str, Any]]:
    """Return a row for each measure and other method: ours minus the other, and where zero lies."""
    return [
        {
            "measure": measure.title,
            "minus": name,
            "difference": found.value,
            "from": found.low,
            "to": found.high,
            "pairs": found.pairs,
            "zero": "excluded" if found.excludes_zero else "inside",
            "better": _better(measure, found),
        }
        for measure in summary.measures
        for name, row in summary.differences.items()
        if (found := row[measure.key]) is not None
    ]


def page(summary: Summary, sheets: list[str]) -> str:
    """Write the report as Markdown."""
    findings = summary.findings
    parts = [
        f"# keyweave bench inbetween: {findings.material.name}",
        f"{_facts(summary)}. keyweave {VERSION}.",
        *(f"- `{one.name}`: {one.says}{_made_with(one.options, one.models)}" for one in findings.contenders),
        "",
        "## Measures",
        "Means over pairs, of each pair over seeds.",
        table(means_rows(summary), style="markdown"),
        *(_legend(one) for one in summary.measures),
        "",
        _standard(summary),
        "![the measures, with their intervals](measures.png)",
    ]
    rows = difference_rows(summary)
    if rows:
        parts += [
            f"## {summary.ours} minus each other method",
            _HOW_SURE,
            table(rows, style="markdown"),
        ]
    parts += [
        "## The paper's numbers",
        _OTHER_MEASURES,
        table(PAPER, style="markdown"),
        "## Sheets",
        f"The first {len(sheets)} pairs, not picked; first seed, the clips as they were made.",
        *(f"![{name}](pairs/{name})" for name in sheets),
    ]
    return "\n\n".join(_joined(parts)) + "\n"


def _joined(parts: list[str]) -> list[str]:
    """Keep the lines of a list together."""
    found: list[str] = []
    for part in parts:
        if part.startswith("- ") and found and found[-1].startswith("- "):
            found[-1] += f"\n{part}"
        elif part:
            found.append(part)
    return found


def _facts(summary: Summary) -> str:
    findings, material = summary.findings, summary.findings.material
    width, height = material.size
    return f"{len(material.pairs)} pairs, {findings.seeds} seeds, {material.frames} frames of {width}x{height}"


def _made_with(options: dict[str, str], models: dict[str, Any]) -> str:
    named = [f"{role} {mark.ref} ({mark.sha256[:12]})" for role, mark in models.items()]
    named += [options["sampling"]] if "sampling" in options else []
    return f"; {'; '.join(named)}" if named else ""


def _legend(measure: Measure) -> str:
    better = {True: "more is better", False: "less is better", None: "1 is best"}[measure.up]
    return f"- {measure.title}: {measure.says}; {better}."


def _standard(summary: Summary) -> str:
    """Say what the distances are measured with, and with what not."""
    ours = (
        f"{FRECHET.title} has its floor in the row `real`: so far apart are real clips, as many as there are pairs."
        if FRECHET in summary.measures
        else "No Frechet distance: it takes 4 pairs or more of the drawn world."
    )
    return f"{ours} FID and FVD are not measured: they mean networks whose weights keyweave does not have."


def _mean(found: Interval | None) -> float | None:
    return None if found is None else found.value


def _better(measure: Measure, found: Interval) -> str:
    if measure.up is None or not found.excludes_zero:
        return "-"
    return "ours" if (found.value > 0) == measure.up else "the other"


def _row(summary: Summary, measure: Measure) -> list[tuple[str, Interval | None]]:
    """Return the means of all methods but the real clips, which would stretch the scale."""
    return [(one.name, summary.means[one.name][measure.key]) for one in summary.findings.contenders[1:]]


def _write_sheets(folder: Path, summary: Summary) -> list[str]:
    findings = summary.findings
    material = findings.material
    at = np.unique(np.linspace(0, material.frames - 1, min(_COLUMNS, material.frames)).round().astype(int))
    names = []
    for number, pair in enumerate(material.pairs[: len(next(iter(findings.clips.values())))]):
        rows = [(name, list(clips[number][at])) for name, clips in findings.clips.items()]
        times = [Fraction(int(k)) / material.rate for k in at]
        names.append(f"{number:03d}.png")
        sheet = strip(rows, times=times, title=pair.name, cell_width=_CELL)
        write_image(folder / names[-1], sheet, overwrite=True)
    return names
