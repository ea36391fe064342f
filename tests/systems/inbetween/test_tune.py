"""Fine-tuning the backward branch on clips in a folder: a tiny model, tiny clips, whole trainings."""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections import Counter
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from keyweave.base.errors import InputError
from keyweave.base.progress import Progress
from keyweave.diffusion.denoisers import sigmas_of
from keyweave.diffusion.exchange import temporal_layers
from keyweave.media.clips import read_clip
from keyweave.media.pictures.images import write_image
from keyweave.media.types import Image
from keyweave.models.adapters import FILE, matrices_of, read_adapter
from keyweave.models.card import read_card, verify
from keyweave.models.devices import Place
from keyweave.systems.inbetween import tune as tuning_room
from keyweave.systems.inbetween.sampling import Sampling
from keyweave.systems.inbetween.train import Clips
from keyweave.systems.inbetween.tune import divided, measured, plan_of, tune
from keyweave.systems.inbetween.tuning import TuneOptions
from keyweave.toyworld.scenes import scene_of
from keyweave.toyworld.shots import shoot
from keyweave.training.checkpoint import exists
from keyweave.training.journal import read as read_journal

pytestmark = pytest.mark.usefixtures("one_thread")


def asked(**given: Any) -> TuneOptions:
    return TuneOptions.model_validate(given)


