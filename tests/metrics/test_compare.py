"""Two clips side by side: pairs, numbers, tables."""

import json
from collections.abc import Callable, Iterator
from fractions import Fraction
from math import inf, log10
from typing import Any

import numpy as np
import pytest

from keyweave.base.errors import InputError
from keyweave.base.progress import Progress
from keyweave.media.types import Frame
from keyweave.metrics.compare import compare
from keyweave.metrics.fidelity import ssim

Draw = Callable[..., Frame]
Hold = Callable[..., Any]


def test_a_clip_beside_itself(square: Draw, held: Hold):
    clip = [square(8 + 2 * k) for k in range(10)]
    found = compare(held(clip), held(clip))
    assert [row.psnr for row in found.rows] == [inf] * 10
    assert [row.ssim for row in found.rows] == [1] * 10
    assert found.summary[0].mean == inf
    assert (found.paired_by, found.goes_on) == ("frame", None)


def test_every_number_of_a_row(flat: Draw, held: Hold):
    made, real = [flat(100), flat(110), flat(104)], [flat(101), flat(105), flat(104)]
    found = compare(held(made), held(real))
    one, two, three = found.rows
    assert (one.frame, one.at, one.made_step, one.real_step) == (0, 0, None, None)
    assert (two.frame, two.at, two.made_step, two.real_step) == (1, Fraction(1, 24), 10, 4)
    assert (three.made_step, three.real_step, three.psnr) == (6, 1, inf)
    assert two.psnr == pytest.approx(20 * log10(255 / 5))
    assert two.ssim == two.ssim_luma == pytest.approx(ssim(flat(110), flat(105)))


def test_the_mean_of_psnr_is_that_of_the_error(flat: Draw, held: Hold):
    """Pinned keyframes are the same to the bit; a mean of decibels would be infinite."""
    psnr, similarity, _ = compare(held([flat(100), flat(107)]), held([flat(100), flat(100)])).summary
    assert psnr.mean == pytest.approx(10 * log10(255**2 / (49 / 2)))
    assert (psnr.worst, psnr.at_frame) == (pytest.approx(20 * log10(255 / 7)), 1)
    assert similarity.mean == pytest.approx((1 + similarity.worst) / 2)


def test_luma_and_channels_differ_where_colour_does(flat: Draw, held: Hold):
    rng = np.random.default_rng(4)
    real = rng.integers(60, 190, (48, 96, 3)).astype(np.uint8)
    made = real.copy()
    made[..., 2] = 255 - made[..., 2]
    (row,) = compare(held([made]), held([real])).rows
    assert row.ssim < row.ssim_luma


def test_the_shorter_clip_decides(flat: Draw, held: Hold):
    short, long = held([flat(1)] * 3), held([flat(1)] * 5)
    assert (len(compare(short, long).rows), compare(short, long).goes_on) == (3, "real")
    assert (len(compare(long, short).rows), compare(long, short).goes_on) == (3, "made")


def test_clips_of_other_rates_meet_in_time(flat: Draw, held: Hold):
    made = held([flat(10 * k) for k in range(8)], 24)
    real = held([flat(20 * k) for k in range(4)], 12)
    found = compare(made, real)
    assert found.paired_by == "time"
    assert len(found.rows) == 8
    assert [row.psnr == inf for row in found.rows] == [True, False] * 4
    slow = compare(real, made)  # twelve a second, beside every second frame
    assert [row.psnr for row in slow.rows] == [inf] * 4
    assert [row.at for row in slow.rows] == [Fraction(k, 12) for k in range(4)]


def test_clips_of_one_count_meet_by_number_whatever_their_rates(flat: Draw, held: Hold):
    clips = held([flat(9 * k) for k in range(6)], 24), held([flat(9 * k) for k in range(6)], 25)
    assert compare(*clips).paired_by == "frame"
    assert compare(*clips).summary[0].mean == inf
    assert compare(*clips, pair_by="time").paired_by == "time"
    assert compare(held([flat(0)] * 8, 24), held([flat(0)] * 4, 12), pair_by="frame").goes_on == "made"


def test_progress_steps_once_a_frame(flat: Draw, held: Hold):
    heard = []
    compare(held([flat(1)] * 4), held([flat(2)] * 4), progress=Progress("x", heard.append, total=4))
    assert [event.done for event in heard] == [1, 2, 3, 4]


def test_it_tells_itself(flat: Draw, held: Hold):
    found = compare(held([flat(100), flat(107)]), held([flat(100), flat(100)]))
    told = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert list(told) == ["rows", "paired_by", "goes_on", "summary"]
    assert told["rows"][0] == {
        "frame": 0,
        "at": 0.0,
        "psnr": None,
        "ssim": 1.0,
        "ssim_luma": 1.0,
        "made_step": None,
        "real_step": None,
    }
    assert told["summary"][0]["measure"] == "psnr"
    lines = found.table().splitlines()
    assert lines[0].split() == ["measure", "mean", "worst", "at", "frame"]
    assert lines[1].split() == ["psnr", "34.24", "31.23", "1"]
    assert len(found.table(each=True).splitlines()) == 3
    assert found.table("markdown").startswith("| measure   |   mean |")


def test_frames_flow_through(flat: Draw, held: Hold, monkeypatch: pytest.MonkeyPatch):
    drawn = [0, 0]

    def counted(which: int) -> Iterator[Frame]:
        for k in range(20):
            drawn[which] += 1
            assert abs(drawn[0] - drawn[1]) <= 1
            yield flat(k)

    clips = held([flat(0)] * 20), held([flat(0)] * 20)
    for which, clip in enumerate(clips):
        monkeypatch.setattr(clip, "frames", lambda which=which, **_: counted(which))
    assert len(compare(*clips).rows) == 20


def test_doors(flat: Draw, held: Hold):
    with pytest.raises(InputError, match="The made clip is 20 x 12, the real one 96 x 48. Bring both to one size"):
        compare(held([np.zeros((12, 20, 3), np.uint8)]), held([flat(0)]))
    with pytest.raises(InputError, match="There is no frame that both clips have"):
        compare(held([]), held([flat(0)]))
