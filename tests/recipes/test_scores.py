"""Scores of models, on clips whose scores are known: the real ones, still ones, reversed ones, empty ones."""

from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch

from keyweave.base.errors import InputError
from keyweave.maths.tensors import to_tensor
from keyweave.recipes import scores
from keyweave.recipes.features import fresh_features
from keyweave.recipes.scores import goes_right, is_mover, video_scores
from keyweave.toyworld.scenes import Scene, scene_of
from keyweave.toyworld.shots import Shot, shoot


@pytest.fixture(scope="module")
def movers() -> list[Shot[Scene]]:
    shots = [shoot(scene_of("validation", number), truth=True) for number in range(60)]
    return [shot for shot in shots if is_mover(shot)]


def test_movers_are_alone_in_full_view_and_come_far(movers: list[Shot[Scene]]):
    assert 8 <= len(movers) <= 50
    for shot in movers:
        assert shot.truth is not None
        assert len(shot.scene.cast) == 1
        assert shot.scene.pan == 0
        places = shot.truth.poses[:, 0, :2]
        assert np.hypot(*(places[-1] - places[0])) >= 8
    kinds = {role.kind for shot in movers for role in shot.scene.cast}
    assert kinds >= {"car", "fish", "bird", "boat"}
    assert "flower" not in kinds


def test_real_clips_go_right_and_wrong_ones_do_not(movers: list[Shot[Scene]]):
    right = [goes_right(shot.frames, shot) for shot in movers]
    assert np.mean(right) >= 0.97
    for shot in movers[:12]:
        assert not goes_right(shot.frames[::-1], shot)
        assert not goes_right(np.repeat(shot.frames[:1], len(shot.frames), axis=0), shot)
        (empty,) = shoot(replace(shot.scene, cast=()), frames=1).frames
        assert not goes_right(np.repeat(empty[None], len(shot.frames), axis=0), shot)


def test_who_melts_on_the_way_is_followed_until_then_only(movers: list[Shot[Scene]]):
    """The last frame that still shows the actor decides; a faint rest of it does not."""
    for shot in movers[:6]:
        (empty,) = shoot(replace(shot.scene, cast=()), frames=1).frames
        gone = shot.frames.copy()
        gone[1:] = empty  # it is seen in the first frame alone
        assert not goes_right(gone, shot)


