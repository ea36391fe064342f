"""Motion as colour, by the wheel of Baker et al. 2011: hue is direction, paleness is slowness."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Steps from each corner of the colour cube to the next: red, yellow, green, cyan, blue, magenta and back to red. There
# are more where the eye tells more hues apart.
STEPS = (15, 6, 4, 11, 13, 6)
CORNERS = ((1, 0, 0), (1, 1, 0), (0, 1, 0), (0, 1, 1), (0, 0, 1), (1, 0, 1), (1, 0, 0))
UNKNOWN = 1e9  # a motion this large stands for one that is not known, as in the Middlebury files


def flow_picture(flow: NDArray[np.floating], largest: float | None = None) -> NDArray[np.uint8]:
    """Return flow (H, W, 2) as a picture (H, W, 3).

    Args:
        flow: pixels (dx, dy); to the right is red, down yellow, to the left sky blue, up violet.
        largest: the speed that is shown in full colour; the largest in `flow` if not given. Pictures that are to be
            compared need the same. What is faster is darkened.

    Returns:
        White where nothing moves, black where the motion is not known: not finite, or a thousand million pixels.
    """
    if largest is not None and not largest > 0:
        raise ValueError(f"the largest speed must be above 0; got {largest}")
    known = np.all(np.abs(flow) < UNKNOWN, axis=2, keepdims=True)
    dx, dy = np.where(known, flow, 0).astype(np.float64).transpose(2, 0, 1)
    speed = np.hypot(dx, dy)[..., None]
    share = speed / (largest or speed.max(initial=0) or 1)
    colors = _hue(np.arctan2(dy, dx))
    shown = np.where(share <= 1, 1 - share * (1 - colors), 0.75 * colors)
    return np.rint(255 * known * shown).astype(np.uint8)


def _hue(angle: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the full colours (..., 3) of directions in radians, clockwise from the right as a picture is seen."""
    at = np.mod(angle / (2 * np.pi), 1) * sum(STEPS)
    stops = np.cumsum((0, *STEPS))
    return np.stack([np.interp(at, stops, channel) for channel in np.transpose(CORNERS)], axis=-1)
