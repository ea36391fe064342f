"""The stages of the recipe, with what they do left out."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from keyweave.base.progress import Event, Progress
from keyweave.models.card import verify
from keyweave.models.finding import EMBEDDED, find
from keyweave.models.loading import load
from keyweave.perceive.features import load_features
from keyweave.recipes import toy_video
from keyweave.recipes.scores import video_scores
from keyweave.recipes.toy_video import LEARNT, STAGES, Budget, work


def test_shares_are_a_whole():
    assert sum(STAGES.values()) == pytest.approx(1)


def test_stages_follow_one_another_and_the_bar_never_stands_at_its_end_before_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    done: list[str] = []

    def some_steps(progress: Progress, name: str) -> None:
        done.append(name)
        with progress.part("steps", total=2) as part:
            part.step()
            part.step()

    def learn(folder: Path, stage: Any, budget: Budget, share: tuple[int, int], progress: Progress) -> None:
        some_steps(progress, stage)

    monkeypatch.setattr(toy_video, "_learn", learn)
    monkeypatch.setattr(toy_video, "_encode", lambda folder, budget, share, progress: some_steps(progress, "latents"))
    events: list[Event] = []
    work(tmp_path, Budget(), progress=Progress("training", events.append))
    assert done == list(STAGES)
    fractions = [event.fraction for event in events]
    assert fractions == sorted(fractions)
    before = [event.fraction for event in events if event.part[1:2] != ("motion",)]
    assert max(before) == pytest.approx(1 - STAGES["motion"])
    assert fractions[-1] == pytest.approx(1)


def test_the_model_that_ships_is_whole_and_small():
    found = find("toy-video", "image-to-video")
    assert verify(found.folder) == []
    assert sum(path.stat().st_size for path in EMBEDDED.rglob("*") if path.is_file()) <= 36_000_000


@pytest.mark.slow
def test_the_model_that_ships_makes_what_its_card_says():
    """A part of the clips that its scores are from; the rest would take half an hour."""
    model = load(find("toy-video", "image-to-video"), device="cpu", dtype="float32")
    found = video_scores(model, load_features(find("toy-features", "features"), device="cpu"), 32)
    said = model.card.scores if model.card else {}
    for name in ("forward, made", "right way, made", "kind, made", "color, made"):
        assert found[name] >= said[name] - 0.15, name
    assert found["autoencoder, dB"] == pytest.approx(said["autoencoder, dB"], abs=1.5)


def test_the_folder_may_be_named_from_where_one_stands(
    tmp_path: Path, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    folder = Path("runs") / "toy-video"
    for stage in LEARNT:
        (folder / stage).mkdir(parents=True)
        (folder / stage / "journal.jsonl").write_text('{"step": 0, "seconds": 3600}\n')
    monkeypatch.setattr(
        toy_video, "assemble", lambda folder, budget, made: shutil.copytree(tiny_folder, made, dirs_exist_ok=True)
    )
    monkeypatch.setattr(toy_video, "video_scores", lambda *_, **__: {"clips": 2.0})
    judge: Any = None
    card = toy_video.finish(folder, Budget(), judge)
    assert (card.steps, card.hours, card.scores, card.base) == (5, 5.0, {"clips": 2.0}, None)
    assert verify(folder / "model") == []
