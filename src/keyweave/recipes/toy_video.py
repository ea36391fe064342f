"""The recipe of `toy-video`: image-to-video in the drawn world, with the classes of Stable Video Diffusion."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import torch

from keyweave.base.errors import InputError
from keyweave.base.files import existing_file, replacing, replacing_folder, write_text
from keyweave.base.progress import SILENT, Progress
from keyweave.recipes import latents
from keyweave.recipes.autoencoder import AutoencoderTask, fresh_autoencoder
from keyweave.recipes.video import VideoTask, fresh_encoder, fresh_network
from keyweave.training.loop import train
from keyweave.training.plan import Plan

if TYPE_CHECKING:
    from pathlib import Path

    from diffusers.models.autoencoders.autoencoder_kl_temporal_decoder import AutoencoderKLTemporalDecoder
    from torch import nn

    from keyweave.toyworld.scenes import Split

Stage = Literal["squares", "frames", "latents", "motion"]
STAGES: tuple[Stage, ...] = ("squares", "frames", "latents", "motion")
HELD_OUT = 200  # clips of the validation split, as latents
_SQUARE, _WHOLE, _SQUARES = 32, 64, 4  # squares are cut out of several frames of each clip
_CARD = "budget.json"


@dataclass(frozen=True)
class Budget:
    """How much of each stage is done.

    Args:
        squares: steps of the autoencoder on squares cut out around actors, where it learns fast.
        frames: steps of the autoencoder on whole frames.
        clips: how many clips are encoded.
        motion: steps of the network.
        seed: decides all chance.
    """

    squares: int = 1000
    frames: int = 300
    clips: int = 6000
    motion: int = 4000
    seed: int = 0

    def plan(self, stage: Literal["squares", "frames", "motion"]) -> Plan:
        """Return the numbers of a stage."""
        plans = {
            "squares": Plan(self.squares, 8, 2e-3, warm_up=40, average=0.995, keep_every=100, validate_every=250),
            "frames": Plan(self.frames, 8, 5e-4, warm_up=40, average=0.995, keep_every=100),
            "motion": Plan(
                self.motion, 24, 1e-3, warm_up=50, fall=0.3, average=0.999, keep_every=100, validate_every=250
            ),
        }
        return replace(plans[stage], follower="muon", seed=self.seed)


def write_budget(folder: Path, budget: Budget) -> None:
    """Keep a budget, so that whoever goes on does the same."""
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / _CARD, json.dumps(vars(budget), indent=2) + "\n", overwrite=True)


def read_budget(folder: Path) -> Budget | None:
    """Return the budget of a training that was begun; None if there is none."""
    path = folder / _CARD
    if not path.exists():
        return None
    try:
        return Budget(**json.loads(existing_file(path).read_text(encoding="utf-8")))
    except (ValueError, TypeError):
        raise InputError(f"{path} is no budget of a training.", "Name a new folder, or mend the file.") from None


def work(folder: Path, budget: Budget, *, share: tuple[int, int] = (0, 1), progress: Progress = SILENT) -> None:
    """Do all stages that are not done yet.

    Args:
        folder: where everything is kept.
        budget: how much of each stage.
        share: which of how many processes this is; all of them call this.
        progress: a part for each stage.
    """
    for stage in STAGES:
        if stage == "latents":
            _encode(folder, budget, share, progress)
        else:
            _learn(folder, stage, budget, share, progress)


def _learn(
    folder: Path,
    stage: Literal["squares", "frames", "motion"],
    budget: Budget,
    share: tuple[int, int],
    progress: Progress,
) -> None:
    kept = folder / f"{stage}-{vars(budget)[stage]}.safetensors"
    if kept.exists():
        return
    task = motion_task(folder, budget) if stage == "motion" else _autoencoder_task(folder, stage, budget)
    train(task, budget.plan(stage), folder / stage, title=f"toy-video: {stage}", progress=progress)
    if share[0] == 0:
        _keep(task.model, kept)


def _autoencoder_task(folder: Path, stage: Literal["squares", "frames"], budget: Budget) -> AutoencoderTask:
    if stage == "squares":
        return AutoencoderTask(fresh_autoencoder(budget.seed), size=_SQUARE, frames=_SQUARES, seed=budget.seed)
    model = _filled(fresh_autoencoder(budget.seed), folder / f"squares-{budget.squares}.safetensors")
    return AutoencoderTask(model, size=_WHOLE, frames=1, seed=budget.seed)


def _encode(folder: Path, budget: Budget, share: tuple[int, int], progress: Progress) -> None:
    from accelerate import PartialState  # noqa: PLC0415 - an extra

    vae = trained_autoencoder(folder, budget)
    total = -(-budget.clips // latents.TOGETHER // share[1]) + 1
    with progress.part("encoding", total=total) as part:
        wanted: tuple[tuple[Split, int], ...] = (("validation", HELD_OUT), ("train", budget.clips))
        for split, count in wanted:
            latents.prepare(folder / "latents", vae, count, split=split, seed=budget.seed, share=share, progress=part)
    PartialState().wait_for_everyone()


def trained_autoencoder(folder: Path, budget: Budget) -> AutoencoderKLTemporalDecoder:
    """Return the autoencoder as it was after its last stage."""
    return _filled(fresh_autoencoder(budget.seed), folder / f"frames-{budget.frames}.safetensors").eval()


def motion_task(folder: Path, budget: Budget) -> VideoTask:
    """Return what learns motion, from latents that were made."""
    from transformers import CLIPImageProcessor  # noqa: PLC0415 - an extra

    clips, firsts = latents.read(folder / "latents", budget.clips)
    return VideoTask(
        fresh_network(budget.seed),
        fresh_encoder(budget.seed),
        CLIPImageProcessor(),
        latents=clips,
        firsts=firsts,
        scale=scale_of(clips),
        held_out=latents.read(folder / "latents", HELD_OUT, split="validation"),
        seed=budget.seed,
    )


def scale_of(clips: torch.Tensor) -> float:
    """Return what brings latents (N, F, C, h, w) to a spread of 1."""
    return round(1 / float(clips[:, 0].float().std()), 4)


@torch.no_grad()
def assemble(folder: Path, budget: Budget, output: Path, *, weights: Path | None = None) -> None:
    """Write the model as a folder that the pipeline of diffusers loads.

    Args:
        folder: of the training.
        budget: how it was trained.
        output: the new folder.
        weights: of the network and the encoder; those at the end of the training without.
    """
    from diffusers.pipelines.stable_video_diffusion.pipeline_stable_video_diffusion import (  # noqa: PLC0415
        StableVideoDiffusionPipeline,
    )
    from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler  # noqa: PLC0415
    from transformers import CLIPImageProcessor  # noqa: PLC0415

    vae = trained_autoencoder(folder, budget)
    clips, _ = latents.read(folder / "latents", min(budget.clips, 1000))
    vae.register_to_config(scaling_factor=scale_of(clips))
    both = torch.nn.ModuleDict({"unet": fresh_network(), "image_encoder": fresh_encoder()})
    _filled(both, weights or folder / f"motion-{budget.motion}.safetensors")
    scheduler = EulerDiscreteScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type="v_prediction",
        interpolation_type="linear",
        use_karras_sigmas=True,
        timestep_spacing="leading",
        timestep_type="continuous",
        steps_offset=1,
        sigma_min=0.002,
        sigma_max=700.0,
    )
    parts: dict[str, Any] = {"vae": vae, "unet": both["unet"], "image_encoder": both["image_encoder"]}
    for part in parts.values():
        part.to(torch.bfloat16)
    with replacing_folder(output, overwrite=True) as made:
        pipeline = StableVideoDiffusionPipeline(**parts, scheduler=scheduler, feature_extractor=CLIPImageProcessor())
        pipeline.save_pretrained(made, safe_serialization=True)


def _keep(model: nn.Module, path: Path) -> None:
    from safetensors.torch import save_file  # noqa: PLC0415 - an extra

    with replacing(path, overwrite=True) as part:
        save_file({name: tensor.detach().cpu() for name, tensor in model.state_dict().items()}, part)


def _filled(model: Any, path: Path) -> Any:
    from safetensors.torch import load_file  # noqa: PLC0415

    model.load_state_dict(load_file(existing_file(path)))
    return model
