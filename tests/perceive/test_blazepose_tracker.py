"""One dancer from frame to frame, with stand-ins for the networks that see drawn people: spots of colour on black."""

import importlib
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from keyweave.base.errors import InputError, KeyweaveError, MissingExtra, ModelError
from keyweave.base.progress import Event, Progress
from keyweave.models.people import find_people
from keyweave.perceive.blazepose import networks
from keyweave.perceive.blazepose.detector import anchors, people_in
from keyweave.perceive.blazepose.landmarks import JOINTS, pose_in
from keyweave.perceive.blazepose.networks import load_network, shaped, sigmoid
from keyweave.perceive.blazepose.regions import around
from keyweave.perceive.blazepose.tracker import BlazePose, pose_tracker
from keyweave.perceive.poses import BODY, JointTrack

RATE = Fraction(25)
WIDE, HIGH = 320, 200
TALL = 40  # pixels from the hips of somebody drawn to the top of the circle around them
HAND = np.array([0.3, 0.2, -0.1])  # in metres to the right, down and away from the hips, as if they stood upright
WRIST, HIP = JOINTS.index("right_wrist"), JOINTS.index("left_hip")


@dataclass(frozen=True)
class Drawn:
    """Somebody: red hips, a green top, a blue right hand halfway between, turned about the hips."""

    x: float
    y: float
    tall: float = TALL
    turn: float = 0.0

    def at(self, right: float, down: float) -> np.ndarray:
        """A point in shares of how tall they are."""
        cos, sin = np.cos(self.turn), np.sin(self.turn)
        return np.array(
            [self.x + self.tall * (right * cos - down * sin), self.y + self.tall * (right * sin + down * cos)]
        )

    @property
    def top(self) -> np.ndarray:
        return self.at(0, -1)

    @property
    def hand(self) -> np.ndarray:
        return self.at(-0.4, -0.3)


def frame(*people: Drawn) -> np.ndarray:
    picture = np.zeros((HIGH, WIDE, 3), np.uint8)
    for one in people:
        for channel, at in enumerate(((one.x, one.y), one.top, one.hand)):
            layer = picture[..., channel].copy()
            cv2.circle(layer, [round(float(v - 0.5) * 16) for v in at], 5 * 16, 255, -1, cv2.LINE_AA, 4)
            picture[..., channel] = layer
    return picture


def spots(picture: np.ndarray, channel: int) -> np.ndarray:
    """Where the spots of a colour are, (N, 2) in pixels."""
    mask = (picture[..., channel] > 0.5).astype(np.uint8)
    count, _, stats, middles = cv2.connectedComponentsWithStats(mask)
    return middles[1:count][stats[1:count, cv2.CC_STAT_AREA] > 8] + 0.5


def nearest(places: np.ndarray, *at: float) -> np.ndarray:
    return places[np.hypot(*(places - at).T).argmin()]


@dataclass
class Finder:
    """Finds all people whose hips and top it sees; surer of those on the left."""

    calls: int = 0

    def __call__(self, picture: np.ndarray) -> Sequence[np.ndarray]:
        self.calls += 1
        assert picture.shape == (224, 224, 3)
        assert picture.min() >= -1
        values, scores = np.full((1, 2254, 12), 7.0), np.full((1, 2254, 1), -100.0)
        hips, tops = spots((picture + 1) / 2, 0), spots((picture + 1) / 2, 1)
        for at in hips:
            top = nearest(tops, *at)
            # Two anchors share each place, and both speak up; then they are merged.
            for k in np.argsort(np.hypot(*(anchors() * 224 - at).T), kind="stable")[:2]:
                zero = anchors()[k] * 224
                values[0, k] = [*(at - zero), 20, 20, *(at - zero), *(top - zero), 0, 0, 0, 0]
                scores[0, k] = 5 - at[0] / 100
        return [scores, values]


