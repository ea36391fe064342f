"""A benchmark for people: a page of tables, a picture of the measures, and sheets of the first pairs."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from keyweave.base.files import write_text
from keyweave.base.version import VERSION
from keyweave.bench.chart import Line, Point, growth, whiskers
from keyweave.bench.intervals import FEWEST as FEWEST_OF_SIGN
from keyweave.bench.pairs import GAP
from keyweave.bench.standard import FEWEST, KINDS
from keyweave.bench.summary import FRECHET
from keyweave.media.pictures.images import write_image
from keyweave.media.sheet import strip
from keyweave.metrics.records import table

if TYPE_CHECKING:
    from pathlib import Path

    from keyweave.bench.contenders import Contender
    from keyweave.bench.intervals import Interval
    from keyweave.bench.measures import Measure
    from keyweave.bench.summary import Summary

_COLUMNS = 7  # frames of a clip on a sheet
_CELL = 128
_DRAWN = ("frechet", "fid", "fvd", "progress", "swept", "psnr", "ssim", "place", "forward", "ends")  # in the picture

_CURVES = "clips.png"

_HOW_SURE = (
    "Differences between the same pairs, seeds and trainings averaged first, with bootstrap 95 % intervals over pairs. "
    "Where zero is excluded, other pairs of this kind would very likely give the same sign. Intervals of few pairs are "
    f"too narrow: of 12 they miss 8 times of 100 in place of 5, and of fewer than {FEWEST_OF_SIGN} no sign is told."
)
_HOW_MUCH = (
    "The measures over the number of clips that were learnt from (figure 5.6 of the thesis), with bootstrap 95 % "
    "intervals over pairs; small dots are single trainings, where there are several."
)
_CHANCE = (
    "The same means of each training. How far those of one kind lie apart is the chance of training, which no interval "
    "over pairs holds."
)
_OTHER_MEASURES = (
    f"Generative Inbetweening, FID and FVD with the standard networks at 1024x576, on pairs {GAP} frames or more apart "
    "of Davis (117) and Pexels (106). They are {} on other films by another model: only the order of the "
    "methods can be set beside the tables above, never a number."
)
_PLAIN = "the clips as they were made"
_FINISHED = "generated clips finished with the keyframes' colours and detail"
_ELSE = "other measures"
_ALIKE = "measures of these names, maybe by other files of weights and pictures resized otherwise,"

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
    (folder / _CURVES).unlink(missing_ok=True)  # an earlier run may have had other trainings
    if len(_sizes(summary)) > 1:
        panels = [(one.title, _lines(summary, one)) for one in summary.measures if one.key in _DRAWN]
        picture = growth(panels, _sizes(summary), title="measures and numbers of clips", facts=_facts(summary))
        write_image(folder / _CURVES, picture, overwrite=True)
    row = {"version": VERSION, **summary.as_dict(), "paper": list(PAPER)}
    write_text(folder / "report.json", json.dumps(row, indent=1, ensure_ascii=False) + "\n", overwrite=True)
    write_text(folder / "report.md", page(summary, sheets), overwrite=True)
    return folder / "report.md"


def means_rows(summary: Summary) -> list[dict[str, Any]]:
    """Return a row for each method and number of clips, the real clips first."""
    return [
        {
            "method": group.name,
            **{measure.title: _mean(summary.means[group.name][measure.key]) for measure in summary.measures},
        }
        for group in summary.groups
    ]


def training_rows(summary: Summary) -> list[dict[str, Any]]:
    """Return a row for each training where there are several of a kind: how far chance in it goes."""
    return [
        {
            "training": name,
            **{measure.title: summary.each[name][measure.key] for measure in summary.measures},
        }
        for group in summary.groups
        if len(group.members) > 1
        for name in group.members
    ]


def difference_rows(summary: Summary) -> list[dict[str, Any]]:
    """Return a row for each measure and comparison: ours minus the other, and where zero lies."""
    several = any(any(one.each.values()) for one in summary.differences)
    return [
        {
            "measure": measure.title,
            "of": one.ours,
            "minus": one.other,
            "difference": found.value,
            "from": found.low,
            "to": found.high,
            "pairs": found.pairs,
            "zero": found.zero,
            "better": _better(measure, found),
            **({"each training": ", ".join(f"{value:.3g}" for value in one.each[measure.key])} if several else {}),
        }
        for measure in summary.measures
        for one in summary.differences
        if (found := one.measures[measure.key]) is not None
    ]


def standard_lines(summary: Summary) -> list[str]:
    """Say of FID and FVD, where they are measured, by what; and where they rest on too few samples."""
    sights = summary.findings.sights
    return [*(f"{one.words()}." for one in sights), *(one.note for one in sights if one.note)]


def page(summary: Summary, sheets: list[str]) -> str:
    """Write the report as Markdown."""
    findings, trainings = summary.findings, training_rows(summary)
    done = any(one.finish for one in findings.contenders)
    parts = [
        f"# keyweave bench inbetween: {findings.material.name}",
        f"{_facts(summary)}. keyweave {VERSION}.",
        findings.material.timing,
        *(f"- `{one.name}`: {one.says}{_made_with(one)}" for one in findings.contenders),
        "",
        "## Measures",
        "Means over pairs, of each pair over seeds" + (" and trainings." if trainings else "."),
        table(means_rows(summary), style="markdown"),
        *(_legend(one) for one in summary.measures),
        "",
        _standard(summary),
        *(f"- {line}" for line in standard_lines(summary)),
        "![the measures, with their intervals](measures.png)",
    ]
    if len(_sizes(summary)) > 1:
        parts += ["## How much data it takes", _HOW_MUCH, f"![measures and numbers of clips]({_CURVES})"]
    if trainings:
        parts += ["## Each training by itself", _CHANCE, table(trainings, style="markdown")]
    rows = difference_rows(summary)
    if rows:
        parts += [
            f"## {summary.ours} minus each other method",
            _HOW_SURE,
            table(rows, style="markdown"),
        ]
    parts += [
        "## The paper's numbers",
        _OTHER_MEASURES.format(_ALIKE if findings.sights else _ELSE),
        table(PAPER, style="markdown"),
        "## Sheets",
        f"The first {len(sheets)} pairs, not picked; first seed, {_FINISHED if done else _PLAIN}.",
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


def _made_with(one: Contender) -> str:
    named = [f"{role} {mark.ref} ({mark.sha256[:12]})" for role, mark in one.models.items()]
    named += [one.options["sampling"]] if "sampling" in one.options else []
    named += [] if one.evaluations is None else [f"{one.evaluations} evaluations of the network"]
    named += [one.remark] if one.remark else []
    return f"; {'; '.join(named)}" if named else ""


def _legend(measure: Measure) -> str:
    better = {True: "more is better", False: "less is better", None: "1 is best"}[measure.up]
    return f"- {measure.title}: {measure.says}; {better}."


def _standard(summary: Summary) -> str:
    """Say what the distances are measured with, and with what not."""
    sights = summary.findings.sights
    floored = [FRECHET.title] if FRECHET in summary.measures else []
    floored += [one.standard.kind.measure.title for one in sights if one.apart]
    own = [one.standard.kind.measure.title for one in sights if not one.apart]
    absent = [kind.measure.title for kind in KINDS.values() if kind.measure.title not in (*floored, *own)]
    parts = []
    if floored:
        have = f"{_listed(floored)} {'has its' if len(floored) == 1 else 'have their'} floor"
        parts.append(f"{have} in the row `real`: so far apart are real clips, as many as there are pairs.")
    if FRECHET not in summary.measures:
        which = f"No {FRECHET.title}" if sights else "No Frechet distance"
        parts.append(f"{which}: it takes {FEWEST} pairs or more of the drawn world.")
    if own:
        parts.append(
            f"{_listed(own)}: from the pairs' own real clips, so that there is no floor, and none of the row `real`."
        )
    if absent:
        mean = "are not measured: they mean networks" if len(absent) > 1 else "is not measured: it means a network"
        flags = " and ".join(f"--{title.lower()}" for title in absent)
        parts.append(f"{_listed(absent)} {mean} whose weights keyweave does not have; see {flags}.")
    return " ".join(parts)


def _listed(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _mean(found: Interval | None) -> float | None:
    return None if found is None else found.value


def _better(measure: Measure, found: Interval) -> str:
    if measure.up is None or found.zero != "excluded":
        return "-"
    return "ours" if (found.value > 0) == measure.up else "the other"


def _row(summary: Summary, measure: Measure) -> list[tuple[str, Interval | None]]:
    """Return the means of all methods but the real clips, which would stretch the scale."""
    return [(group.name, summary.means[group.name][measure.key]) for group in summary.groups[1:]]


def _sizes(summary: Summary) -> list[int]:
    """Return the numbers of clips that were learnt from."""
    return sorted({group.clips for group in summary.groups if group.clips is not None})


def _lines(summary: Summary, measure: Measure) -> list[Line]:
    """Return a line for each method that learns, over the numbers of clips."""
    lines: dict[str, list[Point]] = {}
    for group in summary.groups:
        found = summary.means[group.name][measure.key]
        if group.clips is not None and found is not None:
            alone = [summary.each[name][measure.key] for name in group.members] if len(group.members) > 1 else []
            lines.setdefault(group.method, []).append(Point(group.clips, found, alone))
    return [Line(name, sorted(points, key=lambda point: point.clips)) for name, points in lines.items()]


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
