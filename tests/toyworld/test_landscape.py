"""The first drawn pictures: same land in every light, same bytes for the same seed."""

import numpy as np
import pytest

from keyweave.toyworld.landscape import LIGHTS, landscape


@pytest.mark.parametrize("light", LIGHTS)
@pytest.mark.parametrize("size", [(64, 36), (37, 53)])
def test_any_size_and_the_same_for_the_same_seed(light: str, size: tuple[int, int]):
    one, again = landscape(light, *size), landscape(light, *size)
    assert one.size == size
    assert np.array_equal(one.pixels, again.pixels)
    assert not np.array_equal(one.pixels, landscape(light, *size, seed=8).pixels)


def test_noon_is_brighter_than_night_and_the_land_stays():
    noon, night = (landscape(light, 160, 90).pixels.astype(float) for light in ("noon", "night"))
    assert noon.mean() > night.mean() + 80
    edges = [np.abs(np.diff(picture[30:59].mean(axis=2), axis=0)) > 4 for picture in (noon, night)]
    both = (edges[0] & edges[1]).sum() / max(1, edges[1].sum())
    assert both > 0.5  # most edges of the night's hills are the noon's, too
