"""The generative engine on a tiny random model: what it draws, where, and what it says."""

import json
import shutil
from dataclasses import replace
from datetime import date
from fractions import Fraction
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from keyweave.base.errors import InputError
from keyweave.base.progress import SILENT, Event, Progress
from keyweave.base.seeds import derive
from keyweave.classical.crossfade import crossfade
from keyweave.diffusion.denoisers import sigmas_of
from keyweave.diffusion.exchange import temporal_layers
from keyweave.diffusion.image_to_video import condition_on, pictures_of
from keyweave.diffusion.noise import noise_like
from keyweave.diffusion.vae import encode
from keyweave.maths.tensors import to_frames, to_tensor
from keyweave.media.fit import fit
from keyweave.media.types import Image
from keyweave.models.adapters import Adapter, write_adapter
from keyweave.models.card import ModelCard
from keyweave.models.devices import Place, room_for_work
from keyweave.models.finding import find
from keyweave.models.loading import bytes_to_come, load
from keyweave.perceive.detail import detailed
from keyweave.systems.inbetween import engine
from keyweave.systems.inbetween.anchoring import anchored
from keyweave.systems.inbetween.dual import FUSIONS, two_ways
from keyweave.systems.inbetween.engine import Memory, generative, working_size
from keyweave.systems.inbetween.generate import PLAIN, between, between_ends, path_below
from keyweave.systems.inbetween.sampling import Sampling
from keyweave.systems.inbetween.windows import SKETCHED
from keyweave.timeline.grid import off_the_grid

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
    draw = generative(
        model=find(str(tiny_folder)), sampling=QUICK, fill=fill, dtype="float32", chance=5, no_detail=True
    )
    found = np.stack(list(draw(first, last, grid(frames), seed=5, progress=SILENT)))
    ends = [to_tensor(one.pixels)[None] for one in (first, last)]
    due = anchored(between(tiny_video, *ends, seed=5, sampling=QUICK), *ends)[0]
    assert np.abs(found.astype(int) - to_frames(due)[1:-1]).max() <= 1


def test_what_the_keyframes_lose_in_the_model_is_carried_into_the_frames_between(
    tiny_folder: Path, fill: Any, monkeypatch: pytest.MonkeyPatch
):
    """Against the function itself, on a film twice as large as the model draws it; colours and all else stay."""
    monkeypatch.setattr(engine, "working_size", lambda *_: (32, 32))
    first, last = picture(1, 64, 64, 4).pixels, picture(2, 64, 64, 4).pixels
    first[..., 3] = last[..., 3] = 255
    plain: dict[str, Any] = {"model": find(str(tiny_folder)), "sampling": QUICK, "fill": fill, "dtype": "float32"}
    made: list[Any] = []
    monkeypatch.setattr(engine, "detailed", lambda *a: made.append(a[:3]) or detailed(*a))
    found = list(generative(**plain)(Image(first), Image(last), grid(4), seed=5, progress=SILENT))
    ((frames, *ends),) = made
    assert [np.array_equal(*pair) for pair in zip(ends, (first, last), strict=True)] == [True, True]
    assert np.array_equal(found, list(detailed(frames, first, last))[1:-1])
    smooth = list(generative(**plain, no_detail=True)(Image(first), Image(last), grid(4), seed=5, progress=SILENT))
    assert len(made) == 1
    assert np.array_equal(smooth, frames[1:-1])


def test_a_clip_is_sampled_once_for_the_way_there_and_back(
    tiny_folder: Path, fill: Any, monkeypatch: pytest.MonkeyPatch
):
    sampled: list[int] = []
    monkeypatch.setattr(engine, "between_ends", lambda *a, **kw: sampled.append(kw["seed"]) or between_ends(*a, **kw))
    draw = generative(model=find(str(tiny_folder)), sampling=QUICK, fill=fill, dtype="float32")
    there = list(draw(picture(1), picture(2), grid(5), seed=5, progress=SILENT))
    back = list(draw(picture(1), picture(2), grid(5)[::-1], seed=5, progress=SILENT))
    assert np.array_equal(there, back[::-1])
    assert sampled == [5]


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


