"""The demo's film of two engines: both get the same pictures, and lie beside what happened."""

from pathlib import Path

import numpy as np
import pytest

from keyweave.app import demo_beside
from keyweave.app.demo_beside import make_comparison
from keyweave.base.errors import InputError
from keyweave.media.clips import open_frames
from keyweave.media.pictures.images import read_image
from keyweave.systems.inbetween import presets
from keyweave.systems.inbetween.sampling import Sampling
from keyweave.toyworld.scenes import scene_of
from keyweave.toyworld.shots import shoot

pytestmark = pytest.mark.usefixtures("one_thread")


def test_two_engines_and_what_happened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(presets.PRESETS, presets.DEFAULT, Sampling(steps=2))
    made = make_comparison(tmp_path)
    truth = shoot(scene_of("test", demo_beside.SCENE)).frames
    assert [film.recipe.engine for film in made.films] == ["flow", "generative"]
    assert [film.frames for film in made.films] == [len(truth)] * 2
    assert made.films[1].recipe.models["model"].ref == "toy-video"
    for path, frame in zip(made.keyframes, truth[[0, -1]], strict=True):
        assert np.array_equal(read_image(path).pixels, frame)
    with open_frames(made.path) as film:
        shown = list(film.frames())
    assert len(shown) == len(truth)
    third = shown[5][-truth.shape[1] * 5 :, -truth.shape[2] * 5 :][2::5, 2::5]  # enlarged five times, at the right
    assert np.abs(third.astype(int) - truth[5]).mean() < 4
    assert read_image(made.sheet).width > 600
    with pytest.raises(InputError, match="already exists"):
        make_comparison(tmp_path)


@pytest.mark.slow
def test_the_pair_is_one_that_flow_tears_and_the_model_does_not(tmp_path: Path):
    shot = shoot(scene_of("test", demo_beside.SCENE), truth=True)
    assert shot.truth is not None
    swept = shot.truth.masks().any(axis=(0, 1))  # where the actor is at any time
    errors = {}
    for film in make_comparison(tmp_path).films:
        assert film.path is not None
        with open_frames(film.path) as opened:
            frames = np.stack(list(opened.frames())).astype(float)
        errors[film.recipe.engine] = np.square(frames - shot.frames)[1:-1][:, swept].mean()
    assert errors["generative"] < errors["flow"] / 2
