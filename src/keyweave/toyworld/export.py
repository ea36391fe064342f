"""The drawn world as files: clips, keyframe pairs and the truth, for those who train or measure elsewhere."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from keyweave.base.errors import InputError
from keyweave.base.files import replacing, replacing_folder, write_text
from keyweave.base.progress import SILENT, Progress
from keyweave.base.version import VERSION
from keyweave.media.pictures.images import write_image
from keyweave.media.sheet import strip
from keyweave.media.sound.audio import write_audio
from keyweave.media.types import Image
from keyweave.media.writers import write_clip
from keyweave.toyworld.creature import posing, shoot_creature
from keyweave.toyworld.dancer import invented_dance, shoot_dance
from keyweave.toyworld.face import shoot_talk
from keyweave.toyworld.puppets import PuppetTruth, check_size
from keyweave.toyworld.scenes import invented, seed_of
from keyweave.toyworld.shots import Shot, Subject, shoot
from keyweave.toyworld.speech import invented_talk

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from keyweave.toyworld.actors import Kind
    from keyweave.toyworld.scenes import Split

Cast = Literal["actors", "creature", "dancer", "face"]
CASTS: tuple[Cast, ...] = get_args(Cast)
_FRAMES = 14  # of clips that are as long as one likes
_ON_SHEET = 6  # frames of each clip


def shots(
    split: Split,
    count: int,
    *,
    cast: Cast = "actors",
    seed: int = 0,
    kind: Kind | None = None,
    size: tuple[int, int],
    frames: int | None = None,
    truth: bool,
) -> Iterator[Shot[Subject]]:
    """Draw the first clips of a split, one after another.

    Args:
        split: train, validation or test.
        count: how many.
        cast: who is in them: actors, a creature in poses, a dancer with a song, a face that talks.
        seed: another world.
        kind: only this kind of actor first in each clip.
        size: width and height.
        frames: of each clip, 14 unless given; a dance is as long as its song, and a talk as its words.
        truth: whether to keep what is known of every pixel.
    """
    width, height = size
    check_size(width, height)
    if kind is not None and cast != "actors":
        raise InputError(f"A {cast} is no kind of actor; got {kind!r}.", "Leave the kind out, or choose the actors.")
    if frames is not None and cast in ("dancer", "face"):
        raise InputError(f"A {cast}'s clips are as long as their sound; got {frames} frames.", "Leave the frames out.")
    frames = frames or _FRAMES
    for number in range(count):
        chosen = seed_of(split, number, seed)
        match cast:
            case "actors":
                scene = invented(chosen, aspect=width / height, kind=kind)
                yield shoot(scene, frames=frames, width=width, height=height, truth=truth)
            case "creature":
                yield shoot_creature(posing(chosen, frames), width=width, height=height, truth=truth)
            case "dancer":
                yield shoot_dance(invented_dance(chosen), width=width, height=height, truth=truth)
            case "face":
                yield shoot_talk(invented_talk(chosen), width=width, height=height, truth=truth)


def sheet(drawn: Sequence[Shot[Subject]], *, title: str = "") -> Image:
    """Lay out clips, a row each."""
    rows: list[tuple[str, list[np.ndarray]]] = []
    for number, shot in enumerate(drawn):
        picked = np.linspace(0, len(shot.frames) - 1, _ON_SHEET).round().astype(int)
        rows.append((f"{number}: {shot.scene.name}", list(shot.frames[picked])))
    return strip(rows, title=title, cell_width=max(64, drawn[0].frames.shape[2]))


def export(
    folder: Path,
    drawn: Iterator[Shot[Subject]],
    count: int,
    *,
    title: str = "",
    overwrite: bool = False,
    progress: Progress = SILENT,
) -> None:
    """Write a folder of clips, whole or not at all.

    Each clip has a folder: clip.mp4 to look at, frames.npz with the very pixels, sound.wav if it has sound, truth.npz,
    first.png and last.png as a pair of keyframes, and scene.json. Beside them lie sheet.png and index.json.
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


def _write(place: Path, shot: Shot[Subject]) -> None:
    write_clip(place / "clip.mp4", iter(shot.frames), shot.rate, sound=shot.sound, crf=12)
    if shot.sound is not None:
        write_audio(place / "sound.wav", shot.sound)
    write_image(place / "first.png", Image(shot.frames[0]))
    write_image(place / "last.png", Image(shot.frames[-1]))
    write_text(place / "scene.json", _json({"rate": str(shot.rate), **shot.scene.facts()}))
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
                **(_of_puppet(truth) if isinstance(truth, PuppetTruth) else {}),
            },
        )


def _of_puppet(truth: PuppetTruth) -> dict[str, np.ndarray]:
    return {
        "points": truth.points.astype(np.float32),
        "points_seen": truth.seen,
        "point_names": np.array(truth.puppet.points),
        "dials": truth.dials.astype(np.float32),
        "dial_names": np.array(truth.puppet.dials),
    }


def _stacked(fields: list[np.ndarray], shot: Shot[Subject]) -> np.ndarray:
    return np.stack(fields) if fields else np.zeros((0, *shot.frames.shape[1:3]), np.float32)


def _write_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    with replacing(path) as part, part.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def _json(row: dict[str, object]) -> str:
    return json.dumps(row, ensure_ascii=False, indent=2) + "\n"
