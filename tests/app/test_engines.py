"""What an engine is handed, what it refuses, and what the recipe keeps of the weights that it used."""

import json
import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from keyweave.app import reports, rerun
from keyweave.app.engines import ENGINES, Bound
from keyweave.app.jobs import Job, plan_job, run_job
from keyweave.base.errors import InputError, KeyweaveError, MissingExtra
from keyweave.base.recipe import sha256_of_file
from keyweave.classical import crossfade, flow
from keyweave.diffusion.exchange import temporal_layers
from keyweave.media.pictures.images import write_image
from keyweave.media.types import Image
from keyweave.models import finding
from keyweave.models.adapters import Adapter, write_adapter
from keyweave.models.card import ModelCard, write_card
from keyweave.models.devices import choose
from keyweave.models.finding import Found
from keyweave.systems.inbetween import engine
from keyweave.systems.inbetween.options import InbetweenOptions
from keyweave.toyworld.scenes import scene_of
from keyweave.toyworld.shots import shoot

_WORDS: dict[str, Any] = dict.fromkeys(("says", "data", "recipe", "hardware", "limits", "license"), "none")
ABOUT: dict[str, Any] = {"seed": 0, "steps": 0, "hours": 0, "trained": date(2026, 1, 1), **_WORDS}  # of any card


def job(keyframes: tuple[Path, Path], engine: str, **options: object) -> Job:
    made = InbetweenOptions.model_validate({"duration": "0.5", **options})
    return Job("inbetween", keyframes, options=made, engine=engine)


def test_an_option_of_another_engine_is_refused(keyframes: tuple[Path, Path], tmp_path: Path):
    with pytest.raises(InputError, match="--raft is not for the engine crossfade. Use --engine flow."):
        plan_job(job(keyframes, "crossfade", raft=tmp_path / "w.safetensors"))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"model": "./none"}, "There is no folder ./none."),
        ({"model": "none"}, "There is no embedded model 'none'."),
        ({"adapter": "none.safetensors"}, "There is no adapter none.safetensors."),
        ({"windows": 4}, "--windows is 4; they meet in frames of the model's own clip, which has 4. Ask for 3 or"),
        ({"device": "tpu"}, "--device: 'tpu' is no device."),
        ({"raft": Path("w.safetensors")}, "--raft is not for the engine generative. Use --engine flow."),
    ],
)
def test_what_the_generative_engine_lacks_is_said_before_work_begins(
    keyframes: tuple[Path, Path], tiny_folder: Path, options: dict[str, object], says: str
):
    with pytest.raises(KeyweaveError) as caught:
        plan_job(job(keyframes, "generative", **{"model": str(tiny_folder), **options}))
    assert str(caught.value).startswith(says)


def write(path: Path, alpha: int) -> Path:
    """Write a picture one pixel of which is so opaque."""
    pixels = np.full((24, 32, 4), 255, np.uint8)
    pixels[3, 4] = alpha
    write_image(path, Image(pixels))
    return path


