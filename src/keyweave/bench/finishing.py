"""What the engine `generative` does to a clip after it was sampled, for clips of any method by chance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from keyweave.maths.tensors import to_frames, to_tensor
from keyweave.perceive.detail import detailed
from keyweave.systems.inbetween.anchoring import anchored

if TYPE_CHECKING:
    from keyweave.media.types import Frame

MADE = 1  # raised when finishing changes, so that nothing of before is taken


def finished(made: Frame, first: Frame, last: Frame) -> Frame:
    """Return a clip (F, H, W, 3) with the colours and the detail of its keyframes (H, W, 3); its ends show how it did.

    Args:
        made: as it was sampled, the ends included.
        first: the keyframe that frame 0 ought to be.
        last: the keyframe that the last frame ought to be.
    """
    colored = to_frames(anchored(to_tensor(made)[None], to_tensor(first)[None], to_tensor(last)[None])[0])
    return np.stack([colored[0], *list(detailed(colored, first, last))[1:-1], colored[-1]])