@pytest.fixture(scope="module", autouse=True)
def _quick():
    """Draw with one step; compute on one thread in what is made for all tests too, which comes before `one_thread`."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tuning_room, "PRESETS", {"draft": Sampling(steps=1, guidance=(1.0, 1.0))})
        yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def model(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The tiny model as a folder, with layers in time that count."""
    from diffusers.pipelines.stable_video_diffusion.pipeline_stable_video_diffusion import (
        StableVideoDiffusionPipeline,
    )

    folder = tmp_path_factory.mktemp("models") / "tiny"
    parts = {name: deepcopy(part) for name, part in vars(tiny).items() if name != "image_processor"}
    for part in parts["unet"].modules():
        if type(part).__name__ == "AlphaBlender":
            part.mix_factor.data.fill_(0.0)
    StableVideoDiffusionPipeline(**parts, feature_extractor=tiny.image_processor).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Three folders of frames of the drawn world."""
    folder = tmp_path_factory.mktemp("videos")
    for number in range(3):
        for k, frame in enumerate(shoot(scene_of("train", number), frames=9, width=32, height=32).frames):
            path = folder / f"clip{number}" / f"{k:03d}.png"
            path.parent.mkdir(exist_ok=True)
            write_image(path, Image(frame))
    return str(folder)


def placed(tiny: Any, device: str = "cpu", **parts: Any) -> Any:
    return SimpleNamespace(**{**vars(tiny), "place": Place(device, "float32"), **parts})


@pytest.fixture
def options(videos: str, model: str) -> TuneOptions:
    return asked(videos=videos, model=model, steps=6, batch=2, learning_rate=0.02, stride=1, held_out=1)


@pytest.fixture(scope="module")
def done(videos: str, model: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training that was never stopped."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    tune(asked(videos=videos, model=model, steps=6, batch=2, learning_rate=0.02, stride=1, held_out=1), folder)
    return folder


def test_it_learns_and_leaves_everything_behind(done: Path, model: str, tiny: Any):
    card = read_card(done / "adapter")
    assert verify(done / "adapter") == []
    assert card.kind == "adapter"
    assert card.base == "./tiny"
    assert card.data.startswith("5 clips of 4 frames of 32x32, cut out of videos")
    assert str(done) not in card.to_json()
    assert card.scores["loss, after"] < 0.98 * card.scores["loss, before"]
    assert {"loss.png", "journal.jsonl", "options.json", "windows.json", "between-000006.png"} <= {
        p.name for p in done.iterdir()
    }
    film = read_clip(done / "between-000006.mp4")
    assert film.frames.shape == (4, 64, 32, 3)  # one that was held out, above what is made from its ends
    assert film.rate == 7
    assert exists(done / "last")
    adapter = read_adapter(done / "adapter" / FILE)
    assert adapter.rotated == temporal_layers(tiny.unet)
    assert set(matrices_of(adapter, tiny.unet, adapter.rotated)) == set(adapter.rotated)
    for row in adapter.differences.values():
        assert set(row) == {"to_v", "to_out.0"}
        assert all(difference.dtype == torch.float16 and difference.any() for difference in row.values())


def test_the_same_again_is_the_same_and_what_is_encoded_stays(done: Path, options: TuneOptions, tmp_path: Path):
    latents = {path.name: path.stat().st_mtime_ns for path in (done / "latents").iterdir()}
    assert len(latents) == 3
    tune(options, done)  # all of it is done
    assert {path.name: path.stat().st_mtime_ns for path in (done / "latents").iterdir()} == latents
    (done / "latents" / "of-another-size.safetensors").write_bytes(b"x")
    damaged = done / "latents" / min(latents)
    damaged.write_bytes(damaged.read_bytes()[:-1])
    tune(options, done)
    assert {path.name for path in (done / "latents").iterdir()} == set(latents)
    tune(options, tmp_path / "run")
    for name in ("adapter/adapter", "last/tensors"):
        mine, theirs = (load_file(folder / f"{name}.safetensors") for folder in (tmp_path / "run", done))
        assert mine.keys() == theirs.keys()
        assert all(torch.equal(mine[key], theirs[key]) for key in mine)
    for path in (tmp_path / "run" / "latents").iterdir():
        assert path.read_bytes() == (done / "latents" / path.name).read_bytes()


def test_an_adapter_that_holds_no_numbers_is_not_written(done: Path, options: TuneOptions, tmp_path: Path):
    shutil.copytree(done, tmp_path / "run")
    kept = tmp_path / "run" / "last" / "tensors.safetensors"
    tensors = load_file(kept)
    tensors["average.0"][0] = torch.inf
    save_file(tensors, kept)
    shutil.rmtree(tmp_path / "run" / "adapter")
    with pytest.raises(InputError, match=r"some weights are infinite or no number; no adapter is written\. .*lower"):
        tune(options, tmp_path / "run")
    assert not (tmp_path / "run" / "adapter").exists()


def test_it_trains_where_it_is_told_to_and_leaves_the_environment_alone(
    options: TuneOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """On the CPU of a machine that has something faster; "meta" stands for that."""
    from accelerate.state import AcceleratorState, PartialState

    AcceleratorState._reset_state(reset_partial_state=True)
    monkeypatch.setattr(PartialState, "default_device", property(lambda _: torch.device("meta")))
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    before = dict(os.environ)
    tune(options.model_copy(update={"steps": 1, "device": "cpu"}), tmp_path / "run")
    measured(options.model_copy(update={"steps": 1, "device": "cpu"}))
    assert {name for name in os.environ if name.startswith("ACCELERATE")} == {
        name for name in before if name.startswith("ACCELERATE")
    }


def test_latents_that_are_shared_are_neither_made_twice_nor_cleared(done: Path, options: TuneOptions, tmp_path: Path):
    shared = tmp_path / "shared"
    shutil.copytree(done / "latents", shared)
    (shared / "of-another-training.safetensors").write_bytes(b"x")
    before = {path.name: path.stat().st_mtime_ns for path in shared.iterdir()}
    tune(options, tmp_path / "run", latents=shared)
    assert {path.name: path.stat().st_mtime_ns for path in shared.iterdir()} == before
    assert not (tmp_path / "run" / "latents").exists()
    mine, theirs = (load_file(folder / "adapter/adapter.safetensors") for folder in (tmp_path / "run", done))
    assert all(torch.equal(mine[key], theirs[key]) for key in theirs)


@pytest.mark.slow
def test_killed_it_goes_on_to_the_same_weights(
    done: Path, options: TuneOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    class Killed(BaseException):
        pass

    asked = iter(range(3))
    loss = tuning_room.TunedTask.loss

    def falls(self: Any, samples: Any) -> Any:
        if next(asked, None) is None:
            raise Killed
        return loss(self, samples)

    def often(given: TuneOptions) -> Any:
        return replace(plan_of(given), keep_every=2)

    with monkeypatch.context() as patch:
        patch.setattr(tuning_room, "plan_of", often)
        patch.setattr(tuning_room.TunedTask, "loss", falls)
        with pytest.raises(Killed):
            tune(options, tmp_path / "run")
    assert not (tmp_path / "run" / "adapter").exists()
    tune(options, tmp_path / "run")
    mine, theirs = (load_file(folder / "adapter" / FILE) for folder in (tmp_path / "run", done))
    assert all(torch.equal(mine[key], theirs[key]) for key in theirs)


@pytest.mark.slow
def test_two_processes_end_with_one_branch_and_write_every_file_once(
    done: Path, videos: str, model: str, tmp_path: Path
):
    """As `accelerate launch` runs the command: each encodes a share of the clips, the first one writes the rest."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    common = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "CUDA_VISIBLE_DEVICES": ""}
    run = tmp_path / "run"
    command = ["train", "inbetween", "--videos", videos, "--model", model, "-o", str(run), "--steps", "6"]
    command += ["--batch", "2", "--learning-rate", "0.02", "--stride", "1", "--held-out", "1"]
    program = str(Path(__file__).parent / "small_tuning.py")
    processes = [
        subprocess.Popen(
            [sys.executable, program, str(tmp_path / str(rank)), str(run), *command],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **common, "RANK": str(rank), "LOCAL_RANK": str(rank), "OMP_NUM_THREADS": "1"},
        )
        for rank in (0, 1)
    ]
    for process in processes:
        _, said = process.communicate(timeout=600)
        assert process.returncode == 0, said

    weights = [load_file(tmp_path / f"{rank}.safetensors") for rank in (0, 1)]
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(one, weights[1][name]) for name, one in weights[0].items())
    mine, theirs = (load_file(folder / "adapter" / FILE) for folder in (run, done))
    for name, one in theirs.items():  # those of one process, which took both clips of a step at once
        assert float((mine[name].float() - one.float()).norm() / one.float().norm()) <= 1e-2

    first, second = (Counter(json.loads((tmp_path / f"{rank}.json").read_text())) for rank in (0, 1))
    latents = {f"latents/{path.name}": path for path in (done / "latents").iterdir()}
    assert not first.keys() & second.keys()
    assert second.keys() < latents.keys()
    assert {first[name] + second[name] for name in latents} == {1}
    assert all((run / name).read_bytes() == path.read_bytes() for name, path in latents.items())
    assert [first[name] for name in ("options.json", "windows.json", "adapter", "between-000006.png")] == [1] * 4
    assert [row["step"] for row in read_journal(run / "journal.jsonl")] == list(range(6))
    assert verify(run / "adapter") == []


