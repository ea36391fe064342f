"""What several tests of commands start from."""

import json
from pathlib import Path

import numpy as np
import pytest

from keyweave.media.pictures.images import write_image
from keyweave.media.types import Image
from keyweave.media.writers import write_clip
from keyweave.perceive.poses import JointTrack
from keyweave.perceive.tracks import write_track
from keyweave.toyworld.creature import posing, shoot_creature
from keyweave.toyworld.dancer import BUILD, dance, shoot_dance
from keyweave.toyworld.poses import JOINTS, skeleton

LABELS = "A-B-A'-B"
SIZE = 96


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four keyframes, a drawn dance with its song, how it moves, and its beats."""
    folder = tmp_path_factory.mktemp("dance")
    for number, frame in enumerate(shoot_creature(posing(5, 4), width=SIZE, height=SIZE).frames, start=1):
        write_image(folder / f"k{number}.png", Image(frame))
    drawn = dance(LABELS, tempo=120, seed=2)
    shot = shoot_dance(drawn, width=64, height=64)
    write_clip(
        folder / "ref.mp4", iter(shot.frames), shot.rate, sound=None if shot.sound is None else _flow(shot.sound)
    )
    times = np.arange(drawn.frames) / 25
    names = {"hand": "wrist", "foot": "ankle"}
    joints = tuple("_".join(names.get(part, part) for part in name.split("_")) for name in JOINTS)
    places = np.stack([skeleton(BUILD, pose).joints for pose in drawn.poses(times)]) * 100 + 100
    track = JointTrack(times, joints, places, np.ones(places.shape[:2]), (200, 200))
    write_track(folder / "poses.npz", track)
    beats = {"keyweave beats": 1, "beats": [str(at) for at in drawn.beats]}
    (folder / "beats.json").write_text(json.dumps(beats))
    return folder


def _flow(sound):
    from keyweave.media.types import Sound

    return Sound([sound.samples], sound.rate, sound.channels)
