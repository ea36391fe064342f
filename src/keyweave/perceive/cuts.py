"""Scene cuts: where one shot ends and another begins between two neighbouring frames."""

from __future__ import annotations

from collections import deque
from statistics import median
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from keyweave.media.types import Frame

_WIDTH, _HEIGHT = 64, 36  # of the thumbnails that are compared
_BINS = 4  # of each colour
_REACH = 8  # pixels of a thumbnail by which a picture may have moved without being another
_OTHER_COLORS = 0.32  # the share of pixels whose colours must be new
_OTHER_PICTURE = 22.0  # levels by which the thumbnails must differ, however one is laid over the other
_SUDDEN = 3.0  # times the usual difference of late
_MEMORY = 12  # frames that tell what is usual


class CutFinder:
    """Tells for each frame whether a cut lies before it; frames are given in order, and none is kept.

    A cut shows other colours in another arrangement, and comes suddenly. A pan shows the same picture elsewhere, a fade
    comes slowly. A jump cut that leaves the background in its place is out of reach: it is motion. A flash that fills
    the picture counts as a cut on either side, since nothing can be moved across it.
    """

    def __init__(self) -> None:
        self._thumbnail: NDArray[np.uint8] | None = None
        self._colors: NDArray[np.float64] | None = None
        self._lately: deque[float] = deque(maxlen=_MEMORY)

    def is_cut(self, frame: Frame) -> bool:
        """Tell whether a cut lies between the frame before and this one (H, W, 3 or 4); never for the first."""
        thumbnail = np.asarray(cv2.resize(frame[..., :3], (_WIDTH, _HEIGHT), interpolation=cv2.INTER_AREA), np.uint8)
        colors = _histogram(thumbnail)
        before, before_colors = self._thumbnail, self._colors
        self._thumbnail, self._colors = thumbnail, colors
        if before is None or before_colors is None:
            return False
        apart = float(cv2.absdiff(before, thumbnail).mean())
        usual = median(self._lately) if self._lately else 0.0
        found = (
            apart > _OTHER_PICTURE
            and apart > _SUDDEN * usual
            and float(np.abs(colors - before_colors).sum()) / 2 > _OTHER_COLORS
            and _least_difference(before, thumbnail) > _OTHER_PICTURE
        )
        if found:
            self._lately.clear()
        else:
            self._lately.append(apart)
        return found


def _histogram(thumbnail: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return which share of the pixels has each colour, smoothed so that a little light changes little."""
    cells = cv2.calcHist([thumbnail], [0, 1, 2], None, [_BINS * 2] * 3, [0, 256] * 3)
    coarse = cells.reshape(_BINS, 2, _BINS, 2, _BINS, 2).sum((1, 3, 5)).ravel()
    return coarse.astype(np.float64) / coarse.sum()


def _least_difference(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> float:
    """Return how much two thumbnails differ, levels, when one is shifted over the other as suits best."""
    inner = np.ascontiguousarray(after[_REACH:-_REACH, _REACH:-_REACH])
    scores = cv2.matchTemplate(before, inner, cv2.TM_SQDIFF)
    y, x = np.unravel_index(int(scores.argmin()), scores.shape)
    there = before[y : y + inner.shape[0], x : x + inner.shape[1]]
    return float(cv2.absdiff(np.ascontiguousarray(there), inner).mean())