def encoded(loaded: Any, monkeypatch: pytest.MonkeyPatch) -> list[torch.Tensor]:
    """Note what goes through the encoder of a model."""
    seen: list[torch.Tensor] = []
    real = loaded.vae.encode
    monkeypatch.setattr(loaded.vae, "encode", lambda pictures, **rest: seen.append(pictures) or real(pictures, **rest))
    return seen


def test_a_keyframe_is_encoded_once_for_all_clips_that_meet_in_it(
    tiny_folder: Path, fill: Any, monkeypatch: pytest.MonkeyPatch
):
    a, b, c = map(picture, (1, 2, 3))
    found = find(str(tiny_folder))
    draw = generative(model=found, sampling=QUICK, fill=fill, dtype="float32", chance=7)
    seen = encoded(load(found, dtype="float32"), monkeypatch)
    told: list[tuple[Any, Any]] = []
    monkeypatch.setattr(engine, "between_ends", lambda *a, **kw: told.append(a[1:3]) or between_ends(*a, **kw))
    parts = [list(draw(*ends, grid(4), seed=seed, progress=SILENT)) for ends, seed in (((a, b), 1), ((b, c), 2))]
    assert len(seen) == 3
    assert told[0][1] is told[1][0]
    # Which clips were drawn before changes nothing.
    alone = generative(model=found, sampling=QUICK, fill=fill, dtype="float32", chance=7)
    assert np.array_equal(parts[1], list(alone(b, c, grid(4), seed=2, progress=SILENT)))
    other = generative(model=found, sampling=QUICK, fill=fill, dtype="float32", chance=8)
    assert not np.array_equal(parts[1], list(other(b, c, grid(4), seed=2, progress=SILENT)))


@torch.no_grad()
def drawn_over(model: Any, sketch: list[Any], sampling: Sampling, seed: int) -> list[Any]:
    """Draw a clip over frames (H, W, 3), written out: from the level of noise that hides what is smaller than it."""
    sigmas = sigmas_of(model.scheduler, sampling.steps)
    begin = next(number for number, sigma in enumerate(sigmas) if sigma <= SKETCHED)
    pictures = to_tensor(np.stack(sketch))
    ends = pictures[:1], pictures[-1:]
    first, last = (condition_on(model, end, 4, seed=9) for end in ends)
    latents = model.vae.config["scaling_factor"] * torch.cat([encode(model.vae, one[None]).mode() for one in pictures])
    with two_ways(model.unet, first, last, FUSIONS["average"](4, (1.0, 1.0)), PLAIN) as denoise:
        x = latents[None] + sigmas[begin] * noise_like(latents[None], seed, "latents")
        for now, then in pairwise(sigmas[begin:]):
            x = x + (x - denoise(x, now)) * ((then - now) / now)
    frames = list(to_frames(anchored(pictures_of(model.vae, x), *ends)[0]))
    return list(detailed(frames, sketch[0], sketch[-1]))


def test_windows_are_drawn_over_the_frames_of_a_clip_of_the_whole_gap(tiny_folder: Path, fill: Any):
    """Against the same done by hand: a clip, then one from each of its frames to the next but one."""
    first, last, sampling = picture(1), picture(2), Sampling(steps=6, guidance=(1.0, 1.0))
    plain: dict[str, Any] = {"model": find(str(tiny_folder)), "sampling": sampling, "fill": fill, "dtype": "float32"}
    between_them = generative(**plain, chance=9)(first, last, grid(4), seed=3, progress=SILENT)
    whole = [first, *map(Image, between_them), last]
    model = load(find(str(tiny_folder)), dtype="float32")
    windows = [(0, 2), (2, 3)]  # three steps of the clip, in two windows
    due = []
    for number, (start, stop) in enumerate(windows):
        seed = derive(3, "window", number)
        known = [one.pixels for one in whole[start : stop + 1]]
        sketch = list(off_the_grid(known, [Fraction(k, 3) for k in range(4)], fill, seed=seed))
        due += drawn_over(model, sketch, sampling, seed)[:-1]
    times = [Fraction(2 * k, 9) for k in range(3)] + [Fraction(2, 3) + Fraction(k, 9) for k in range(3)]
    draw = generative(**plain, chance=9, windows=2)
    found = list(draw(first, last, times, seed=3, progress=SILENT))
    assert np.abs(np.stack(found).astype(int) - np.stack(due)).max() <= 1


