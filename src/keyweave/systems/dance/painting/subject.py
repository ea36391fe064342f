"""Keyframes painted anew, and mirrored, by a text-to-image model that has learnt their subject (thesis, 7.2.2)."""

from __future__ import annotations

import hashlib
import json
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch
from torch import nn

from keyweave.base.errors import InputError
from keyweave.base.files import write_text
from keyweave.base.progress import SILENT, Progress
from keyweave.base.seeds import derive
from keyweave.maths.tensors import to_frames, to_tensor
from keyweave.media.fit import fit
from keyweave.media.pictures.images import write_image
from keyweave.media.types import Image
from keyweave.metrics.fidelity import psnr
from keyweave.models.card import ModelCard
from keyweave.models.devices import hardware
from keyweave.models.subject_lora import SubjectLora, begin, low_rank, put, write_subject
from keyweave.perceive.masks import Masker, subject_masks
from keyweave.systems.dance.mirror import empty_scene, mirror_keyframes
from keyweave.systems.dance.painting.edges import as_picture, canny, drawings
from keyweave.systems.dance.painting.painter import Wish, paint
from keyweave.training.journal import read as read_journal
from keyweave.training.loop import train
from keyweave.training.order import Order
from keyweave.training.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from torch import Tensor

    from keyweave.media.types import Frame
    from keyweave.systems.dance.mirror import Mirrored
    from keyweave.systems.dance.painting.painter import Painter, Size

EPOCHS, RANK = 500, 16  # the thesis's
STEPS = 28  # of painting
FILE = "subject.safetensors"
_ASKED = "subject.json"
_RATE = 1e-4
_MOST = 1024 * 1024  # pixels of a picture: what the released models were made for
_UNGUIDED = 1.0  # models learn without guidance, which would count twice when they paint


@dataclass(frozen=True)
class Subject:
    """Who is painted, and where.

    Args:
        name: what the subject is one of, such as `marmot`.
        scene: where it dances, such as `with an alpine landscape as background`.
        word: a word without a meaning of its own, which comes to mean this very subject.
    """

    name: str
    scene: str
    word: str = "ohwx"

    def __post_init__(self) -> None:
        for name, words in asdict(self).items():
            if not words.strip():
                raise InputError(f"The {name} of a subject cannot be empty.", "Such as marmot, on an alpine meadow.")

    @property
    def prompt(self) -> str:
        """The words that it is learnt and painted by."""
        return f"A photo of {self.word} {self.name} dancing {self.scene.rstrip('. ')}."


class SubjectTask:
    """Pictures that are learnt by heart, each with its edges: at every level of noise, the way to the picture.

    Args:
        painter: its networks carry `matrices`.
        frames: (H, W, 3) of a size that it paints.
        prompt: what they all show.
        matrices: what learns.
        seed: decides all chance.
        steps: of the painting that a validation does.
    """

    def __init__(
        self,
        painter: Painter,
        frames: Sequence[Frame],
        prompt: str,
        matrices: Mapping[str, nn.Parameter],
        *,
        seed: int = 0,
        steps: int = STEPS,
    ) -> None:
        self.model = nn.ParameterList(matrices.values())
        self._painter, self._seed, self._steps, self._frames = painter, seed, steps, frames
        self._size = frames[0].shape[1], frames[0].shape[0]
        self._order = Order(len(frames), seed)
        self._words = painter.words(prompt)
        self._latents = [painter.latents(to_tensor(frame)[None]) for frame in frames]
        self._hints = [painter.hints(to_tensor(as_picture(canny(frame)))[None]) for frame in frames]

    def loss(self, samples: Sequence[int]) -> tuple[Tensor, dict[str, float]]:
        """Return the mean squared error of the velocity."""
        rows = [self._order.row(number) for number in samples]
        x = torch.cat([self._latents[row] for row in rows])
        noise, sigma = (torch.cat(each).to(x) for each in zip(*map(self._chance, samples), strict=True))
        level = sigma[:, None, None]
        wish = Wish(self._words, torch.cat([self._hints[row] for row in rows]), self._size, _UNGUIDED)
        found = self._painter.velocity((1 - level) * x + level * noise, sigma, wish)
        return nn.functional.mse_loss(found.float(), noise - x), {}

    def validate(self, folder: Path, step: int) -> dict[str, float]:
        """Paint the first picture by its edges, and measure how like it is."""
        wish = Wish(self._words, self._hints[0], self._size, self._painter.guidance)
        frame = to_frames(paint(self._painter, wish, seed=self._seed, steps=self._steps))[0]
        pair = np.concatenate([self._frames[0], frame], axis=1)
        write_image(folder / f"painted-{step:06d}.png", Image(pair), overwrite=True)
        return {"psnr_db": psnr(self._frames[0], frame)}

    def _chance(self, number: int) -> tuple[Tensor, Tensor]:
        """Draw noise (1, L, C) and its level (1,), most often a middle one (logit-normal; Esser et al. 2024)."""
        chance = torch.Generator().manual_seed(derive(self._seed, "subject", number))
        noise = torch.randn(self._latents[0].shape, generator=chance)
        return noise, torch.randn(1, generator=chance).sigmoid()


