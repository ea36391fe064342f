"""Beats and downbeats by the network of Beat This! (Foscarin and others, 2024), where it is installed."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import numpy as np

from keyweave.base.errors import InputError, ModelError, ModelNotFound
from keyweave.base.extras import need
from keyweave.perceive.beats import Beats, check_song, on_the_grain

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from keyweave.base.progress import Progress
    from keyweave.media.types import Audio


class BeatThis:
    """A `BeatTracker`. It needs its checkpoint, a file such as final0.ckpt, which its authors offer for download.

    Args:
        checkpoint: that file. It is read by the package itself, as tensors; nothing is downloaded.
        device: where the network runs.
        together: after so many beats a strong one comes again; bars of four have two.
    """

    def __init__(self, checkpoint: Path, *, device: str = "cpu", together: int = 2) -> None:
        need("beat_this", "finding beats with Beat This!")
        if not checkpoint.is_file():
            raise ModelNotFound(
                f"There is no checkpoint of Beat This! at {checkpoint}.",
                "Download final0.ckpt as the page of the package says, and give its path.",
            )
        try:
            inference = import_module("beat_this.inference")
            self._find = inference.Audio2Beats(checkpoint_path=str(checkpoint), device=device, dbn=False)
        except Exception as fault:  # of whatever reads it: damaged, of another network, or not only tensors
            raise ModelError(f"{checkpoint} is no checkpoint of Beat This!: {fault}.", "Download it again.") from fault
        self._together = together

    def __call__(self, audio: Audio, *, progress: Progress) -> Beats:
        """Find the beats of a song; the strong ones are those in step with its downbeats."""
        check_song(audio)
        with progress.part("finding beats"):
            found, downbeats = self._find(audio.samples.mean(axis=1), audio.rate)
        times = on_the_grain(found, audio.duration)
        if len(times) < 2:
            raise InputError(f"No beat was found in {float(audio.duration):.1f} s of sound.", "Choose another song.")
        return Beats(times, *_in_step(np.array(times, np.float64), np.asarray(downbeats, np.float64), self._together))


def _in_step(times: NDArray[np.float64], downbeats: NDArray[np.float64], together: int) -> tuple[int, float]:
    """Return the parity of most downbeats (D,) among beats (B,), and how many: 0 as by chance, 1 all of them."""
    if not len(downbeats):
        return 0, 0.0
    numbers = np.abs(times[:, None] - downbeats).argmin(axis=0)
    shares = np.bincount(numbers % together, minlength=together) / len(downbeats)
    best = int(shares.argmax())
    return best, float((together * shares[best] - 1) / (together - 1))
