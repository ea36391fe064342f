"""Sound at sample accuracy: read by span on the presentation clock, cut, joined without clicks, written."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from math import floor
from typing import TYPE_CHECKING, Literal

import av
import numpy as np

from keyweave.base.errors import InputError
from keyweave.base.files import replacing
from keyweave.media.limits import Limits
from keyweave.media.sound.track import BLOCK, Flow, as_frame, find_track, layout_of, no_samples, sample_at
from keyweave.media.types import Audio, Samples, Sound

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

FADE = Fraction(3, 1000)


def read_audio(
    path: Path,
    start: Fraction = Fraction(0),
    stop: Fraction | None = None,
    *,
    rate: int | None = None,
    limits: Limits | None = None,
) -> Audio | None:
    """Read a span of the sound of a film or sound file; None if it has no sound.

    Sample n is heard at start + n / rate on the clock that picture and sound share. Where the file has no sound
    (before late sound, in gaps, after the end) there is silence.

    Args:
        path: the file.
        start: seconds from the start of the file.
        stop: where the span ends, even if the sound ends before; None stands for the end of the sound.
        rate: samples per second to convert to; None keeps those of the file.
        limits: how large a file may be.
    """
    sound = stream_audio(path, start, stop, rate=rate, limits=limits)
    if sound is None:
        return None
    return Audio(np.concatenate([no_samples(sound.channels), *sound.blocks]), sound.rate)


def stream_audio(
    path: Path,
    start: Fraction = Fraction(0),
    stop: Fraction | None = None,
    *,
    rate: int | None = None,
    block: int = BLOCK,
    limits: Limits | None = None,
) -> Sound | None:
    """Read as `read_audio` does, but as a flow of blocks of `block` samples (the last may be shorter)."""
    if start < 0 or (stop is not None and stop < start):
        span = f"from {float(start):g} s to {'the end' if stop is None else f'{float(stop):g} s'}"
        raise InputError(f"Sound {span} was asked for.", "Start at 0 s or later, and stop after that.")
    if rate is not None and rate <= 0:
        raise InputError(f"A sample rate must be above 0; got {rate}.")
    track = find_track(path, limits or Limits.from_environment())
    if track is None:
        return None
    if rate is None or rate == track.rate:
        first, last = sample_at(start, track.rate), None if stop is None else sample_at(stop, track.rate)
        parts = track.span(first, last)
    else:
        parts = track.span_at_rate(start, stop, rate)
    return Sound(Flow(parts, track.channels).in_blocks(block), rate or track.rate, track.channels)


def cut(audio: Audio, start: Fraction, stop: Fraction) -> Audio:
    """Return the samples of [start, stop)."""
    if not 0 <= start <= stop <= audio.duration:
        span = f"{float(start):g} to {float(stop):g} s"
        raise InputError(f"A cut from {span} does not lie within {float(audio.duration):g} s of sound.")
    return Audio(audio.samples[sample_at(start, audio.rate) : sample_at(stop, audio.rate)], audio.rate)


def silence(duration: Fraction, rate: int, channels: int) -> Audio:
    """Return silence of the given seconds."""
    return Audio(np.zeros((sample_at(duration, rate), channels), np.float32), rate)


def join(pieces: Sequence[Audio], *, fade: Fraction = FADE) -> Audio:
    """Put sounds one after another: as long as all together, without a click where they meet.

    Args:
        pieces: one or more, of one sample rate and number of channels.
        fade: seconds, half of them to either side of each join, that make the step there smooth.
    """
    if not pieces:
        raise InputError("There is no sound to join.", "Give one or more.")
    rate, channels = pieces[0].rate, pieces[0].channels
    for number, piece in enumerate(pieces, 1):
        if (piece.rate, piece.channels) != (rate, channels):
            raise InputError(
                f"Sound {number} has {piece.channels} channels at {piece.rate} Hz, the first {channels} at {rate} Hz.",
                "Read them all with one rate, and mix them to one number of channels.",
            )
    lengths = [len(piece.samples) for piece in pieces]
    flow = Flow((piece.samples for piece in pieces), channels)
    return Audio(np.concatenate([no_samples(channels), *joined(flow, lengths, rate, fade)]), rate)


def joined(flow: Flow, lengths: Sequence[int], rate: int, fade: Fraction = FADE) -> Iterator[Samples]:
    """Pass on pieces of so many samples each, that come one after another in `flow`; see `join`."""
    if fade < 0:
        raise InputError(f"A fade lasts 0 s or longer; got {float(fade):g} s.")
    reach = floor(fade * rate / 2)
    passed = 0  # of the piece at hand
    for one, two in pairwise(length for length in lengths if length):
        near = min(reach, one // 2, two // 2)
        yield from flow.take(one - near - passed)
        yield _smoothed(flow.read(2 * near))
        passed = near
    yield from flow.in_blocks(BLOCK)


def write_audio(path: Path, audio: Audio, *, bits: Literal[16, 32] = 16, overwrite: bool = False) -> None:
    """Write a WAV file: 16-bit PCM, or 32-bit float, which also keeps what is beyond full scale."""
    if path.suffix.lower() != ".wav":
        raise InputError(f"Sound is written as WAV; got {path.name}.", "Let the name end in .wav.")
    codec = "pcm_s16le" if bits == 16 else "pcm_f32le"
    with replacing(path, overwrite=overwrite) as part, av.open(f"file:{part}", "w", format="wav") as container:
        stream = container.add_stream(codec, audio.rate, layout=layout_of(audio.channels))
        for block in Flow([audio.samples], audio.channels).in_blocks(BLOCK):
            container.mux(stream.encode(as_frame(block, audio.rate)))
        container.mux(stream.encode(None))


def _smoothed(window: Samples) -> Samples:  # (2r, C), joined in the middle
    """Fade from the sound before the join to the sound after it.

    What each side would have gone on to sound like is not known, so each is continued by its mirror image. The mean
    of the two never exceeds either, and where both agree it changes nothing: the level holds through the join.
    """
    reach = len(window) // 2
    before, after = window[:reach], window[reach:]
    rise = np.sin(np.linspace(0, np.pi / 2, 2 * reach))[:, None] ** 2
    before, after = np.concatenate([before, before[::-1]]), np.concatenate([after[::-1], after])
    return (before + rise * (after - before)).astype(np.float32)
