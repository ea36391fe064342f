"""A subject that is learnt by heart: what tiny models of each family learn, leave alone, keep and paint."""

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from keyweave.base.errors import Cancelled, InputError, ModelError, ModelNotFound
from keyweave.base.progress import Event, Progress
from keyweave.media.types import Image
from keyweave.models.finding import find
from keyweave.models.loading import load
from keyweave.models.subject_lora import SubjectLora, begin, low_rank, put, read_subject, write_subject
from keyweave.systems.dance.mirror import Mirrored, mirror_keyframes
from keyweave.systems.dance.painting.families import find_painter, painter_of
from keyweave.systems.dance.painting.subject import (
    FILE,
    Subject,
    SubjectTask,
    fitted,
    mirror_by_painting,
    train_subject,
)
from keyweave.training.journal import read as read_journal

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore:`FluxPosEmbed` is deprecated:FutureWarning"),  # diffusers warns of itself
]
MARMOT = Subject("marmot", "on a meadow")
HEIGHT, WIDTH = 48, 64
BOXES = (slice(12, 44), slice(10, 26)), (slice(8, 44), slice(34, 54))
MASKS = np.zeros((2, HEIGHT, WIDTH), bool)
for _mask, _box in zip(MASKS, BOXES, strict=True):
    _mask[_box] = True


