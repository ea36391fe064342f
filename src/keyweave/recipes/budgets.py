"""How much of each stage of `toy-video` fits into a time, as measured."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from keyweave.diffusion.vae import encode
from keyweave.models.loading import lay_out
from keyweave.recipes.autoencoder import CHANNELS, AutoencoderTask, fresh_autoencoder
from keyweave.recipes.details import DetailTask
from keyweave.recipes.looks import TOLD
from keyweave.recipes.toy_video import GOING_ON, STAGES, Budget, look_task
from keyweave.recipes.video import FRAMES, VideoTask, fresh_network
from keyweave.training.loop import estimate

if TYPE_CHECKING:
    from keyweave.training.plan import Plan
    from keyweave.training.task import Task

_FEWEST_CLIPS = 200
_TESTED = 1.1  # test clips for a minute of training: they take seconds each


@dataclass(frozen=True)
class Measured:
    """What one process of this machine takes.

    Args:
        squares: seconds for a step of the autoencoder on squares.
        frames: the same on whole frames.
        clip: seconds to encode a clip.
        details: seconds for a step of the decoder alone.
        looks: seconds for a step of the image encoder by itself.
        motion: seconds for a step of the network.
        bytes: what the largest of the trained networks takes with its gradients and averages.
    """

    squares: float
    frames: float
    clip: float
    details: float
    looks: float
    motion: float
    bytes: int

    def budget(self, minutes: float, processes: int, seed: int, *, going_on: bool = False) -> Budget:
        """Return what fits into a time; going on from a model, all of it is for its decoder, clips and motion."""
        all_of_it = sum(STAGES[stage] for stage in GOING_ON) if going_on else 1.0
        seconds = 60 * minutes * processes / all_of_it
        clips = max(_FEWEST_CLIPS, 100 * int(seconds * STAGES["latents"] / self.clip / 100))
        details = max(1, int(seconds * STAGES["details"] / self.details))
        motion = max(1, int(seconds * STAGES["motion"] / self.motion))
        tested = min(200, max(8, int(_TESTED * minutes)))
        if going_on:
            none = dict.fromkeys(("squares", "frames", "looks"), 0)
            return Budget(**none, clips=clips, details=details, motion=motion, seed=seed, tested=tested)
        return Budget(
            squares=max(1, int(seconds * STAGES["squares"] / self.squares)),
            frames=max(1, int(seconds * STAGES["frames"] / self.frames)),
            clips=clips,
            details=details,
            looks=max(1, int(seconds * STAGES["looks"] / self.looks)),
            motion=motion,
            seed=seed,
            tested=tested,
        )


def measure(seed: int = 0) -> Measured:
    """Time a few steps of every stage on one thread; nothing is kept."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        model = fresh_autoencoder(seed)
        plans = Budget(seed=seed)
        squares = _timed(AutoencoderTask(model, size=32, frames=4, seed=seed), plans.plan("squares"))
        frames = _timed(AutoencoderTask(model, size=64, frames=1, seed=seed), plans.plan("frames"))
        lay_out(model.encoder)
        with torch.no_grad():
            began = time.perf_counter()
            encode(model, torch.zeros(FRAMES, 3, 64, 64))
            clip = time.perf_counter() - began
        details = _timed(DetailTask(model, torch.zeros(24, FRAMES, CHANNELS, 8, 8), seed=seed), plans.plan("details"))
        looks = _timed(look_task(seed), plans.plan("looks"))
        motion = _timed(_motion(seed), plans.plan("motion"))
    finally:
        torch.set_num_threads(before)
    largest = max(size for _, size in (squares, frames, details, looks, motion))
    return Measured(squares[0], frames[0], clip, details[0], looks[0], motion[0], largest)


def _timed(task: Task, plan: Plan) -> tuple[float, int]:
    found = estimate(task, plan)
    return found.seconds, found.bytes


def _motion(seed: int) -> VideoTask:
    clips, seen = torch.zeros(24, FRAMES, CHANNELS, 8, 8), torch.zeros(24, TOLD)
    return VideoTask(fresh_network(seed), latents=clips, seen=seen, scale=1.0, held_out=(clips, seen), seed=seed)
