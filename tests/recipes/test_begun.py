"""Going on from a model that was made before."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file, save_file

from keyweave.base.errors import InputError, ModelError
from keyweave.models.card import read_card
from keyweave.models.finding import find
from keyweave.models.loading import load
from keyweave.recipes import latents, toy_video
from keyweave.recipes.begun import autoencoder_of, begin_with, begun, encoder_of, network_of, refuse_other
from keyweave.recipes.toy_video import (
    HELD_OUT,
    Budget,
    Learnt,
    assemble,
    look_task,
    motion_task,
    scale_in,
    seeing_encoder,
    trained_autoencoder,
    work,
)

pytestmark = pytest.mark.usefixtures("one_thread")


def test_a_training_that_began_with_nothing_has_no_model(tmp_path: Path):
    assert begun(tmp_path) is None


def test_what_it_goes_on_from_is_copied_whole(tmp_path: Path):
    shipped = find("toy-video", "image-to-video")
    begin_with(tmp_path, shipped)
    assert read_card(tmp_path / "begun") == shipped.card
    found = begun(tmp_path)
    assert found is not None
    model = load(found, device="cpu", dtype="float32")
    copies = ((network_of, model.unet), (encoder_of, model.image_encoder), (autoencoder_of, model.vae))
    for copied, part in copies:
        copy = copied(found)
        theirs = part.state_dict()
        for name, weight in copy.state_dict().items():
            assert weight.dtype == torch.float32
            assert torch.equal(weight, theirs[name].float()), name
            assert weight.data_ptr() != theirs[name].data_ptr()  # what is trained is nobody else's
        assert all(parameter.requires_grad for parameter in copy.parameters())
    assert scale_in(tmp_path, Budget()) == pytest.approx(model.vae.config["scaling_factor"])
    mine = trained_autoencoder(tmp_path, Budget(), "frames").state_dict()
    assert all(torch.equal(mine[name], weight.float()) for name, weight in model.vae.state_dict().items())


def test_a_model_of_another_size_is_refused_and_nothing_is_left(tmp_path: Path, tiny_folder: Path):
    with pytest.raises(ModelError, match="is not the one that this recipe trains"):
        begin_with(tmp_path, find(str(tiny_folder)))
    assert not list(tmp_path.iterdir())


def test_clips_the_decoder_and_what_moves_are_left_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    begin_with(tmp_path, find("toy-video", "image-to-video"))
    done: list[str] = []
    monkeypatch.setattr(toy_video, "_learn", lambda folder, stage, *_: done.append(stage))
    monkeypatch.setattr(toy_video, "_encode", lambda *_: done.append("latents"))
    work(tmp_path, Budget())
    assert done == ["latents", "details", "motion"]


def test_no_steps_of_details_are_left_out_and_no_motion_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    begin_with(tmp_path, find("toy-video", "image-to-video"))
    done: list[str] = []
    monkeypatch.setattr(toy_video, "_task", lambda folder, stage, budget: SimpleNamespace(model=stage))
    monkeypatch.setattr(toy_video, "train", lambda task, *_, **__: done.append(task.model))
    monkeypatch.setattr(toy_video, "_keep", lambda *_: None)
    monkeypatch.setattr(toy_video, "_encode", lambda *_: None)
    work(tmp_path, Budget(details=0, motion=2))
    assert done == ["motion"]
    with pytest.raises(InputError, match="needs steps of 1 or more"):
        work(tmp_path, Budget(details=0, motion=0))


def test_the_decoder_is_the_one_of_the_model_or_what_became_of_it(tmp_path: Path):
    begin_with(tmp_path, find("toy-video", "image-to-video"))
    learnt = trained_autoencoder(tmp_path, Budget(), "frames")
    with torch.no_grad():
        learnt.get_parameter("decoder.conv_out.bias").add_(1)
    toy_video._keep(learnt, tmp_path / "details-5.safetensors")
    cases: tuple[tuple[Budget, Learnt, int], ...] = (
        (Budget(details=5), "details", 0),
        (Budget(details=5), "frames", 1),
        (Budget(details=0), "details", 1),
    )
    for budget, stage, difference in cases:
        found = trained_autoencoder(tmp_path, budget, stage)
        parts = zip(found.state_dict().items(), learnt.state_dict().values(), strict=True)
        apart = {name: float((mine - theirs).abs().max()) for (name, mine), theirs in parts}
        assert apart.pop("decoder.conv_out.bias") == pytest.approx(difference)
        assert not any(apart.values())


def test_what_was_learnt_before_has_no_steps(tmp_path: Path):
    none = dict.fromkeys(("squares", "frames", "details", "looks"), 0)
    plan = Budget(**none, clips=100, motion=300, seed=3, rises=(200,)).plan("motion")
    assert (plan.steps, plan.batch, plan.seed, plan.follower, plan.rises) == (300, 24, 3, "muon", (200,))


def test_a_training_goes_on_only_from_what_it_began_with(tmp_path: Path, tiny_folder: Path):
    shipped, other = find("toy-video", "image-to-video"), find(str(tiny_folder))
    refuse_other(tmp_path, None)
    with pytest.raises(InputError, match="was begun without --from"):
        refuse_other(tmp_path, shipped)
    begin_with(tmp_path, shipped)
    begin_with(tmp_path, shipped)  # killed before its plan was written, and called again
    refuse_other(tmp_path, shipped)
    refuse_other(tmp_path, None)
    with pytest.raises(InputError, match="was begun from another model"):
        refuse_other(tmp_path, other)


def test_the_network_begins_with_an_encoder_that_sees(tmp_path: Path):
    learnt = look_task(7)
    toy_video._keep(learnt.model, tmp_path / "looks-2.safetensors")
    seeing = seeing_encoder(tmp_path, Budget(looks=2)).state_dict()
    assert all(torch.equal(seeing[name], weight) for name, weight in learnt.encoder.state_dict().items())


def test_the_encoder_of_a_model_that_is_gone_on_from_stays_as_it_is(tmp_path: Path):
    begin_with(tmp_path, find("toy-video", "image-to-video"))
    found, budget = begun(tmp_path), Budget(clips=100, details=0, motion=1)
    assert found is not None
    for split, count in (("train", 100), ("validation", HELD_OUT)):
        for first in range(0, count, latents.TOGETHER):
            clips = {"latents": torch.zeros(100, 14, 8, 8, 8).half(), "first": torch.zeros(100, 3, 64, 64).byte()}
            path = tmp_path / "latents" / f"{split}-{first:06d}.safetensors"
            path.parent.mkdir(exist_ok=True)
            save_file(clips, path)
    task = motion_task(tmp_path, budget)
    network = network_of(found).state_dict()
    assert all(torch.equal(weight, network[name]) for name, weight in task.model.state_dict().items())
    task.loss([0, 1])[0].backward()  # nothing but the network is asked for gradients
    toy_video._keep(task.model, tmp_path / "motion-1.safetensors")
    (tmp_path / "made").mkdir()
    assemble(tmp_path, budget, tmp_path / "made")
    before, after = (
        load_file(one / "image_encoder" / "model.safetensors") for one in (tmp_path / "begun", tmp_path / "made")
    )
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
