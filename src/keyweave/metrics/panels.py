"""What comparisons and reports draw as curves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyweave.media.curves import Curve, Panel

if TYPE_CHECKING:
    from keyweave.metrics.compare import Comparison, Measure
    from keyweave.metrics.report import Report


def comparison_panels(comparison: Comparison) -> tuple[Panel, ...]:
    """Show fidelity frame by frame, and the steps of both clips."""
    rows = comparison.rows
    psnr, ssim, _ = comparison.summary
    steps = [Curve(name, [getattr(row, f"{name}_step") for row in rows[1:]], 0.5) for name in ("made", "real")]
    return (
        Panel("PSNR, dB", [Curve("red, green, blue", [row.psnr for row in rows])], _lowest(psnr)),
        Panel(
            "SSIM",
            [Curve("red, green, blue", [row.ssim for row in rows]), Curve("luma", [row.ssim_luma for row in rows])],
            _lowest(ssim),
            ceiling=1,
        ),
        Panel("step from frame to frame, levels", steps, floor=0),
    )


def report_panels(report: Report) -> tuple[Panel, ...]:
    """Show the steps and the sharpness of a clip."""
    return (
        Panel("step from frame to frame, levels", [Curve("made", report.curves.steps.tolist(), 0.5)], floor=0),
        Panel("sharpness, levels per pixel", [Curve("made", report.curves.sharpness.tolist())], floor=0),
    )


def _lowest(measure: Measure) -> str:
    return f"lowest {measure.worst:.4g} at {measure.at_frame}"
