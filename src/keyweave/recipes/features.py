"""The recipe of `toy-features`: who is in a clip of the drawn world, of what colour, and which way does time run?

A judge must look at the actors. So half of the scenes it learns from are moved to where their actors never are, or a
road alone would mean a car; some are empty and some melt, and then it must say that nobody is there; and some are worn
as made clips are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast, get_args

import cv2
import numpy as np
import torch
from torch.nn import functional

from keyweave.base.files import replacing_folder
from keyweave.base.progress import SILENT, Progress
from keyweave.base.seeds import derive
from keyweave.maths.tensors import HALF, to_tensor
from keyweave.models.card import ModelCard, write_card
from keyweave.models.devices import hardware
from keyweave.perceive.features import Seen, ToyFeatures, save_features
from keyweave.toyworld.actors import COLORS
from keyweave.toyworld.scenery import LIGHTS, Place
from keyweave.toyworld.scenes import KINDS, scene_of
from keyweave.toyworld.shots import shoot
from keyweave.training.journal import read
from keyweave.training.loop import Estimate, estimate, train
from keyweave.training.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor, nn

    from keyweave.toyworld.scenes import Scene, Split
    from keyweave.toyworld.shots import Shot

    Floats = NDArray[np.floating]

STEPS = 1600
SEEN = 24 / 64**2  # the share of a picture that an actor must fill to be recognised; a bud fills less
_PLACES: tuple[Place, ...] = get_args(Place)
_ELSEWHERE, _EMPTY, _MELTING, _WORN = 0.5, 0.06, 0.15, 0.5  # how often
_BATCH, _TOGETHER, _MEASURED, _TESTED = 16, 16, 96, 400


@dataclass(frozen=True)
class FeaturesBudget:
    """How much is learnt: so many steps; the seed decides all chance."""

    steps: int = STEPS
    seed: int = 0


def fresh_features(seed: int = 0) -> ToyFeatures:
    """Make an untrained network."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(seed, "features"))
        return ToyFeatures(KINDS, tuple(COLORS))


@dataclass(frozen=True, eq=False)
class Lesson:
    """A clip, and what should be said of it. Rows of zeros are not asked for.

    Args:
        clip: (T, 3, H, W) in [-1, 1].
        kinds: (K + 1,) how likely each kind, and nobody, is the right answer for the clip.
        colors: (C + 1,) the same.
        frame_kinds: (T, K + 1) the same of each frame.
        frame_colors: (T, C + 1) the same.
        forward: 1 if time runs forward, 0 if nobody could tell.
    """

    clip: Tensor
    kinds: Floats
    colors: Floats
    frame_kinds: Floats
    frame_colors: Floats
    forward: float


class FeaturesTask:
    """Learn to judge clips.

    Args:
        network: what learns.
        seed: decides all chance.
    """

    def __init__(self, network: ToyFeatures, *, seed: int = 0) -> None:
        self._network = network
        self._seed = seed

    @property
    def model(self) -> nn.Module:
        """What is trained."""
        return self._network

    def loss(self, samples: Sequence[int]) -> tuple[Tensor, dict[str, float]]:
        """Return the loss over lessons; reversed clips need none, since their answers are opposite anyway."""
        lessons = [lesson(number, self._seed) for number in samples]
        device = next(self._network.parameters()).device
        seen: Seen = self._network(torch.stack([one.clip for one in lessons]).to(device))
        faults = {
            name: _fault(getattr(seen, name), np.stack([getattr(one, name) for one in lessons]))
            for name in ("kinds", "colors", "frame_kinds", "frame_colors")
        }
        asked = torch.tensor([one.forward for one in lessons], device=device)
        faults["arrow"] = (functional.softplus(-seen.forward) * asked).sum() / asked.sum().clamp_min(1)
        return torch.stack(list(faults.values())).sum(), {name: float(fault.detach()) for name, fault in faults.items()}

    def validate(self, folder: Path, step: int) -> dict[str, float]:
        """Measure on clips that are never trained on."""
        del folder, step
        self._network.eval()
        found = judged(self._network, "validation", _MEASURED, seed=self._seed)
        self._network.train()
        return found


