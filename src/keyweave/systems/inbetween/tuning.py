"""What can be asked of `train inbetween`, and how it is kept with a training that was begun."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from keyweave.base.errors import InputError
from keyweave.base.files import existing_file, write_text
from keyweave.timeline.options import Size  # noqa: TC001 - pydantic looks it up

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

STEPS = 15_000  # the paper's
MOST_MINUTES = 10_000
_FILE, _WINDOWS = "options.json", "windows.json"
_NAMED = 5  # of the clips that are not as they were
_MAY_CHANGE = {"steps", "minutes", "device"}  # what whoever goes on may ask for anew


class TuneOptions(BaseModel):
    """Options of `keyweave train inbetween`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    videos: str = Field(
        description="a folder of clips: films, animations, folders of frames; or `toyworld`",
        json_schema_extra={"metavar": "DIR"},
    )
    model: str = Field("toy-video", description="the image-to-video model", json_schema_extra={"metavar": "REF"})
    adapter: str | None = Field(
        None,
        description="go on from this adapter; without it, the branch begins as the model itself",
        json_schema_extra={"metavar": "REF"},
    )
    clips: int = Field(1000, ge=2, description="training clips at most", json_schema_extra={"metavar": "N"})
    held_out: int = Field(
        8, ge=1, description="clips to measure on; a fifth of all at most", json_schema_extra={"metavar": "N"}
    )
    stride: int = Field(
        2, ge=1, le=64, description="take every N-th frame; 1 where motion is fast", json_schema_extra={"metavar": "N"}
    )
    size: Size | None = Field(
        None,
        description="width x height to train at, multiples of 8; without it, the model's own",
        json_schema_extra={"metavar": "WxH"},
    )
    steps: int | None = Field(
        None, ge=1, description="how long", json_schema_extra={"metavar": "N", "default_text": f"{STEPS}"}
    )
    minutes: float | None = Field(
        None,
        gt=0,
        le=MOST_MINUTES,
        description="instead of --steps: so many as fit, measured here",
        json_schema_extra={"metavar": "M"},
    )
    batch: int = Field(4, ge=1, description="clips in each step", json_schema_extra={"metavar": "N"})
    accumulate: int = Field(
        1, ge=1, description="work through a batch in N parts, for want of memory", json_schema_extra={"metavar": "N"}
    )
    checkpointing: bool = Field(False, description="compute parts twice, for want of memory")
    precision: Literal["fp32", "bf16", "fp16"] = Field(
        "fp32", description="of the frozen network; what is trained is always fp32"
    )
    learning_rate: float = Field(
        1e-4, gt=0, le=1, description="of AdamW, at its highest", json_schema_extra={"metavar": "R"}
    )
    trainable: Literal["vo", "qkvo"] = Field(
        "vo", description="matrices of temporal attention that learn: values and outputs, or all"
    )
    no_rotation: bool = Field(False, description="let the branch make maps of its own, the paper's ablation")
    noise: Literal["lognormal", "uniform"] = Field(
        "lognormal", description="as the official code draws its levels, or as the paper does"
    )
    untold: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="share of the samples that hide the picture, so that guidance is learnt too",
        json_schema_extra={"metavar": "SHARE"},
    )
    seed: int = Field(0, ge=0, le=2**63 - 1, description="decides all chance", json_schema_extra={"metavar": "N"})
    device: str | None = Field(
        None,
        description="cpu, cuda, cuda:N or mps; without it, the fastest there is",
        json_schema_extra={"metavar": "D"},
    )

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.steps is not None and self.minutes is not None:
            raise ValueError("--steps and --minutes both set the length; give only one of them")
        if self.batch % self.accumulate:
            raise ValueError(f"--accumulate {self.accumulate} cannot share a --batch of {self.batch} evenly")
        if self.trainable == "qkvo" and not self.no_rotation:
            raise ValueError(
                "--trainable qkvo without --no-rotation would leave queries and keys as they are: a branch that takes "
                "the frozen network's maps has no use for its own; add --no-rotation, or leave --trainable out"
            )
        if self.size is not None and any(side % 8 or side < 1 for side in self.size):
            raise ValueError(f"--size is {self.size[0]}x{self.size[1]}; both sides should be multiples of 8")
        return self


