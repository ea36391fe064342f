"""A job makes the whole film with its recipe, or nothing."""

import json
import threading
from fractions import Fraction as F
from pathlib import Path

import numpy as np
import pytest

from keyweave.app.jobs import Job, plan_job, run_job, sidecar_of
from keyweave.app.rerun import beside
from keyweave.base.errors import Cancelled, InputError, MediaError
from keyweave.base.progress import Event, Progress
from keyweave.base.recipe import Recipe, sha256_of_file
from keyweave.media.comments import read_comment
from keyweave.media.types import Image
from keyweave.systems.inbetween.options import InbetweenOptions
from keyweave.timeline.options import FilmOptions


def options(**given) -> InbetweenOptions:
    return InbetweenOptions.model_validate(given)


def job(keyframes, output: Path | None = None, over: dict | None = None, **given) -> Job:
    more = {"engine": "crossfade", "seed": 3} | (over or {})
    return Job("inbetween", keyframes, options(**given), output=output, **more)


def files_in(folder: Path) -> set[str]:
    return {one.name for one in folder.rglob("*") if one.is_file() and one.suffix != ".png"}


def test_twelve_frames_and_both_ends_are_the_keyframes(tmp_path: Path, keyframes):
    result = run_job(job(keyframes, tmp_path / "out.mp4", frames=10, fps=12))
    assert (result.frames, result.size, result.rate, result.duration) == (12, (32, 24), 12, 1)
    clip = result.clip
    assert len(clip) == 12
    for frame, color in ((clip.frames[0], (120, 30, 40)), (clip.frames[-1], (60, 180, 240))):
        assert np.abs(frame.astype(int) - color).max() <= 3
    halves = clip.frames.astype(float).mean(axis=(1, 2))
    assert (np.diff(halves[:, 2]) > 0).all()  # blue only rises


def test_the_recipe_is_inside_and_beside(tmp_path: Path, keyframes):
    output = tmp_path / "films" / "out.mp4"
    result = run_job(job(keyframes, output, frames=1))
    inside = Recipe.from_json(read_comment(output) or "", "x")
    assert inside == result.recipe
    assert [mark.name for mark in inside.inputs] == ["a.png", "b.png"]
    assert [mark.sha256 for mark in inside.inputs] == [sha256_of_file(path) for path in keyframes]
    assert str(tmp_path) not in inside.to_json()  # a shared film tells nothing of its maker's disk
    row = json.loads((tmp_path / "films" / "out.mp4.json").read_text())
    assert Recipe.from_json(json.dumps(row), "x") == inside
    assert row["paths"] == ["../in/a.png", "../in/b.png"]
    assert result.sidecar == sidecar_of(output)


def test_a_seed_is_drawn_and_recorded(keyframes):
    drawn = {plan_job(Job("inbetween", keyframes)).recipe.seed for _ in range(3)}
    assert len(drawn) == 3
    assert plan_job(job(keyframes)).recipe.seed == 3


def test_without_an_output_the_clip_stays_in_memory():
    one, other = (Image(np.full((6, 8, 3), level, np.uint8)) for level in (0, 100))
    result = run_job(job((one, other), frames=3, fps=4))
    assert result.path is None
    assert result.clip.frames[:, 0, 0, 0].tolist() == [0, 25, 50, 75, 100]
    assert [mark.name for mark in result.recipe.inputs] == ["(in memory)", "(in memory)"]
    assert result.recipe.inputs[0].sha256 != result.recipe.inputs[1].sha256


def test_a_plan_makes_nothing(tmp_path: Path, keyframes):
    plan = plan_job(job(keyframes, tmp_path / "out.mp4", duration=2))
    assert (plan.film.frame_count, plan.recipe.engine) == (48, "crossfade")
    assert files_in(tmp_path) == set()


def test_pictures_of_other_sizes_are_fitted(tmp_path: Path, keyframes):
    wide = Image(np.full((10, 40, 3), 9, np.uint8))
    result = run_job(job((keyframes[0], wide), frames=1, fit="pad", size="20x20"))
    assert result.clip.frames.shape == (3, 20, 20, 3)
    assert (result.clip.frames[-1, 0] == 0).all()


def test_progress_tells_what_happens_and_ends_at_one(tmp_path: Path, keyframes):
    heard: list[Event] = []
    run_job(job(keyframes, tmp_path / "out.mp4", frames=8), Progress("inbetween", heard.append))
    assert "10 frames, 32x24" in next(event.text for event in heard if event.kind == "say")
    assert heard[-1].fraction == pytest.approx(1)


def test_identical_keyframes_and_unkept_things_are_warned_of(tmp_path: Path, keyframes):
    heard: list[Event] = []
    odd = Image(np.full((7, 9, 4), 128, np.uint8))
    run_job(job((odd, odd), tmp_path / "out.mp4", frames=1), Progress("inbetween", heard.append))
    said = [event.text for event in heard if event.kind == "warn"]
    assert "All keyframes show the same picture; the film will stand still." in said
    assert len(said) >= 3  # standing still, the odd size, and the alpha that MP4 cannot keep