def test_the_ablation_takes_no_turned_maps_and_learns_all_four(options: TuneOptions, tmp_path: Path):
    tune(options.model_copy(update={"steps": 1, "no_rotation": True, "trainable": "qkvo"}), tmp_path)
    adapter = read_adapter(tmp_path / "adapter" / FILE)
    assert adapter.rotated == ()
    assert all(set(row) == {"to_q", "to_k", "to_v", "to_out.0"} for row in adapter.differences.values())


def test_it_goes_on_from_an_adapter(done: Path, options: TuneOptions, tmp_path: Path):
    begun = options.model_copy(update={"adapter": str(done / "adapter"), "steps": 3, "learning_rate": 0.002})
    said: list[str] = []
    progress = Progress("test", lambda event: said.append(event.text) if event.kind == "warn" else None)
    card = tune(begun, tmp_path, progress)
    before = read_card(done / "adapter")
    assert card.scores["loss, before"] == before.scores["loss, after"]
    assert (card.steps, card.hours >= before.hours) == (9, True)
    assert card.recipe.endswith(f". It went on from tiny-backward, which had this recipe: {before.recipe}")
    assert card.data.endswith(f"; before that: {before.data}")
    assert str(done) not in card.to_json()
    assert not any("adapter" in text for text in said)
    with pytest.raises(InputError, match="was begun with --adapter"):
        tune(begun.model_copy(update={"adapter": str(tmp_path / "adapter")}), tmp_path)
    other = begun.model_copy(update={"no_rotation": True})
    with pytest.raises(InputError, match="cannot go on from the adapter"):  # a dry run tells it, too
        measured(other)
    with pytest.raises(InputError, match="cannot go on from the adapter"):
        tune(other, tmp_path / "other")
    assert not (tmp_path / "other").exists()  # before clips are encoded


