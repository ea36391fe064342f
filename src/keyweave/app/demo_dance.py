"""The demo of dancing: a creature that keyweave draws follows a dancer that it draws, to a song that it plays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyweave.app.dance_stages import Reference
from keyweave.app.dancing import Danced, make_dance
from keyweave.base.files import refuse_existing
from keyweave.base.progress import SILENT, Progress
from keyweave.media.pictures.images import write_image
from keyweave.media.types import Image
from keyweave.toyworld.creature import posing, shoot_creature
from keyweave.toyworld.dancer import dance, shoot_dance
from keyweave.toyworld.export import export

if TYPE_CHECKING:
    from pathlib import Path

LABELS, TEMPO = "A-A'-A-A'-B-B-C-C'-D-D", 120
KEYFRAMES, SIDE, SEED = 6, 320, 5


def make_dance_demo(folder: Path, *, overwrite: bool = False, progress: Progress = SILENT) -> Danced:
    """Draw a creature in six poses and a dancer with a song; let the creature follow the dance."""
    pictures = [folder / f"pose-{number}.png" for number in range(1, KEYFRAMES + 1)]
    drawn, film = folder / "dancer", folder / "dance.mp4"
    for path in (*pictures, drawn, film):
        refuse_existing(path, overwrite=overwrite)
    creature = shoot_creature(posing(SEED, KEYFRAMES), width=SIDE, height=SIDE)
    for path, frame in zip(pictures, creature.frames, strict=True):
        write_image(path, Image(frame), overwrite=overwrite)
    with progress.part("drawing the dancer", 0.2) as part:
        shot = shoot_dance(dance(LABELS, tempo=TEMPO, seed=SEED), width=SIDE // 2, height=SIDE // 2, truth=True)
        export(drawn, iter([shot]), 1, title="the dancer", overwrite=overwrite, progress=part)
    (clip,) = drawn.glob("*/clip.mp4")
    follow = Reference(clip, clip.with_name("truth.npz"))
    with progress.part("dancing", 0.8) as part:
        return make_dance(pictures, follow, film, seed=SEED, overwrite=overwrite, progress=part)