def train_subject(
    images: Sequence[Image],
    painter: Painter,
    subject: Subject,
    folder: Path,
    *,
    epochs: int = EPOCHS,
    rank: int = RANK,
    seed: int = 0,
    checkpointing: bool | None = None,
    steps: int = STEPS,
    progress: Progress = SILENT,
) -> SubjectLora:
    """Let a painter learn a subject and its scene by heart, or go on where that was stopped.

    Args:
        images: keyframes of one size.
        painter: its networks are as they were afterwards.
        subject: who and where.
        folder: where checkpoints, a journal and in the end the subject are kept.
        epochs: how often each keyframe is looked at.
        rank: of the changes that are learnt.
        seed: decides all chance.
        checkpointing: compute parts twice, for want of memory; on a GPU, if not said.
        steps: of the picture that is painted in the end, to see what was learnt.
        progress: a step for each step.

    Returns:
        What was learnt, which also lies in `folder/subject.safetensors`.
    """
    frames = [image.pixels for image in fitted(images, painter)]
    _refuse_none(epochs=epochs, rank=rank, steps=steps)
    total = epochs * len(frames)
    plan = Plan(steps=total, batch=1, learning_rate=_RATE, warm_up=min(100, total // 10), seed=seed)
    _keep_asked(folder, _asked(frames, painter, subject, rank, seed))
    if painter.device.startswith("cuda"):
        torch.cuda.set_device(painter.device)  # accelerate trains on the GPU that is the current one
    with low_rank(painter.networks, rank) as matrices, _checkpointing(painter, checkpointing):
        begin(matrices, seed)
        task = SubjectTask(painter, frames, subject.prompt, matrices, seed=seed, steps=steps)
        train(
            task,
            plan,
            folder,
            title=f"subject: {subject.word} {subject.name}",
            cpu=painter.device == "cpu",
            progress=progress,
        )
        found = {name: matrix.detach().cpu().clone() for name, matrix in matrices.items()}
    hours = sum(row["seconds"] for row in read_journal(folder / "journal.jsonl")) / 3600
    lora = SubjectLora(found, subject.prompt, _card(subject, painter, plan, len(frames), hours))
    write_subject(folder / FILE, lora, overwrite=True)
    return lora


def mirror_by_painting(
    images: Sequence[Image],
    painter: Painter,
    lora: SubjectLora,
    *,
    axis: float | None = None,
    masker: Masker = subject_masks,
    seed: int = 0,
    steps: int = STEPS,
    guidance: float | None = None,
    progress: Progress = SILENT,
) -> Mirrored:
    """Paint keyframes anew, and their mirrored ones, by edges before one background (thesis, 7.2.2).

    Args:
        images: of one size, taken by a camera that stands still.
        painter: its networks are as they were afterwards.
        lora: the subject, as `train_subject` learnt it.
        axis: in pixels from the left border; the middle of where the subjects are without.
        masker: who finds the subjects.
        seed: decides the noise that all pictures begin with.
        steps: of each painting.
        guidance: how much the prompt counts; what is usual for the painter if not given.
        progress: a step for each picture.
    """
    _refuse_none(steps=steps)
    # Composited first: that finds masks, axis and what leaves the picture, and refuses what cannot be mirrored.
    plain = mirror_keyframes(images, axis=axis, masker=masker, keep=True)
    inner = fitted(images, painter)
    size, whole = inner[0].size, images[0].size
    masks = np.stack([_resized(mask, size) for mask in plain.masks[: len(images)]])
    drawn = drawings([image.pixels for image in inner], masks, plain.axis * size[0] / whole[0])
    strength = painter.guidance if guidance is None else guidance
    made = []
    with low_rank(painter.networks, lora.rank) as matrices:
        put(lora, matrices)
        words = painter.words(lora.prompt)
        for edges in progress.each(list(as_picture(drawn.pictures)), "painting"):
            wish = Wish(words, painter.hints(to_tensor(edges)[None]), size, strength)
            picture = to_frames(paint(painter, wish, seed=seed, steps=steps))[0]
            made.append(fit(Image(picture), whole, "stretch"))
    background = empty_scene([image.pixels for image in made], plain.masks)
    return replace(plain, pictures=tuple(made), background=Image(background))


def fitted(images: Sequence[Image], painter: Painter) -> list[Image]:
    """Bring keyframes to a size that a painter paints: as large as they are, if it can."""
    if not images:
        raise InputError("There are no keyframes to mirror.")
    sizes = {image.size for image in images}
    if len(sizes) != 1:
        words = ", ".join(sorted(f"{width}x{height}" for width, height in sizes))
        raise InputError(f"Keyframes of a subject have one size; got {words}.", "Fit them to one size first.")
    (whole,) = sizes
    scale = min(1.0, (_MOST / (whole[0] * whole[1])) ** 0.5)
    width, height = (max(1, round(side * scale / painter.step)) * painter.step for side in whole)
    return [fit(Image(image.pixels[..., :3]), (width, height), "stretch") for image in images]


def _refuse_none(**counts: int) -> None:
    for name, count in counts.items():
        if count < 1:
            raise InputError(f"The number of {name} is 1 or more; got {count}.")


def _resized(mask: np.ndarray, size: Size) -> np.ndarray:
    return cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA) >= 0.5


def _asked(frames: Sequence[Frame], painter: Painter, subject: Subject, rank: int, seed: int) -> dict[str, Any]:
    sums = [hashlib.sha256(frame.tobytes()).hexdigest() for frame in frames]
    return {"prompt": subject.prompt, "models": list(painter.refs), "rank": rank, "seed": seed, "pictures": sums}


def _keep_asked(folder: Path, asked: dict[str, Any]) -> None:
    """Write down what a training was begun with, or refuse to go on with anything else."""
    path = folder / _ASKED
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(asked, indent=2) + "\n")
        return
    try:
        before = json.loads(path.read_bytes())
    except ValueError:
        before = {}
    other = [name for name, value in asked.items() if before.get(name) != value]
    if other:
        raise InputError(
            f"{folder} holds the training of another subject: it differs in {', '.join(other)}.",
            "Go on with the same options, or name a new folder.",
        )


@contextmanager
def _checkpointing(painter: Painter, wanted: bool | None) -> Iterator[None]:
    networks: list[Any] = (
        list(painter.networks.values()) if wanted or (wanted is None and painter.device != "cpu") else []
    )
    for network in networks:
        network.enable_gradient_checkpointing()
    try:
        yield
    finally:
        for network in networks:
            network.disable_gradient_checkpointing()


def _card(subject: Subject, painter: Painter, plan: Plan, count: int, hours: float) -> ModelCard:
    return ModelCard(
        name=f"{subject.word}-{subject.name.replace(' ', '-')}",
        kind="adapter",
        says=f"Lets a text-to-image model paint one {subject.name}: {subject.prompt}",
        data=f"{count} keyframes",
        recipe="keyweave dance mirror --by {} --control {}".format(*painter.refs) + f", {plan.steps // count} epochs",
        seed=plan.seed,
        steps=plan.steps,
        hours=round(hours, 3),
        hardware=hardware(painter.device),
        trained=datetime.now(UTC).date(),
        limits="It has learnt a few pictures by heart, and paints only what they show.",
        license="NOASSERTION",  # that of the model, whose derivative it is
        base=" with ".join(painter.refs),
    )
