"""Flow against motions that are known because the pictures were made with them."""

import cv2
import numpy as np
import pytest

from keyweave.media.types import Frame
from keyweave.perceive import flow as module
from keyweave.perceive.flow import estimate_flow, flow_between, related, resize_flow, supported, trust
from keyweave.perceive.proposals import common_motions, correlation_peaks, leftover_peaks, matched_points, propose
from keyweave.protocols import FlowEstimator

HEIGHT, WIDTH = 135, 240


def texture(seed: int, height: int = 2 * HEIGHT, width: int = 2 * WIDTH) -> Frame:
    rng = np.random.default_rng(seed)
    layers = np.zeros((height, width, 3), np.float32)
    for grain in (3, 8, 24):
        seeds = rng.normal(size=(height // grain + 2, width // grain + 2, 3)).astype(np.float32)
        layers += cv2.resize(seeds, (width, height), interpolation=cv2.INTER_CUBIC)
    return (128 + 30 * layers).clip(0, 255).astype(np.uint8)


def moved(matrix: list[list[float]]) -> tuple[Frame, Frame, np.ndarray]:
    """A picture, the same after an affine motion about its middle, and the true flow."""
    big = texture(0)
    corner, middle = np.array([WIDTH, HEIGHT]) / 2, np.array([WIDTH, HEIGHT]) / 2
    m = np.array(matrix, np.float64)
    full = m.copy()
    full[:, 2] += corner + middle - m[:, :2] @ (corner + middle)
    after = cv2.warpAffine(big, full, (2 * WIDTH, 2 * HEIGHT), flags=cv2.INTER_CUBIC)
    cut = slice(HEIGHT // 2, HEIGHT // 2 + HEIGHT), slice(WIDTH // 2, WIDTH // 2 + WIDTH)
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float64)
    at = np.dstack([x, y]) - middle + (HEIGHT % 2) * np.array([0, -0.5])
    return big[cut].copy(), np.asarray(after[cut], np.uint8), at @ (m[:, :2] - np.eye(2)).T + m[:, 2]


def visible(truth: np.ndarray, margin: float = 4) -> np.ndarray:
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    to_x, to_y = x + truth[..., 0], y + truth[..., 1]
    return (to_x >= margin) & (to_x < WIDTH - margin) & (to_y >= margin) & (to_y < HEIGHT - margin)


TURN = [[np.cos(0.4), -np.sin(0.4), 3], [np.sin(0.4), np.cos(0.4), -2]]
MOTIONS = {
    "small": [[1, 0, 1.5], [0, 1, -2.25]],
    "a sixth": [[1, 0, 40], [0, 1, 10]],
    "a third": [[1, 0, -80], [0, 1, 20]],
    "a third down": [[1, 0, 0], [0, 1, 45]],
    "turned": TURN,
    "grown": [[1.3, 0, 0], [0, 1.3, 5]],
}


@pytest.mark.parametrize("preset", ["fast", "medium", "fine"])
@pytest.mark.parametrize("name", MOTIONS)
def test_a_known_motion_is_found_both_ways(name: str, preset: module.Preset):
    a, b, truth = moved(MOTIONS[name])
    pair = flow_between(a, b, preset)
    seen = visible(truth)
    error = np.linalg.norm(pair.forward - truth, axis=2)[seen]
    assert np.mean(error) < 0.6
    assert np.quantile(error, 0.9) < 0.8
    assert pair.forward_trust[seen].mean() > 0.85
    assert pair.forward_trust[~visible(truth, -1)].mean() < 0.3
    # Backward at the point that it came from is the opposite.
    back = module.sampled(pair.backward, truth.astype(np.float32))
    assert np.quantile(np.linalg.norm(back + truth, axis=2)[seen], 0.9) < 0.8


def test_a_thing_that_moves_far_is_found_apart_from_the_ground():
    ground, thing = texture(1, HEIGHT, WIDTH), texture(2, 50, 50)
    a, b = ground.copy(), ground.copy()
    a[40:90, 20:70], b[50:100, 100:150] = thing, thing
    pair = flow_between(a, b)
    np.testing.assert_allclose(np.median(pair.forward[50:80, 30:60], axis=(0, 1)), [80, 10], atol=0.5)
    np.testing.assert_allclose(np.median(pair.backward[60:90, 110:140], axis=(0, 1)), [-80, -10], atol=0.5)
    assert np.abs(pair.forward[:, 180:]).mean() < 0.1
    assert pair.foreground_magnitude == pytest.approx(np.hypot(80, 10), rel=0.05)
    # The ground that the thing will hide is not to be believed.
    assert pair.forward_trust[55:95, 105:145].mean() < 0.3


def test_equal_pictures_stand_still():
    a = texture(3, HEIGHT, WIDTH)
    pair = flow_between(a, a)
    assert np.abs(pair.forward).max() < 0.05
    assert pair.consistent > 0.99
    assert pair.foreground_magnitude < 0.05


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (3, 2), (8, 8), (17, 5), (300, 7)])
def test_tiny_and_thin_pictures_are_no_trouble(size: tuple[int, int]):
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 256, (2, *size, 3), dtype=np.uint8)
    pair = flow_between(a, b)
    assert pair.forward.shape == pair.backward.shape == (*size, 2)
    assert pair.forward_trust.shape == size
    assert pair.forward.dtype == np.float32
    assert np.isfinite(pair.forward).all()