def test_transparent_keyframes_are_refused_before_a_model_is_looked_for(
    keyframes: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(finding, "find", lambda *_, **__: pytest.fail("a model was looked for"))
    clear = write(tmp_path / "clear.png", 120)
    made = job((*keyframes, clear), "generative", at="0,1,2", duration=3)  # type: ignore[arg-type]
    says = (
        "The engine generative draws opaque pictures, and a keyframe is transparent in places, between 1 s and 2 s of "
        "the film. Flatten it, or use --engine flow."
    )
    with pytest.raises(InputError) as caught:
        plan_job(made)
    assert str(caught.value) == says
    assert plan_job(replace(made, engine="flow")).recipe.engine == "flow"


def test_what_is_only_shown_may_be_transparent(tmp_path: Path, keyframes: tuple[Path, Path], tiny_folder: Path):
    clear, opaque = write(tmp_path / "clear.png", 120), write(tmp_path / "opaque.png", 255)
    plan_job(job((clear, opaque), "generative", model=str(tiny_folder), easing="hold"))
    plan_job(job((opaque, keyframes[0]), "generative", model=str(tiny_folder)))


def test_without_its_packages_it_says_how_to_get_them(
    keyframes: tuple[Path, Path], tiny_folder: Path, without_diffusers: None
):
    says = (
        r"^The engine generative needs the package diffusers, .* Install it with: pip install \"keyweave\[generate\]\""
    )
    with pytest.raises(MissingExtra, match=says):
        plan_job(job(keyframes, "generative", model=str(tiny_folder)))


def test_a_generated_film_is_made_again_and_other_weights_are_refused(
    keyframes: tuple[Path, Path],
    tiny_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    one_thread: None,
):
    real_mark = Found.mark
    model, film = Path(shutil.copytree(tiny_folder, tmp_path / "model")), tmp_path / "film.gif"
    made = job(keyframes, "generative", model=str(model), sampling="steps=1,guidance=1", fps=8)
    result = run_job(Job(made.system, made.inputs, options=made.options, engine="generative", seed=3, output=film))
    recipe = result.recipe
    assert recipe.models["model"].ref == recipe.options["model"] == "./model"
    assert set(recipe.models) == {"model"}
    assert (recipe.device, recipe.dtype) == ("cpu", choose("cpu").dtype)
    assert recipe.options["sampling"].startswith("steps=1,repeats=0")
    assert {"diffusers", "transformers"} <= recipe.libraries.keys()
    summed: list[Path] = []
    with monkeypatch.context() as watched:
        watched.setattr(Found, "mark", lambda found: summed.append(found.folder) or real_mark(found))
        assert rerun.rerun(film).same
    assert summed == [model]  # once: it takes a while where weights are large
    film.with_name("film.gif.json").unlink()  # a film that was shared: the model beside it is found by its name
    assert rerun.rerun(film, inputs=keyframes, overwrite=True).same
    weights = model / "unet" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    with pytest.raises(InputError, match="./model holds other weights than those that were used then"):
        rerun.rerun(film, inputs=keyframes, overwrite=True)
    shutil.rmtree(model)
    with pytest.raises(InputError, match=r"^The model model was not found \(looked at .*model, model\). Put it there"):
        rerun.rerun(film, inputs=keyframes, overwrite=True)
    assert reports.report_on(film, inputs=keyframes).keyframes == (0, 3)  # a film is measured without what made it


def test_a_film_tells_nothing_of_where_its_models_lie(
    keyframes: tuple[Path, Path], tiny_video: Any, tiny_folder: Path, tmp_path: Path, one_thread: None
):
    secret, films = tmp_path / "secret", tmp_path / "films"
    films.mkdir()
    model = Path(shutil.copytree(tiny_folder, secret / "model"))
    card = ModelCard(name="back", kind="adapter", base="tiny", **ABOUT)
    write_adapter(adapter := secret / "turned.safetensors", Adapter({}, temporal_layers(tiny_video.unet), card))
    options = {"model": str(model), "adapter": str(adapter), "sampling": "steps=1,guidance=1", "fps": 8}
    made = job(keyframes, "generative", **options)
    result = run_job(replace(made, seed=3, output=films / "film.gif"))
    assert result.recipe.options["adapter"] == "./turned.safetensors"
    assert b"secret" not in (films / "film.gif").read_bytes()
    again = rerun.rerun(films / "film.gif")  # by the file beside it
    assert again.same
    assert not again.differences
    # Whoever spells the way to them otherwise makes the same film, and finds the clips that are kept.
    elsewhere = Path(shutil.copytree(secret, tmp_path / "elsewhere"))
    moved = {"model": str(elsewhere / "model"), "adapter": str(elsewhere / adapter.name)}
    assert run_job(replace(job(keyframes, "generative", **options | moved), seed=3)).recipe == result.recipe


def test_what_flow_draws_between_keyframes_is_a_sketch(
    keyframes: tuple[Path, Path], tiny_folder: Path, one_thread: None, monkeypatch: pytest.MonkeyPatch
):
    """Its keyframes are far apart, otherwise than neighbours in a clip."""
    asked: list[bool] = []
    real = flow.flow
    monkeypatch.setattr(flow, "flow", lambda *a, near=False, **kw: asked.append(near) or real(*a, near=near, **kw))
    more: dict[str, Any] = {"sampling": "steps=2,guidance=1,sketch=flow", "fps": 8}
    assert run_job(job(keyframes, "generative", model=str(tiny_folder), **more)).frames
    assert asked[0] is False
    assert all(asked[1:])


def test_where_windows_meet_is_told_in_the_result(keyframes: tuple[Path, Path], tiny_folder: Path, one_thread: None):
    """Of a clip of 4 frames two windows meet in the third, two thirds of the way: in a film of 12 steps after 8."""
    for windows, places in ((1, []), (2, [8])):
        more: dict[str, Any] = {"sampling": "steps=1,guidance=1", "duration": 1.625, "fps": 8, "windows": windows}
        result = run_job(job(keyframes, "generative", model=str(tiny_folder), **more))
        assert result.frames == 13
        assert [seam.frame for seam in result.seams] == places


def test_an_adapter_is_found_by_the_card_by_name_and_by_file(
    tiny_video: Any, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(finding, "EMBEDDED", tmp_path)
    layers = temporal_layers(tiny_video.unet)
    card = ModelCard(name="back", kind="adapter", base="tiny", **ABOUT)
    (tmp_path / "back").mkdir()
    file = tmp_path / "back" / "adapter.safetensors"
    write_adapter(file, Adapter({}, layers, card))
    write_card(tmp_path / "back", card)
    shutil.copytree(tiny_folder, tmp_path / "tiny")
    write_card(tmp_path / "tiny", ModelCard(name="tiny", kind="image-to-video", adapter="back", **ABOUT))

    def bound(**options: object) -> Bound:
        return ENGINES["generative"].bind(InbetweenOptions.model_validate({"model": "tiny", **options}))

    for given in ({}, {"adapter": "back"}, {"adapter": str(file)}):
        found = bound(**given)
        assert found.handed["adapter"] == file
        assert found.marks["adapter"].sha256 == sha256_of_file(file)
    assert "adapter" not in bound(adapter="none").handed
    engine: Any = bound().load()
    assert engine.backward.rotated == layers


def test_a_recipe_knows_its_weights_and_other_weights_are_refused(
    keyframes: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    weights, film = tmp_path / "w.safetensors", tmp_path / "film.gif"
    weights.write_bytes(b"weights")

    def told(first, last, times, *, raft, seed, progress, linear_light=False):
        assert raft == weights
        return crossfade.crossfade(first, last, times, seed=seed, progress=progress, linear_light=linear_light)

    monkeypatch.setattr("keyweave.classical.flow.flow", told)
    made = job(keyframes, "flow", raft=weights)
    run_job(Job(made.system, made.inputs, options=made.options, engine="flow", output=film))
    mark = json.loads((tmp_path / "film.gif.json").read_text())["models"]["raft"]
    assert mark["ref"] == "w.safetensors"
    assert str(tmp_path).encode() not in film.read_bytes()
    assert rerun.rerun(film).same
    weights.write_bytes(b"others")
    with pytest.raises(InputError, match="other weights than those that were used then"):
        rerun.rerun(film, overwrite=True)


def test_without_a_name_the_embedded_model_draws(tmp_path: Path, one_thread: None):
    shot = shoot(scene_of("test", 1005)).frames
    ends = tmp_path / "a.png", tmp_path / "b.png"
    for path, frame in zip(ends, (shot[0], shot[-1]), strict=True):
        write_image(path, Image(frame))
    made = InbetweenOptions.model_validate({"frames": 12, "fps": 7, "sampling": "steps=6,guidance=1"})
    result = run_job(Job("inbetween", ends, options=made, engine="generative", seed=1))
    assert result.recipe.models["model"].ref == "toy-video"
    frames = result.clip.frames.astype(float)
    assert frames.shape == shot.shape
    assert np.array_equal(frames[[0, -1]], shot[[0, -1]])
    # It knows the place: what stands still is about as it is in the keyframes.
    still = (shot == shot[:1]).all(axis=(0, 3))
    assert np.abs(frames - shot)[:, still].mean() < 12


def test_clips_that_were_generated_are_kept_and_used_again(
    keyframes: tuple[Path, Path],
    tiny_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    one_thread: None,
):
    def made(**more: Any) -> np.ndarray:
        plain = {"model": str(tiny_folder), "sampling": "steps=1,guidance=1", "fps": 8}
        asked = job(keyframes, "generative", **{**plain, **more})
        return run_job(replace(asked, keep=tmp_path / "clips")).clip.frames

    drawn: list[int] = []
    real = engine.between_ends
    monkeypatch.setattr(engine, "between_ends", lambda *a, **kw: drawn.append(kw["seed"]) or real(*a, **kw))
    first = made()
    np.testing.assert_array_equal(made(), first)  # of the same seed, though none was given
    assert len(drawn) == 1
    assert len(made(fps=12)) > len(first)  # other times of the same clip
    assert len(drawn) == 1
    made(sampling="steps=2,guidance=1")
    assert len(drawn) == 2
    assert len(list((tmp_path / "clips").glob("*.npy"))) == 2
