"""The generative engine on a tiny random model: what it draws, where, and what it says."""

from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from keyweave.base.errors import InputError
from keyweave.base.progress import SILENT, Event, Progress
from keyweave.classical.crossfade import crossfade
from keyweave.maths.tensors import to_frames, to_tensor
from keyweave.media.types import Image
from keyweave.models.finding import find
from keyweave.systems.inbetween import engine
from keyweave.systems.inbetween.anchoring import anchored
from keyweave.systems.inbetween.engine import Memory, generative, working_size
from keyweave.systems.inbetween.generate import between
from keyweave.systems.inbetween.sampling import Sampling

pytestmark = pytest.mark.usefixtures("one_thread")

QUICK = Sampling(steps=2, guidance=(1.0, 1.0))


@pytest.fixture
def fill() -> Any:
    return partial(crossfade, linear_light=False)


def picture(seed: int, width: int = 32, height: int = 32, channels: int = 3) -> Image:
    return Image(np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8))


def grid(count: int) -> list[Fraction]:
    return [Fraction(k, count - 1) for k in range(1, count - 1)]


def test_on_the_grid_it_is_what_the_model_made(tiny_folder: Path, tiny_video: Any, fill: Any):
    first, last = picture(1), picture(2)
    frames = int(tiny_video.unet.config["num_frames"])
    draw = generative(model=find(str(tiny_folder)), sampling=QUICK, fill=fill, dtype="float32")
    found = np.stack(list(draw(first, last, grid(frames), seed=5, progress=SILENT)))
    ends = [to_tensor(one.pixels)[None] for one in (first, last)]
    due = anchored(between(tiny_video, *ends, seed=5, sampling=QUICK), *ends)[0]
    assert np.abs(found.astype(int) - to_frames(due)[1:-1]).max() <= 1


def test_off_the_grid_the_other_engine_draws_and_the_ends_are_the_keyframes(tiny_folder: Path, fill: Any):
    asked = []

    def watched(first: Image, last: Image, times: Any, **rest: Any) -> Any:
        asked.append((first, list(times)))
        return fill(first, last, times, **rest)

    first = picture(1)
    draw = generative(model=find(str(tiny_folder)), sampling=QUICK, fill=watched, dtype="float32")
    list(draw(first, picture(2), [Fraction(1, 1000)], seed=5, progress=SILENT))
    assert asked[0][0].pixels is first.pixels
    assert len(asked[0][1]) == 1


def test_any_size_comes_back_as_it_was(tiny_folder: Path, fill: Any):
    for size in ((35, 33), (100, 150), (10, 45)):
        draw = generative(model=find(str(tiny_folder)), sampling=Sampling(steps=1, guidance=(1, 1)), fill=fill)
        (frame,) = draw(picture(1, *size), picture(2, *size), grid(4)[:1], seed=1, progress=SILENT)
        assert frame.shape == (size[1], size[0], 3)
        assert frame.dtype == np.uint8


@pytest.mark.parametrize(
    ("wanted", "side", "drawn"),
    [
        ((64, 64), 64, (64, 64)),
        ((66, 64), 64, (66, 64)),  # a little more is no harm
        ((640, 360), 64, (114, 64)),  # the short side stays large enough
        ((1024, 576), 768, (1024, 576)),  # what the released models were made for
        ((576, 1024), 768, (576, 1024)),
        ((1920, 1080), 768, (1024, 576)),
        ((512, 320), 768, (512, 320)),
        ((32, 32), 768, (64, 64)),
    ],
)
def test_it_draws_as_large_as_the_model_was_made_for(wanted, side, drawn):
    assert working_size(wanted, side) == drawn


def test_it_says_once_what_may_not_be_what_was_wanted(tiny_folder: Path, fill: Any):
    events: list[Event] = []
    progress = Progress("job", events.append)
    draw = generative(model=find(str(tiny_folder)), sampling=Sampling(steps=1, guidance=(1, 1)), fill=fill)
    for seed in (1, 2):
        list(draw(picture(1, 200, 150), picture(2, 200, 150), [Fraction(1, 2)], seed=seed, progress=progress))
    said = [event.text for event in events if event.kind == "warn"]
    assert len(said) == 2
    assert "pixels here; they are resized to 200x150." in said[0]
    assert "There is no adapter" in said[1]


def test_pictures_with_alpha_are_refused(tiny_folder: Path, fill: Any):
    draw = generative(model=find(str(tiny_folder)), sampling=QUICK, fill=fill)
    with pytest.raises(InputError, match="draws opaque pictures, and these keyframes have alpha. Flatten them"):
        list(draw(picture(1, channels=4), picture(2, channels=4), [Fraction(1, 2)], seed=1, progress=SILENT))


def test_little_memory_makes_small_parts(tiny_folder: Path, fill: Any, monkeypatch: pytest.MonkeyPatch):
    told: list[tuple[bool, int | None]] = []

    def watched(*args: Any, in_turn: bool, chunk: int | None, **rest: Any) -> torch.Tensor:
        told.append((in_turn, chunk))
        return between(*args, in_turn=in_turn, chunk=chunk, **rest)

    monkeypatch.setattr(engine, "between", watched)
    made = []
    cases: list[tuple[Memory, int | None]] = [
        ("high", 1),
        ("low", 1 << 60),
        ("auto", None),
        ("auto", 1 << 60),
        ("auto", 1 << 20),
    ]
    for memory, free in cases:
        monkeypatch.setattr(engine, "free_bytes", lambda _, free=free: free)
        draw = generative(model=find(str(tiny_folder)), sampling=QUICK, fill=fill, memory=memory, dtype="float32")
        made.append(np.stack(list(draw(picture(1), picture(2), grid(4), seed=3, progress=SILENT))))
    assert told[0] == (False, None)
    assert told[1] == (True, 4)
    assert told[2:4] == [(False, None)] * 2
    assert told[4][0]
    assert np.abs(made[0].astype(int) - made[2]).max() == 0
    assert np.abs(made[0].astype(int) - made[1]).mean() < 2  # chunks mix other neighbours


def test_progress_goes_from_nothing_to_all(tiny_folder: Path, fill: Any):
    seen: list[float] = []
    whole = Progress("job", lambda event: seen.append(event.fraction), total=2)
    draw = generative(model=find(str(tiny_folder)), sampling=QUICK, fill=fill)
    list(draw(picture(1), picture(2), grid(4), seed=1, progress=whole))
    assert seen == sorted(seen)
    assert any(0.3 < value < 0.8 for value in seen)
    assert seen[-1] == pytest.approx(1)