def test_flat_pictures_are_no_trouble():
    grey = np.full((40, 60, 3), 90, np.uint8)
    assert np.abs(estimate_flow(grey, grey)).max() < 1e-3
    assert related(grey, grey) > 0.99
    assert flow_between(grey, 255 - grey).foreground_magnitude < 1


def test_large_pictures_are_searched_small_and_told_in_their_own_pixels():
    big = texture(4).repeat(5, axis=0).repeat(5, axis=1)
    a, b = big[:900, :1600].copy(), big[20:920, 60:1660].copy()
    found = estimate_flow(a, b, preset="fast")
    assert found.shape == (900, 1600, 2)
    np.testing.assert_allclose(np.median(found, axis=(0, 1)), [-60, -20], atol=0.5)


def test_transparent_outlines_move():
    color, alpha = np.full((90, 120, 3), 128, np.uint8), np.zeros((2, 90, 120, 1), np.uint8)
    alpha[0, 20:60, 20:60], alpha[1, 20:60, 30:70] = 255, 255
    color[..., 0] = 250
    a, b = (np.dstack([color, each]) for each in alpha)
    assert np.median(estimate_flow(a, b)[25:55, 25:55, 0]) == pytest.approx(10, abs=1)


def test_noise_is_not_related_and_a_moved_scene_is():
    rng = np.random.default_rng(0)
    assert related(*rng.integers(0, 256, (2, HEIGHT, WIDTH, 3), dtype=np.uint8)) < 0.04
    assert related(texture(5, HEIGHT, WIDTH), texture(6, HEIGHT, WIDTH)) < 0.06
    assert related(*moved(MOTIONS["a third"])[:2]) > 0.5


def test_the_same_again_with_any_number_of_threads():
    a, b, _ = moved(TURN)
    before = cv2.getNumThreads()
    found = []
    try:
        for threads in (1, 3):
            cv2.setNumThreads(threads)
            found.append(flow_between(a, b).forward)
    finally:
        cv2.setNumThreads(before)
    np.testing.assert_array_equal(*found)


def test_slow_changes_of_light_are_forgiven():
    a, b, truth = moved(MOTIONS["small"])
    darker = (b * 0.88).astype(np.uint8)
    assert flow_between(a, darker).forward_trust[visible(truth)].mean() > 0.8


def test_trust_needs_the_way_home():
    a = texture(7, 40, 60)
    still, away = np.zeros((40, 60, 2), np.float32), np.full((40, 60, 2), 9, np.float32)
    assert trust(a, a, still, still).min() > 0.99
    assert trust(a, a, still, away).max() < 1e-3
    assert trust(a, 255 - a, still, still).mean() < 0.5


