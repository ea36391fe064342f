"""The table of engines, and what each needs before it can draw."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from keyweave.base.errors import InputError
from keyweave.base.extras import need
from keyweave.base.progress import SILENT, Progress
from keyweave.base.recipe import ModelMark, sha256_of_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from keyweave.models.devices import Place
    from keyweave.protocols import Inbetweener
    from keyweave.timeline.keeping import Keeper
    from keyweave.timeline.options import OutputOptions

NO_ADAPTER = "none"


@dataclass(frozen=True)
class Engine:
    """A way to draw in-betweens.

    Args:
        name: what people type.
        says: one line about it.
        run: "module:function", imported when first needed: an `Inbetweener`, or what makes one of its models.
        takes: options that it is handed by name, where the system has them.
        reach: how far beyond its two pictures it can go, where an easing overshoots.
        model: the embedded model that it draws with if none is named; engines without one learnt nothing.
        fills: the engine that draws what lies between the times that its model knows, and sketches for it.
        opaque: whether it knows no transparency.
    """

    name: str
    says: str
    run: str
    takes: tuple[str, ...] = ()
    reach: Fraction = Fraction(0)
    model: str | None = None
    fills: str = ""
    opaque: bool = False

    def bind(self, options: OutputOptions, progress: Progress = SILENT) -> Bound:
        """Check the options, and find every file that the engine needs; nothing is loaded yet."""
        self._refuse_others(options)
        given = {name: getattr(options, name, None) for name in self.takes}
        given = {name: value for name, value in given.items() if value is not None}
        if self.model is not None:
            return self._bind_models(given, progress)
        files = {name: value for name, value in given.items() if isinstance(value, Path)}
        # Weights that are not there are told of by who wants them, with the way to get some.
        marks = {name: ModelMark(path.name, sha256_of_file(path)) for name, path in files.items() if path.is_file()}
        return Bound(self, given, marks, local=files)

    def _bind_models(self, given: dict[str, Any], progress: Progress) -> Bound:
        from keyweave.models.adapters import find_adapter, mark_adapter  # noqa: PLC0415 - the table must be quick to read
        from keyweave.models.devices import choose  # noqa: PLC0415
        from keyweave.models.finding import find, frames_of, is_folder  # noqa: PLC0415
        from keyweave.systems.inbetween.windows import joins  # noqa: PLC0415

        for package in ("diffusers", "transformers"):
            need(package, f"the engine {self.name}")
        model = find(given.get("model", self.model), "image-to-video", progress=progress)
        _, *within, last = joins(frames_of(model), given.get("windows", 1))  # which refuses too many
        marks = {"model": model.mark()}
        local = {"model": model.folder} if is_folder(model.ref) else {}
        named = given.pop("adapter", None)
        adapter = named or model.adapter
        if adapter not in (None, NO_ADAPTER):
            path = find_adapter(adapter)
            marks["adapter"] = mark_adapter(adapter, path)
            given["adapter"] = path
            if named and (named.endswith(".safetensors") or is_folder(named)):
                local["adapter"] = Path(named).expanduser()
        place = choose(given.get("device"), given.get("dtype"))
        given["model"] = model
        return Bound(self, given, marks, place, tuple(Fraction(join, last) for join in within), local)

    def _refuse_others(self, options: OutputOptions) -> None:
        """Refuse an option that is for another engine."""
        for engine in ENGINES.values():
            for name in set(engine.takes) - set(self.takes):
                declared = type(options).model_fields.get(name)
                if declared is not None and getattr(options, name) != declared.default:
                    flag = "--" + name.replace("_", "-")
                    raise InputError(f"{flag} is not for the engine {self.name}.", f"Use --engine {engine.name}.")


@dataclass(frozen=True)
class Bound:
    """An engine with all that it needs.

    Args:
        row: of the table.
        handed: what it is handed, by name.
        marks: the models among that, as recipes know them.
        place: where it computes, if it learnt anything.
        joins: shares of a gap between keyframes at which clips meet that it is made of.
        local: where those options lie that name files and folders of this disk, which a recipe must not tell of.
    """

    row: Engine
    handed: dict[str, Any]
    marks: dict[str, ModelMark] = field(default_factory=dict)
    place: Place | None = None
    joins: tuple[Fraction, ...] = ()
    local: dict[str, Path] = field(default_factory=dict)

    @property
    def names(self) -> dict[str, str]:
        """What these options are in a recipe: paths from a folder that is not told."""
        return {option: f"./{path.name}" for option, path in self.local.items()}

    def load(self, keeper: Keeper | None = None, *, chance: int = 0) -> Inbetweener:
        """Import the function, and load the models.

        Args:
            keeper: of clips that a model makes, which are used again.
            chance: decides what the clips of a model have in common.
        """
        run = imported(self.row.run)
        if self.row.model is None:
            return partial(run, **self.handed)
        other = imported(ENGINES[self.row.fills].run)
        return run(**self.handed, fill=partial(other, near=True), sketcher=other, keeper=keeper, chance=chance)


ENGINES: dict[str, Engine] = {
    engine.name: engine
    for engine in (
        Engine(
            "flow",
            "Pictures move along their optical flow, and dissolve where it cannot be trusted. No learning.",
            "keyweave.classical.flow:flow",
            takes=("linear_light", "near", "raft"),
            reach=Fraction(3, 10),
        ),
        Engine(
            "crossfade",
            "One picture fades into the next. No motion, no learning.",
            "keyweave.classical.crossfade:crossfade",
            ("linear_light",),
        ),
        Engine(
            "generative",
            "A video model invents the motion from both pictures at once. For what goes far, turns or appears.",
            "keyweave.systems.inbetween.engine:generative",
            takes=("model", "adapter", "sampling", "windows", "memory", "compile", "no_detail", "device", "dtype"),
            model="toy-video",
            fills="flow",
            opaque=True,
        ),
    )
}


def pick(table: Mapping[str, Any], name: str, what: str, allowed: Sequence[str] | None = None) -> Any:
    """Return a row of a table, or say which there are."""
    names = list(table) if allowed is None else list(allowed)
    if name not in names:
        raise InputError(f"{name!r} is not {what} that keyweave knows here.", f"Choose from: {', '.join(names)}.")
    return table[name]


def imported(place: str) -> Any:
    """Import "module:name"."""
    module, name = place.split(":")
    return cast("Any", getattr(importlib.import_module(module), name))
