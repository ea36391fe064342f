"""Which adapter a method takes, and what is said of it."""

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from keyweave.base.errors import InputError
from keyweave.base.progress import SILENT, Event, Progress
from keyweave.base.recipe import sha256_of_file
from keyweave.bench import contenders as taking_part
from keyweave.bench.contenders import Contender, Learnt, contenders
from keyweave.bench.trained import Pupil
from keyweave.diffusion.exchange import temporal_layers
from keyweave.diffusion.image_to_video import pictures_of
from keyweave.diffusion.told import Told
from keyweave.maths.tensors import to_frames
from keyweave.models import finding
from keyweave.models.adapters import Adapter, write_adapter
from keyweave.models.card import ModelCard, write_card
from keyweave.models.finding import find
from keyweave.models.loading import load
from keyweave.recipes.scores import through
from keyweave.systems.inbetween.sampling import Sampling

pytestmark = pytest.mark.usefixtures("one_thread")
WORDS: dict[str, Any] = dict.fromkeys(("says", "data", "recipe", "hardware", "limits", "license"), "none")
CARD = ModelCard(name="back", kind="adapter", seed=0, steps=1, hours=0, trained=date(2026, 1, 1), base="big", **WORDS)


def written(path: Path, unet: Any, *, rotated: bool = True, fits: tuple[str, ...] = ()) -> Path:
    """Write an adapter of one layer."""
    (layer, *_) = temporal_layers(unet)
    weight = unet.get_submodule(layer).to_v.weight
    path.parent.mkdir(exist_ok=True)
    write_adapter(path, Adapter({layer: {"to_v": torch.ones_like(weight)}}, (layer,) * rotated, CARD, fits))
    return path