@torch.no_grad()
def test_a_sketch_of_the_whole_gap_is_proposed_where_that_is_asked_for(
    tiny_folder: Path, fill: Any, monkeypatch: pytest.MonkeyPatch
):
    """As the sketcher draws it at the size that the model works at; windows have sketches of their own."""
    monkeypatch.setattr(engine, "working_size", lambda *_: (32, 32))
    given: list[Any] = []
    monkeypatch.setattr(engine, "between_ends", lambda *a, **kw: given.append(kw) or between_ends(*a, **kw))
    first, last = picture(1, 64, 64), picture(2, 64, 64)
    model = load(find(str(tiny_folder)), dtype="float32")
    draw = generative(
        model=find(str(tiny_folder)),
        sampling=replace(QUICK, sketch="flow"),
        fill=lambda *_, **__: pytest.fail("what lies between frames is not asked for"),
        sketcher=fill,
        dtype="float32",
        no_detail=True,
    )
    list(draw(first, last, grid(4), seed=5, progress=SILENT))
    small = [fit(one, (32, 32), "stretch") for one in (first, last)]
    frames = [small[0].pixels, *fill(*small, grid(4), seed=5, progress=SILENT), small[1].pixels]
    due = encode(model.vae, to_tensor(np.stack(frames))).mode() * model.vae.config["scaling_factor"]
    torch.testing.assert_close(given[0]["proposal"], due[None], rtol=0, atol=1e-5)
    assert given[0]["sketch"] is None
    given.clear()
    draw = generative(
        model=find(str(tiny_folder)), sampling=replace(QUICK, sketch="flow"), fill=fill, sketcher=fill, windows=3
    )
    list(draw(first, last, [Fraction(1, 10)], seed=5, progress=SILENT))
    assert [(kw["proposal"] is None, kw["sketch"] is None) for kw in given] == [(False, True), (True, False)]


def test_over_a_sketch_nothing_is_chosen_whatever_the_schedule(
    tiny_folder: Path, fill: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """With a lower highest noise, more of the way lies below the noise that a sketch is put under."""
    folder = Path(shutil.copytree(tiny_folder, tmp_path / "model"))
    settings = folder / "scheduler" / "scheduler_config.json"
    settings.write_text(json.dumps({**json.loads(settings.read_text()), "sigma_max": 8.0}))
    given: list[Any] = []
    monkeypatch.setattr(engine, "between_ends", lambda *a, **kw: given.append(kw) or between_ends(*a, **kw))
    sampling = Sampling(steps=5, tries=2, sketch="flow", guidance=(1.0, 1.0))
    model = find(str(folder))
    draw = generative(model=model, sampling=sampling, fill=fill, sketcher=fill, windows=3)
    seen: list[float] = []
    progress = Progress("job", lambda event: seen.append(event.fraction), total=1)
    list(draw(picture(1), picture(2), [Fraction(1, 10)], seed=5, progress=progress))
    assert given[0]["sampling"] == sampling
    assert given[1]["sampling"] == replace(sampling, tries=1, sketch="none")
    assert sampling.parts(given[1]["path"]) > given[1]["sampling"].parts(given[1]["path"])  # else it shows nothing
    assert seen[-1] == pytest.approx(1)


@pytest.mark.parametrize(("level", "left"), [(1000.0, 6), (700.0, 6), (699.0, 5), (0.002, 1), (0.001, 1)])
def test_what_is_left_of_the_way_below_a_level_of_noise(tiny: Any, level: float, left: int):
    assert path_below(tiny, Sampling(steps=6), level) == list(range(6 - left, 7))


def test_steps_that_are_taken_again_are_so_below_a_level_of_noise(tiny: Any):
    sampling = Sampling(steps=6, repeats=2, share=0.5)
    sigmas = sigmas_of(tiny.scheduler, 6)
    assert path_below(tiny, sampling, float(sigmas[2])) == [2, 3, 2, 3, 2, 3, 4, 5, 6]
    assert path_below(tiny, sampling, float(sigmas[0])) == sampling.path


def test_only_windows_that_are_needed_are_drawn(tiny_folder: Path, fill: Any, monkeypatch: pytest.MonkeyPatch):
    seeds: list[int] = []
    monkeypatch.setattr(engine, "between_ends", lambda *a, **kw: seeds.append(kw["seed"]) or between_ends(*a, **kw))
    draw = generative(model=find(str(tiny_folder)), sampling=QUICK, fill=fill, windows=3)
    times = [Fraction(k, 10) for k in (8, 9, 8, 1)]  # as an easing that goes too far and comes back
    list(draw(picture(1), picture(2), times, seed=3, progress=SILENT))
    assert seeds == [3, derive(3, "window", 2), derive(3, "window", 0)]


def test_any_size_comes_back_as_it_was(tiny_folder: Path, fill: Any):
    for size in ((35, 33), (100, 150), (10, 45), (900, 10), (3, 400), (1, 1)):
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
        ((300, 100), 64, (157, 52)),  # large enough would be too much
        ((900, 10), 64, (512, 16)),
        ((10, 900), 64, (16, 512)),
        ((10_000, 1), 768, (10_000, 16)),
    ],
)
def test_it_draws_as_large_as_the_model_was_made_for(wanted, side, drawn):
    assert working_size(wanted, side) == drawn


