"""The report puts each fault where it belongs, and tells itself in JSON and in tables."""

import json
from collections.abc import Callable

import cv2
import numpy as np
import pytest

from keyweave.base.errors import InputError
from keyweave.media.types import Frame
from keyweave.metrics.report import report
from keyweave.metrics.warping_error import Estimate

Draw = Callable[..., Frame]


def moving(square: Draw) -> list[Frame]:
    return [square(8 + 3 * k) for k in range(21)]


def test_a_steady_clip_is_without_fault(square: Draw):
    clip = moving(square)
    found = report(clip, {k: clip[k] for k in (0, 10, 20)}, loop=True)
    assert found.frames == 21
    assert [error.worst for error in found.keyframes] == [0, 0, 0]
    assert found.seams[0].faults == ()
    for way, ends in zip(found.ways, ((0, 10), (10, 20)), strict=True):
        assert (way.start, way.stop) == ends
        assert way.monotony == pytest.approx(1, abs=1e-3)
        assert way.evenness == pytest.approx(1)
        assert way.sharpness == pytest.approx(1, abs=0.02)
    assert found.loop is not None
    assert found.loop.faults == ("step jump",)  # it ends far from where it began


def test_a_blurred_frame_is_the_softest(square: Draw):
    clip = moving(square)
    keys = {0: clip[0], 20: clip[20]}
    clip[7] = np.asarray(cv2.GaussianBlur(clip[7], (0, 0), 2), np.uint8)
    (way,) = report(clip, keys).ways
    assert way.softest == 7
    assert way.sharpness < 0.7


def test_each_way_is_measured_by_itself(square: Draw):
    clip = moving(square)
    keys = {k: clip[k] for k in (0, 10, 20)}
    clip[15] = np.asarray(cv2.GaussianBlur(clip[15], (0, 0), 2), np.uint8)
    clip[17] = clip[16]  # a frame is held
    first, second = report(clip, keys).ways
    assert (first.evenness, first.sharpness) == (pytest.approx(1), pytest.approx(1, abs=0.02))
    assert second.softest == 15
    assert second.evenness < 0.95


def test_a_step_back_costs_monotony_and_a_cut_costs_evenness(square: Draw):
    clip = moving(square)
    keys = {0: clip[0], 20: clip[20]}
    back = [*clip[:12], *clip[6:11][::-1], *clip[7:]]
    (way,) = report(back, {0: clip[0], len(back) - 1: clip[20]}).ways
    assert way.monotony is not None
    assert way.monotony < 0.8
    cut = [clip[0]] * 10 + [clip[20]] * 11
    (way,) = report(cut, keys).ways
    assert way.monotony == pytest.approx(1)
    assert way.evenness == pytest.approx(1 / 20)


def test_keyframes_are_measured_by_their_own_pictures(square: Draw):
    clip = moving(square)
    sharper = square(8, light=255)
    found = report(clip, {0: sharper, 20: clip[20]})
    assert found.keyframes[0].worst == 15
    assert found.ways[0].sharpness == pytest.approx(240 / 255, abs=0.01)


def test_keyframes_may_come_in_any_order_and_cover_a_part(square: Draw):
    clip = moving(square)
    found = report(clip, {15: clip[15], 5: clip[5]})
    assert [(way.start, way.stop) for way in found.ways] == [(5, 15)]
    assert [seam.frame for seam in found.seams] == [5, 15]


def test_alpha_is_seen_as_what_it_shows(square: Draw):
    opaque = moving(square)
    clear = np.zeros((48, 96, 4), np.uint8)
    clip = [np.concatenate([frame, frame[..., :1]], axis=2) for frame in opaque]  # the square before nothing
    found = report(clip, {0: clip[0], 20: clip[20]}, estimate=three_channels_only)
    assert found.ways[0].monotony == pytest.approx(1, abs=1e-3)
    clear[..., :3] = 200
    assert report([clear], {0: np.zeros_like(clear)}).keyframes[0].worst == 0


def three_channels_only(a: Frame, b: Frame) -> np.ndarray:
    assert a.shape[2] == b.shape[2] == 3
    return np.zeros((*a.shape[:2], 2), np.float32)


@pytest.mark.parametrize("estimate", [None, three_channels_only])
def test_it_tells_itself(square: Draw, estimate: Estimate | None):
    clip = moving(square)
    found = report(clip, {k: clip[k] for k in (0, 10, 20)}, estimate=estimate, loop=True)
    told = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert list(told) == ["frames", "flicker", "keyframes", "seams", "ways", "loop", "curves"]
    assert told["keyframes"][1] == {"frame": 10, "psnr": None, "worst": 0}
    assert told["seams"][0]["into"]["ratio"] == pytest.approx(1)
    assert (told["seams"][0]["velocity"] is None) == (estimate is None)
    assert len(told["curves"]["steps"]) == 20
    words = found.tables()
    assert "frame  psnr  worst\n    0   inf      0\n" in words
    assert "loop" in words
    assert "step jump" in words
    assert "nothing" in words
    assert found.tables("markdown").count("|") > 50


def test_a_table_without_seams(flat: Draw):
    words = report([flat(3), flat(4)], {0: flat(3)}).tables()
    assert "seam" not in words
    assert "start" not in words
    assert words.endswith("frames  flicker\n     2        0")


def test_a_report_needs_a_keyframe(flat: Draw):
    with pytest.raises(InputError, match="A report needs at least 1 keyframe"):
        report([flat(1)], {})