@dataclass
class Marker:
    """Finds the joints of whoever is in the middle."""

    calls: int = 0

    def __call__(self, picture: np.ndarray) -> Sequence[np.ndarray]:
        self.calls += 1
        assert picture.shape == (256, 256, 3)
        assert 0 <= picture.min() <= picture.max() <= 1
        rows, world = np.zeros((39, 5)), np.zeros((39, 3))
        hips = spots(picture, 0)
        here = len(hips) and np.hypot(*(nearest(hips, 128, 128) - 128)) < 80
        if here and len(tops := spots(picture, 1)):
            at = nearest(hips, 128, 128)
            rows[:, :2] = at
            rows[34, :2] = nearest(tops, *(at - (0, 100)))
            if len(hands := spots(picture, 2)):
                rows[WRIST, :2] = nearest(hands, *(at - (40, 30)))
            rows[:, 3], rows[WRIST, 3] = 3, -3
            world[WRIST] = HAND
        else:
            here = 0
        mask, heat = np.zeros((1, 256, 256, 1)), np.zeros((1, 64, 64, 39))
        outputs = [rows.reshape(1, 195), np.array([[0.9 * bool(here)]]), mask, heat, world.reshape(1, 117)]
        return [each.astype(np.float32) for each in outputs]


def followed(
    frames: Sequence[Sequence[Drawn]],
    at: tuple[float, float] | None = None,
    finder: Finder | None = None,
    marker: Marker | None = None,
) -> tuple[JointTrack, list[str]]:
    heard: list[Event] = []
    tracker = BlazePose(finder or Finder(), marker or Marker(), at)
    track = tracker((frame(*people) for people in frames), RATE, progress=Progress("poses", heard.append))
    assert sum(event.kind == "step" for event in heard) == len(frames)
    return track, [event.text for event in heard if event.kind == "warn"]


def hips_of(track: JointTrack) -> np.ndarray:
    return track.places[:, HIP]


def test_people_are_found_the_largest_first():
    small, large = Drawn(60, 100, 30), Drawn(220, 120, 60)
    found = people_in(frame(small, large), Finder())
    assert [person.region.side for person in found] == pytest.approx([150, 75], abs=2)
    for person, one in zip(found, (large, small), strict=True):
        assert (person.region.x, person.region.y) == pytest.approx((one.x, one.y), abs=1)
        assert person.region.turn == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize("turn", [0, 0.6, -1.2, 3.0])
def test_joints_are_found_however_somebody_is_turned(turn: float):
    one = Drawn(150, 100, turn=turn)
    region = around(np.array([one.x + 3, one.y - 2]), one.top)
    pose = pose_in(frame(one), region, Marker())
    np.testing.assert_allclose(pose.places[HIP], (one.x, one.y), atol=0.5)
    np.testing.assert_allclose(pose.places[WRIST], one.hand, atol=0.5)
    np.testing.assert_allclose((pose.region.x, pose.region.y, pose.region.side), (150, 100, 2.5 * TALL), atol=1.5)
    assert pose.region.turn == pytest.approx(turn, abs=0.03)
    np.testing.assert_allclose(pose.seen[[HIP, WRIST]], [1 / (1 + np.exp(-3)), 1 / (1 + np.exp(3))])
    # Metres are turned as the square was that the network saw; up and towards the camera are positive.
    cos, sin = np.cos(region.turn), np.sin(region.turn)
    right, down = HAND[0] * cos - HAND[1] * sin, HAND[0] * sin + HAND[1] * cos
    np.testing.assert_allclose(pose.world[WRIST], [right, -down, -HAND[2]], atol=1e-6)
    assert region.turn == pytest.approx(turn, abs=0.1)


def test_a_dancer_is_followed_with_one_detection():
    path = [Drawn(60 + 4 * k, 100 + 20 * np.sin(k / 3), TALL, 0.3 * np.sin(k / 5)) for k in range(30)]
    finder = Finder()
    track, warnings = followed([[one] for one in path], finder=finder)
    assert (finder.calls, warnings) == (1, [])
    np.testing.assert_allclose(hips_of(track), [(one.x, one.y) for one in path], atol=1)
    np.testing.assert_allclose(track.times, np.arange(30) / 25)
    assert track.size == (WIDE, HIGH)
    assert {*BODY} <= {*track.joints}
    assert len(track.joints) == len(set(track.joints)) == 33
    assert track.world is not None
    assert track.world.shape == (30, 33, 3)


