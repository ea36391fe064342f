"""The table of systems. A new one is a row here and a folder of its own; nothing else changes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from keyweave.app.engines import ENGINES, Engine, imported, pick

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keyweave.media.types import Image
    from keyweave.timeline.film import Film
    from keyweave.timeline.options import FilmOptions, OutputOptions


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
        reads: pictures, one clip, or a song and then pictures.
    """

    name: str
    says: str
    options: str
    run: str
    takes: tuple[str, ...]
    fewest: int
    engines: tuple[str, ...]
    reads: Literal["pictures", "clip", "song"] = "pictures"

    def options_model(self) -> type[OutputOptions]:
        """Import the options model."""
        return imported(self.options)

    def make_film(self, inputs: Sequence[Path | Image], options: OutputOptions) -> Film:
        """Read the inputs as far as they are needed now, and run the pipeline of the system."""
        from keyweave.media.pictures.images import read_image  # noqa: PLC0415 - the table must be quick to read
        from keyweave.timeline.film import KeyframeFilm  # noqa: PLC0415

        if self.reads == "song":
            return imported(self.run)(inputs, options)
        if self.reads == "clip":
            return imported(self.run)(inputs[0], options)
        images = [source if not isinstance(source, Path) else read_image(source) for source in inputs]
        return KeyframeFilm(imported(self.run)(images, options), cast("FilmOptions", options).fps)

    def pick_engine(self, name: str | None) -> Engine:
        """Return the engine of that name, or the default."""
        return pick(ENGINES, name or self.engines[0], "an engine", self.engines)


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
            engines=("flow", "crossfade", "generative"),
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
        System(
            name="dance",
            says="Let keyframes dance to a song: each exactly on its beat, by a plan.",
            options="keyweave.systems.dance.options:DanceOptions",
            run="keyweave.systems.dance.pipeline:dance",
            takes=("SONG", "PICTURE", "PICTURE", "MORE"),
            fewest=3,
            engines=("flow", "crossfade", "generative"),
            reads="song",
        ),
    )
}
