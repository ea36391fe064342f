"""Rooms: any size, the same for the same seed, and no two alike."""

import numpy as np
import pytest

from keyweave.toyworld.rooms import stage, study


@pytest.mark.parametrize("room", [stage, study])
@pytest.mark.parametrize(("width", "height"), [(64, 64), (160, 90), (50, 120)])
def test_rooms(room, width: int, height: int):
    one, again, other = (room(width, height, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one.shape == (height, width, 3)
    assert one.dtype == np.uint8
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)
    assert one.std() > 15