def lesson(number: int, seed: int = 0) -> Lesson:
    """Return what is learnt from the clip with a number of the training split."""
    chance = np.random.default_rng(derive(seed, "lesson", number))
    scene = scene_of("train", number, seed=seed)
    if chance.random() < _ELSEWHERE:
        scene = replace(scene, place=cast("Place", chance.choice(_PLACES)), light=str(chance.choice(list(LIGHTS))))
    if chance.random() < _EMPTY:
        scene = replace(scene, cast=())
    shot = shoot(scene, truth=True)
    kinds, colors = _answers(shot)
    frames = shot.frames.astype(np.float32)
    melts = bool(scene.cast) and chance.random() < _MELTING
    if melts:
        first = int(chance.integers(len(frames)))
        frames[first:] = _melted(shot, frames, chance)[first:]
        gone = (kinds[first:].sum(1) > 0)[:, None]
        kinds[first:], colors[first:] = gone * np.eye(len(KINDS) + 1)[-1], 0
    if chance.random() < _WORN:
        frames = _worn(frames, chance)
    return Lesson(
        clip=torch.from_numpy(np.moveaxis(frames, -1, 1).copy() / np.float32(HALF) - 1),
        kinds=kinds.mean(0) if melts else _shares([KINDS.index(role.kind) for role in scene.cast], len(KINDS)),
        colors=_shares([list(COLORS).index(role.color) for role in scene.cast], len(COLORS)),
        frame_kinds=kinds,
        frame_colors=colors,
        forward=float(bool(scene.cast) and not melts),
    )


def _answers(shot: Shot[Scene]) -> tuple[Floats, Floats]:
    """Return the right answers for each frame: those who are seen well; nobody; or none if somebody is hardly seen."""
    assert shot.truth is not None
    filled = np.asarray(shot.truth.masks().mean((2, 3)))  # (T, A)
    kinds, colors = np.zeros((len(filled), len(KINDS) + 1)), np.zeros((len(filled), len(COLORS) + 1))
    for frame, shares in enumerate(filled):
        if shares.max(initial=0) == 0 or shares.max() >= SEEN:
            who = [role for role, share in zip(shot.scene.cast, shares, strict=True) if share >= SEEN]
            kinds[frame] = _shares([KINDS.index(role.kind) for role in who], len(KINDS))
            colors[frame] = _shares([list(COLORS).index(role.color) for role in who], len(COLORS))
    return kinds, colors


def _shares(present: Sequence[int], count: int) -> Floats:
    """Return even shares (count + 1,) for what is present; all of it for the last if nothing is."""
    found = np.zeros(count + 1)
    for one in present or [count]:
        found[one] += 1 / max(1, len(present))
    return found