LEFT, RIGHT = Drawn(80, 120, 45), Drawn(230, 120, 38)


def test_the_largest_is_followed_and_similar_ones_are_told_of():
    track, warnings = followed([[LEFT, RIGHT]] * 3)
    np.testing.assert_allclose(hips_of(track), [(80, 120)] * 3, atol=1)
    assert warnings == [
        (
            "2 people of similar size are in view; the largest is followed, near 80,120. "
            "Name a point on another one (--dancer X,Y) to follow them."
        )
    ]
    assert followed([[LEFT, Drawn(230, 120, 25)]] * 3)[1] == []


def test_the_chosen_dancer_is_followed():
    track, warnings = followed([[LEFT, RIGHT]] * 3, at=(240, 130))
    np.testing.assert_allclose(hips_of(track), [(230, 120)] * 3, atol=1)
    assert warnings == []


def test_the_nearer_of_two_who_are_there():
    near = [Drawn(120, 120, 45), Drawn(170, 120, 40)]
    for at, x in ((125, 120), (160, 170)):
        assert hips_of(followed([near], at=(at, 100))[0])[0, 0] == pytest.approx(x, abs=1)


def test_nobody_else_is_followed_while_the_dancer_is_hidden():
    frames = [[LEFT, RIGHT]] * 4 + [[RIGHT]] * 12 + [[LEFT, RIGHT]] * 4
    track, warnings = followed(frames, marker=(marker := Marker()))
    # Only in the first of the frames without the dancer is their old place looked at, and the other one never.
    assert marker.calls == 4 + 1 + 4
    found = np.isfinite(hips_of(track)[:, 0])
    assert found.tolist() == [True] * 4 + [False] * 12 + [True] * 4
    np.testing.assert_allclose(hips_of(track)[found], [(80, 120)] * 8, atol=1)
    assert not track.seen[~found].any()
    assert np.isnan(track.places[~found]).all()
    assert track.world is not None
    assert np.isnan(track.world[~found]).all()
    assert warnings[1:] == ["The dancer was found in only 8 of 20 frames; the others count as unknown."]


def test_a_jump_is_no_step():
    """Where the second network says that the dancer is elsewhere at once, or of another size, it saw another one."""
    track, _ = followed([[LEFT], [Drawn(80 + 32, 120, 45)], [Drawn(80, 120, 110)], [LEFT]])
    assert np.isfinite(hips_of(track)[:, 0]).tolist() == [True, False, False, True]


def test_who_was_lost_is_found_again_not_far_away():
    """In a second out of sight somebody gets half a region further."""
    away = 30
    frames: list[list[Drawn]] = [[LEFT], *[[]] * 25, [Drawn(LEFT.x + away, 120, 45)]]
    track, _ = followed(frames)
    assert hips_of(track)[-1, 0] == pytest.approx(LEFT.x + away, abs=1)


def test_a_dancer_may_come_late():
    frames: list[list[Drawn]] = [[], [], [LEFT]]
    track, _ = followed(frames)
    assert np.isfinite(hips_of(track)[:, 0]).tolist() == [False, False, True]


def test_frames_are_not_kept():
    seen: list[weakref.ref] = []
    alive: list[int] = []

    def frames() -> Iterator[np.ndarray]:
        for _ in range(6):
            picture = frame(LEFT)
            seen.append(weakref.ref(picture))
            alive.append(sum(each() is not None for each in seen))
            yield picture
            del picture

    BlazePose(Finder(), Marker())(frames(), RATE)
    assert max(alive) <= 2  # the new one, and the one before


@pytest.mark.parametrize(
    ("frames", "at", "words"),
    [
        ([], None, "There is no frame to look for a dancer in."),
        ([[]] * 3, None, "There is no dancer in any of the 3 frames. Take a film that shows a whole person, upright."),
        ([[LEFT]] * 2, (300, 20), "There is no dancer at 300,20 in any of the 2 frames. Name a point in the middle of"),
    ],
)
def test_nobody(frames: list[list[Drawn]], at: tuple[float, float] | None, words: str):
    with pytest.raises(InputError, match=words):
        followed(frames, at)


