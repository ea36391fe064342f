"""What a film of keyframes needs an engine for."""

from collections.abc import Sequence
from fractions import Fraction as F

import numpy as np
import pytest

from keyweave.base.progress import Progress
from keyweave.media.types import Frame, Image
from keyweave.timeline.easing import Easing
from keyweave.timeline.film import KeyframeFilm
from keyweave.timeline.renderer import render
from keyweave.timeline.types import Keyframe, Timeline

A, B = (Image(np.full((2, 2, 3), level, np.uint8)) for level in (0, 200))


@pytest.mark.parametrize(
    ("pictures", "easing", "rate", "drawn"),
    [
        ((A, B, A), "linear", 4, [0, 1]),
        ((A, B, B, A), "linear", 4, [0, 2]),  # the same picture twice stands still
        ((A, B, A), "hold", 4, []),  # only keyframes are shown
        ((A, B, A), "linear", 1, []),  # no frame lies between them
    ],
)
def test_spans_that_are_drawn_are_those_that_the_renderer_asks_an_engine_for(
    pictures: tuple[Image, ...], easing: str, rate: int, drawn: list[int]
):
    keyframes = [Keyframe(picture, F(k), Easing.parse(easing)) for k, picture in enumerate(pictures)]
    timeline = Timeline.through(keyframes, until=F(len(pictures)))
    asked: list[int] = []

    def engine(first: Image, last: Image, times: Sequence[F], *, seed: int, progress: Progress) -> list[Frame]:
        asked.append(next(k for k, one in enumerate(timeline.spans) if one.source.first is first))
        return [first.pixels for _ in times]

    list(render(timeline, F(rate), engine, seed=0))
    film = KeyframeFilm(timeline, F(rate))
    spans = [number for number, span in enumerate(timeline.spans) if span in list(film.to_draw())]
    assert spans == drawn
    assert len(asked) == len(drawn)


@pytest.mark.parametrize(
    ("easing", "rate", "shares", "frames"),
    [
        ("linear", 8, (F(1, 4), F(1, 2)), {2, 4, 10, 12}),
        ("linear", 8, (F(3, 7),), {3, 11}),  # 3/8 is closer than 4/8
        ("linear", 2, (F(1, 4), F(3, 4)), {1, 3}),  # one frame is all there is
        ("ease-in", 8, (F(1, 8),), {2, 10}),  # which has come 0.09 of the way there, and 0.19 a frame later
        ("linear", 8, (), set()),
        ("linear", 1, (F(1, 2),), set()),  # nothing is drawn
        ("hold", 8, (F(1, 2),), set()),
    ],
)
def test_frames_that_come_closest_to_a_share_of_the_way(
    easing: str, rate: int, shares: tuple[F, ...], frames: set[int]
):
    keyframes = [Keyframe(picture, F(k), Easing.parse(easing)) for k, picture in enumerate((A, B, A, A))]
    film = KeyframeFilm(Timeline.through(keyframes, until=F(4)), F(rate))
    assert film.nearest(shares) == frames