def _melted(shot: Shot[Scene], frames: Floats, chance: np.random.Generator) -> Floats:
    """Return frames whose actors have faded away, or run into one another as in a failed generation."""
    if chance.random() < 0.5:
        empty = shoot(replace(shot.scene, cast=())).frames
        return frames + np.float32(chance.uniform(0.8, 1.0)) * (empty - frames)
    assert shot.truth is not None
    height, width = frames.shape[1:3]
    push = cv2.GaussianBlur(chance.standard_normal((height, width, 2)).astype(np.float32), (0, 0), 2.5)
    push *= chance.uniform(4, 7) * height / 64 / push.std()
    y, x = np.mgrid[:height, :width].astype(np.float32)
    found = np.empty_like(frames)
    for number, (frame, masks) in enumerate(zip(frames, shot.truth.masks(), strict=True)):
        mask = cv2.dilate(masks.max(axis=0).astype(np.float32), np.ones((7, 7)))
        near = cv2.GaussianBlur(mask, (0, 0), 1.5)[..., None]
        stirred = cv2.remap(frame, x + push[..., 0], y + push[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        found[number] = frame + near * (cv2.GaussianBlur(stirred, (0, 0), 1.5) - frame)
    return found


def _worn(frames: Floats, chance: np.random.Generator) -> Floats:
    """Wear frames as a model does that is not perfect: a little blur, another tint, some noise."""
    blur = chance.uniform(0.3, 0.9)
    tint, shift = np.float32(chance.uniform(0.93, 1.07, 3)), np.float32(chance.uniform(-8, 8, 3))
    noise = np.float32(chance.uniform(0, 8)) * chance.standard_normal(frames.shape, np.float32)
    soft = np.stack([cv2.GaussianBlur(frame, (0, 0), blur) for frame in frames])
    return (soft * tint + shift + noise).clip(0, 255)


def _fault(said: Tensor, right: Floats) -> Tensor:
    """Return the mean cross entropy of logits (..., N) over the rows that have an answer."""
    answers = torch.from_numpy(right).to(said)
    return -(answers * said.log_softmax(-1)).sum() / answers.sum().clamp_min(1)


@torch.no_grad()
def judged(network: ToyFeatures, split: Split, count: int, *, seed: int = 0) -> dict[str, float]:
    """Return how often a judge is right about clips of a split.

    Where two actors are in a clip or frame, naming one of them is right.

    Args:
        network: the judge.
        split: which clips.
        count: how many.
        seed: another world.
    """
    right = dict[str, list[bool]]((name, []) for name in ("arrow", "kind", "color", "frame", "nobody"))
    for number in range(0, count, _TOGETHER):
        shots = [
            shoot(scene_of(split, k, seed=seed), truth=True) for k in range(number, min(number + _TOGETHER, count))
        ]
        empty = [shoot(replace(shot.scene, cast=()), frames=1).frames for shot in shots]
        seen = network(to_tensor(np.stack([shot.frames for shot in shots])))
        nobody = network(to_tensor(np.stack(empty))).frame_kinds.argmax(-1)
        right["nobody"] += (nobody == len(KINDS)).flatten().tolist()
        right["arrow"] += (seen.forward > 0).tolist()
        for row, shot in enumerate(shots):
            roles = shot.scene.cast
            right["kind"].append(KINDS[int(seen.kinds[row, :-1].argmax())] in {role.kind for role in roles})
            right["color"].append(list(COLORS)[int(seen.colors[row, :-1].argmax())] in {role.color for role in roles})
            kinds, colors = _answers(shot)
            for frame in np.flatnonzero(kinds[:, :-1].any(1)):
                kind, color = seen.frame_kinds[row, frame].argmax(), seen.frame_colors[row, frame].argmax()
                right["frame"].append(bool(kinds[frame, kind] > 0 and colors[frame, color] > 0))
    return {name: float(np.mean(rows)) for name, rows in right.items()}


def plan_of(steps: int, seed: int = 0) -> Plan:
    """Return the numbers of the training."""
    return Plan(
        steps, _BATCH, 2e-3, "muon", warm_up=30, fall=0.5, average=0.98, keep_every=25, validate_every=100, seed=seed
    )


def measured_features(seed: int = 0) -> Estimate:
    """Time a few steps; nothing is kept."""
    return estimate(FeaturesTask(fresh_features(seed), seed=seed), plan_of(STEPS, seed))


def make_features(folder: Path, steps: int = STEPS, seed: int = 0, progress: Progress = SILENT) -> ModelCard:
    """Train `toy-features`, or go on where that was stopped; measure it; write it to `folder/model` with its card."""
    network = fresh_features(seed)
    train(FeaturesTask(network, seed=seed), plan_of(steps, seed), folder, title="toy-features", progress=progress)
    network.to(torch.bfloat16).float().eval()  # measured as it is stored
    hours = sum(row["seconds"] for row in read(folder / "journal.jsonl")) / 3600
    card = ModelCard(
        name="toy-features",
        kind="features",
        says="Sees who is in a clip of the drawn world, of what colour, and which way time runs.",
        toy=True,
        data=f"{steps * plan_of(steps).batch:,} clips of 14 frames of 64x64, drawn by keyweave.toyworld",
        recipe=f"keyweave train toy-features, with budget.json: steps {steps}, seed {seed}",
        seed=seed,
        steps=steps,
        hours=round(hours, 3),
        hardware=hardware(next(network.parameters()).device),
        trained=datetime.now(UTC).date(),
        scores={
            f"{name} right, {_TESTED} test clips": round(share, 4)
            for name, share in judged(network.cpu(), "test", _TESTED, seed=seed).items()
        },
        limits="Knows the actors of the drawn world and nothing else; its distances say nothing about photographs.",
        license="Apache-2.0",
    )
    with replacing_folder(folder / "model", overwrite=True) as made:
        save_features(network, made)
        return write_card(made, card)
