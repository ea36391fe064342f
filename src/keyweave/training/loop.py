"""The loop: one for everything that keyweave trains."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch

from keyweave.base.errors import Cancelled, InputError
from keyweave.base.extras import need
from keyweave.base.files import settle_folder
from keyweave.base.progress import SILENT, Progress
from keyweave.training import checkpoint
from keyweave.training.guard import Guard
from keyweave.training.journal import Journal
from keyweave.training.muon import Muon
from keyweave.training.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from accelerate import Accelerator
    from torch import Tensor, nn

    from keyweave.training.task import Task

_LAST = "last"  # the folder of the newest checkpoint
_PROBE = 3  # steps that are timed, after one that is not
_COPIES = 5  # of the trained weights: themselves, their gradient, two moments, their average


@dataclass(frozen=True)
class Estimate:
    """What a training will take.

    Args:
        seconds: for one step.
        whole: seconds for all of it.
        bytes: what its weights, gradients, moments and averages take; what the samples take comes on top.
    """

    seconds: float
    whole: float
    bytes: int


def estimate(task: Task, plan: Plan, *, cpu: bool = False) -> Estimate:
    """Time a few steps that change nothing; on the CPU if told so, else where accelerate would train."""
    accelerator = _accelerator(plan, cpu)
    parameters = _trained(task.model)
    moments = []
    for number in range(_PROBE + 1):
        moments.append(time.perf_counter())
        _gradient(task, plan, accelerator, number)
        for parameter in parameters:
            parameter.grad = None
    seconds = (time.perf_counter() - moments[1]) / _PROBE
    size = sum(parameter.numel() * parameter.element_size() for parameter in parameters)
    return Estimate(seconds, seconds * plan.steps, _COPIES * size)


def within(task: Task, plan: Plan, minutes: float, *, cpu: bool = False) -> Plan:
    """Plan so many steps as fit into a time, as measured."""
    if minutes <= 0:
        raise InputError(f"A training takes some minutes; got {minutes:g}.")
    return replace(plan, steps=max(1, int(60 * minutes / estimate(task, plan, cpu=cpu).seconds)))


def train(
    task: Task, plan: Plan, folder: Path, *, title: str = "training", cpu: bool = False, progress: Progress = SILENT
) -> None:
    """Train, or go on where an earlier call was stopped; the averaged weights are in the model afterwards.

    The folder holds `last/` (the newest checkpoint), journal.jsonl, loss.png and what the task's validation leaves. A
    training that is stopped at any moment, even killed, and called again ends with the very weights of one that was
    not.

    Args:
        task: what is trained.
        plan: the numbers. When going on, the steps that were done must be those that it would have done.
        folder: where everything is kept.
        title: what the picture of the loss says.
        cpu: stay on the CPU, whatever else there is.
        progress: a step for each step.

    Raises:
        InputError: the folder holds another training, or a step has no finite loss or gradient; the newest checkpoint
            is then as it was.
    """
    accelerator = _accelerator(plan, cpu)
    main = accelerator.is_main_process
    model = task.model.to(accelerator.device)
    parameters = _trained(model)
    average = [parameter.detach().clone() for parameter in parameters]
    follower = {"adamw": torch.optim.AdamW, "muon": Muon}[plan.follower]
    optimizer = follower(parameters, lr=plan.learning_rate, betas=plan.betas, weight_decay=plan.weight_decay)
    done = _resumed(folder / _LAST, plan, parameters, average, optimizer, accelerator=accelerator)
    guard = Guard(plan, folder / _LAST, done, scaled=accelerator.scaler is not None)
    scaled = accelerator.prepare_optimizer(optimizer)
    folder.mkdir(parents=True, exist_ok=True)
    journal = Journal(folder / "journal.jsonl", done) if main else None
    if done:
        progress.say(f"Going on after step {done} of {plan.steps}.")
    model.train()

    def keep(step: int) -> None:
        if journal:
            tensors = checkpoint.pack(optimizer) | _numbered("weight", parameters) | _numbered("average", average)
            # In fp16 the loss is scaled, by a number that follows the gradients.
            scale = {"scaler": accelerator.scaler.state_dict()} if accelerator.scaler else {}
            checkpoint.save(folder / _LAST, tensors, {"step": step, "plan": plan.as_dict(), **scale})
            journal.draw(folder / "loss.png", title)

    with progress.part("training", total=plan.steps) as part:
        for _ in range(done):
            part.step()
        for step in range(done, plan.steps):
            began = time.perf_counter()
            for group in optimizer.param_groups:
                group["lr"] = plan.rate(step)
            loss, notes = _gradient(task, plan, accelerator, step)
            norm = float(accelerator.clip_grad_norm_(parameters, plan.clip) or 0.0)
            guard.look(step, loss, norm)
            scaled.step()
            scaled.zero_grad(set_to_none=True)
            for mean, parameter in zip(average, parameters, strict=True):
                mean.lerp_(parameter.detach(), 1 - plan.following(step))
            if journal:
                row = {"step": step, "loss": loss, "rate": plan.rate(step), "norm": norm, **notes}
                journal.add({**row, "seconds": round(time.perf_counter() - began, 4)})
            finished = step + 1 == plan.steps
            if finished or (step + 1) % plan.keep_every == 0:
                keep(step + 1)
            if main and (finished or (plan.validate_every and (step + 1) % plan.validate_every == 0)):
                with _averaged(parameters, average):
                    found = task.validate(folder, step + 1)
                if found:
                    part.say(f"step {step + 1}: " + ", ".join(f"{name} {value:.4g}" for name, value in found.items()))
            try:
                part.step()
            except Cancelled:
                keep(step + 1)
                raise
    _put(parameters, average)


def steps_done(folder: Path, plan: Plan) -> int:
    """Return how many steps of a plan were done in a folder, and refuse one that was not what was done there."""
    if not checkpoint.exists(folder / _LAST):
        return 0
    state = checkpoint.state_of(folder / _LAST)
    try:
        done, kept = int(state["step"]), Plan.from_dict(state["plan"])
    except (KeyError, TypeError, ValueError):
        raise checkpoint.damaged(folder / _LAST, "it does not tell its step and its plan") from None
    if done > plan.steps:
        raise InputError(
            f"The training in {folder} has done {done} steps, more than the {plan.steps} of this one.",
            f"Ask for {done} steps or more, or name a new folder.",
        )
    if not plan.goes_on(kept, done):
        raise InputError(
            f"{folder} holds a training with another plan.", "Go on with the same options, or name a new folder."
        )
    return done


def _accelerator(plan: Plan, cpu: bool) -> Accelerator:
    need("accelerate", "training")
    from accelerate import Accelerator  # noqa: PLC0415 - slow to import, and an extra
    from accelerate.state import AcceleratorState  # noqa: PLC0415

    # accelerate holds the precision and the place of a program's first training, and refuses those of a later one. The
    # processes that share a training keep their place, and what connects them.
    AcceleratorState._reset_state(reset_partial_state=not torch.distributed.is_initialized())  # pyright: ignore[reportPrivateUsage]
    precision = "no" if plan.precision == "fp32" else plan.precision
    return Accelerator(cpu=cpu or _share_cpu(), mixed_precision=precision)


def wait_for_all(*, cpu: bool = False) -> None:
    """Wait until every process that shares the training, on the CPU if told so, has come as far as this."""
    from accelerate import PartialState  # noqa: PLC0415

    PartialState(cpu=cpu or _share_cpu()).wait_for_everyone()


def _share_cpu() -> bool:
    """Tell whether several processes share a CPU: accelerate must be told, the first time that it is asked."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1 and not torch.cuda.is_available()


