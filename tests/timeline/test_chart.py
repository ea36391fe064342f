"""The chart shows what the timeline does."""

from fractions import Fraction as F

import numpy as np
import pytest

from keyweave.media import paper
from keyweave.media.types import Image
from keyweave.timeline.chart import chart
from keyweave.timeline.easing import FAMILIES, Easing
from keyweave.timeline.types import Keyframe, Timeline


def image(level: int) -> Image:
    return Image(np.full((9, 16, 3), level, np.uint8))


def timeline(easing: str = "linear", **over) -> Timeline:
    return Timeline.through([Keyframe(image(40), F(0), Easing.parse(easing)), Keyframe(image(200), F(1))], **over)


def curve_heights(picture: Image) -> list[float]:
    """The mean height of the blue line in each column that has it, from the bottom up."""
    blue = (picture.pixels.astype(int) - paper.LINES[0]).__abs__().max(axis=2) < 60
    return [picture.height - float(np.flatnonzero(column).mean()) for column in blue.T if column.any()]


def test_the_curve_of_ease_in_lies_below_the_straight_one():
    straight, slow = (curve_heights(chart(timeline(text), F(1))) for text in ("linear", "slow-out(0.9)"))
    assert np.all(np.diff(straight) > -1.5)
    assert (
        np.interp(0.5, np.linspace(0, 1, len(slow)), slow)
        < np.interp(0.5, np.linspace(0, 1, len(straight)), straight) - 20
    )


@pytest.mark.parametrize("name", FAMILIES)
def test_every_easing_can_be_drawn(name: str):
    numbers = {"slow-in": "(1)", "slow-out": "(1)", "slow-in-out": "(1)", "cubic-bezier": "(0,2,1,-1)"}.get(name, "")
    picture = chart(timeline(name + numbers), F(24), title="film.json")
    assert picture.width > 200


def test_holds_loops_and_many_keyframes():
    many = [Keyframe(image(k), F(k, 10)) for k in range(60)]
    picture = chart(Timeline.through(many, until=F(8), loop=True), F(30), title="x" * 300)
    assert picture.width < 16_000
    assert chart(timeline(until=F(2)), F(24)).width > chart(timeline(), F(24)).width
