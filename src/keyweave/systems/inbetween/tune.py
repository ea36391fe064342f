"""Fine-tuning the backward branch on people's own clips: the story of `keyweave train inbetween`."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from keyweave.base.errors import InputError
from keyweave.base.files import replacing_folder, settle_folder
from keyweave.base.peak import peak_bytes
from keyweave.base.progress import SILENT, Progress
from keyweave.base.seeds import derive
from keyweave.diffusion.denoisers import sigmas_of
from keyweave.diffusion.image_to_video import pictures_of
from keyweave.diffusion.told import TOLD
from keyweave.maths.tensors import to_frames
from keyweave.media.pictures.images import write_image
from keyweave.media.sheet import strip
from keyweave.media.writers import write_clip
from keyweave.models.adapters import FILE, Adapter, checksum_of_base, write_adapter
from keyweave.models.card import digest, write_card
from keyweave.models.devices import choose
from keyweave.models.finding import find
from keyweave.models.loading import load
from keyweave.systems.inbetween.dual import Backward
from keyweave.systems.inbetween.encoded import Shelf, clear, joined, prepare, read
from keyweave.systems.inbetween.footage import DRAWN, Cutting, find_footage, reels_of_clips, reels_of_scenes
from keyweave.systems.inbetween.generate import between
from keyweave.systems.inbetween.lineage import begin_with, begun_with, card_of, refuse_unlike
from keyweave.systems.inbetween.presets import PRESETS
from keyweave.systems.inbetween.train import PARTS, BackwardTask, Clips, Noising
from keyweave.systems.inbetween.tuning import (
    STEPS,
    TuneOptions,
    Windows,
    going_on,
    keep_options,
    keep_windows,
    refuse_others,
)
from keyweave.training.journal import read as read_journal
from keyweave.training.loop import estimate, steps_done, train, wait_for_all, within
from keyweave.training.plan import Plan

if TYPE_CHECKING:
    from keyweave.media.types import Frame
    from keyweave.models.card import ModelCard
    from keyweave.models.finding import Found
    from keyweave.models.loading import VideoModel
    from keyweave.systems.inbetween.footage import Reel
    from keyweave.systems.inbetween.lineage import Begun

    _Sides = tuple[list[Reel], list[Reel]]

_DTYPES = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}
_LEVELS = 1000  # that "uniform" chooses from
_DRAWN_PAIRS = 2  # on the sheets
_WIDEST_TOY, _RELEASED = 512, (1024, 576)  # released models name a square that they were not made for
_ENCODING = 0.1  # the share of the work
_ROWS = ("clip", "made")


@dataclass(frozen=True)
class Measured:
    """What a training would take.

    Args:
        trained: weights that learn.
        whole: weights of the network.
        steps: how many.
        seconds: for one step.
        bytes: of memory, on the device; on a CPU all that the program has.
        clips: files that were found; clips to be drawn.
    """

    trained: int
    whole: int
    steps: int
    seconds: float
    bytes: int
    clips: int


class TunedTask(BackwardTask):
    """The same, which draws what it has learnt besides measuring it."""

    def draw_with(self, model: VideoModel, pairs: Clips) -> None:
        """Draw in-betweens of these clips' ends at every validation."""
        self._model, self._pairs = model, pairs

    def validate(self, folder: Path, step: int) -> dict[str, float]:
        """Measure on held-out clips, and draw some of them: as they are, and as they are made from their ends."""
        pairs = [self._drawn(number) for number in range(len(self._pairs.latents))]
        rows = [(name, list(frames)) for pair in pairs for name, frames in zip(_ROWS, pair, strict=True)]
        sheet = strip(rows, title=f"held-out clips, step {step}", cell_width=128)
        write_image(folder / f"between-{step:06d}.png", sheet, overwrite=True)
        beside = np.concatenate([np.concatenate(pair, axis=1) for pair in pairs], axis=2)
        write_clip(folder / f"between-{step:06d}.mp4", beside, Fraction(TOLD.fps), overwrite=True)
        return self.measured()

    @torch.no_grad()
    def _drawn(self, number: int) -> tuple[Frame, Frame]:
        """Return a clip as it is, and as it is made from its ends, (F, H, W, 3) each; one at a time needs least."""
        latents = self._pairs.latents[[number]].float().to(self._model.place.device)
        chunk = latents.shape[1] if max(latents.shape[3:]) <= _WIDEST_TOY // 8 else 4
        real = pictures_of(self._model.vae, latents * self._model.vae.config["scaling_factor"], chunk=chunk)
        made = between(
            self._model,
            real[:, 0],
            real[:, -1],
            seed=number,
            sampling=replace(PRESETS["draft"], sketch="none"),  # what was learnt is to be seen
            backward=Backward(self.rotated, self.branch.weights),
            in_turn=True,
            chunk=chunk,
        )
        return to_frames(real[0]), to_frames(made[0])


