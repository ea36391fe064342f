"""Adapters of the benchmark: none is taken for another's, and none is said to be learnt from more than it was."""

from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pytest

from keyweave.base.errors import InputError
from keyweave.base.progress import Event, Progress
from keyweave.bench import trained
from keyweave.bench.trained import Pupil, Schooling, school
from keyweave.media.pictures.images import write_image
from keyweave.media.types import Image
from keyweave.models.adapters import FILE
from keyweave.models.finding import find
from keyweave.systems.inbetween.tuning import TuneOptions

FRAMES = 12  # of a clip; one training clip of the tiny model, 4 frames at stride 2, reaches over 7 of them


def film(folder: Path, name: str, shade: int) -> None:
    """Write a folder of frames, one after the other a little lighter."""
    (folder / name).mkdir(parents=True)
    for k in range(FRAMES):
        write_image(folder / name / f"{k:02d}.png", Image(np.full((32, 32, 3), shade + k, np.uint8)))


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    for number in range(6):
        film(tmp_path / "videos", f"clip{number}", 10 * number)
    return tmp_path / "videos"


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> list[TuneOptions]:
    """What is asked of `tune`, which then only leaves a file."""
    asked: list[TuneOptions] = []

    def leave(options: TuneOptions, folder: Path, progress: Progress, *, latents: Path) -> None:
        assert latents == folder.parent / "latents"  # clips are encoded once for all
        asked.append(options)
        (folder / "adapter").mkdir(parents=True)
        (folder / "adapter" / FILE).touch()
        with progress.part("steps", total=1) as part:
            part.step()

    monkeypatch.setattr(trained, "tune", leave)
    return asked


def learnt(model: Path, videos: Path | str, folder: Path, **rest: Any) -> list[Pupil]:
    options = {"sizes": (2, 4), "videos": str(videos), "steps": 3, "rate": 1e-3, "batch": 2, **rest}
    names = options.pop("names", ["average", "full", "no-rotation"])
    return school(names, find(str(model), "image-to-video"), Schooling(**options), folder)


def test_each_is_learnt_once_and_named_for_what_it_is(
    model: Path, videos: Path, tmp_path: Path, trainings: list[TuneOptions]
):
    pupils = learnt(model, videos, tmp_path / "a", seeds=2)
    assert [pupil.title for pupil in pupils] == [
        f"{name}, {size} clips, seed {seed}" for name in ("full", "no-rotation") for size in (2, 4) for seed in (0, 1)
    ]
    assert [(pupil.method, pupil.clips) for pupil in pupils[::4]] == [("full", 2), ("no-rotation", 2)]
    assert [(one.clips, one.seed, one.no_rotation) for one in trainings[:2]] == [(2, 0, False), (2, 1, False)]
    assert {(one.steps, one.learning_rate, one.batch) for one in trainings} == {(3, 1e-3, 2)}
    assert len({pupil.adapter for pupil in pupils}) == len(trainings) == 8
    assert learnt(model, videos, tmp_path / "a", seeds=2) == pupils
    ways = ["average@steps=2", "full@faithful", "full", "no-rotation@steps=2"]
    assert learnt(model, videos, tmp_path / "a", seeds=2, names=ways) == pupils  # one training, whoever samples how
    assert len(trainings) == 8


def test_what_decides_an_adapter_has_it_learnt_anew(
    model: Path, videos: Path, tmp_path: Path, trainings: list[TuneOptions], monkeypatch: pytest.MonkeyPatch
):
    places = {pupil.adapter for pupil in learnt(model, videos, tmp_path / "a", names=["full"], sizes=(2,))}
    other = tmp_path / "other"
    copytree(model, other)
    config = other / "unet" / "config.json"
    config.write_text(config.read_text() + "\n")
    moved = tmp_path / "moved"
    copytree(videos, moved)
    same = learnt(model, moved, tmp_path / "a", names=["full"], sizes=(2,))
    assert {pupil.adapter for pupil in same} == places  # where the videos lie decides nothing
    write_image(moved / "clip3" / "05.png", Image(np.zeros((32, 32, 3), np.uint8)), overwrite=True)
    changed: list[tuple[Path, Path | str, dict[str, Any]]] = [
        (other, videos, {}),
        (model, moved, {}),
        (model, "toyworld", {}),
        (model, videos, {"steps": 4}),
        (model, videos, {"rate": 2e-3}),
        (model, videos, {"batch": 3}),
        (model, videos, {"untold": 0.25}),
    ]
    for ref, footage, rest in changed:
        before = len(trainings)
        places |= {pupil.adapter for pupil in learnt(ref, footage, tmp_path / "a", names=["full"], sizes=(2,), **rest)}
        assert len(trainings) == before + 1
    monkeypatch.setattr(trained, "VERSION", "another")
    places |= {pupil.adapter for pupil in learnt(model, videos, tmp_path / "a", names=["full"], sizes=(2,))}
    monkeypatch.setattr(trained, "_TAUGHT", -1)
    places |= {pupil.adapter for pupil in learnt(model, videos, tmp_path / "a", names=["full"], sizes=(2,))}
    assert len(places) == len(changed) + 3
    assert {one.untold for one in trainings} == {0, 0.25}