def test_how_fast_it_goes_is_left_to_it(movers: list[Shot[Scene]]):
    slow = [goes_right(shot.frames[np.arange(14) * 6 // 7], shot) for shot in movers]
    assert np.mean(slow) >= 0.95


def test_colors_that_are_kept_are_counted():
    chance = np.random.default_rng(0)
    real = chance.integers(0, 256, (2, 8, 8, 3)).astype(np.uint8)
    masks = chance.random((2, 8, 8)) < 0.5
    grey = np.repeat(real.mean(-1, keepdims=True), 3, axis=-1)
    half = (real + grey) / 2
    for clip, expected in ((real, 1.0), (grey, 0.0), (half, 0.5)):
        kept, whole = scores._chroma(cast("Any", clip), real, masks)
        assert kept / whole == pytest.approx(expected, abs=1e-6)


class Knowing:
    """A judge that says of every clip what it is told to; its vectors are the clips' mean colours."""

    kinds, colors = fresh_features().kinds, fresh_features().colors

    def __init__(self, forward: float = 1.0) -> None:
        self.forward = forward

    def parameters(self) -> Iterator[torch.Tensor]:
        yield torch.zeros(1)

    def __call__(self, clips: torch.Tensor) -> Any:
        batch, frames = clips.shape[:2]
        return SimpleNamespace(
            forward=torch.full((batch,), self.forward),
            vector=clips.mean((1, 3, 4)),
            frame_kinds=torch.eye(len(self.kinds) + 1)[self.kinds.index("car")].expand(batch, frames, -1),
            frame_colors=torch.eye(len(self.colors) + 1)[0].expand(batch, frames, -1),
        )


@pytest.fixture
def perfect(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A model that makes the real clips, and an autoencoder that loses nothing."""
    drawn = {
        scene.tobytes(): clip for clip in (shoot(scene_of("test", k)).frames for k in range(6)) for scene in [clip[0]]
    }

    def made(_: Any, starts: torch.Tensor, **__: Any) -> torch.Tensor:
        pictures = ((starts + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
        return to_tensor(np.stack([drawn[picture.tobytes()] for picture in pictures]))

    monkeypatch.setattr(scores, "image_to_video", made)
    monkeypatch.setattr(scores, "through", lambda _, clips: clips)
    unet = SimpleNamespace(config={"num_frames": 14}, device=torch.device("cpu"), dtype=torch.float32)
    return SimpleNamespace(unet=unet)


def test_a_perfect_model_scores_as_the_real_clips_do(perfect: Any):
    found = video_scores(perfect, Knowing(), count=6)  # type: ignore[arg-type]
    assert found["clips"] == 6
    assert found["colors kept"] == 1
    assert found["autoencoder, dB"] == np.inf
    for name in ("forward", "right way", "kind", "color", "color told", "distance"):
        assert found[f"{name}, made"] == found[f"{name}, real"] == found[f"{name}, autoencoder"]
    assert found["forward, made"] == 1
    assert 0 < found["distance, made"] < 1
    assert found["distance, floor"] > 0
    cars = [shot for shot in (shoot(scene_of("test", k), truth=True) for k in range(6)) if scores.is_clear(shot.scene)]
    well = [
        (s.scene.cast[0].kind == "car", int((s.truth.masks()[:, 0].sum((1, 2)) >= 24).sum())) for s in cars if s.truth
    ]
    assert found["frames with a clear actor"] == sum(frames for _, frames in well)
    assert found["kind, made"] == pytest.approx(
        sum(frames for car, frames in well if car) / sum(frames for _, frames in well)
    )
    assert video_scores(perfect, Knowing(-1), count=2)["forward, made"] == 0  # type: ignore[arg-type]


def test_clips_from_further_on_are_measured_as_well(perfect: Any):
    found = video_scores(perfect, Knowing(), count=2, begin=4)  # type: ignore[arg-type]
    shots = [shoot(scene_of("test", k), truth=True) for k in (4, 5)]
    assert found["movers"] == sum(map(is_mover, shots))
    clear = [shot for shot in shots if scores.is_clear(shot.scene) and shot.truth]
    counts = [int((s.truth.masks()[:, 0].sum((1, 2)) >= 24).sum()) for s in clear if s.truth]
    assert found["frames with a clear actor"] == sum(counts)


def test_a_color_that_the_first_frame_does_not_tell_is_left_out_of_those_it_tells(perfect: Any):
    """Of six clips some are of flowers, which begin as buds; the judge takes every actor for one of the first color."""
    found = video_scores(perfect, Knowing(), count=6)  # type: ignore[arg-type]
    right: dict[bool, list[bool]] = {True: [], False: []}
    for shot in (shoot(scene_of("test", k), truth=True) for k in range(6)):
        if scores.is_clear(shot.scene) and shot.truth:
            frames = shot.truth.masks()[:, 0].sum((1, 2)) >= 24
            is_first = shot.scene.cast[0].color == Knowing.colors[0]
            right[bool(frames[0])] += [is_first] * int(frames.sum())
    assert right[False], "a bud is among them"
    assert found["color told, made"] == pytest.approx(np.mean(right[True]))
    assert found["color, made"] == pytest.approx(np.mean(right[True] + right[False]))
    assert found["color told, made"] != found["color, made"]


def test_the_steps_are_told(perfect: Any):
    from keyweave.base.progress import Event, Progress

    events: list[Event] = []
    video_scores(perfect, Knowing(), count=3, progress=Progress("x", events.append))  # type: ignore[arg-type]
    assert [event.done for event in events if event.kind == "step" and event.part[-1] == "scores"] == [3]


def test_one_clip_is_too_few(perfect: Any):
    with pytest.raises(InputError, match="2 clips or more; got 1"):
        video_scores(perfect, Knowing(), count=1)  # type: ignore[arg-type]