def test_less_memory_changes_no_gradient(options: TuneOptions, tiny: Any):
    """What is computed twice gives the same gradient, although the attention that was exchanged is back by then."""
    chance = torch.Generator().manual_seed(0)
    clips = Clips(*(torch.randn(shape, generator=chance) for shape in ((3, 4, 4, 8, 8), (3, 32), (3, 32))))
    model = placed(tiny, unet=deepcopy(tiny.unet))
    for part in model.unet.modules():
        if type(part).__name__ == "AlphaBlender":
            part.mix_factor.data.fill_(0.0)
    gradients, looks = [], []
    model.unet.conv_in.register_forward_hook(lambda *_: looks.append("network"))
    resnet = model.unet.up_blocks[0].resnets[0]  # behind something that learns
    resnet.register_forward_pre_hook(lambda *_: looks.append("part"))
    for checkpointing in (False, True):
        task = tuning_room._task(options.model_copy(update={"checkpointing": checkpointing}), model, clips, clips)
        task.loss([0, 1])[0].backward()
        gradients.append([matrix.grad.clone() for matrix in task.model.parameters() if matrix.grad is not None])
    assert looks.count("network") == 4
    assert looks.count("part") == 5  # once more on the way back
    for plain, again in zip(*gradients, strict=True):
        assert plain.abs().max() > 0
        torch.testing.assert_close(plain, again, rtol=1e-5, atol=1e-8)


def test_clips_are_held_back_by_file(options: TuneOptions):
    parts = [Clips(*(torch.full((4, 1), float(k)) for _ in range(5))) for k in range(3)]
    training, held = divided(parts, options.model_copy(update={"held_out": 99, "clips": 7}))
    assert len(held.latents) == 2  # a fifth of 12
    assert len(set(held.latents.flatten().tolist())) == 1
    assert len(training.latents) == 7


def test_uniform_noise_is_drawn_from_the_samplers_levels(options: TuneOptions, tiny: Any):
    clips = Clips(*(torch.zeros(shape) for shape in ((1, 4, 4, 8, 8), (1, 32), (1, 32))))
    task = tuning_room._task(options.model_copy(update={"noise": "uniform"}), placed(tiny), clips, clips)
    even = (torch.arange(1000) + 0.5) / 1000
    assert torch.equal(task._noising.sigma(even), sigmas_of(tiny.scheduler, 1000)[:-1])
    lognormal = tuning_room._task(options, placed(tiny), clips, clips)._noising.sigma(even).log()
    assert float(lognormal.mean()) == pytest.approx(0.7, abs=0.01)
    assert float(lognormal.std()) == pytest.approx(1.6, rel=0.01)


def test_what_it_would_take_is_measured_and_nothing_kept(options: TuneOptions, tiny: Any):
    found = measured(options.model_copy(update={"steps": None, "minutes": 1.0}))
    assert found.whole == sum(weight.numel() for weight in tiny.unet.parameters())
    layers = [tiny.unet.get_submodule(name) for name in temporal_layers(tiny.unet)]
    assert found.trained == sum(one.to_v.weight.numel() + one.to_out[0].weight.numel() for one in layers)
    assert found.steps == max(1, int(60 / found.seconds))
    assert found.clips == 3
    assert found.bytes > 4 * found.whole