@pytest.fixture(scope="module", params=["tiny_flux", "tiny_qwen"])
def folders(request: pytest.FixtureRequest) -> tuple[Path, Path]:
    """A model and its ControlNet, of each family."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def painter(folders: tuple[Path, Path]) -> Any:
    return find_painter(*map(str, folders))


@pytest.fixture(scope="module")
def images() -> list[Image]:
    """A light box that stands left or right, before a wall with a post."""
    frames = np.full((2, HEIGHT, WIDTH, 3), (60, 90, 60), np.uint8)
    frames[:, :, 2:5] = 160
    frames[MASKS] = 230, 200, 120
    return [Image(frame) for frame in frames]


@pytest.fixture(scope="module")
def lora(painter: Any, images: list[Image], tmp_path_factory: pytest.TempPathFactory) -> SubjectLora:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return learnt(images, painter, tmp_path_factory.mktemp("lora"))
    finally:
        torch.set_num_threads(threads)


def learnt(images: list[Image], painter: Any, folder: Path, **more: Any) -> SubjectLora:
    options: dict[str, Any] = {"epochs": 4, "rank": 2, "steps": 1} | more
    return train_subject(images, painter, MARMOT, folder, **options)


def mirrored(images: list[Image], painter: Any, lora: SubjectLora, **more: Any) -> Mirrored:
    height, width = images[0].pixels.shape[:2]
    return mirror_by_painting(images, painter, lora, masker=lambda _: MASKS[:, :height, :width], **more)


def weights(painter: Any) -> dict[str, torch.Tensor]:
    return {
        f"{name}.{key}": value.clone()
        for name, network in painter.networks.items()
        for key, value in network.state_dict().items()
    }


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def test_the_prompt_is_the_papers():
    assert (
        Subject("marmot", "with alpine landscape as background", "[V]").prompt
        == "A photo of [V] marmot dancing with alpine landscape as background."
    )


def test_the_loss_falls_when_a_picture_is_learnt_by_heart(painter: Any, images: list[Image]):
    with low_rank(painter.networks, 16) as matrices:
        begin(matrices, 0)
        task = SubjectTask(painter, [image.pixels for image in fitted(images, painter)], MARMOT.prompt, matrices)
        steps = torch.optim.Adam(task.model.parameters(), lr=0.02)

        def measured() -> float:
            with torch.no_grad():
                return float(task.loss(range(8))[0])

        before = measured()
        for _ in range(20):
            steps.zero_grad()
            task.loss(range(8))[0].backward()
            steps.step()
        assert measured() < 0.9 * before


def test_the_loss_by_the_papers_words(painter: Any, images: list[Image]):
    """Of one sample, written out: between picture and noise, the network should say noise - picture."""
    frames = [image.pixels for image in fitted(images, painter)]
    asked: list[Any] = []

    class Watched(type(painter)):
        def velocity(self, x: torch.Tensor, sigma: torch.Tensor, wish: Any) -> torch.Tensor:
            asked.append((x, sigma, wish))
            return 0.3 * x

    watched = Watched(**{name: getattr(painter, name) for name in painter.__dataclass_fields__})
    task = SubjectTask(watched, frames[:1], MARMOT.prompt, {}, seed=3)
    loss = float(task.loss([5])[0])
    (x, sigma, wish), picture = asked[0], task._latents[0]
    noise = (x - (1 - sigma) * picture) / sigma
    assert loss == pytest.approx(float(((0.3 * x - (noise - picture)) ** 2).mean()), rel=1e-4)
    assert noise.std() == pytest.approx(1, abs=0.15)
    assert wish.guidance == 1
    levels = [float(task._chance(number)[1]) for number in range(300)]
    assert 0 < min(levels) < 0.15 < 0.85 < max(levels) < 1
    assert np.median(levels) == pytest.approx(0.5, abs=0.06)


def test_only_low_rank_matrices_change_and_networks_come_back_as_they_were(
    painter: Any, images: list[Image], tmp_path: Path
):
    before = weights(painter)
    found = learnt(images, painter, tmp_path)
    assert same(before, weights(painter))
    assert not any(one.requires_grad for network in painter.networks.values() for one in network.parameters())
    assert {name.partition(".")[0] for name in found.matrices} == {"transformer", "controlnet"}
    ends = {
        name.rpartition(".attn.")[2] for name in found.matrices if name.startswith("transformer.transformer_blocks")
    }
    both = ("to_q", "to_k", "to_v", "to_out.0", "add_q_proj", "add_k_proj", "add_v_proj", "to_add_out")
    assert ends == {f"{part}.lora_{side}" for part in both for side in "AB"}
    assert all(
        one.abs().max() > 0 for name, one in found.matrices.items() if "transformer.transformer_blocks.0" in name
    )
    assert all(min(one.shape) == 2 for one in found.matrices.values())


def test_a_kept_subject_is_painted_the_same(painter: Any, images: list[Image], lora: SubjectLora, tmp_path: Path):
    write_subject(tmp_path / FILE, lora)
    again = read_subject(tmp_path / FILE)
    assert same(dict(lora.matrices), dict(again.matrices))
    assert (again.prompt, again.card, again.rank) == (lora.prompt, lora.card, 2)

    def made(which: SubjectLora, strength: float) -> np.ndarray:
        matrices = {name: strength * one for name, one in which.matrices.items()}
        return mirrored(images, painter, SubjectLora(matrices, which.prompt, which.card), steps=2).pictures[0].pixels

    assert np.array_equal(made(lora, 20), made(again, 20))
    assert not np.array_equal(made(lora, 20), made(lora, 0))


def test_a_stopped_training_goes_on_to_the_very_same(painter: Any, images: list[Image], tmp_path: Path):
    whole = learnt(images, painter, tmp_path / "whole")
    stop = threading.Event()

    def listen(event: Event) -> None:
        if (event.fraction or 0) > 0.4:
            stop.set()

    with pytest.raises(Cancelled):
        learnt(images, painter, tmp_path / "parts", progress=Progress("job", listen, stop=stop))
    assert 0 < len(read_journal(tmp_path / "parts" / "journal.jsonl")) < 8
    assert not (tmp_path / "parts" / FILE).exists()
    assert same(dict(whole.matrices), dict(learnt(images, painter, tmp_path / "parts").matrices))


def test_networks_in_half_precision_learn_in_full(folders: tuple[Path, Path], images: list[Image], tmp_path: Path):
    """As released models are trained: frozen in bfloat16, what changes them in float32."""
    model, control = (find(str(folder)) for folder in folders)
    half = painter_of(
        load(model, "text-to-image", device="cpu", dtype="bfloat16"),
        load(control, "part", device="cpu", dtype="bfloat16"),
    )
    found = learnt(images, half, tmp_path)
    assert {one.dtype for one in found.matrices.values()} == {torch.float32}
    assert found.matrices["transformer.transformer_blocks.0.attn.to_q.lora_B"].abs().max() > 0
    assert {one.dtype for network in half.networks.values() for one in network.parameters()} == {torch.bfloat16}
    assert mirrored(images, half, found, steps=1).pictures[0].size == (WIDTH, HEIGHT)


def test_checkpointing_computes_the_same(painter: Any, images: list[Image], lora: SubjectLora, tmp_path: Path):
    found = learnt(images, painter, tmp_path, checkpointing=True)
    assert all(torch.allclose(one, found.matrices[name], atol=1e-6) for name, one in lora.matrices.items())
    assert not any(network.gradient_checkpointing for network in painter.networks.values())


def test_keyframes_and_their_mirrored_ones_are_painted_by_edges(
    painter: Any, images: list[Image], lora: SubjectLora, monkeypatch: pytest.MonkeyPatch
):
    """A painter that hands its edges back shows which edges each picture was painted by."""
    monkeypatch.setattr(type(painter), "hints", lambda _, drawn: drawn)
    monkeypatch.setattr(type(painter), "sigmas", lambda *_: torch.tensor([1.0, 0.0]))
    monkeypatch.setattr(type(painter), "velocity", lambda _, x, sigma, wish: x)
    seen: list[torch.Tensor] = []
    import keyweave.systems.dance.painting.subject as module

    real = module.paint

    def shown(painter: Any, wish: Any, **more: Any) -> torch.Tensor:
        seen.append(wish.hints)
        real(painter, wish, **more)
        return wish.hints

    monkeypatch.setattr(module, "paint", shown)
    made = mirrored(images, painter, lora, axis=32.0)
    plain = mirror_keyframes(images, axis=32.0, masker=lambda _: MASKS)
    assert len(made.pictures) == 4
    assert np.array_equal(made.masks, plain.masks)
    assert made.mirror.tolist() == [2, 3, 0, 1]
    drawn = [picture.pixels[..., 0] > 0 for picture in made.pictures]
    for k in range(2):
        box = plain.masks[k]
        assert drawn[k][box].sum() == drawn[2 + k][np.fliplr(box)].sum() > 0
    assert (drawn[0][:, 2:5] == drawn[2][:, 2:5]).mean() > 0.9, "the post stays"


def test_any_size_is_painted_and_given_back(painter: Any, images: list[Image], lora: SubjectLora):
    odd = [Image(image.pixels[:45, :61]) for image in images]
    assert {image.size for image in fitted(odd, painter)} == {(64, 48)}
    made = mirrored(odd, painter, lora, steps=1)
    assert {image.size for image in (*made.pictures, made.background)} == {(61, 45)}
    assert made.masks.shape == (4, 45, 61)
    large = fitted([Image(np.zeros((1500, 2000, 3), np.uint8))], painter)[0]
    assert large.size == (1184, 880)


def test_the_seed_decides(painter: Any, images: list[Image], lora: SubjectLora):
    first, again, other = (mirrored(images, painter, lora, steps=1, seed=seed).pictures[3].pixels for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_doors(painter: Any, images: list[Image], lora: SubjectLora, tmp_path: Path):
    with pytest.raises(InputError, match="^The scene of a subject cannot be empty"):
        Subject("marmot", " ")
    with pytest.raises(InputError, match="^There are no keyframes to mirror"):
        learnt([], painter, tmp_path)
    small = Image(images[0].pixels[:32])
    with pytest.raises(InputError, match="^Keyframes of a subject have one size; got 64x32, 64x48"):
        learnt([images[0], small], painter, tmp_path)
    with pytest.raises(InputError, match="^The number of epochs is 1 or more; got 0"):
        learnt(images, painter, tmp_path, epochs=0)
    with pytest.raises(InputError, match="^The number of steps is 1 or more; got 0"):
        mirrored(images, painter, lora, steps=0)
    learnt(images, painter, tmp_path, epochs=1)
    with pytest.raises(InputError, match=f"^{tmp_path} holds the training of another subject: it differs in rank"):
        learnt(images, painter, tmp_path, epochs=1, rank=3)
    with pytest.raises(ModelNotFound, match="^There is no learnt subject"):
        read_subject(tmp_path / "none.safetensors")


def test_files_that_hold_no_subject(lora: SubjectLora, tmp_path: Path):
    from safetensors.torch import save_file

    path = tmp_path / "x.safetensors"
    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(ModelError, match="is a safetensors file, but no subject that keyweave learnt"):
        read_subject(path)
    save_file({"a": torch.zeros(1)}, path, metadata={"keyweave subject": "{}"})
    with pytest.raises(ModelError, match="is a damaged subject: its card"):
        read_subject(path)
    save_file({"a": torch.zeros(1)}, path, metadata={"keyweave subject": lora.card.to_json(), "prompt": '"x"'})
    with pytest.raises(ModelError, match="is a damaged subject: it holds other things"):
        read_subject(path)
    name, matrix = next(iter(lora.matrices.items()))
    write_subject(path, replace(lora, matrices={**lora.matrices, name: matrix * float("nan")}), overwrite=True)
    with pytest.raises(ModelError, match=f"holds infinities or no numbers, first in {name}"):
        read_subject(path)
    path.write_text("no")
    with pytest.raises(ModelError, match="is not a safetensors file"):
        read_subject(path)


def test_a_subject_fits_only_the_models_that_it_was_learnt_on(painter: Any, lora: SubjectLora):
    with (
        low_rank(painter.networks, 3) as matrices,
        pytest.raises(
            ModelError, match="^The subject ohwx-marmot does not fit these models: they differ at controlnet.*attn"
        ),
    ):
        put(lora, matrices)
