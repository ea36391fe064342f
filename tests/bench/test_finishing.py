"""Clips finished as the engine does it."""

import numpy as np
import pytest

from keyweave.bench.finishing import finished
from keyweave.maths.tensors import to_frames, to_tensor
from keyweave.media.types import Frame
from keyweave.perceive.detail import detailed
from keyweave.systems.inbetween.anchoring import anchored

pytestmark = pytest.mark.usefixtures("one_thread")


def clip(seed: int) -> Frame:
    return np.random.default_rng(seed).integers(60, 200, (5, 24, 32, 3)).astype(np.uint8)


def test_colours_then_detail_and_the_ends_tell_how_it_did():
    made, real = clip(0), clip(1)
    found = finished(made, real[0], real[-1])
    colored = to_frames(anchored(*(to_tensor(part)[None] for part in (made, real[0], real[-1])))[0])
    np.testing.assert_array_equal(found[1:-1], list(detailed(colored, real[0], real[-1]))[1:-1])
    np.testing.assert_array_equal(found[[0, -1]], colored[[0, -1]])


def test_a_true_clip_stays_true():
    real = clip(2)
    np.testing.assert_array_equal(finished(real, real[0], real[-1]), real)