@given(st.integers(1, 20_000), st.integers(1, 20_000), st.sampled_from((32, 64, 512, 768)))
def test_no_picture_is_too_much_nor_too_thin(width: int, height: int, side: int):
    drawn = working_size((width, height), side)
    assert min(drawn) >= 16
    assert drawn[0] * drawn[1] <= 2.1 * side**2
    assert working_size((height, width), side) == drawn[::-1]


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


def test_transparent_pictures_are_refused(tiny_folder: Path, fill: Any):
    draw = generative(model=find(str(tiny_folder)), sampling=QUICK, fill=fill)
    says = "draws opaque pictures, and these keyframes are transparent in places. Flatten them, or use --engine flow."
    for ends in ((picture(1, channels=4), picture(2).with_alpha()), (picture(1).with_alpha(), picture(2, channels=4))):
        with pytest.raises(InputError, match=says):
            list(draw(*ends, [Fraction(1, 2)], seed=1, progress=SILENT))


def test_an_alpha_channel_that_says_nothing_changes_nothing(tiny_folder: Path, fill: Any):
    draw = generative(model=find(str(tiny_folder)), sampling=QUICK, fill=fill, dtype="float32")
    times = [*grid(4), Fraction(9, 10)]
    plain = np.stack(list(draw(picture(1), picture(2), times, seed=1, progress=SILENT)))
    opaque = list(draw(picture(1).with_alpha(), picture(2).with_alpha(), times, seed=1, progress=SILENT))
    found = np.stack(opaque)
    assert (found[..., 3] == 255).all()
    assert np.array_equal(found[:2, ..., :3], plain[:2])
    assert np.abs(found[2, ..., :3].astype(int) - plain[2]).max() <= 1  # the other engine rounds elsewhere


def with_adapter(folder: Path, unet: Any, *fits: str) -> Path:
    """Write one that says what it fits."""
    (layer, *_) = temporal_layers(unet)
    weight = unet.get_submodule(layer).to_v.weight
    words: dict[str, Any] = dict.fromkeys(("says", "data", "recipe", "hardware", "limits", "license"), "none")
    card = ModelCard(
        name="back", kind="adapter", seed=0, steps=1, hours=0, trained=date(2026, 1, 1), base="./small", **words
    )
    adapter = Adapter({layer: {"to_v": torch.ones_like(weight)}}, (layer,), card, fits)
    write_adapter(folder / "back.safetensors", adapter, overwrite=True)
    return folder / "back.safetensors"


def test_an_adapter_of_another_model_is_said(tiny_folder: Path, tiny_video: Any, fill: Any, tmp_path: Path):
    sampling = Sampling(steps=1, guidance=(1, 1))
    for fits, doubted in ((("0" * 64, "large"), True), ((), False), (("0" * 64, tiny_folder.name), False)):
        adapter = with_adapter(tmp_path, tiny_video.unet, *fits)
        events: list[Event] = []
        draw = generative(model=find(str(tiny_folder)), sampling=sampling, fill=fill, adapter=adapter)
        for _ in range(2):
            list(draw(picture(1), picture(2), grid(4), seed=1, progress=Progress("job", events.append)))
        said = [event.text for event in events if event.kind == "warn"]
        doubt = (
            f"The adapter back was learnt on ./small, whose weights are others than those of {tiny_folder.name}: both "
            "directions may not agree on one motion."
        )
        assert said == [doubt] * doubted


