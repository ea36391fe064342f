"""Learning to see: what is asked of the image encoder is what the scenes say."""

from pathlib import Path

import pytest
import torch

from keyweave.diffusion.image_to_video import seen_by_encoder
from keyweave.maths.tensors import to_tensor
from keyweave.recipes import looks
from keyweave.recipes.looks import TOLD, LookTask, fresh_encoder, said_of
from keyweave.toyworld.actors import COLORS
from keyweave.toyworld.scenes import KINDS, scene_of

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def task() -> LookTask:
    import transformers

    return LookTask(fresh_encoder(), transformers.CLIPImageProcessor())


class Oracle(torch.nn.Module):
    """Answers with what the scenes say, whatever it is shown; told otherwise, with the opposite way."""

    def __init__(self, scenes: list, way: float = 1.0):
        super().__init__()
        self._scenes, self._way = iter(scenes), way

    def forward(self, embedding: torch.Tensor, places: torch.Tensor) -> tuple[torch.Tensor, ...]:
        ways = torch.zeros(*places.shape[:2], 2)
        kinds, colors = torch.zeros(*places.shape[:2], len(KINDS)), torch.zeros(*places.shape[:2], len(COLORS))
        for row in range(len(embedding)):
            for actor, role in enumerate(next(self._scenes).cast):
                begin, end = torch.from_numpy(role.course.points[[0, -1]]).float()
                torch.testing.assert_close(places[row, actor], begin)
                far = torch.linalg.vector_norm(end - begin)
                ways[row, actor] = self._way * (end - begin) / far.clamp_min(1e-6)
                kinds[row, actor, KINDS.index(role.kind)] = 50
                colors[row, actor, list(COLORS).index(role.color)] = 50
        return ways, kinds, colors


def test_who_knows_the_scenes_makes_no_fault(task: LookTask, monkeypatch: pytest.MonkeyPatch):
    scenes = [scene_of("train", number) for number in range(24)]
    assert any(len(scene.cast) == 2 for scene in scenes)
    assert any(scene.cast[0].kind == "flower" for scene in scenes)  # which goes nowhere
    monkeypatch.setattr(task, "_reader", Oracle(scenes))
    loss, notes = task.loss(range(24))
    assert float(loss) == pytest.approx(0, abs=1e-5)
    assert set(notes) == {"way", "kind", "color"}
    monkeypatch.setattr(task, "_reader", Oracle(scenes, way=-1.0))
    assert task.loss(range(24))[1]["way"] == pytest.approx(4, abs=1e-4)  # unit vectors that are opposite


def test_a_measure_of_what_it_never_saw(task: LookTask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(looks, "_MEASURED", 40)
    monkeypatch.setattr(looks, "_TOGETHER", 20)
    scenes = [scene_of("validation", number) for number in range(40)]
    monkeypatch.setattr(task, "_reader", Oracle(scenes))
    assert task.validate(tmp_path, 1) == {"way": 1, "kind": 1, "color": 1}
    monkeypatch.setattr(task, "_reader", Oracle(scenes, way=-1.0))
    assert task.validate(tmp_path, 1) == {"way": 0, "kind": 1, "color": 1}


def test_a_sample_is_always_the_same_and_all_of_it_learns(task: LookTask):
    one, again, other = (task.loss(samples)[0] for samples in ([3, 4], [3, 4], [5, 6]))
    assert float(one.detach()) == float(again.detach()) != float(other.detach())
    one.backward()
    still = [name for name, parameter in task.model.named_parameters() if parameter.grad is None]
    assert not still


def test_a_few_steps_on_the_same_pictures_are_learnt(task: LookTask):
    follower = torch.optim.AdamW(task.model.parameters(), lr=1e-3)
    before = float(task.loss(range(8))[0].detach())
    for _ in range(12):
        follower.zero_grad()
        task.loss(range(8))[0].backward()
        follower.step()
    assert float(task.loss(range(8))[0].detach()) < 0.8 * before


def test_what_is_said_of_first_frames_is_what_the_pipeline_would_be_told(monkeypatch: pytest.MonkeyPatch):
    import transformers

    monkeypatch.setattr(looks, "_TOGETHER", 2)
    encoder, processor = fresh_encoder().eval(), transformers.CLIPImageProcessor()
    firsts = torch.randint(0, 256, (3, 3, 64, 64), generator=torch.Generator().manual_seed(0)).byte()
    said = said_of(encoder, processor, firsts)
    assert said.shape == (3, TOLD)
    for one, first in zip(said, firsts, strict=True):
        alone = encoder(seen_by_encoder(processor, to_tensor(first.movedim(0, -1).numpy()[None]))).image_embeds[0]
        torch.testing.assert_close(one, alone)
    assert not said.requires_grad