@dataclass(frozen=True)
class Windows:
    """What a training learns from, as it can be told from another before anything is encoded.

    Args:
        model: checksum of the model.
        clips: their names, each with a checksum of all that decides its windows.
        adapter: checksum of what it begins with; nothing if that is the model.
    """

    model: str
    clips: tuple[tuple[str, str], ...]
    adapter: str = ""


def keep_options(folder: Path, options: TuneOptions) -> None:
    """Write the options of a training into its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / _FILE, options.model_dump_json(indent=2) + "\n", overwrite=True)


def going_on(folder: Path, options: TuneOptions) -> TuneOptions:
    """Return the options of a training that was begun in a folder; those given if there is none.

    Args:
        folder: of the training.
        options: what is asked for now; how long and where may differ from what was asked for then.

    Raises:
        InputError: something else differs.
    """
    path = folder / _FILE
    if not path.exists():
        return options
    try:
        kept = TuneOptions.model_validate_json(existing_file(path).read_bytes())
    except ValidationError as fault:
        why = fault.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
        raise InputError(
            f"{path} holds no options of this training: {why}.", "Name a new folder, or mend the file."
        ) from None
    for name in sorted(options.model_fields_set - _MAY_CHANGE):
        now, then = getattr(options, name), getattr(kept, name)
        if now != then:
            flag = f"--{name.replace('_', '-')}"
            raise InputError(
                f"The training in {folder} was begun with {flag} {_words(then)}, not {_words(now)}.",
                f"Leave {flag} as it was, or name a new folder.",
            )
    steps = options.steps or kept.steps
    return kept.model_copy(update={"steps": steps, "minutes": None, "device": options.device})


def keep_windows(folder: Path, windows: Windows) -> None:
    """Write what a training learns from into its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / _WINDOWS, json.dumps(asdict(windows), indent=2) + "\n", overwrite=True)


def refuse_others(folder: Path, windows: Windows) -> None:
    """Refuse to go on with a training on other windows than it was begun with.

    Args:
        folder: of the training; one that holds none, or one of an earlier version, which did not keep them, may go on.
        windows: what it would learn from now.

    Raises:
        InputError: they are others.
    """
    path = folder / _WINDOWS
    if not path.exists():
        return
    try:
        row = json.loads(existing_file(path).read_text(encoding="utf-8"))
        kept = Windows(row["model"], tuple((name, mark) for name, mark in row["clips"]), row.get("adapter", ""))
    except (ValueError, KeyError, TypeError):
        raise InputError(f"{path} does not say what this training learns from.", "Name a new folder.") from None
    if kept.model != windows.model:
        raise InputError(
            f"The training in {folder} was begun with another model than --model names now.",
            "Bring back the model as it was, or name a new folder.",
        )
    if kept.adapter != windows.adapter:
        raise InputError(
            f"The training in {folder} was begun with another adapter than --adapter names now.",
            "Bring back the adapter as it was, or name a new folder.",
        )
    if kept.clips != windows.clips:
        raise InputError(
            f"The training in {folder} was begun on other clips: {_differences(kept.clips, windows.clips)}.",
            "Bring back the clips as they were, or name a new folder.",
        )


def _differences(then: Iterable[tuple[str, str]], now: Iterable[tuple[str, str]]) -> str:
    """Say what has become of clips; where some came or went, the others have windows elsewhere, which is not said."""
    names_then, names_now = (Counter(name for name, _ in clips) for clips in (then, now))
    gone, new = names_then - names_now, names_now - names_then
    changed = Counter(name for name, _ in set(now) - set(then)) if not gone and not new else Counter[str]()
    rows = (("gone", gone), ("new", new), ("changed", changed))
    return ", ".join(f"{clips.total()} {what} ({_some(list(clips.elements()))})" for what, clips in rows if clips)


def _some(names: list[str]) -> str:
    return ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")


def _words(value: object) -> str:
    return f"{value[0]}x{value[1]}" if isinstance(value, tuple) else str(value)
