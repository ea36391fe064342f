"""The drawn world as files: clips, keyframe pairs and the truth, for those who train or measure elsewhere."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from keyweave.base.errors import InputError
from keyweave.base.files import replacing, replacing_folder, write_text
from keyweave.base.progress import SILENT, Progress
from keyweave.base.version import VERSION
from keyweave.media.pictures.images import write_image
from keyweave.media.sheet import strip
from keyweave.media.types import Image
from keyweave.media.writers import write_clip
from keyweave.toyworld.scenes import Scene, scene_of
from keyweave.toyworld.shots import Shot, shoot

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from keyweave.toyworld.actors import Kind
    from keyweave.toyworld.scenes import Split

RATE = Fraction(7)  # frames per second, what the image-to-video models of this family are told
_ON_SHEET = 6  # frames of each clip


def shots(
    split: Split,
    count: int,
    *,
    seed: int = 0,
    kind: Kind | None = None,
    size: tuple[int, int],
    frames: int,
    truth: bool,
) -> Iterator[Shot]:
    """Draw the first clips of a split, one after another.

    Args:
        split: train, validation or test.
        count: how many.
        seed: another world.
        kind: only this kind of actor first in each clip.
        size: width and height.
        frames: of each clip.
        truth: whether to keep what is known of every pixel.
    """
    width, height = size
    if min(size) < 16 or max(size) > 2048:
        raise InputError(f"Clips of the toy world are 16 to 2048 pixels wide and high; got {width}x{height}.")
    for number in range(count):
        scene = scene_of(split, number, seed=seed, aspect=width / height, kind=kind)
        yield shoot(scene, frames=frames, width=width, height=height, truth=truth)


def sheet(drawn: Sequence[Shot], *, title: str = "") -> Image:
    """Lay out clips, a row each."""
    rows: list[tuple[str, list[np.ndarray]]] = []
    for number, shot in enumerate(drawn):
        picked = np.linspace(0, len(shot.frames) - 1, _ON_SHEET).round().astype(int)
        rows.append((f"{number}: {' and '.join(role.kind for role in shot.scene.cast)}", list(shot.frames[picked])))
    return strip(rows, title=title, cell_width=max(64, drawn[0].frames.shape[2]))


def export(
    folder: Path,
    drawn: Iterator[Shot],
    count: int,
    *,
    title: str = "",
    overwrite: bool = False,
    progress: Progress = SILENT,
) -> None:
    """Write a folder of clips, whole or not at all.

    Each clip has a folder: clip.mp4 to look at, frames.npz with the very pixels, truth.npz, first.png and last.png as
    a pair of keyframes, and scene.json. Beside them lie sheet.png and index.json.
    """
    if overwrite and folder.is_dir() and any(folder.iterdir()) and not (folder / "index.json").is_file():
        raise InputError(f"{folder} holds other files than exported clips.", "Choose another folder.")
    index, looked_at = [], []
    with replacing_folder(folder, overwrite=overwrite) as part:
        for shot in progress.each(drawn, "clips", total=count):
            number = len(index)
            place = part / f"{number:05}"
            place.mkdir()
            _write(place, shot)
            index.append({"clip": place.name, "caption": shot.scene.caption})
            if len(looked_at) < 16:
                looked_at.append(shot)
        write_image(part / "sheet.png", sheet(looked_at, title=title))
        write_text(part / "index.json", _json({"keyweave toyworld": VERSION, "title": title, "clips": index}))


def described(scene: Scene) -> dict[str, object]:
    """Return what a scene is, as plain values."""
    return {
        "caption": scene.caption,
        "place": scene.place,
        "light": scene.light,
        "pan": scene.pan,
        "hidden": scene.hidden_by is not None,
        "actors": [{"kind": role.kind, "color": role.color, "size": role.size} for role in scene.cast],
    }


def _write(place: Path, shot: Shot) -> None:
    write_clip(place / "clip.mp4", iter(shot.frames), RATE, crf=12)
    write_image(place / "first.png", Image(shot.frames[0]))
    write_image(place / "last.png", Image(shot.frames[-1]))
    write_text(place / "scene.json", _json(described(shot.scene)))
    _write_arrays(place / "frames.npz", {"frames": shot.frames})
    if shot.truth is not None:
        truth, last = shot.truth, len(shot.frames) - 1
        steps = [(number, number + 1) for number in range(last)]
        _write_arrays(
            place / "truth.npz",
            {
                "masks": truth.masks(),
                "centroids": truth.centroids().astype(np.float32),
                "poses": truth.poses.astype(np.float32),
                "forward": _stacked([truth.flow(a, b) for a, b in steps], shot),
                "backward": _stacked([truth.flow(b, a) for a, b in steps], shot),
                "seen_next": _stacked([truth.visible(a, b) for a, b in steps], shot),
            },
        )


def _stacked(fields: list[np.ndarray], shot: Shot) -> np.ndarray:
    return np.stack(fields) if fields else np.zeros((0, *shot.frames.shape[1:3]), np.float32)


def _write_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    with replacing(path) as part, part.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def _json(row: dict[str, object]) -> str:
    return json.dumps(row, ensure_ascii=False, indent=2) + "\n"
