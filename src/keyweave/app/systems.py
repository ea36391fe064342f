"""The table of systems and engines. A new one is a row here and a folder of its own; nothing else changes."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from keyweave.base.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from keyweave.media.types import Image
    from keyweave.protocols import Inbetweener
    from keyweave.timeline.film import Film
    from keyweave.timeline.options import FilmOptions, OutputOptions


@dataclass(frozen=True)
class Engine:
    """A way to draw in-betweens.

    Args:
        name: what people type.
        says: one line about it.
        run: "module:function", imported when first needed.
        takes: options that it is handed by name, where the system has them.
        reach: how far beyond its two pictures it can go, where an easing overshoots.
    """

    name: str
    says: str
    run: str
    takes: tuple[str, ...] = ()
    reach: Fraction = Fraction(0)

    def load(self, options: OutputOptions) -> Inbetweener:
        """Import the function, and bind the options that it takes and that are given."""
        return partial(_load(self.run), **self._given(options))

    def weights(self, options: OutputOptions) -> dict[str, Path]:
        """Return the files of weights that it is handed, by option."""
        return {name: value for name, value in self._given(options).items() if isinstance(value, Path)}

    def check(self, options: OutputOptions) -> None:
        """Refuse an option that is for another engine."""
        for engine in ENGINES.values():
            for name in set(engine.takes) - set(self.takes):
                field = type(options).model_fields.get(name)
                if field is not None and getattr(options, name) != field.default:
                    flag = "--" + name.replace("_", "-")
                    raise InputError(f"{flag} is not for the engine {self.name}.", f"Use --engine {engine.name}.")

    def _given(self, options: OutputOptions) -> dict[str, Any]:
        given = {name: getattr(options, name, None) for name in self.takes}
        return {name: value for name, value in given.items() if value is not None}


@dataclass(frozen=True)
class System:
    """Something that makes films.

    Args:
        name: the word for it everywhere: command, folder, page, table.
        says: one line about it.
        options: "module:class" of its options model.
        run: "module:function"; from (images, options) to a Timeline, or from (path, options) to a Film.
        takes: what its inputs are called, the last one repeatable where more are allowed than needed.
        fewest: how many inputs it needs.
        engines: those that can fill its gaps, the default first.
        reads: pictures, or one clip.
    """

    name: str
    says: str
    options: str
    run: str
    takes: tuple[str, ...]
    fewest: int
    engines: tuple[str, ...]
    reads: Literal["pictures", "clip"] = "pictures"

    def options_model(self) -> type[OutputOptions]:
        """Import the options model."""
        return _load(self.options)

    def make_film(self, inputs: Sequence[Path | Image], options: OutputOptions) -> Film:
        """Read the inputs as far as they are needed now, and run the pipeline of the system."""
        from keyweave.media.pictures.images import read_image  # noqa: PLC0415 - the table must be quick to read
        from keyweave.timeline.film import KeyframeFilm  # noqa: PLC0415

        if self.reads == "clip":
            return _load(self.run)(inputs[0], options)
        images = [source if not isinstance(source, Path) else read_image(source) for source in inputs]
        return KeyframeFilm(_load(self.run)(images, options), cast("FilmOptions", options).fps)

    def pick_engine(self, name: str | None) -> Engine:
        """Return the engine of that name, or the default."""
        return find(ENGINES, name or self.engines[0], "an engine", self.engines)


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
    )
}

SYSTEMS: dict[str, System] = {
    system.name: system
    for system in (
        System(
            name="inbetween",
            says="Fill the time between keyframes: pictures in, film out.",
            options="keyweave.systems.inbetween.options:InbetweenOptions",
            run="keyweave.systems.inbetween.pipeline:inbetween",
            takes=("FIRST", "LAST", "MORE"),
            fewest=2,
            engines=("flow", "crossfade"),
        ),
        System(
            name="retime",
            says="Slow a clip down, speed it up, or change its frame rate: a clip in, film out, its sound kept.",
            options="keyweave.systems.retime.options:RetimeOptions",
            run="keyweave.systems.retime.pipeline:retime",
            takes=("CLIP",),
            fewest=1,
            engines=("flow", "crossfade"),
            reads="clip",
        ),
    )
}


def find(table: Mapping[str, Any], name: str, what: str, allowed: Sequence[str] | None = None) -> Any:
    """Return a row of a table, or say which there are."""
    names = list(table) if allowed is None else list(allowed)
    if name not in names:
        raise InputError(f"{name!r} is not {what} that keyweave knows here.", f"Choose from: {', '.join(names)}.")
    return table[name]


def _load(place: str) -> Any:
    module, name = place.split(":")
    return cast("Any", getattr(importlib.import_module(module), name))
