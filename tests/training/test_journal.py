"""What a training notes is JSON whatever happens, comes back, and can be drawn."""

import json
from math import inf, nan
from pathlib import Path
from typing import Any

import pytest

from keyweave.training import journal as room
from keyweave.training.journal import Journal, read


def strict(path: Path) -> list[dict[str, Any]]:
    """Read lines as JSON is defined, which knows neither Infinity nor NaN."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    return [json.loads(line, parse_constant=refuse) for line in path.read_text().splitlines()]


def row(step: int, loss: float = 1.0, norm: float = 0.5) -> dict[str, Any]:
    return {"step": step, "loss": loss, "rate": 1e-3, "norm": norm, "seconds": 0.1}


def test_a_norm_that_overflowed_is_null_and_comes_back(tmp_path: Path):
    path = tmp_path / "journal.jsonl"
    journal = Journal(path, 0)
    for number, norm in enumerate((0.5, inf, nan)):
        journal.add(row(number, norm=norm))
    assert [one["norm"] for one in strict(path)] == [0.5, None, None]
    assert read(path) == strict(path) == journal.rows
    again = Journal(path, 2)
    again.add(row(2))
    assert [one["norm"] for one in strict(path)] == [0.5, None, 0.5]


def test_the_journal_of_an_earlier_version_is_mended(tmp_path: Path):
    path = tmp_path / "journal.jsonl"
    path.write_text(json.dumps(row(0, norm=inf)) + "\n" + json.dumps(row(1, loss=nan)) + "\n")
    assert [(one["loss"], one["norm"]) for one in Journal(path, 2).rows] == [(1.0, None), (None, 0.5)]
    assert len(strict(path)) == 2


@pytest.mark.parametrize(
    ("losses", "points", "note"),
    [
        ([4.0, inf, 2.0], [4.0, None, 2.0], "last 2"),
        ([4.0, 2.0, nan], [4.0, 2.0, None], "last no number"),
        ([nan], [None], "last no number"),
        ([nan, nan, 3.0, inf, 1.0, 3.0], [None, 3.0, 2.0], "last 3"),  # two steps a point
    ],
)
def test_the_picture_leaves_a_gap_where_the_loss_is_no_number(
    losses: list[float], points: list[float | None], note: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    drawn: list[Any] = []
    real = room.curves_picture
    monkeypatch.setattr(room, "_POINTS", 3)
    monkeypatch.setattr(room, "curves_picture", lambda panels, **rest: drawn.append(panels[0]) or real(panels, **rest))
    journal = Journal(tmp_path / "journal.jsonl", 0)
    for number, loss in enumerate(losses):
        journal.add(row(number, loss=loss))
    journal.draw(tmp_path / "loss.png", "training")
    assert drawn[0].curves[0].values == points
    assert drawn[0].note == note
    assert (tmp_path / "loss.png").stat().st_size > 0