def tune(options: TuneOptions, folder: Path, progress: Progress = SILENT, *, latents: Path | None = None) -> ModelCard:
    """Fine-tune the backward branch, or go on where that was stopped; write it to `folder/adapter` with its card.

    Args:
        options: what on and how.
        folder: where everything is kept: latents, checkpoints, a journal, pictures, and the adapter in the end.
        progress: parts for encoding and for training.
        latents: a folder of latents that several trainings share, none of which clears it; without, one in `folder`.

    Returns:
        The card of the adapter.

    Raises:
        InputError: there are too few clips, or the folder holds a training with other options or on other clips.
        ModelNotFound: the model is not at hand.
    """
    options = going_on(folder, options)
    paths, begun = _paths(options, progress), begun_with(options)  # wrong names are told before gigabytes are loaded
    found, model = _model_of(options, progress)
    if begun:
        refuse_unlike(begun, model.unet, options)  # before clips are encoded
    cutting = cutting_of(options, model)
    reels, shelf = _reels(options, cutting, paths), _shelf_of(found, model, latents or folder / "latents")
    windows = _windows_of(found, shelf, reels, begun)
    refuse_others(folder, windows)  # before anything that it learnt from is cleared away
    with progress.part("clips", _ENCODING) as part:
        clips, held_out = _clips(options, cutting, reels, shelf, part)
    if latents is None and _share()[0] == 0:
        clear(shelf, reels[0] + reels[1])
    task = _task(options, model, clips, held_out)
    if begun:
        begin_with(begun, task, found, progress)
    task.draw_with(model, held_out.take(range(min(_DRAWN_PAIRS, len(held_out.latents)))))
    if options.steps is None:
        steps = _steps(options, task, progress, cpu=_on_cpu(model))
        options = options.model_copy(update={"steps": steps, "minutes": None})
    before = task.measured()
    plan = plan_of(options)
    steps_done(folder, plan)  # what is refused leaves the options as they were
    main = _share()[0] == 0
    if main:
        keep_options(folder, options)
        keep_windows(folder, windows)
    with progress.part("steps", 1 - _ENCODING) as part:
        train(task, plan, folder, title=f"inbetween: {found.name}", cpu=_on_cpu(model), progress=part)
    differences = task.branch.rounded()
    if not all(one.isfinite().all() for row in differences.values() for one in row.values()):
        raise InputError(
            f"In what {folder} has learnt, some weights are infinite or no number; no adapter is written.",
            "Take a lower --learning-rate, in a new folder.",
        )
    card = card_of(
        options,
        found,
        model.place.device,
        clips=f"{len(clips.latents):,} clips of {cutting.frames} frames of {cutting.size[0]}x{cutting.size[1]}",
        hours=sum(row["seconds"] for row in read_journal(folder / "journal.jsonl")) / 3600,
        begun=begun,
        scores={"before": before, "after": task.measured()},
    )
    if main:
        settle_folder(folder / "adapter")
        with replacing_folder(folder / "adapter", overwrite=True) as made:
            fits = (checksum_of_base(found.folder, differences),)
            write_adapter(made / FILE, Adapter(differences, task.rotated, card, fits))
            card = write_card(made, card)
    wait_for_all(cpu=_on_cpu(model))
    return card


