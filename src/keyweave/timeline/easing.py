"""Easing: how the way from one keyframe to the next is spread over its time.

An easing maps the share of a span's time that has passed to how far its source has come. It begins at 0 and ends at
1; `back` and `elastic` go beyond in between. Names follow CSS where CSS has them: `ease-in` begins slowly.
Animators' *slow-out* (of a pose) and *slow-in* (to the next) take a strength from 0, which is linear, to 1.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

Curve = Callable[[float], float]

_SPELLING = re.compile(r"([a-z-]+)(?:\(([^()]*)\))?")
# Sines and powers may differ by the last bit between machines; this many digits do not, and nobody sees more.
_GRAIN = 10**12
_BACK = 1.70158  # overshoots by a tenth
_NEWTON_STEPS, _BISECTIONS = 8, 60


@dataclass(frozen=True)
class Family:
    """One row of the table of easings.

    Args:
        says: one line about it.
        fewest: how many numbers it takes in brackets, at least.
        most: and at most.
        least: the smallest allowed number.
        largest: the largest.
        make: builds the curve from the numbers.
    """

    says: str
    fewest: int
    most: int
    least: float
    largest: float
    make: Callable[..., Curve]


@dataclass(frozen=True)
class Easing:
    """An easing, known by its spelling: `linear`, `ease-in-out`, `slow-in(0.7)`, `cubic-bezier(0.3, 0, 0.1, 1)`."""

    name: str = "linear"
    numbers: tuple[float, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Easing:
        """Read a spelling; raises ValueError with a sentence."""
        match = _SPELLING.fullmatch(text.strip().lower())
        family = FAMILIES.get(match[1]) if match else None
        if match is None or family is None:
            raise ValueError(f"{text!r} is not an easing; choose from {', '.join(FAMILIES)}")
        try:
            numbers = tuple(float(number) for number in match[2].split(",")) if match[2] else ()
        except ValueError:
            raise ValueError(f"{text!r} has something in its brackets that is not a number") from None
        if not family.fewest <= len(numbers) <= family.most:
            count = str(family.most) if family.fewest == family.most else f"{family.fewest} to {family.most}"
            raise ValueError(f"{match[1]} takes {count} numbers in brackets; {text!r} has {len(numbers)}")
        checked = numbers[::2] if match[1] == "cubic-bezier" else numbers  # CSS leaves the heights free
        if not all(family.least <= number <= family.largest for number in checked):
            which = "its first and third number" if match[1] == "cubic-bezier" else "its number"
            raise ValueError(f"{match[1]} takes {which} from {family.least:g} to {family.largest:g}; got {text!r}")
        if not all(math.isfinite(number) for number in numbers):
            raise ValueError(f"{text!r} has a number that is not finite")
        return cls(match[1], numbers)

    def __str__(self) -> str:
        return f"{self.name}({', '.join(f'{number:g}' for number in self.numbers)})" if self.numbers else self.name

    def __call__(self, passed: Fraction) -> Fraction:
        """Tell how far the source has come when the share `passed` of the time has passed, 0 to 1."""
        if passed <= 0 or passed >= 1 or self.name == "linear":
            return min(max(passed, Fraction(0)), Fraction(1))
        return Fraction(round(self.curve()(float(passed)) * _GRAIN), _GRAIN)

    def curve(self) -> Curve:
        """Return the plain function."""
        return FAMILIES[self.name].make(*self.numbers)

    def reversed(self) -> Easing:
        """Return the easing of the same way walked back: time and progress both turned round."""
        if self.name == "cubic-bezier":
            x1, y1, x2, y2 = self.numbers
            return Easing("cubic-bezier", (1 - x2, 1 - y2, 1 - x1, 1 - y1))
        if self.name == "ease":
            return Easing("cubic-bezier", (0.75, 0.0, 0.75, 0.9))
        return Easing(_MIRRORED.get(self.name, self.name), self.numbers)


def cubic_bezier(x1: float, y1: float, x2: float, y2: float) -> Curve:
    """Return the CSS timing function: the height of the curve over `passed`, solved to the last digits."""

    def along(a: float, b: float, s: float) -> float:
        return ((1 + 3 * a - 3 * b) * s + 3 * b - 6 * a) * s * s + 3 * a * s

    def slope(s: float) -> float:
        return (3 * (1 + 3 * x1 - 3 * x2) * s + 2 * (3 * x2 - 6 * x1)) * s + 3 * x1

    def height(passed: float) -> float:
        s = passed
        for _ in range(_NEWTON_STEPS):
            miss, steep = along(x1, x2, s) - passed, slope(s)
            if abs(miss) < 1e-15 or steep < 1e-6:
                break
            s -= miss / steep
        if not (0 <= s <= 1 and abs(along(x1, x2, s) - passed) < 1e-14):
            low, high = 0.0, 1.0
            for _ in range(_BISECTIONS):
                s = (low + high) / 2
                low, high = (s, high) if along(x1, x2, s) < passed else (low, s)
        return along(y1, y2, s)

    return height


def _hold() -> Curve:
    return lambda passed: 0.0 if passed < 1 else 1.0


def _back(overshoot: float = _BACK) -> Curve:
    return lambda passed: 1 + (overshoot + 1) * (passed - 1) ** 3 + overshoot * (passed - 1) ** 2


def _bounce() -> Curve:
    """Fall freely, then three bounces, each reaching a quarter of the height of the one before."""
    # The fall takes 1 unit of time, the bounces 1, 1/2 and 1/4; together 2.75.
    landings = (1 / 2.75, 2 / 2.75, 2.5 / 2.75, 1.0)

    def height(passed: float) -> float:
        begun = 0.0
        for number, landing in enumerate(landings):
            if passed <= landing:
                middle = 0.0 if number == 0 else (begun + landing) / 2
                return 1 - (0.25**number if number else 1) + 7.5625 * (passed - middle) ** 2
            begun = landing
        return 1.0

    return height


def _elastic() -> Curve:
    return lambda passed: 1 + 2 ** (-10 * passed) * math.sin((passed * 10 - 0.75) * math.tau / 3)


def _turned(make: Callable[..., Curve]) -> Callable[..., Curve]:
    """Turn a curve that ends lively into one that begins lively."""

    def made(*numbers: float) -> Curve:
        curve = make(*numbers)
        return lambda passed: 1 - curve(1 - passed)

    return made


def _both(make: Callable[..., Curve]) -> Callable[..., Curve]:
    """Be lively at both ends: the turned curve in the first half, the curve in the second."""

    def made(*numbers: float) -> Curve:
        curve = make(*numbers)
        return lambda passed: (1 - curve(1 - 2 * passed)) / 2 if passed < 0.5 else (1 + curve(2 * passed - 1)) / 2

    return made


def _css(*numbers: float) -> Callable[[], Curve]:
    return lambda: cubic_bezier(*numbers)


def _plain(says: str, make: Callable[..., Curve]) -> Family:
    return Family(says, 0, 0, 0, 0, make)


FAMILIES: dict[str, Family] = {
    "linear": _plain("the same speed all the way", lambda: lambda passed: passed),
    "ease": _plain("CSS: quick start, long slow end", _css(0.25, 0.1, 0.25, 1)),
    "ease-in": _plain("CSS: begins slowly", _css(0.42, 0, 1, 1)),
    "ease-out": _plain("CSS: ends slowly", _css(0, 0, 0.58, 1)),
    "ease-in-out": _plain("CSS: begins and ends slowly", _css(0.42, 0, 0.58, 1)),
    "hold": _plain("stays on the keyframe, then jumps", _hold),
    "back-in": Family("draws back before it goes", 0, 1, 0, 10, _turned(_back)),
    "back": Family("goes beyond and comes back; the number says how far", 0, 1, 0, 10, _back),
    "back-in-out": Family("draws back, and goes beyond", 0, 1, 0, 10, _both(_back)),
    "bounce-in": _plain("bounces before it goes", _turned(_bounce)),
    "bounce": _plain("arrives like a ball", _bounce),
    "bounce-in-out": _plain("bounces at both ends", _both(_bounce)),
    "elastic-in": _plain("swings before it goes", _turned(_elastic)),
    "elastic": _plain("arrives like a spring", _elastic),
    "elastic-in-out": _plain("swings at both ends", _both(_elastic)),
    "slow-out": Family("leaves the pose slowly, by strength", 1, 1, 0, 1, lambda s: cubic_bezier(s, 0, 1, 1)),
    "slow-in": Family("comes to the pose slowly, by strength", 1, 1, 0, 1, lambda s: cubic_bezier(0, 0, 1 - s, 1)),
    "slow-in-out": Family("both, by strength", 1, 1, 0, 1, lambda s: cubic_bezier(s, 0, 1 - s, 1)),
    "cubic-bezier": Family("any CSS curve: x1, y1, x2, y2", 4, 4, 0, 1, cubic_bezier),
}

_MIRRORED = {
    "ease-in": "ease-out", "ease-out": "ease-in", "slow-in": "slow-out", "slow-out": "slow-in",
    "back": "back-in", "back-in": "back", "bounce": "bounce-in", "bounce-in": "bounce",
    "elastic": "elastic-in", "elastic-in": "elastic",
}  # fmt: skip

LINEAR = Easing()