def test_stopping_leaves_nothing_behind(tmp_path: Path, keyframes):
    stop = threading.Event()

    def after_three(event: Event) -> None:
        if event.done >= 3:
            stop.set()

    with pytest.raises(Cancelled):
        run_job(job(keyframes, tmp_path / "out.mp4", frames=50), Progress("x", after_three, stop=stop))
    assert files_in(tmp_path) == set()


def test_stopping_keeps_the_old_film(tmp_path: Path, keyframes):
    output = tmp_path / "out.mp4"
    run_job(job(keyframes, output, frames=2))
    before = output.read_bytes(), sidecar_of(output).read_bytes()
    stop = threading.Event()
    stop.set()
    with pytest.raises(Cancelled):
        run_job(job(keyframes, output, {"overwrite": True}, frames=9), Progress("x", lambda _: None, stop=stop))
    assert (output.read_bytes(), sidecar_of(output).read_bytes()) == before


DOORS = [
    (
        {"system": "inbetwen"},
        "'inbetwen' is not a system that keyweave knows here. Choose from: inbetween, retime, dance.",
    ),
    ({"engine": "film"}, "'film' is not an engine that keyweave knows here. Choose from: flow, crossfade, generative."),
    ({"inputs": ()}, "inbetween needs at least 2 pictures (FIRST LAST); got 0. Name one more picture."),
    ({"options": FilmOptions.model_validate({})}, "inbetween takes InbetweenOptions; got FilmOptions."),
]


@pytest.mark.parametrize(("over", "words"), DOORS)
def test_what_cannot_be_a_job_is_one_sentence(keyframes, over: dict, words: str):
    with pytest.raises(InputError) as caught:
        plan_job(Job(**({"system": "inbetween", "inputs": keyframes} | over)))
    assert str(caught.value).startswith(words)


def test_outputs_that_cannot_be_are_refused_before_any_work(tmp_path: Path, keyframes):
    with pytest.raises(InputError, match=r"\.xyz"):
        plan_job(job(keyframes, tmp_path / "out.xyz"))
    (tmp_path / "out.mp4").write_bytes(b"old")
    with pytest.raises(InputError, match="already exists"):
        plan_job(job(keyframes, tmp_path / "out.mp4"))
    (tmp_path / "new.mp4.json").write_text("mine")
    with pytest.raises(InputError, match=r"new\.mp4\.json already exists"):
        plan_job(job(keyframes, tmp_path / "new.mp4"))


def test_inputs_that_cannot_be_read_name_themselves(tmp_path: Path, keyframes):
    with pytest.raises(InputError, match=r"nothing\.png does not exist"):
        plan_job(job((keyframes[0], tmp_path / "nothing.png")))
    with pytest.raises(InputError, match="is a folder"):
        plan_job(job((keyframes[0], tmp_path)))
    (tmp_path / "broken.png").write_bytes(keyframes[0].read_bytes()[:60])
    with pytest.raises(MediaError, match=r"broken\.png"):
        plan_job(job((keyframes[0], tmp_path / "broken.png")))


def test_exact_rates_reach_the_film(tmp_path: Path, keyframes):
    result = run_job(job(keyframes, tmp_path / "out.mp4", frames=3, fps="24000/1001"))
    assert result.clip.rate == F(24000, 1001)


def test_an_input_is_never_the_output(tmp_path: Path, keyframes):
    disguised = keyframes[0].rename(tmp_path / "a.gif")
    with pytest.raises(InputError, match=r"a\.gif is both an input and the output"):
        plan_job(job((disguised, keyframes[1]), disguised, {"overwrite": True}))


def test_a_percent_sign_in_the_name_of_a_film_numbers_nothing(tmp_path: Path, keyframes):
    made = run_job(job(keyframes, tmp_path / "100%.mp4", frames=3))
    assert made.sidecar == tmp_path / "100%.mp4.json"
    assert beside(tmp_path / "100%.mp4") == tmp_path / "100%.rerun.mp4"
    plan_job(job(keyframes, tmp_path / "100%.mp4", {"overwrite": True}))  # the keyframes beside it stay


def test_pictures_for_a_folder_that_is_taken_are_refused_before_anything_is_read(tmp_path: Path):
    (tmp_path / "x").mkdir()
    (tmp_path / "x/mine.txt").write_text("mine")
    missing = [tmp_path / "no.png", tmp_path / "none.png"]
    with pytest.raises(InputError, match="x already holds files"):
        plan_job(job(missing, tmp_path / "x/%d.png"))
    with pytest.raises(InputError, match=r"x holds mine\.txt, which is no picture of an earlier %d\.png"):
        plan_job(job(missing, tmp_path / "x/%d.png", {"overwrite": True}))


def test_numbered_pictures_never_replace_the_folder_of_an_input(tmp_path: Path, keyframes):
    (tmp_path / "x").mkdir()
    inside = [path.rename(tmp_path / "x" / f"{number}.png") for number, path in enumerate(keyframes[:2], 1)]
    with pytest.raises(InputError, match=r"1\.png would be replaced by the pictures .*x/%d\.png"):
        plan_job(job(inside, tmp_path / "x/%d.png", {"overwrite": True}))