def test_a_resized_flow_has_the_lengths_of_its_size():
    flow = np.broadcast_to(np.array([2, 3], np.float32), (10, 20, 2)).copy()
    np.testing.assert_allclose(resize_flow(flow, (40, 5))[2, 7], [4, 1.5])


def test_pictures_of_two_sizes_are_a_mistake():
    with pytest.raises(ValueError, match="one size"):
        flow_between(np.zeros((4, 4, 3), np.uint8), np.zeros((4, 5, 3), np.uint8))


def test_it_satisfies_the_protocol():
    estimator: FlowEstimator = estimate_flow
    grey = np.zeros((16, 16, 3), np.uint8)
    assert estimator(grey, grey).shape == (16, 16, 2)


def test_common_motions_are_peeled_off_the_most_common_first():
    rng = np.random.default_rng(0)
    points = rng.uniform(0, 100, (90, 2)).astype(np.float32)
    to = points + np.array([30, 0], np.float32)
    to[60:80] = points[60:80] + np.array([-20, 15], np.float32)
    to[80:] = rng.uniform(0, 100, (10, 2))
    motions, explained = common_motions(points, to, 0.5)
    np.testing.assert_allclose(motions[0], [[1, 0, 30], [0, 1, 0]], atol=1e-3)
    np.testing.assert_allclose(motions[1], [[1, 0, -20], [0, 1, 15]], atol=1e-3)
    assert explained[:80].all()


def test_a_motion_that_crushes_is_not_believed():
    points = np.random.default_rng(0).uniform(0, 100, (30, 2)).astype(np.float32)
    assert common_motions(points, points * 0.1, 0.5)[0] == []


def test_correlation_tells_shifts_either_way():
    big = texture(8)[..., 1]
    for dx, dy in ((50, 12), (-50, 12), (7, -20)):
        peak = correlation_peaks(big[60:200, 100:340], big[60 - dy : 200 - dy, 100 - dx : 340 - dx])[0]
        assert np.abs(np.subtract(peak, (dx, dy))).max() <= 1


def test_what_is_left_over_tells_its_shift():
    ground = texture(9)[..., 1]
    a, b = ground[:HEIGHT, :WIDTH].copy(), ground[3 : HEIGHT + 3, 5 : WIDTH + 5].copy()
    a[40:50, 40:50], b[60:70, 130:140] = 255, 255
    pan = np.array([[1, 0, -5], [0, 1, -3]], np.float32)
    assert np.abs(np.subtract(leftover_peaks(a, b, [pan])[0], (90, 20))).max() <= 1


def test_when_nothing_moves_apart_nothing_is_left_over():
    a = texture(9)[..., 1]
    pan = np.array([[1, 0, -5], [0, 1, -3]], np.float32)
    assert leftover_peaks(a[:HEIGHT, :WIDTH], a[3 : HEIGHT + 3, 5 : WIDTH + 5], [pan]) == []
    unlike = texture(10)[..., 1]
    assert leftover_peaks(a[:HEIGHT, :WIDTH], unlike[:HEIGHT, :WIDTH], []) == []


def test_equal_features_are_no_match():
    """A pattern that repeats could be found again anywhere."""
    tile = texture(11)[:30, :30, 1]
    again = np.tile(tile, (4, 6))
    assert len(matched_points(again, again)[0]) < 70


def test_nothing_to_hold_on_to_gives_no_guess():
    flat = np.full((40, 60), 7, np.uint8)
    assert matched_points(flat, flat)[0].shape == (0, 2)
    assert propose(flat, flat) == []


def test_specks_have_no_support():
    believed = np.zeros((160, 160), np.float32)
    believed[20, 20], believed[60:120, 60:120] = 1, 1
    kept = supported(believed)
    assert kept[20, 20] < 0.2
    assert kept[70:110, 70:110].min() == 1
