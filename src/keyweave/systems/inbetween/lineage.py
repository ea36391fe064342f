"""Where an adapter comes from: what a training of it begins with, and the card that it ends with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from keyweave.base.errors import InputError
from keyweave.base.recipe import sha256_of_file
from keyweave.diffusion.exchange import temporal_layers
from keyweave.models.adapters import Adapter, find_adapter, is_for, read_adapter
from keyweave.models.card import ModelCard
from keyweave.models.devices import hardware
from keyweave.models.finding import is_folder
from keyweave.systems.inbetween.footage import DRAWN
from keyweave.systems.inbetween.train import PARTS

if TYPE_CHECKING:
    from torch import nn

    from keyweave.base.progress import Progress
    from keyweave.models.finding import Found
    from keyweave.systems.inbetween.train import BackwardTask
    from keyweave.systems.inbetween.tuning import TuneOptions


@dataclass(frozen=True)
class Begun:
    """An adapter that is gone on from.

    Args:
        adapter: what it is.
        sha256: of its file.
    """

    adapter: Adapter
    sha256: str


def begun_with(options: TuneOptions) -> Begun | None:
    """Return what a training is asked to go on from; None if its branch begins as the model itself."""
    if options.adapter is None:
        return None
    path = find_adapter(options.adapter)
    return Begun(read_adapter(path), sha256_of_file(path))


def refuse_unlike(begun: Begun, network: nn.Module, options: TuneOptions) -> None:
    """Refuse an adapter that a training cannot go on from: one with other matrices, or which takes maps otherwise.

    Args:
        begun: the adapter.
        network: whose branch would go on from it.
        options: which of its matrices learn, and whether it takes maps.

    Raises:
        InputError: it is such a one.
    """
    learnt = begun.adapter
    given = {
        (layer, part): tuple(matrix.shape) for layer, row in learnt.differences.items() for part, matrix in row.items()
    }
    layers = temporal_layers(network)
    wanted = {
        (layer, part): tuple(network.get_parameter(f"{layer}.{part}.weight").shape)
        for layer in layers
        for part in PARTS[options.trainable]
    }
    rotated = set() if options.no_rotation else set(layers)
    if wanted != given or set(learnt.rotated) != rotated:
        raise InputError(
            f"The training cannot go on from the adapter {learnt.card.name}: it has other matrices than those that "
            f"learn here, or takes maps otherwise.",
            "Name one that was learnt with the same --trainable and --no-rotation, on a model with the same layers.",
        )


def begin_with(begun: Begun, task: BackwardTask, found: Found, progress: Progress) -> None:
    """Let a branch go on from an adapter that has its matrices; tell if that was learnt on another model."""
    learnt = begun.adapter
    if not is_for(learnt, found):
        progress.warn(f"The adapter {learnt.card.name} was learnt on weights other than those of {found.name}.")
    task.branch.begin_with(learnt.differences)


def card_of(
    options: TuneOptions,
    found: Found,
    device: str,
    *,
    clips: str,
    hours: float,
    begun: Begun | None,
    scores: dict[str, dict[str, float]],
) -> ModelCard:
    """Write the card of what was learnt.

    Args:
        options: how.
        found: the model.
        device: where.
        clips: what on, in words.
        hours: how long, this time.
        begun: what it went on from.
        scores: errors by level of noise, before and after.
    """
    before = begun.adapter.card if begun else None
    cards = [card for card in (before, found.card) if card]
    drawn = options.videos == DRAWN
    values = options.model_dump(mode="json", exclude={"videos", "model", "adapter", "device", "minutes"})
    return ModelCard(
        name=f"{found.name}-backward",
        kind="adapter",
        says=f"Lets {found.name} look backward in time, from a last picture to what came before.",
        toy=drawn or any(card.toy for card in cards),
        data=f"{clips}, "
        + ("drawn by keyweave.toyworld" if drawn else f"cut out of {Path(options.videos).name}")
        + (f"; before that: {before.data}" if before else ""),
        recipe="keyweave train inbetween, with options.json: "
        + ", ".join(f"{name} {value}" for name, value in values.items())
        + (f". It went on from {before.name}, which had this recipe: {before.recipe}" if before else ""),
        seed=options.seed,
        steps=(options.steps or 0) + (before.steps if before else 0),
        hours=round(hours + (before.hours if before else 0), 3),
        hardware=hardware(device),
        trained=datetime.now(UTC).date(),
        scores={f"{name}, {when}": round(value, 5) for when, row in scores.items() for name, value in row.items()},
        limits="For in-betweening with the model that it was learnt on, or one with the same layers.",
        license=" AND ".join(dict.fromkeys(card.license for card in cards)) or "NOASSERTION",
        base=f"./{found.folder.name}" if is_folder(found.ref) else found.ref,
    )