def measured(options: TuneOptions, progress: Progress = SILENT) -> Measured:
    """Measure what a training would take, on noise instead of clips; nothing is kept."""
    paths, begun = _paths(options, progress), begun_with(options)
    clips = options.clips if options.videos == DRAWN else len(paths)
    found, model = _model_of(options, progress)
    cutting = cutting_of(options, model)
    scale = 2 ** (len(model.vae.config["block_out_channels"]) - 1)
    shape = (2, cutting.frames, model.vae.config["latent_channels"], *(side // scale for side in cutting.size[::-1]))
    told = torch.zeros(2, int(model.image_encoder.config.projection_dim))
    noise = Clips(torch.randn(shape), told, told)
    task = _task(options, model, noise, noise)
    if begun:
        refuse_unlike(begun, model.unet, options)
        begin_with(begun, task, found, progress)
    plan = plan_of(options.model_copy(update={"steps": options.steps or STEPS}))
    cost = estimate(task, plan, cpu=_on_cpu(model))
    steps = plan.steps if options.minutes is None else max(1, int(60 * options.minutes / cost.seconds))
    trained = sum(matrix.numel() for matrix in task.model.parameters())
    # Moments and averages are not there yet: three of the five copies that are counted.
    size = _peak_bytes(model) + cost.bytes * 3 // 5
    whole = sum(weight.numel() for weight in model.unet.parameters())
    return Measured(trained, whole, steps, cost.seconds, size, clips)


def plan_of(options: TuneOptions) -> Plan:
    """Return the numbers of the training; AdamW's are the paper's."""
    assert options.steps is not None, "planned before"
    return Plan(
        options.steps,
        options.batch,
        options.learning_rate,
        warm_up=10,
        fall=0.25,
        betas=(0.9, 0.999),
        weight_decay=1e-2,
        pieces=options.accumulate,
        precision=options.precision,
        seed=options.seed,
        keep_every=100,
        validate_every=max(100, options.steps // 10),
    )


def cutting_of(options: TuneOptions, model: VideoModel) -> Cutting:
    """Return how windows are cut for a model."""
    side = int(model.unet.config["sample_size"]) * 2 ** (len(model.vae.config["block_out_channels"]) - 1)
    own = (side, side) if side <= _WIDEST_TOY else _RELEASED
    stride = 1 if options.videos == DRAWN else options.stride
    return Cutting(int(model.unet.config["num_frames"]), stride, options.size or own)


def _model_of(options: TuneOptions, progress: Progress) -> tuple[Found, VideoModel]:
    found = find(options.model, "image-to-video", progress=progress)
    device = options.device
    if device is None and _share()[1] > 1 and torch.cuda.is_available():
        device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
    place = choose(device, _DTYPES[options.precision])
    # Accelerate trains on the GPU that is the current one.
    if place.device.startswith("cuda"):
        torch.cuda.set_device(place.device)
    return found, load(found, "image-to-video", device=place.device, dtype=place.dtype)


def _on_cpu(model: VideoModel) -> bool:
    """Tell whether a model is to learn on the CPU; left to itself, accelerate takes a GPU if there is one."""
    return model.place.device == "cpu"


def _task(options: TuneOptions, model: VideoModel, clips: Clips, held_out: Clips) -> TunedTask:
    levels = tuple(sigmas_of(model.scheduler, _LEVELS)[:-1].tolist()) if options.noise == "uniform" else ()
    return TunedTask(
        model.unet,
        clips,
        held_out,
        scale=float(model.vae.config["scaling_factor"]),
        ids=(TOLD.fps - 1, TOLD.bucket, TOLD.augmentation),
        parts=PARTS[options.trainable],
        rotated=not options.no_rotation,
        noising=Noising(untold=options.untold, levels=levels),
        checkpointing=options.checkpointing,
        # No more than a step takes, so that whoever can train can measure, and the dry run tells the truth.
        together=max(1, options.batch // options.accumulate // _share()[1]),
        device=model.place.device,
        seed=options.seed,
    )


def _shelf_of(found: Found, model: VideoModel, latents: Path) -> Shelf:
    encoders = [digest(found.folder / part) for part in ("vae", "image_encoder")]
    return Shelf(latents, model, hashlib.sha256("".join(encoders).encode()).hexdigest())


def _paths(options: TuneOptions, progress: Progress) -> list[Path]:
    return [] if options.videos == DRAWN else find_footage(Path(options.videos), progress)


def _reels(options: TuneOptions, cutting: Cutting, paths: list[Path]) -> _Sides:
    """Return what to learn from, and what to measure on; of people's clips, some of the first are held back later."""
    if options.videos == DRAWN:
        return (
            reels_of_scenes("train", cutting, options.clips),
            reels_of_scenes("validation", cutting, options.held_out),
        )
    return reels_of_clips(paths, cutting, options.clips + options.held_out), []


def _windows_of(found: Found, shelf: Shelf, reels: _Sides, begun: Begun | None) -> Windows:
    model = hashlib.sha256(f"{shelf.digest}{digest(found.folder / 'unet')}".encode()).hexdigest()
    clips = tuple((reel.name, shelf.path(reel).stem) for side in reels for reel in side)
    return Windows(model, clips, begun.sha256 if begun else "")


def _clips(
    options: TuneOptions, cutting: Cutting, reels: _Sides, shelf: Shelf, progress: Progress
) -> tuple[Clips, Clips]:
    """Return clips to learn from and clips to measure on, encoded."""
    if reels[0]:
        _fill(shelf, reels[0] + reels[1], progress)
    parts = read(shelf, reels[0])
    if options.videos == DRAWN:
        return joined(parts), joined(read(shelf, reels[1]))
    total = sum(len(part.latents) for part in parts)
    if total < 2:
        raise InputError(
            f"{options.videos} gives {total} training clip{'s' if total != 1 else ''}, from {len(reels[0])} that were "
            f"looked at; fine-tuning needs 2 or more.",
            f"A training clip is {cutting.span} frames without a cut; add longer clips"
            + (", or take a smaller --stride." if cutting.stride > 1 else "."),
        )
    return divided(parts, options)


def divided(parts: list[Clips], options: TuneOptions) -> tuple[Clips, Clips]:
    """Hold some clips back, those of the same file together as far as that goes."""
    order = np.random.default_rng(derive(options.seed, "held out")).permutation(len(parts))
    whole = joined([parts[k] for k in order])
    total = len(whole.latents)
    held = max(1, min(options.held_out, total // 5))
    return whole.take(range(held, min(total, held + options.clips))), whole.take(range(held))


def _fill(shelf: Shelf, reels: list[Reel], progress: Progress) -> None:
    share = _share()
    with progress.part("encoding", total=-(-len(reels) // share[1])) as part:
        prepare(shelf, reels, share=share, progress=part)
    wait_for_all(cpu=_on_cpu(shelf.model))


def _steps(options: TuneOptions, task: TunedTask, progress: Progress, *, cpu: bool) -> int:
    if options.minutes is None:
        return STEPS
    if _share()[1] > 1:
        raise InputError("--minutes cannot be shared by several processes.", "Give --steps instead.")
    progress.say("Measuring how fast this machine is.")
    return within(task, plan_of(options.model_copy(update={"steps": STEPS})), options.minutes, cpu=cpu).steps


def _share() -> tuple[int, int]:
    """Return which of how many processes this is."""
    return int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))


def _peak_bytes(model: VideoModel) -> int:
    """Return the most memory so far, of the device or, on a CPU, of this program."""
    if model.place.device.startswith("cuda"):
        return torch.cuda.max_memory_allocated(model.place.device)
    return peak_bytes() or sum(weight.numel() * weight.element_size() for weight in model.unet.parameters())
