"""Going on from an adapter: which one will do, and where its training begins."""

import hashlib
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from keyweave.base.errors import InputError, ModelNotFound
from keyweave.base.progress import SILENT, Progress
from keyweave.models import adapters
from keyweave.models.adapters import Adapter, write_adapter
from keyweave.models.card import ModelCard
from keyweave.systems.inbetween.lineage import Begun, begin_with, begun_with, refuse_unlike
from keyweave.systems.inbetween.train import BackwardTask, Clips
from keyweave.systems.inbetween.tuning import TuneOptions

pytestmark = pytest.mark.usefixtures("one_thread")

CARD = ModelCard(
    name="earlier",
    kind="adapter",
    says="Looks back.",
    toy=True,
    data="some",
    recipe="some",
    seed=0,
    steps=7,
    hours=0.5,
    hardware="a CPU",
    trained=date(2026, 1, 2),
    scores={},
    limits="many",
    license="Apache-2.0",
    base="elsewhere",
)
TOLD = "The adapter earlier was learnt on weights other than those of tiny."


def task_of(unet: Any, **more: Any) -> BackwardTask:
    clips = Clips(*(torch.zeros(shape) for shape in ((2, 4, 4, 8, 8), (2, 32), (2, 32))))
    return BackwardTask(unet, clips, clips, scale=0.5, ids=(6, 127, 0.02), **more)


@pytest.fixture
def earlier(tiny: Any) -> Begun:
    """An adapter with small differences that half precision holds exactly."""
    branch = task_of(tiny.unet).branch
    differences = {
        layer: {part: torch.full_like(matrix, 0.125 * (number + 1)).half() for number, (part, matrix) in rows}
        for layer, rows in ((layer, enumerate(row.items())) for layer, row in branch.weights.items())
    }
    return Begun(Adapter(differences, tuple(differences), CARD), "0" * 64)


def test_a_branch_begins_where_the_adapter_ended(tiny: Any, earlier: Begun):
    task = task_of(tiny.unet)
    found: Any = SimpleNamespace(name="tiny")
    begin_with(earlier, task, found, SILENT)
    for layer, row in earlier.adapter.differences.items():
        for part, difference in row.items():
            own = tiny.unet.get_submodule(f"{layer}.{part}").weight
            assert torch.equal(task.branch.weights[layer][part], own.float() + difference.float())


def test_what_learns_otherwise_cannot_go_on(tiny: Any, earlier: Begun):
    learnt, rotated = earlier.adapter.differences, earlier.adapter.rotated
    short = {layer: dict(list(row.items())[:1]) for layer, row in learnt.items()}
    small = {layer: {part: matrix[:1] for part, matrix in row.items()} for layer, row in learnt.items()}
    fewer = dict(list(learnt.items())[1:])
    for asked, adapter in (
        ({"no_rotation": True}, earlier.adapter),
        ({"no_rotation": True, "trainable": "qkvo"}, Adapter(learnt, (), CARD)),
        ({}, Adapter(learnt, (), CARD)),
        ({}, Adapter(short, rotated, CARD)),
        ({}, Adapter(small, rotated, CARD)),
        ({}, Adapter(fewer, rotated, CARD)),
    ):
        options = TuneOptions.model_validate({"videos": "x", **asked})
        with pytest.raises(InputError, match="cannot go on from the adapter earlier"):
            refuse_unlike(Begun(adapter, ""), tiny.unet, options)
    refuse_unlike(earlier, tiny.unet, TuneOptions.model_validate({"videos": "x"}))
    same = TuneOptions.model_validate({"videos": "x", "no_rotation": True})
    refuse_unlike(Begun(Adapter(learnt, (), CARD), ""), tiny.unet, same)


def test_one_of_another_model_is_told(tiny: Any, earlier: Begun, monkeypatch: pytest.MonkeyPatch):
    found: Any = SimpleNamespace(name="tiny")
    monkeypatch.setattr(adapters, "checksum_of_base", lambda folder, differences: "mine")
    found.folder = None
    for fits, words in (((), []), (("tiny",), []), (("mine",), []), (("other",), [TOLD])):
        said: list[str] = []
        progress = Progress("test", lambda event, said=said: said.append(event.text) if event.text else None)
        learnt = Adapter(earlier.adapter.differences, earlier.adapter.rotated, CARD, fits)
        begin_with(Begun(learnt, ""), task_of(tiny.unet), found, progress)
        assert said == words


def test_it_is_found_by_name_and_known_by_its_checksum(earlier: Begun, tmp_path: Path):
    path = tmp_path / "one.safetensors"
    write_adapter(path, earlier.adapter)
    begun = begun_with(TuneOptions.model_validate({"videos": "x", "adapter": str(path)}))
    assert begun is not None
    assert begun.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert begun.adapter.card == CARD
    assert begun_with(TuneOptions.model_validate({"videos": "x"})) is None
    with pytest.raises(ModelNotFound, match="There is no adapter"):
        begun_with(TuneOptions.model_validate({"videos": "x", "adapter": str(tmp_path / "none.safetensors")}))