def test_matrices_of_an_adapter_are_where_the_network_will_compute(
    tiny_folder: Path, tiny_video: Any, fill: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The network itself may come to a small device only when it is called."""
    loaded = replace(load(find(str(tiny_folder)), dtype="float32"), place=Place("meta", "float32"))
    monkeypatch.setattr(engine, "load", lambda *_, **__: loaded)
    draw: Any = generative(
        model=find(str(tiny_folder)), sampling=QUICK, fill=fill, adapter=with_adapter(tmp_path, tiny_video.unet)
    )
    matrices = [matrix for row in draw.backward.weights.values() for matrix in row.values()]
    assert [matrix.device.type for matrix in matrices] == ["meta"]


def test_room_is_kept_for_weights_that_are_still_to_come(tiny_folder: Path, fill: Any, monkeypatch: pytest.MonkeyPatch):
    loaded = load(find(str(tiny_folder)), dtype="float32")
    of_unet, of_vae = (bytes_to_come(part, "meta") for part in (loaded.unet, loaded.vae))
    assert of_unet == sum(weight.nbytes for weight in loaded.unet.parameters())
    assert bytes_to_come(loaded.unet, "cpu") == 0
    shown = torch.zeros(1, 3, 32, 32)
    needed = 2 * 4 * 16 * 16 * 20_000 * 4  # bytes a number
    for device, free, expected in (
        ("cpu", needed, (False, None)),
        ("meta", needed, (True, None)),
        ("meta", needed + of_unet, (False, None)),
        ("meta", of_vae, (True, 4)),
    ):
        placed = replace(loaded, place=Place(device, "float32"))
        monkeypatch.setattr(engine, "load", lambda *_, placed=placed, **__: placed)
        monkeypatch.setattr(engine, "room_for_work", lambda _, free=free: free)
        draw: Any = generative(model=find(str(tiny_folder)), sampling=QUICK, fill=fill)
        assert draw._parts(shown, 5 if expected[1] else 4) == expected


def test_little_memory_makes_small_parts(tiny_folder: Path, fill: Any, monkeypatch: pytest.MonkeyPatch):
    told: list[tuple[bool, int | None]] = []

    def watched(*args: Any, in_turn: bool, chunk: int | None, **rest: Any) -> torch.Tensor:
        told.append((in_turn, chunk))
        return between_ends(*args, in_turn=in_turn, chunk=chunk, **rest)

    monkeypatch.setattr(engine, "between_ends", watched)
    made = []
    cases: list[tuple[Memory, int]] = [
        ("high", 1),
        ("low", 1 << 60),
        ("auto", room_for_work("cpu")),
        ("auto", 1 << 60),
        ("auto", 1 << 20),
    ]
    for memory, free in cases:
        monkeypatch.setattr(engine, "room_for_work", lambda _, free=free: free)
        draw = generative(model=find(str(tiny_folder)), sampling=QUICK, fill=fill, memory=memory, dtype="float32")
        made.append(np.stack(list(draw(picture(1), picture(2), grid(4), seed=3, progress=SILENT))))
    assert told[0] == (False, None)
    assert told[1] == (True, 4)
    assert told[2:4] == [(False, None)] * 2
    assert told[4][0]
    assert np.abs(made[0].astype(int) - made[2]).max() == 0
    assert np.abs(made[0].astype(int) - made[1]).mean() < 2  # chunks mix other neighbours


@pytest.mark.parametrize("windows", [1, 3])
def test_progress_goes_from_nothing_to_all(windows: int, tiny_folder: Path, fill: Any):
    seen: list[float] = []
    whole = Progress("job", lambda event: seen.append(event.fraction), total=2)
    draw = generative(model=find(str(tiny_folder)), sampling=QUICK, fill=fill, windows=windows)
    list(draw(picture(1), picture(2), grid(4), seed=1, progress=whole))
    assert seen == sorted(seen)
    assert any(0.3 < value < 0.8 for value in seen)
    assert seen[-1] == pytest.approx(1)