@pytest.fixture
def learnt(model: Path, tiny_video: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Learnt:
    """A model whose card names the embedded adapter `back`."""
    monkeypatch.setattr(finding, "EMBEDDED", tmp_path)
    written(tmp_path / "back" / "adapter.safetensors", tiny_video.unet)
    write_card(tmp_path / "back", CARD)
    card = CARD.model_copy(update={"kind": "image-to-video", "adapter": "back"})
    return Learnt(replace(find(str(model)), card=card), Sampling(steps=1, guidance=(1, 1)), device="cpu")


def only(name: str, learnt: Learnt, progress: Progress) -> Contender:
    (found,) = contenders([name], learnt, progress=progress)
    return found


def test_left_alone_it_is_the_one_of_the_models_card(learnt: Learnt, tiny_video: Any, tmp_path: Path):
    events: list[Event] = []
    progress = Progress("bench", events.append)
    taken = only("full", learnt, progress).models["adapter"]
    assert taken.ref == "back"
    assert taken.sha256 == sha256_of_file(tmp_path / "back" / "adapter.safetensors")
    mine = written(tmp_path / "mine.safetensors", tiny_video.unet)
    assert only("full", replace(learnt, adapter=str(mine)), progress).models["adapter"].ref == "mine.safetensors"
    assert "adapter" not in only("average", learnt, progress).models
    assert not events


def test_one_of_another_model_is_said(learnt: Learnt, tiny_video: Any, tmp_path: Path):
    events: list[Event] = []
    other = written(tmp_path / "other.safetensors", tiny_video.unet, fits=("0" * 64,))
    one = only("full", replace(learnt, adapter=str(other)), Progress("bench", events.append))
    doubt = (
        "The adapter back was learnt on big, whose weights are others than those of back: both directions may not "
        "agree on one motion."
    )
    assert [event.text for event in events if event.kind == "warn"] == [doubt]
    assert one.remark == doubt[:-1]
    both = only("full", replace(learnt, adapter=str(other), finish=True), Progress("bench", events.append))
    assert both.finish
    assert both.remark == f"finished with the keyframes' colours and detail; {doubt[:-1]}"


def test_where_there_is_none_it_is_said(learnt: Learnt):
    with pytest.raises(InputError) as caught:
        contenders(["full"], replace(learnt, model=replace(learnt.model, card=None)))
    assert caught.value.message == (
        "The method full needs an adapter; --adapter names none, and neither does a card of the model."
    )
    with pytest.raises(InputError) as caught:
        contenders(["no-rotation"], learnt)  # that of the card is for the method
    assert caught.value.message == "The method no-rotation needs an adapter, and --unrotated names none."
    assert caught.value.hint == "`keyweave train inbetween` makes one."


def test_one_of_the_other_kind_is_refused(learnt: Learnt, tiny_video: Any, tmp_path: Path):
    plain = written(tmp_path / "plain.safetensors", tiny_video.unet, rotated=False)
    with pytest.raises(InputError, match=r"plain\.safetensors was learnt without rotated maps; full takes one with"):
        contenders(["full"], replace(learnt, adapter=str(plain)))
    with pytest.raises(InputError, match="back was learnt with rotated maps; no-rotation takes one without them"):
        contenders(["no-rotation"], replace(learnt, unrotated="back"))


@torch.no_grad()
def test_flow_sketches_between_the_ends_of_each_clip(learnt: Learnt, monkeypatch: pytest.MonkeyPatch):
    """The real frames between are not looked at, and what shows no sketch pays for none."""
    given: list[Any] = []
    monkeypatch.setattr(
        taking_part, "make", lambda *_, **kw: given.append(kw["proposal"]) or torch.zeros(2, 4, 3, 32, 32)
    )
    real = np.random.default_rng(3).integers(0, 256, (2, 4, 32, 32, 3), np.uint8)
    sketched = replace(learnt, sampling=Sampling(steps=2, guidance=(1, 1), sketch="flow"), dtype="float32")
    (flow,) = contenders(["flow"], None)
    drawn = flow.make(real, [0, 1], [0, 0], SILENT)
    only("average", sketched, SILENT).make(real, [0, 1], [0, 0], SILENT)
    changed = real.copy()
    changed[:, 1:-1] = 0
    only("average", sketched, SILENT).make(changed, [0, 1], [0, 0], SILENT)
    only("vibid", sketched, SILENT).make(real, [0, 1], [0, 0], SILENT)
    only("average", learnt, SILENT).make(real, [0, 1], [0, 0], SILENT)
    model = load(learnt.model, device="cpu", dtype="float32")
    shown = np.abs(to_frames(pictures_of(model.vae, given[0])).astype(int) - through(model, drawn))
    assert shown.max() <= 1
    assert torch.equal(given[0], given[1])
    assert given[2:] == [None, None]


@torch.no_grad()
def test_a_method_samples_as_its_name_says(learnt: Learnt, monkeypatch: pytest.MonkeyPatch):
    """The same clips as if all did, in the row of its own."""
    names = ["full", "trf@steps=2+fps=12", "average@steps=3+sketch=flow", "flow"]
    full, trf, average, _ = contenders(names, learnt)
    assert [one.name for one in (full, trf, average)] == [one.group for one in (full, trf, average)] == names[:3]
    assert [one.options["sampling"].partition(",")[0] for one in (full, trf, average)] == [
        "steps=1",
        "steps=2",
        "steps=3",
    ]
    assert (trf.engine, trf.method, full.engine) == ("trf", "trf@steps=2+fps=12", "full")
    alike = replace(learnt, sampling=replace(learnt.sampling, steps=2, told=Told(fps=12)))
    same = only("trf", alike, SILENT)
    assert (same.options, same.evaluations, same.remark) == (trf.options, trf.evaluations, trf.remark)
    real = np.random.default_rng(3).integers(0, 256, (1, 4, 32, 32, 3), np.uint8)
    np.testing.assert_array_equal(trf.make(real, [0], [5], SILENT), same.make(real, [0], [5], SILENT))
    asked: list[Any] = []
    monkeypatch.setattr(
        taking_part, "make", lambda *_, **kw: asked.append(kw["proposal"]) or torch.zeros(1, 4, 3, 32, 32)
    )
    for one in (full, average):
        one.make(real, [0], [5], SILENT)
    assert [proposal is None for proposal in asked] == [True, False]


def test_what_was_learnt_here_samples_in_each_way_that_is_named(learnt: Learnt, tmp_path: Path):
    pupils = [
        Pupil(f"full, 9 clips, seed {seed}", "full", 9, tmp_path / "back" / "adapter.safetensors", "the folder clips")
        for seed in (0, 1)
    ]
    alone = replace(learnt, model=replace(learnt.model, card=None))  # which names no adapter, and need not
    found = contenders(["full@steps=2", "average", "full"], alone, pupils)
    assert [(one.name, one.group, one.method, one.clips, one.options["sampling"][:7]) for one in found] == [
        ("full@steps=2, 9 clips, seed 0", "full@steps=2, 9 clips", "full@steps=2", 9, "steps=2"),
        ("full@steps=2, 9 clips, seed 1", "full@steps=2, 9 clips", "full@steps=2", 9, "steps=2"),
        ("average", "average", "average", None, "steps=1"),
        ("full, 9 clips, seed 0", "full, 9 clips", "full", 9, "steps=1"),
        ("full, 9 clips, seed 1", "full, 9 clips", "full", 9, "steps=1"),
    ]
    assert found[0].remark.endswith("adapter learnt from the folder clips")
    assert "learnt" not in found[2].remark
