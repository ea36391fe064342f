"""The picture of a plan shows what the plan holds."""

from dataclasses import replace

import numpy as np

from keyweave.media import paper
from keyweave.systems.dance.assignment import Plan
from keyweave.systems.dance.labels import Label, read_labels
from keyweave.systems.dance.plan_chart import plan_chart

COLORS = [(200, 40, 40), (40, 200, 40), (40, 40, 200), (200, 200, 40), (40, 200, 200), (200, 40, 200)]
MIRROR = [3, 4, 5, 0, 1, 2]


def some_plan() -> Plan:
    pairs = {Label("A"): (0, 1), Label("A", mirrored=True): (3, 4), Label("B"): (4, 0)}
    moves = dict(zip(pairs, (31.0, 32.0, 33.0), strict=True))
    return Plan(read_labels("A-B-A'-A"), pairs, moves, (20.0, 10.0, 40.0), cost=70, bound=70, low=12, high=60)


def flat(size: tuple[int, int] = (60, 80), channels: int = 3) -> list[np.ndarray]:
    return [np.full((*size, channels), (*color, 255)[:channels], np.uint8) for color in COLORS]


def count(pixels: np.ndarray, color: tuple[int, ...]) -> int:
    return int((pixels == np.array(color)).all(axis=2).sum())


def test_pictures_are_shown_as_often_as_they_are_used_and_unused_ones_dimmed():
    pixels = plan_chart(some_plan(), flat(), MIRROR).pixels
    keyframe, graph, pair, walk = (round(80 / 60 * height) * height for height in (92, 110, 92, 64))
    uses = {0: (2, 3), 1: (1, 2), 3: (1, 1), 4: (2, 2)}  # in labels, and in the walk
    for number, (in_labels, in_walk) in uses.items():
        assert count(pixels, COLORS[number]) == keyframe + graph + in_labels * pair + in_walk * walk
    assert count(pixels, COLORS[2]) == count(pixels, COLORS[5]) == 0


def test_bars_are_as_long_as_the_transitions_they_stand_for():
    plan = some_plan()
    pixels = plan_chart(plan, flat(), MIRROR).pixels
    bars = (pixels == np.array(paper.KEY)).all(axis=2)
    # 12 pixels wide and unbroken, as no letter is
    wide = np.lib.stride_tricks.sliding_window_view(bars, 12, axis=1).all(axis=2)
    assert sorted(tall for tall in wide.sum(axis=0).tolist() if tall) == [10, 20, 40]


def test_long_songs_go_on_below_and_any_shape_of_keyframe_finds_room():
    plan = some_plan()
    short = plan_chart(plan, flat(), MIRROR)
    song = replace(plan, labels=plan.labels * 10, steps=(20.0,) * 39)
    tall = plan_chart(song, flat(), MIRROR)
    assert (short.width, tall.width) == (1600, 1600)
    assert tall.height > short.height + 200
    for size in ((200, 20), (20, 2000)):
        assert plan_chart(song, flat(size, 4), MIRROR).width == 1600


def test_what_was_given_up_and_what_is_not_proved_is_said():
    plan = some_plan()
    said = [plan, replace(plan, bound=35), replace(plan, relaxed="No plan keeps all rules: x.")]
    pictures = [plan_chart(each, flat(), MIRROR, title="a dance").pixels for each in said]
    assert pictures[1].shape == pictures[0].shape
    assert not np.array_equal(pictures[1][:80], pictures[0][:80])
    assert pictures[2].shape[0] > pictures[0].shape[0]


def test_a_plan_of_one_segment_has_no_bars():
    plan = Plan(read_labels("A"), {Label("A"): (0, 1)}, {Label("A"): 30.0}, (), cost=0, bound=0, low=12, high=60)
    assert plan_chart(plan, flat(), np.arange(6)).width == 1600