def _trained(model: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def _gradient(task: Task, plan: Plan, accelerator: Accelerator, step: int) -> tuple[float, dict[str, float]]:
    """Add up the gradient of a step over its pieces and processes; return the loss and what was noted."""
    total, noted = 0.0, dict[str, float]()
    for piece in range(plan.pieces):
        samples = plan.samples(step, accelerator.process_index, accelerator.num_processes, piece)
        with accelerator.autocast():
            loss, notes = task.loss(samples)
        accelerator.backward(loss / plan.pieces)
        total += float(loss.detach()) / plan.pieces
        for name, value in notes.items():
            noted[name] = noted.get(name, 0.0) + value / plan.pieces
    if accelerator.num_processes > 1:
        parameters = [parameter for parameter in _trained(task.model) if parameter.grad is not None]
        flat = torch.cat([parameter.grad.flatten() for parameter in parameters if parameter.grad is not None])
        flat = _mean(accelerator, torch.cat([flat, flat.new_tensor([total])]))
        total = float(flat[-1])
        for parameter, part in zip(parameters, flat.split([p.numel() for p in parameters] + [1]), strict=False):
            parameter.grad = part.view_as(parameter)
    return total, noted


def _mean(accelerator: Accelerator, flat: Tensor) -> Tensor:
    shared: Any = accelerator.reduce(flat, reduction="mean")
    return shared


def _resumed(
    folder: Path,
    plan: Plan,
    parameters: Sequence[Tensor],
    average: Sequence[Tensor],
    optimizer: torch.optim.Optimizer,
    *,
    accelerator: Accelerator,
) -> int:
    """Bring everything to where a checkpoint left it; return how many steps are done."""
    if accelerator.is_main_process:
        settle_folder(folder)
    accelerator.wait_for_everyone()
    if not checkpoint.exists(folder):
        return 0
    done = steps_done(folder.parent, plan)
    tensors, state = checkpoint.load(folder)
    for kind, mine in (("weight", parameters), ("average", average)):
        for number, tensor in enumerate(mine):
            kept = tensors.get(f"{kind}.{number}")
            if kept is None or kept.shape != tensor.shape:
                raise InputError(f"{folder.parent} holds a training of another model.", "Name a new folder.")
            with torch.no_grad():
                tensor.copy_(kept)
    checkpoint.unpack(optimizer, tensors)
    if accelerator.scaler and state.get("scaler"):  # those of an earlier version did not keep it
        accelerator.scaler.load_state_dict(state["scaler"])
    return done


def _numbered(kind: str, tensors: Sequence[Tensor]) -> dict[str, Tensor]:
    return {f"{kind}.{number}": tensor for number, tensor in enumerate(tensors)}


@contextmanager
def _averaged(parameters: Sequence[Tensor], average: Sequence[Tensor]) -> Iterator[None]:
    """Let the model use its averaged weights for a while."""
    own = [parameter.detach().clone() for parameter in parameters]
    _put(parameters, average)
    try:
        yield
    finally:
        _put(parameters, own)


def _put(parameters: Sequence[Tensor], values: Sequence[Tensor]) -> None:
    with torch.no_grad():
        for parameter, value in zip(parameters, values, strict=True):
            parameter.copy_(value)
