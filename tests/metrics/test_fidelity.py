"""PSNR and SSIM against closed forms, a slow twin, and the values of scikit-image."""

from math import inf, log10

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyweave.base.errors import InputError
from keyweave.media.types import Frame
from keyweave.metrics.fidelity import error_of, mean_squared_error, psnr, psnr_of, ssim

# peak_signal_noise_ratio, and structural_similarity with the options that `ssim` names, of scikit-image 0.26.0 on the
# pairs below; the last on 0.299 R + 0.587 G + 0.114 B, not rounded.
SCIKIT_IMAGE = {
    "same": (inf, 1.0, 1.0),
    "shifted": (10.716179919, 0.771536642, 0.706014222),
    "grainy": (24.765991286, 0.765651787, 0.966437531),
    "brighter": (17.608953971, 0.899065878, 0.924868618),
    "negative": (3.541285617, -0.622072862, -0.695665815),
    "flat": (32.527751176, 0.998058637, 0.999995865),
    "nearly": (51.141103565, 0.995743206, 0.995743206),
}


def scene(shift: float = 0) -> Frame:
    down, right = np.mgrid[:48, :64].astype(np.float64)
    x = right - shift
    waves = 127.5 + 90 * np.sin(x / 5) * np.cos(down / 7), 127.5 + 80 * np.cos((x + 2 * down) / 9)
    return np.stack([*waves, 255 * ((x // 8 + down // 6) % 2)], -1).clip(0, 255).round().astype(np.uint8)


def pairs() -> dict[str, tuple[Frame, Frame]]:
    a = scene()
    down, right = np.mgrid[:48, :64]
    grain = ((right * 37 + down * 101 + right * down * 13) % 61 - 30)[..., None] * np.array([1.0, -1.0, 0.5])
    gray = np.full((48, 64, 3), 200, np.uint8)
    return {
        "same": (a, a),
        "shifted": (a, scene(1.5)),
        "grainy": (a, (a + grain).clip(0, 255).round().astype(np.uint8)),
        "brighter": (a, (a * 0.7 + 60).round().astype(np.uint8)),
        "negative": (a, 255 - a),
        "flat": (np.full_like(a, (30, 90, 200)), np.full_like(a, (33, 90, 190))),
        "nearly": (gray, gray + ((right + down) % 2).astype(np.uint8)[..., None]),
    }


@pytest.mark.parametrize("name", SCIKIT_IMAGE)
def test_the_values_of_scikit_image(name: str):
    a, b = pairs()[name]
    expected = SCIKIT_IMAGE[name]
    assert (psnr(a, b), ssim(a, b), ssim(a, b, on="luma")) == pytest.approx(expected, abs=2e-5)


def test_ssim_is_what_wang_wrote_down():
    """A slow twin: every window weighed by hand."""
    a, b = (frame[:13, :14].astype(np.float64) for frame in pairs()["grainy"])
    weights = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    weights = np.outer(weights, weights) / weights.sum() ** 2
    found = []
    for channel in range(3):
        for top in range(3):
            for left in range(4):
                x, y = (frame[top : top + 11, left : left + 11, channel] for frame in (a, b))
                mean_x, mean_y = (weights * x).sum(), (weights * y).sum()
                spread = (weights * ((x - mean_x) ** 2 + (y - mean_y) ** 2)).sum()
                common = (weights * (x - mean_x) * (y - mean_y)).sum()
                likeness = (2 * mean_x * mean_y + 2.55**2) / (mean_x**2 + mean_y**2 + 2.55**2)
                found.append(likeness * (2 * common + 7.65**2) / (spread + 7.65**2))
    made, real = (frame[:13, :14] for frame in pairs()["grainy"])
    assert ssim(made, real) == pytest.approx(np.mean(found), abs=1e-5)


@given(st.integers(0, 255), st.integers(0, 255))
def test_flat_frames_have_closed_forms(one: int, other: int):
    a, b = (np.full((11, 12, 3), level, np.uint8) for level in (one, other))
    assert psnr(a, b) == (inf if one == other else pytest.approx(20 * log10(255 / abs(one - other))))
    c1 = 2.55**2
    assert ssim(a, b) == pytest.approx((2 * one * other + c1) / (one**2 + other**2 + c1), abs=2e-5)


@given(st.binary(min_size=363, max_size=363), st.binary(min_size=363, max_size=363))
def test_laws(one: bytes, other: bytes):
    a, b = (np.frombuffer(data, np.uint8).reshape(11, 11, 3) for data in (one, other))
    assert psnr(a, b) == psnr(b, a)
    assert ssim(a, b) == ssim(b, a) <= 1 + 1e-6
    assert ssim(a, a) == ssim(a, a, on="luma") == 1
    turned = a[::-1], b[::-1]
    assert ssim(*turned) == pytest.approx(ssim(a, b), abs=1e-5)


def test_bands_of_rows_leave_no_trace():
    """SSIM is computed in bands; heights around their edges must all agree with the mean of single windows."""
    rng = np.random.default_rng(5)
    a, b = (rng.integers(0, 256, (76, 11, 3), np.uint8) for _ in range(2))
    for height in (11, 41, 42, 43, 44, 74, 76):
        each = [ssim(a[top : top + 11], b[top : top + 11]) for top in range(height - 10)]
        assert ssim(a[:height], b[:height]) == pytest.approx(np.mean(each), abs=1e-5)


@pytest.mark.parametrize("error", [1e-3, 1.0, 77.5, 65025.0])
def test_decibels_and_errors_are_two_ways_to_say_one_thing(error: float):
    assert error_of(psnr_of(error)) == pytest.approx(error)
    assert error_of(inf) == 0


def test_a_colour_that_nobody_sees_never_counts():
    clear = np.zeros((12, 12, 4), np.uint8)
    hidden = clear.copy()
    hidden[..., :3] = 255
    assert mean_squared_error(clear, hidden) == 0
    assert ssim(clear, hidden) == 1
    solid = hidden.copy()
    solid[..., 3] = 255
    assert psnr(solid, hidden[..., :3]) == inf
    assert mean_squared_error(solid, clear) == (255 - 128) ** 2
    half = solid.copy()
    half[..., 3] = 51  # a fifth
    assert mean_squared_error(half, clear) == 25**2


def test_any_layout_in_memory_will_do():
    a = scene()
    assert psnr(a[::-1, ::2], np.ascontiguousarray(a[::-1, ::2])) == inf


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        ((12, 14, 3), (12, 15, 3), "Only frames of one size can be compared; got 14 x 12 and 15 x 12. Bring both"),
        ((12, 14, 2), (12, 14, 3), r"A frame must be uint8 of shape (height, width, 3 or 4); got uint8 (12, 14, 2)."),
        ((10, 14, 3), (10, 14, 4), "SSIM needs frames of at least 11 x 11; got 14 x 10."),
    ],
)
def test_doors(a: tuple[int, ...], b: tuple[int, ...], words: str):
    with pytest.raises(InputError) as fault:
        ssim(np.zeros(a, np.uint8), np.zeros(b, np.uint8))
    assert words in str(fault.value)
