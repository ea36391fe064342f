"""Who hears the beats of a song: librosa, or another tracker that a person names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from keyweave.base.errors import InputError
from keyweave.base.recipe import sha256_of_file
from keyweave.perceive.beat_this import BeatThis
from keyweave.perceive.beats import BeatTracker, by_librosa

_LIBROSA, _BEAT_THIS = "librosa", "beat-this"


@dataclass(frozen=True)
class Listener:
    """Who hears beats.

    Args:
        tracker: who does.
        mark: the same for the same.
    """

    tracker: BeatTracker = by_librosa
    mark: str = _LIBROSA


LIBROSA = Listener()


def listener_of(text: str) -> Listener:
    """Return who is to hear beats: librosa, or beat-this:FILE with the checkpoint of Beat This!.

    What Beat This! needs is looked for now, since a song may be listened to only after other work.

    Raises:
        InputError: nobody is called so.
        MissingExtra: its package is not installed.
        ModelNotFound: there is no such checkpoint, or none was named.
    """
    name, colon, file = text.partition(":")
    if name == _BEAT_THIS:
        path = Path(file) if file else None
        tracker = BeatThis(path)
        assert path is not None  # or it was refused
        return Listener(tracker, f"{_BEAT_THIS}:{path.name} {sha256_of_file(path)}")
    if name != _LIBROSA or colon:
        raise InputError(f"Beats are found by {_LIBROSA} or {_BEAT_THIS}:FILE; got {text!r}.")
    return LIBROSA
