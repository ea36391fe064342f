"""Beats and downbeats by the network of Beat This! (Foscarin and others, 2024), where it is installed."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import numpy as np

from keyweave.base.errors import ModelError, ModelNotFound
from keyweave.base.extras import need
from keyweave.perceive.beats import Heard

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from keyweave.base.progress import Progress
    from keyweave.media.types import Audio

    Floats = NDArray[np.floating]


class BeatThis:
    """A `BeatTracker`. It needs its checkpoint, a file such as final0.ckpt, which its authors offer for download.

    Args:
        checkpoint: that file. It is read by the package itself, as tensors; nothing is downloaded.
        device: where the network runs.
    """

    def __init__(self, checkpoint: Path | None, *, device: str = "cpu") -> None:
        need("beat_this", "finding beats with Beat This!")
        if checkpoint is None or not checkpoint.is_file():
            raise ModelNotFound(
                "Beat This! needs its checkpoint."
                if checkpoint is None
                else f"There is no checkpoint of Beat This! at {checkpoint}.",
                "Download final0.ckpt as the page of the package says, and give its path: beat-this:FILE.",
            )
        inference = import_module("beat_this.inference")  # what it needs itself and does not find is no damage
        try:
            self._find = inference.Audio2Beats(checkpoint_path=str(checkpoint), device=device, dbn=False)
        except Exception as fault:  # of whatever reads it: damaged, of another network, or not only tensors
            raise ModelError(f"{checkpoint} is no checkpoint of Beat This!: {fault}.", "Download it again.") from fault

    def __call__(self, audio: Audio, *, progress: Progress) -> Heard:
        """Hear a song; the strong beats are those in step with its downbeats."""
        progress.check()
        found = self._find(audio.samples.mean(axis=1), audio.rate)
        beats, downbeats = (np.asarray(times, np.float64) for times in found)
        return Heard(beats, lambda times, together: _in_step(times, downbeats, together))


def _in_step(times: Floats, downbeats: Floats, together: int) -> Floats:
    """Return for each parity (together,) how many downbeats (D,) are of it among beats (B,).

    0 is as many as by chance, 1 all of them.
    """
    if not len(downbeats):
        return np.zeros(together)
    numbers = np.abs(times[:, None] - downbeats).argmin(axis=0)
    shares = np.bincount(numbers % together, minlength=together) / len(downbeats)
    return (together * shares - 1) / (together - 1)
