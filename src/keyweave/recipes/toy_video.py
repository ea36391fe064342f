"""The recipe of `toy-video`: image-to-video in the drawn world, with the classes of Stable Video Diffusion."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

import torch

from keyweave.base.files import existing_file, replacing, replacing_folder
from keyweave.base.progress import SILENT, Progress
from keyweave.models.card import ModelCard, write_card
from keyweave.models.devices import hardware
from keyweave.models.finding import find
from keyweave.models.loading import lay_out, load
from keyweave.recipes import latents
from keyweave.recipes.autoencoder import AutoencoderTask, fresh_autoencoder
from keyweave.recipes.begun import autoencoder_of, begun, encoder_of, network_of, scale_of_begun
from keyweave.recipes.details import DetailTask
from keyweave.recipes.looks import LookTask, fresh_encoder, said_of
from keyweave.recipes.scores import video_scores
from keyweave.recipes.video import NOISE, VideoTask, family_scheduler, fresh_network
from keyweave.training.journal import read
from keyweave.training.loop import train, wait_for_all
from keyweave.training.plan import Plan

if TYPE_CHECKING:
    from pathlib import Path

    from diffusers.models.autoencoders.autoencoder_kl_temporal_decoder import AutoencoderKLTemporalDecoder
    from torch import nn
    from transformers import CLIPVisionModelWithProjection

    from keyweave.models.finding import Found
    from keyweave.perceive.features import ToyFeatures
    from keyweave.toyworld.scenes import Split
    from keyweave.training.task import Task

Stage = Literal["squares", "frames", "latents", "details", "looks", "motion"]
Learnt = Literal["squares", "frames", "details", "looks", "motion"]
# Shares of the time. The autoencoder bounds how sharp anything can be; motion wants to be seen again and again.
STAGES: dict[Stage, float] = {
    "squares": 0.15,
    "frames": 0.08,
    "latents": 0.1,
    "details": 0.08,
    "looks": 0.09,
    "motion": 0.5,
}
GOING_ON: tuple[Stage, ...] = ("latents", "details", "motion")  # what is done where a model is there already
LEARNT: tuple[Learnt, ...] = ("squares", "frames", "details", "looks", "motion")
HELD_OUT = 200  # clips of the validation split, as latents
_SQUARE, _WHOLE, _SQUARES = 32, 64, 4  # squares are cut out of several frames of each clip


@dataclass(frozen=True)
class Budget:
    """How much of each stage is done.

    Args:
        squares: steps of the autoencoder on squares cut out around actors, where it learns fast.
        frames: steps of the autoencoder on whole frames.
        clips: how many clips are encoded.
        first: the number of the first of them; those before it are left out.
        details: steps of the decoder alone, for these latents.
        looks: steps of the image encoder by itself, on first frames.
        motion: steps of the network.
        seed: decides all chance.
        tested: how many test clips it is measured on in the end.
        rises: steps of the network at which it was finished, and taken up again.
        noise: mean and spread of the logarithm of the noise that motion is learnt at, in hundredths.
    """

    squares: int = 1000
    frames: int = 600
    clips: int = 6000
    first: int = 0
    details: int = 1000
    looks: int = 2400
    motion: int = 4000
    seed: int = 0
    tested: int = 200
    rises: tuple[int, ...] = ()
    noise: tuple[int, ...] = tuple(round(100 * number) for number in NOISE)

    def __post_init__(self) -> None:
        """Refuse noise that is not two numbers."""
        if len(self.noise) != 2:
            raise ValueError(f"noise is a mean and a spread, two numbers; got {len(self.noise)}")

    def plan(self, stage: Learnt) -> Plan:
        """Return the numbers of a stage."""
        numbers: dict[Learnt, dict[str, Any]] = {
            "squares": {"batch": 8, "learning_rate": 2e-3, "warm_up": 40, "average": 0.995, "validate_every": 250},
            "frames": {"batch": 8, "learning_rate": 5e-4, "warm_up": 40, "average": 0.995},
            "details": {"batch": 8, "learning_rate": 5e-4, "warm_up": 40, "fall": 0.5, "average": 0.995},
            "looks": {"batch": 128, "learning_rate": 1e-3, "fall": 0.5, "average": 0.99, "validate_every": 250},
            # A slower average would still hold weights of the highest rate when that has fallen.
            "motion": {"batch": 24, "learning_rate": 1e-3, "fall": 0.3, "average": 0.99, "validate_every": 250},
        }
        rises = self.rises if stage == "motion" else ()
        given: dict[str, Any] = {"warm_up": 50, "keep_every": 100, "rises": rises, **numbers[stage]}
        return Plan(vars(self)[stage], follower="muon", seed=self.seed, **given)


def work(folder: Path, budget: Budget, *, share: tuple[int, int] = (0, 1), progress: Progress = SILENT) -> None:
    """Do all stages that are not done yet.

    Args:
        folder: where everything is kept; with a model to go on from (`begin_with`), only its decoder and what moves are
            learnt; no steps of details leave its decoder as it is.
        budget: how much of each stage.
        share: which of how many processes this is; all of them call this.
        progress: a part for each stage.
    """
    stages: tuple[Stage, ...] = tuple(STAGES)
    if begun(folder):
        stages = tuple(stage for stage in GOING_ON if stage != "details" or budget.details)
    whole = sum(STAGES[stage] for stage in stages)
    for stage in stages:
        with progress.part(stage, STAGES[stage] / whole) as part:
            if stage == "latents":
                _encode(folder, budget, share, part)
            else:
                _learn(folder, stage, budget, share, part)


def _learn(
    folder: Path,
    stage: Learnt,
    budget: Budget,
    share: tuple[int, int],
    progress: Progress,
) -> None:
    kept = folder / f"{stage}-{vars(budget)[stage]}.safetensors"
    if kept.exists():
        return
    task = _task(folder, stage, budget)
    train(task, budget.plan(stage), folder / stage, title=f"toy-video: {stage}", progress=progress)
    if share[0] == 0:
        _keep(task.model, kept)
    wait_for_all()  # the next stage of every process begins with what was kept


def _task(folder: Path, stage: Learnt, budget: Budget) -> Task:
    if stage == "motion":
        return motion_task(folder, budget)
    if stage == "details":
        clips, _ = latents.read(folder / "latents", budget.clips, begin=budget.first)
        return DetailTask(trained_autoencoder(folder, budget, "frames"), clips, begin=budget.first, seed=budget.seed)
    if stage == "looks":
        return look_task(budget.seed)
    if stage == "squares":
        return AutoencoderTask(fresh_autoencoder(budget.seed), size=_SQUARE, frames=_SQUARES, seed=budget.seed)
    return AutoencoderTask(trained_autoencoder(folder, budget, "squares"), size=_WHOLE, frames=1, seed=budget.seed)


def _encode(folder: Path, budget: Budget, share: tuple[int, int], progress: Progress) -> None:
    vae = trained_autoencoder(folder, budget, "frames").eval()
    lay_out(vae.encoder)
    total = -(-budget.clips // latents.TOGETHER // share[1]) + 1
    with progress.part("encoding", total=total) as part:
        wanted: tuple[tuple[Split, int, int], ...] = (
            ("validation", 0, HELD_OUT),
            ("train", budget.first, budget.clips),
        )
        for split, begin, count in wanted:
            latents.prepare(
                folder / "latents",
                vae,
                count,
                begin=begin,
                split=split,
                seed=budget.seed,
                share=share,
                progress=part,
            )
    wait_for_all()


def trained_autoencoder(folder: Path, budget: Budget, stage: Learnt) -> AutoencoderKLTemporalDecoder:
    """Return the autoencoder as it was after a stage; before details, that of the model which is gone on from."""
    found = begun(folder)
    if found and (stage != "details" or not budget.details):
        return autoencoder_of(found)
    return _filled(fresh_autoencoder(budget.seed), folder / f"{stage}-{vars(budget)[stage]}.safetensors")


def look_task(seed: int) -> LookTask:
    """Return what learns to see, from nothing."""
    from transformers import CLIPImageProcessor  # noqa: PLC0415 - an extra

    return LookTask(fresh_encoder(seed), CLIPImageProcessor(), seed=seed)


def motion_task(folder: Path, budget: Budget) -> VideoTask:
    """Return what learns motion, from latents that were made."""
    from transformers import CLIPImageProcessor  # noqa: PLC0415

    clips, firsts = latents.read(folder / "latents", budget.clips, begin=budget.first)
    others, their_firsts = latents.read(folder / "latents", HELD_OUT, split="validation")
    found, processor = begun(folder), CLIPImageProcessor()
    encoder = seeing_encoder(folder, budget).eval()
    return VideoTask(
        network_of(found) if found else fresh_network(budget.seed),
        latents=clips,
        seen=said_of(encoder, processor, firsts),
        scale=scale_in(folder, budget),
        held_out=(others, said_of(encoder, processor, their_firsts)),
        noise=(budget.noise[0] / 100, budget.noise[1] / 100),
        seed=budget.seed,
    )


def seeing_encoder(folder: Path, budget: Budget) -> CLIPVisionModelWithProjection:
    """Return the image encoder as it was after it learnt to see, or that of the model which is gone on from."""
    found = begun(folder)
    if found:
        return encoder_of(found)
    task = look_task(budget.seed)
    _filled(task.model, folder / f"looks-{budget.looks}.safetensors")
    return task.encoder


def scale_in(folder: Path, budget: Budget) -> float:
    """Return what brings the latents of a training to a spread of 1."""
    found = begun(folder)
    if found:
        return scale_of_begun(found)
    clips, _ = latents.read(folder / "latents", min(budget.clips, 1000), begin=budget.first)
    return scale_of(clips)


def scale_of(clips: torch.Tensor) -> float:
    """Return what brings latents (N, F, C, h, w) to a spread of 1."""
    return round(1 / float(clips[:, 0].float().std()), 4)


def finish(folder: Path, budget: Budget, judge: ToyFeatures, progress: Progress = SILENT) -> ModelCard:
    """Write the trained model to `folder/model`, measured as it is stored, with its card."""
    with replacing_folder(folder / "model", overwrite=True) as made:
        assemble(folder, budget, made)
        model = load(find(str(made.resolve())))
        scores = video_scores(model, judge, budget.tested, progress=progress)
        found = begun(folder)
        before = found.card if found else None
        learnt = [stage for stage in LEARNT if found is None or (stage in GOING_ON and vars(budget)[stage])]
        journals = {stage: read(folder / stage / "journal.jsonl") for stage in learnt}
        hours = sum(row["seconds"] for rows in journals.values() for row in rows) / 3600
        return write_card(
            made,
            ModelCard(
                name="toy-video",
                kind="image-to-video",
                says="Lets a picture of the drawn world go on: 14 frames of 64x64.",
                toy=True,
                data=f"{budget.clips:,} clips of 14 frames of 64x64, {_more_data(budget, found)}",
                recipe="keyweave train toy-video, with budget.json: "
                + ", ".join(f"{name} {value}" for name, value in vars(budget).items())
                + (f". It went on from {_recipe_of(found)}" if found else ""),
                seed=budget.seed,
                steps=sum(len(rows) for rows in journals.values()) + (before.steps if before else 0),
                hours=round(hours + (before.hours if before else 0), 2),
                hardware=hardware(model.unet.device),
                trained=datetime.now(UTC).date(),
                scores={name: round(value, 4) for name, value in scores.items()},
                limits="Knows the actors and places of the drawn world and nothing else.",
                license="Apache-2.0",
                base=_name_of(found) if found else None,
            ),
        )


def _more_data(budget: Budget, found: Found | None) -> str:
    if found:
        return f"drawn by keyweave.toyworld; before that: {found.card.data if found.card else 'unknown'}"
    looks = budget.looks * budget.plan("looks").batch
    return f"{looks:,} first frames, and as many frames as the autoencoder asked for, drawn by keyweave.toyworld"


def _recipe_of(found: Found) -> str:
    return f"a model with this recipe: {found.card.recipe}" if found.card else f"{_name_of(found)}, which has no card"


def _name_of(found: Found) -> str:
    return f"{found.card.name} of {found.card.trained}" if found.card else f"sha256 {found.mark().sha256}"


@torch.no_grad()
def assemble(folder: Path, budget: Budget, output: Path, *, weights: Path | None = None) -> None:
    """Write the model as diffusers' own pipeline loads it.

    Args:
        folder: of the training.
        budget: how it was trained.
        output: a folder that is there.
        weights: of the network; those at the end of the training without.
    """
    from diffusers.pipelines.stable_video_diffusion.pipeline_stable_video_diffusion import (  # noqa: PLC0415
        StableVideoDiffusionPipeline,
    )
    from transformers import CLIPImageProcessor  # noqa: PLC0415

    vae = trained_autoencoder(folder, budget, "details")
    vae.register_to_config(scaling_factor=scale_in(folder, budget))
    network = _filled(fresh_network(), weights or folder / f"motion-{budget.motion}.safetensors")
    scheduler = family_scheduler()
    parts: dict[str, Any] = {"vae": vae, "unet": network, "image_encoder": seeing_encoder(folder, budget)}
    for part in parts.values():
        part.to(torch.bfloat16)
    pipeline = StableVideoDiffusionPipeline(**parts, scheduler=scheduler, feature_extractor=CLIPImageProcessor())
    pipeline.save_pretrained(output, safe_serialization=True)


def _keep(model: nn.Module, path: Path) -> None:
    from safetensors.torch import save_file  # noqa: PLC0415 - an extra

    with replacing(path, overwrite=True) as part:
        save_file({name: tensor.detach().cpu() for name, tensor in model.state_dict().items()}, part)


def _filled(model: Any, path: Path) -> Any:
    from safetensors.torch import load_file  # noqa: PLC0415

    model.load_state_dict(load_file(existing_file(path)))
    return model
