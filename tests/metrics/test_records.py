from dataclasses import dataclass
from fractions import Fraction
from math import inf, nan
from typing import ClassVar

from keyweave.metrics.records import Record, table


@dataclass(frozen=True)
class Inner(Record):
    level: float


@dataclass(frozen=True)
class Outer(Record):
    name: str
    at: Fraction
    parts: tuple[Inner, ...]
    curve: list[float]
    derived: ClassVar = ("double",)

    @property
    def double(self) -> int:
        return 2 * len(self.parts)


def test_records_tell_themselves_in_plain_values():
    outer = Outer("a", Fraction(1, 4), (Inner(2.0), Inner(inf)), [nan, 1.0])
    assert outer.as_dict() == {
        "name": "a",
        "at": 0.25,
        "parts": [{"level": 2.0}, {"level": None}],
        "curve": [None, 1.0],
        "double": 4,
    }
    assert list(outer.as_dict()) == ["name", "at", "parts", "curve", "double"]


ROWS = [
    {"name": "first", "mean_of_all": 31.23456, "at": Fraction(1, 3), "n": 7},
    {"name": "a | b", "mean_of_all": inf, "at": None, "n": 12},
]


def test_a_table_for_people():
    assert table(ROWS) == (
        "name   mean of all      at   n\n"
        "first        31.23  0.3333   7\n"
        "a / b          inf       -  12"
    )  # fmt: skip


def test_a_table_for_markdown():
    assert table(ROWS, style="markdown") == (
        "| name  | mean of all |     at |  n |\n"
        "| ----- | ----------: | -----: | -: |\n"
        "| first |       31.23 | 0.3333 |  7 |\n"
        "| a / b |         inf |      - | 12 |"
    )
