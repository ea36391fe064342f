"""What the decoder learns by itself."""

import numpy as np
import pytest
import torch

from keyweave.diffusion.vae import encode
from keyweave.maths.tensors import to_tensor
from keyweave.recipes.autoencoder import fresh_autoencoder, likeness
from keyweave.recipes.details import DetailTask, importance
from keyweave.recipes.scores import truth_of
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


def test_actors_count_more_and_pale_ones_most():
    clip, mask = np.full((3, 4, 6, 3), 100, np.uint8), np.zeros((4, 6), bool)
    mask[1, 2] = mask[1, 3] = True
    for change, more in ((102, 0.5 / 0.4), (255, 0.5 / 0.8), (10, 0.5 / 0.2)):
        clip[1, 1, 2] = clip[1, 1, 3] = (100, 100, 0)
        clip[2, 1, 2] = clip[2, 1, 3] = (100, 100, change)
        clip[0, 1, 2] = clip[0, 1, 3] = (100, 100, change // 2)
        clip[1, 0, 0] = 200  # something else changes there, which says nothing of the actor
        weight = importance(clip, mask)
        assert weight.mean() == pytest.approx(1)
        assert np.ptp(weight[mask]) == np.ptp(weight[~mask]) == 0
        assert weight[1, 2] / weight[0, 0] == pytest.approx((0.25 + more) / 0.25)
    assert np.array_equal(importance(clip, np.zeros((4, 6), bool)), np.ones((4, 6), np.float32))


def test_a_fault_in_an_actor_costs_more_than_elsewhere():
    """The same fault is laid over actors, and over as many places where none is."""
    shots = [shoot(scene_of("train", number), truth=True) for number in range(2)]
    for shot in shots:
        mask = truth_of(shot).masks()[0].any(axis=0)
        weight = torch.from_numpy(importance(shot.frames, mask))[None, None]
        real = to_tensor(shot.frames[:1])
        costs = []
        for places in (mask, np.flip(mask, axis=1) & ~mask):
            at = torch.from_numpy(places.copy())[None, None]
            costs.append(float(likeness(real + 0.2 * at, real, weight)) / int(places.sum()))
        assert costs[0] > 2 * costs[1]


def test_weights_of_one_change_nothing():
    made, real = torch.rand(2, 3, 16, 16), torch.rand(2, 3, 16, 16)
    assert likeness(made, real, torch.ones(2, 1, 16, 16)) == likeness(made, real)
    weight = torch.ones(2, 1, 16, 16)
    weight[0] = 0
    assert likeness(made, real, weight) == pytest.approx(float(likeness(made[1:], real[1:])) / 2, rel=1e-5)
