"""What the decoder learns by itself."""

import numpy as np
import pytest
import torch

from keyweave.diffusion.vae import encode
from keyweave.maths.tensors import to_tensor
from keyweave.recipes.autoencoder import fresh_autoencoder, likeness
from keyweave.recipes.details import DetailTask, moving
from keyweave.toyworld.scenes import scene_of
from keyweave.toyworld.shots import shoot

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def task() -> DetailTask:
    model = fresh_autoencoder()
    clips = [to_tensor(shoot(scene_of("train", number)).frames) for number in range(2)]
    with torch.no_grad():
        latents = torch.stack([encode(model, clip).mode() for clip in clips])
    return DetailTask(model, latents.half())


def test_a_step_makes_it_better_and_leaves_the_encoder_alone(task: DetailTask):
    loss, _ = task.loss([0, 1])
    again, _ = task.loss([0, 1])
    assert float(loss.detach()) == float(again.detach())
    loss.backward()
    changed = {name.split(".")[0] for name, parameter in task.model.named_parameters() if parameter.grad is not None}
    assert changed == {"decoder"}
    with torch.no_grad():
        for parameter in task.model.parameters():
            if parameter.grad is not None:
                parameter.sub_(1e-6 * parameter.grad)
    assert float(task.loss([0, 1])[0].detach()) < float(loss.detach())


def test_frames_go_with_their_own_latents(task: DetailTask):
    """The untrained autoencoder hands a thumbnail on: another frame's latents would fit far worse."""
    _, notes = task.loss(range(8))
    assert notes["psnr"] > 15


def test_what_moves_counts_more():
    clip = np.full((3, 2, 4, 3), 100, np.uint8)
    clip[1, 0, 0] = (100, 228, 100)
    weight = moving(clip)
    assert weight.mean() == pytest.approx(1)
    assert weight[0, 0] / weight[1, 1] == pytest.approx((0.25 + 128 / 255) / 0.25)
    assert np.ptp(weight.ravel()[1:]) == 0


def test_weights_of_one_change_nothing():
    made, real = torch.rand(2, 3, 16, 16), torch.rand(2, 3, 16, 16)
    assert likeness(made, real, torch.ones(2, 1, 16, 16)) == likeness(made, real)
    weight = torch.ones(2, 1, 16, 16)
    weight[0] = 0
    assert likeness(made, real, weight) == pytest.approx(float(likeness(made[1:], real[1:])) / 2, rel=1e-5)