def test_too_few_clips_are_refused_before_anything_is_learnt(
    model: Path, videos: Path, tmp_path: Path, trainings: list[TuneOptions]
):
    with pytest.raises(InputError) as caught:
        learnt(model, videos, tmp_path / "a", sizes=(5, 50, 100))
    assert caught.value.message == (
        f"--train-sizes asks for 100 clips, and {videos} gives 5 to learn from: 6 training clips, some of them held "
        "back to measure on."
    )
    assert caught.value.hint == "A training clip is 7 frames without a cut; add videos, or ask for fewer clips."
    assert not trainings
    assert not (tmp_path / "a").exists()
    assert len(learnt(model, videos, tmp_path / "a", sizes=(5,), names=["full"])) == 1


def test_a_folder_that_there_is_not_is_told_with_the_flag_of_this_command(
    model: Path, tmp_path: Path, trainings: list[TuneOptions]
):
    with pytest.raises(InputError) as caught:
        learnt(model, tmp_path / "nothere", tmp_path / "a")
    assert caught.value.message == f"There is no folder {tmp_path / 'nothere'}."
    assert caught.value.hint == "Name a folder of clips with --train-videos, or write toyworld."
    assert not trainings


def test_what_adapters_learn_from_is_named_without_its_path(
    model: Path, videos: Path, tmp_path: Path, trainings: list[TuneOptions]
):
    for footage, source in ((videos, "the folder videos"), ("toyworld", "the drawn world's training split")):
        pupils = learnt(model, footage, tmp_path / "a", names=["full"], sizes=(2,))
        assert [pupil.source for pupil in pupils] == [source]
    assert len(trainings) == 2


def test_learning_from_the_films_that_are_filled_is_warned_of(
    model: Path, videos: Path, tmp_path: Path, trainings: list[TuneOptions]
):
    """The same folder, one in the other, and copies of files; by any way that leads there."""
    (tmp_path / "link").symlink_to(videos)
    events: list[Event] = []
    schooling = Schooling((2,), str(videos), 3, 1e-3, 2)

    def warned(filled: Path) -> tuple[str, list[str]]:
        events.clear()
        found, progress = find(str(model)), Progress("bench", events.append)
        (pupil,) = school(["full"], found, schooling, tmp_path / "a", filled=filled, progress=progress)
        return pupil.source, [event.text for event in events if event.kind == "warn"]

    words = "--data and --train-videos share films ({}): adapters are measured on what they learnt from."
    known = "the folder videos, which has films that are filled here"
    for other in (videos, tmp_path / "link", tmp_path, videos / "clip0"):
        assert warned(other) == (known, [words.format("the same folder, or one lies in the other")])
    apart = tmp_path / "apart"
    film(apart, "x", 200)
    assert warned(apart) == ("the folder videos", [])
    copytree(videos / "clip3", apart / "copy")
    assert warned(apart) == (known, [words.format("both hold the same file, such as copy/00.png")])
    assert len(trainings) == 1


def test_clips_that_are_too_short_do_not_count(model: Path, videos: Path, tmp_path: Path, trainings: list[TuneOptions]):
    for path in sorted((videos / "clip5").iterdir())[6:]:
        path.unlink()
    with pytest.raises(InputError, match="gives 4 to learn from: 5 training clips"):
        learnt(model, videos, tmp_path / "a", sizes=(5,))
    assert not trainings


def test_progress_tells_how_far_the_trainings_are(
    model: Path, videos: Path, tmp_path: Path, trainings: list[TuneOptions]
):
    events: list[Event] = []
    schooling = Schooling((2, 4), str(videos), 3, 1e-3, 2)
    school(["full"], find(str(model)), schooling, tmp_path / "a", progress=Progress("bench", events.append))
    ends = [event.fraction for event in events if event.kind == "end" and event.part[-1].startswith("full")]
    assert ends == pytest.approx([0.25, 0.5])
    assert len(trainings) == 2
