"""Comparisons and reports as panels of curves."""

from collections.abc import Callable
from typing import Any

import numpy as np

from keyweave.media.curves import curves_picture
from keyweave.media.paper import LINES
from keyweave.media.types import Frame
from keyweave.metrics.compare import compare
from keyweave.metrics.panels import comparison_panels, report_panels
from keyweave.metrics.report import report


def test_comparisons_and_reports_have_panels(square: Callable[..., Frame], held: Callable[..., Any]):
    real = [square(8 + 2 * k) for k in range(20)]
    made = [square(8 + 2 * k + 0.5 * (k % 10)) for k in range(20)]
    comparison = compare(held(made), held(real))
    psnr, similarity, step = comparison_panels(comparison)
    assert psnr.note == f"lowest {min(row.psnr for row in comparison.rows):.4g} at 9"
    assert similarity.ceiling == 1
    assert [len(curve.values) for curve in step.curves] == [19, 19]
    picture = curves_picture([psnr, similarity, step], title="made beside real", keyframes=[0, 10])
    assert (np.abs(picture.pixels.astype(int) - LINES[1]).max(axis=2) < 24).any()
    assert len(report_panels(report(made, {0: made[0]}))) == 2
    again = curves_picture([psnr, similarity, step], title="made beside real", keyframes=[0, 10])
    assert np.array_equal(picture.pixels, again.pixels)
