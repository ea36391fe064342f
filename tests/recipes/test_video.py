"""Learning motion: what the loss is at the start is known, and every clip comes once before any comes again."""

from pathlib import Path

import pytest
import torch

from keyweave.recipes.looks import TOLD
from keyweave.recipes.video import FRAMES, VideoTask, emphasis, fresh_network


@pytest.fixture(scope="module")
def task() -> VideoTask:
    chance = torch.Generator().manual_seed(0)
    clips, seen = torch.randn(5, FRAMES, 8, 8, 8, generator=chance) * 3, torch.randn(5, TOLD, generator=chance)
    return VideoTask(fresh_network(), latents=clips.half(), seen=seen, scale=1 / 3, held_out=(clips.half(), seen))


def test_at_the_start_it_says_nothing_and_the_loss_is_that_of_the_target(task: VideoTask, tmp_path: Path):
    """For clean and noise of spread 1, v = (noise - sigma clean) / sqrt(sigma^2 + 1) has spread 1 as well."""
    found = task.validate(tmp_path, 0)
    assert set(found) == {"loss", "at 0.3", "at 1", "at 3", "at 10", "at 30"}
    for value in found.values():
        assert value == pytest.approx(1, abs=0.03)


def test_it_learns_at_the_noise_that_is_asked_for():
    """A network that says nothing misses noise / sqrt(sigma^2 + 1) in clips that are 0 everywhere."""
    clips, seen = torch.zeros(2, FRAMES, 8, 8, 8), torch.zeros(2, TOLD)
    for mean, spread in ((0.0, 0.0), (1.5, 0.0), (0.0, 1.0)):
        one = VideoTask(
            fresh_network(), latents=clips, seen=seen, scale=1.0, held_out=(clips, seen), noise=(mean, spread)
        )
        with torch.no_grad():
            found = one.loss(range(16))[0]
        even = torch.tensor([(0.5 + 0.6180339887498949 * number) % 1 for number in range(16)])
        levels = (mean + spread * torch.distributions.Normal(0.0, 1.0).icdf(even)).exp()
        counted = float(emphasis(clips).mean())
        assert float(found) == pytest.approx(counted * float((1 / (levels**2 + 1)).mean()), rel=0.02)


def test_a_sample_is_always_the_same(task: VideoTask):
    with torch.no_grad():
        one, again, other = (task.loss(samples)[0] for samples in ([3, 4], [3, 4], [5, 6]))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_a_batch_is_the_mean_of_its_parts(task: VideoTask):
    with torch.no_grad():
        whole, one, other = (task.loss(samples)[0] for samples in ([3, 4, 5, 6], [3, 4], [5, 6]))
    torch.testing.assert_close(whole, (one + other) / 2, rtol=1e-4, atol=1e-5)


def test_all_of_it_learns(task: VideoTask):
    with torch.no_grad():
        task.model.get_parameter("conv_out.weight").normal_(0, 0.1)
    task.loss([0, 1, 2])[0].backward()
    still = [name for name, parameter in task.model.named_parameters() if parameter.grad is None]
    # One key is all that there is to attend to, so queries and keys, and the norm before them, decide nothing.
    assert all("attn2" in name or "norm2" in name for name in still), still


def test_what_moves_counts_more_and_the_same_in_all_frames():
    clips = torch.zeros(2, FRAMES, 8, 4, 4)
    clips[0, 3, :, 1:] = 1.4  # somebody passes by, in twelve places
    clips[0, 3, :, 1, 2] = 2.0
    clips[0, 3, :, 1, 3] = 0.8
    clips[1] += 7  # nothing happens
    weight = emphasis(clips)
    assert weight.shape == (2, 1, 1, 4, 4)
    assert float(weight[0].mean()) == pytest.approx(1)
    elsewhere = weight[0, 0, 0, 0, 0]
    for place, change in (((1, 2), 2.0), ((1, 3), 0.8), ((2, 2), 1.4)):
        assert weight[0, 0, 0, *place] / elsewhere == pytest.approx((0.25 + change) / 0.25)
    assert (weight[0, 0, 0, 0] == elsewhere).all()
    assert torch.equal(weight[1], torch.full((1, 1, 4, 4), 1.4 / 0.4))


def test_a_pale_actor_counts_as_much_as_another():
    clips = torch.zeros(4, FRAMES, 8, 4, 4)
    for row, change in zip(clips, (1.4, 0.7, 0.2, 3.0), strict=True):
        row[3, :, 1:] = change
    usual, pale, hardly, strong = emphasis(clips)
    torch.testing.assert_close(pale, 2 * usual)
    assert float(hardly.mean()) == pytest.approx(1.4 / 0.4)  # no more than that: it may be nobody
    assert float(strong.mean()) == pytest.approx(1.4 / 1.6)