def test_the_paper_says_how_adamw_follows(options: TuneOptions):
    plan = plan_of(asked(videos="x", steps=15_000))
    assert (plan.follower, plan.learning_rate, plan.betas, plan.weight_decay) == ("adamw", 1e-4, (0.9, 0.999), 1e-2)
    assert plan.batch == 4
    longer = plan_of(asked(videos="x", steps=30_000))
    assert longer.goes_on(plan, 10_000)  # until the rate falls, there may be more
    assert not longer.goes_on(plan, 14_000)


def test_a_training_does_not_go_on_with_other_clips(options: TuneOptions, videos: str, tmp_path: Path):
    own, run = tmp_path / "videos", tmp_path / "run"
    shutil.copytree(videos, own)
    options = options.model_copy(update={"videos": str(own), "steps": 1})
    tune(options, run)
    latents = {path.name for path in (run / "latents").iterdir()}
    (own / "clip1").rename(own / "clip7")
    shutil.copytree(own / "clip0", own / "clip8")
    with pytest.raises(InputError) as fault:
        tune(options.model_copy(update={"steps": 2}), run)
    assert str(fault.value) == (
        f"The training in {run} was begun on other clips: 1 gone (clip1), 2 new (clip7, clip8). "
        "Bring back the clips as they were, or name a new folder."
    )
    assert {path.name for path in (run / "latents").iterdir()} == latents
    (run / "windows.json").unlink()  # as an earlier version leaves a training
    assert tune(options.model_copy(update={"steps": 2}), run).steps == 2
    assert (run / "windows.json").exists()


def test_another_number_of_steps_that_is_refused_leaves_the_training_as_it_was(done: Path, tmp_path: Path):
    run = Path(shutil.copytree(done, tmp_path / "run"))
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    options = TuneOptions.model_validate_json((run / "options.json").read_bytes())
    with pytest.raises(InputError, match="has done 6 steps, more than the 3 of this one"):
        tune(options.model_copy(update={"steps": 3}), run)
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
    assert tune(options.model_copy(update={"steps": None, "minutes": 1.0}), run).steps == 6


def test_measuring_takes_no_more_at_once_than_training(options: TuneOptions, tiny: Any):
    clips = Clips(*(torch.zeros(shape) for shape in ((3, 4, 4, 8, 8), (3, 32), (3, 32))))
    unet, sizes = deepcopy(tiny.unet), set()
    unet.register_forward_pre_hook(lambda _, args: sizes.add(len(args[0])))
    for accumulate in (2, 1):
        given = options.model_copy(update={"accumulate": accumulate})
        tuning_room._task(given, placed(tiny, unet=unet), clips, clips).measured()
        assert max(sizes) == 2 // accumulate


def test_too_few_clips_are_refused(videos: str, options: TuneOptions, tmp_path: Path):
    with pytest.raises(InputError) as fault:
        tune(options.model_copy(update={"stride": 3}), tmp_path / "run")
    assert "gives 0 training clips, from 3 that were looked at; fine-tuning needs 2 or more." in str(fault.value)
    assert "A training clip is 10 frames without a cut; add longer clips, or take a smaller --stride." in str(
        fault.value
    )
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="gives 0 training clips, from 0"):
        tune(options.model_copy(update={"videos": str(tmp_path / "empty")}), tmp_path / "run")


def test_the_drawn_world_will_do(options: TuneOptions, tmp_path: Path):
    card = tune(options.model_copy(update={"videos": "toyworld", "clips": 3, "steps": 1}), tmp_path)
    assert card.toy
    assert card.data == "3 clips of 4 frames of 32x32, drawn by keyweave.toyworld"