def test_who_has_no_size_is_nobody():
    with pytest.raises(InputError, match="There is no dancer"):
        followed([[Drawn(100, 100, 0)]] * 3)


def test_others_are_told_of_once():
    heard: list[Event] = []
    nobody = BlazePose(Finder(), lambda picture: [0 * each for each in Marker()(picture)])
    with pytest.raises(InputError):
        nobody([frame(LEFT, RIGHT)] * 4, RATE, progress=Progress("poses", heard.append))
    assert sum(event.kind == "warn" for event in heard) == 1


class Interpreter:
    """What stands for LiteRT's."""

    def __init__(self, model_path: str, num_threads: int) -> None:
        if not Path(model_path).read_bytes().startswith(b"good"):
            raise ValueError("Model provided has model identifier 'xxxx', should be 'TFL3'")
        self.threads = num_threads

    def allocate_tensors(self) -> None: ...

    def get_input_details(self) -> list[dict[str, int]]:
        return [{"index": 3}]

    def get_output_details(self) -> list[dict[str, int]]:
        return [{"index": 8}, {"index": 9}]

    def set_tensor(self, index: int, value: np.ndarray) -> None:
        assert (index, value.dtype) == (3, np.float32)
        self.value = value

    def invoke(self) -> None:
        self.outputs = {8: self.value.mean(axis=(1, 2)), 9: self.value[:, :1, :1, :1]}

    def get_tensor(self, index: int) -> np.ndarray:
        return self.outputs[index]


@pytest.fixture
def litert(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    def installed(module: Any) -> None:
        known = importlib.import_module

        def found(name: str) -> Any:
            if name.split(".", maxsplit=1)[0] == "ai_edge_litert":
                if isinstance(module, Exception):
                    raise module
                return module
            return known(name)

        monkeypatch.setattr(networks.importlib, "import_module", found)

    return installed


def test_networks_are_run_by_litert(litert: Callable[[Any], None], tmp_path: Path):
    litert(type("Module", (), {"Interpreter": Interpreter}))
    (tmp_path / "a.tflite").write_bytes(b"good")
    picture = np.random.default_rng(0).uniform(0, 1, (4, 4, 3))
    outputs = load_network(tmp_path / "a.tflite")(picture)
    np.testing.assert_allclose(shaped(outputs, 3), picture.mean(axis=(0, 1)), rtol=1e-6)
    assert shaped(outputs, 1)[0] == pytest.approx(picture[0, 0, 0])
    (tmp_path / "a.tflite").write_bytes(b"bad")
    with pytest.raises(ModelError, match=r"LiteRT cannot run .*a.tflite. Fetch it again: keyweave models pull people"):
        load_network(tmp_path / "a.tflite")


def test_without_litert(litert: Callable[[Any], None], tmp_path: Path):
    litert(ModuleNotFoundError("x", name="ai_edge_litert"))
    with pytest.raises(MissingExtra, match=r"needs the package ai_edge_litert, .*\"keyweave\[dance\]\""):
        pose_tracker(tmp_path)
    litert(ModuleNotFoundError("x", name="flatbuffers"))  # installed but broken
    with pytest.raises(ModuleNotFoundError):
        pose_tracker(tmp_path)


def test_sigmoid():
    numbers = np.array([-1e6, -2, 0, 3, 1e6])
    np.testing.assert_allclose(sigmoid(numbers), [0, 1 / (1 + np.exp(2)), 0.5, 1 / (1 + np.exp(-3)), 1], atol=1e-12)


@pytest.mark.slow
def test_the_real_networks_see_nobody_in_noise():
    """What is drawn is nobody for them either; their eyes for people are tried on real films."""
    try:
        folder = find_people()
    except KeyweaveError as fault:
        pytest.skip(fault.message)
    tracker = pose_tracker(folder, threads=1)
    noise = np.random.default_rng(0).integers(0, 256, (120, 90, 3), np.uint8)
    assert people_in(noise, tracker.finder) == []
    pose = pose_in(noise, around(np.array([45.0, 60.0]), np.array([45.0, 20.0])), tracker.marker)
    assert pose.presence < 0.5
    with pytest.raises(InputError, match="There is no dancer"):
        tracker(iter([noise] * 2), RATE)
