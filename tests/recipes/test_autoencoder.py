"""What the autoencoder learns from."""

from pathlib import Path

import torch

from keyweave.recipes.autoencoder import AutoencoderTask, fresh_autoencoder


def test_a_step_makes_it_better_and_is_the_same_each_time():
    task = AutoencoderTask(fresh_autoencoder(), size=32, frames=2)
    loss, notes = task.loss([0, 1])
    again, _ = task.loss([0, 1])
    assert float(loss.detach()) == float(again.detach())
    assert 10 < notes["psnr"] < 30
    loss.backward()
    with torch.no_grad():
        for name, parameter in task.model.named_parameters():
            # With one layer, the class makes an attention for the decoder's middle, and never asks it.
            if parameter.requires_grad and not name.startswith("decoder.mid_block.attentions"):
                assert parameter.grad is not None, name
                parameter.sub_(1e-4 * parameter.grad)
    assert float(task.loss([0, 1])[0].detach()) < float(loss.detach())


def test_what_mixes_frames_is_left_alone():
    task = AutoencoderTask(fresh_autoencoder(), size=32, frames=1)
    held = {name for name, parameter in task.model.named_parameters() if not parameter.requires_grad}
    assert held
    assert all("temporal" in name or "time_" in name for name in held)


def test_validation_measures_whole_frames_and_draws_some(tmp_path: Path):
    found = AutoencoderTask(fresh_autoencoder(), size=32, frames=1).validate(tmp_path, 7)
    assert set(found) == {"psnr", "red", "blue"}
    assert found["psnr"] > 15
    assert found["red"] > 0.5
    assert (tmp_path / "autoencoder-000007.png").is_file()
