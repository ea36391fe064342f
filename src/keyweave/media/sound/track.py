"""The sound of a file as a flow of samples, each at its place on the clock that sound and picture share."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from math import floor, gcd
from typing import TYPE_CHECKING

import av
import numpy as np
from av.error import FFmpegError

from keyweave.base.errors import MediaError
from keyweave.media.containers import av_faults, clock_zero, open_container, sound_stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from av.audio.frame import AudioFrame
    from av.audio.layout import AudioLayout
    from av.audio.stream import AudioStream
    from av.container import InputContainer

    from keyweave.media.limits import Limits
    from keyweave.media.types import Samples

BLOCK = 48_000  # samples that are handled at once

# Recorders' clocks jitter. To mend a gap or overlap shorter than this would click, and put nothing right.
_JITTER = Fraction(1, 100)

# Decoders of lossy sound need what came before: so much is decoded and thrown away.
_WARM_UP = Fraction(1, 4)

# Farther than a resampling filter looks to either side.
_FILTER_REACH = Fraction(1, 20)

# These index their sound to the sample. In others a seek lands where a bit rate or a coarse clock guesses.
_SEEK_EXACTLY = ("mov", "wav")


def sample_at(time: Fraction, rate: int) -> int:
    """Return the number of the sample nearest to `time`."""
    return floor(time * rate + Fraction(1, 2))


class Flow:
    """Sound that arrives in blocks of any length and is taken by count."""

    def __init__(self, blocks: Iterable[Samples], channels: int) -> None:
        self._blocks = iter(blocks)
        self._held = no_samples(channels)

    def take(self, count: int) -> Iterator[Samples]:
        """Yield the next `count` samples in parts, as they come; fewer if the sound ends."""
        while count > 0:
            while not len(self._held):
                following = next(self._blocks, None)
                if following is None:
                    return
                self._held = following
            part, self._held = self._held[:count], self._held[count:]
            count -= len(part)
            yield part

    def read(self, count: int) -> Samples:
        """Return the next `count` samples as one array; fewer if the sound ends."""
        return np.concatenate([self._held[:0], *self.take(count)])

    def in_blocks(self, size: int) -> Iterator[Samples]:
        """Yield all that comes in blocks of `size` samples; the last may be shorter."""
        while len(block := self.read(size)):
            yield block


@dataclass(frozen=True)
class Track:
    """The sound of a file, in the form that its first frame has."""

    path: Path
    limits: Limits
    layout: AudioLayout
    rate: int

    @property
    def channels(self) -> int:
        """1 for mono, 2 for stereo."""
        return self.layout.nb_channels

    def span(self, first: int, last: int | None) -> Iterator[Samples]:
        """Yield samples [first, last), counted from the zero of the clock."""
        with open_container(self.path, limits=self.limits) as container, av_faults(self.path):
            stream = sound_stream(container)
            assert stream is not None  # the track was found in it
            zero = clock_zero(container)
            self._seek(container, stream, zero + Fraction(first, self.rate) - _WARM_UP)
            parts = self._on_clock(self._placed(_decoded(container, stream), zero), first)
            if last is None:
                yield from parts
                return
            missing = last - first
            for part in Flow(parts, self.channels).take(missing):
                missing -= len(part)
                yield part
            yield from _silent(missing, self.channels)

    def span_at_rate(self, start: Fraction, stop: Fraction | None, rate: int) -> Iterator[Samples]:
        """Yield a span at another rate; its samples are those that the whole sound has at that rate."""
        # At each multiple of 1 / common seconds both rates have a sample; from there on they keep in step.
        common = gcd(self.rate, rate)
        lead = floor((start - _FILTER_REACH) * common)
        last = None if stop is None else sample_at(stop + _FILTER_REACH, self.rate)
        parts = self.span(lead * self.rate // common, last)
        flow = Flow(_resampled(parts, self.rate, rate, self.channels), self.channels)
        first = sample_at(start, rate)
        flow.read(first - lead * rate // common)
        yield from flow.in_blocks(BLOCK) if stop is None else flow.take(sample_at(stop, rate) - first)

    def _seek(self, container: InputContainer, stream: AudioStream, time: Fraction) -> None:
        """Go to `time` or before, where that can be done without losing count of the samples."""
        if time <= 0 or stream.time_base is None or container.format.name.split(",")[0] not in _SEEK_EXACTLY:
            return
        if (1 / (self.rate * stream.time_base)).denominator == 1:
            container.seek(floor(time / stream.time_base), stream=stream)

    def _placed(self, frames: Iterable[AudioFrame], zero: Fraction) -> Iterator[tuple[int | None, Samples]]:
        """Give each frame, in the form of the track, the number of its first sample; None if it has no time."""
        form = converter = None
        for frame in frames:
            # Broadcasts change the number of channels from one programme to the next.
            before, form = form, (frame.format.name, frame.layout.name, frame.sample_rate)
            if converter is None or form != before:
                converter = av.AudioResampler("flt", self.layout, self.rate)
            at = None
            if frame.pts is not None and frame.time_base is not None:
                at = sample_at(frame.pts * frame.time_base - zero, self.rate)
            for part in converter.resample(frame):
                yield at, _samples(part)
                at = None

    def _on_clock(self, placed: Iterable[tuple[int | None, Samples]], first: int) -> Iterator[Samples]:
        """Yield every sample from `first` on: gaps become silence, what comes twice is heard once."""
        due, end = first, None
        for stated, samples in placed:
            at = stated
            if at is None or (end is not None and abs(at - end) <= _JITTER * self.rate):
                at = end or 0
            end = at + len(samples)
            self.limits.check(str(self.path), "seconds", end / self.rate)
            if end > due:
                yield from _silent(at - due, self.channels)
                yield samples[max(0, due - at) :]
                due = end


def find_track(path: Path, limits: Limits) -> Track | None:
    """Find out what sound a file holds; None if it has no sound."""
    with open_container(path, limits=limits) as container, av_faults(path):
        stream = sound_stream(container)
        if stream is None:
            return None
        # Decoders learn the true rate and channels of some AAC only as they decode.
        for frame in _decoded(container, stream):
            return Track(path, limits, frame.layout, frame.sample_rate)
    raise MediaError(f"{path} has a sound track, but none of it can be decoded.", "Export it again.")


def _decoded(container: InputContainer, stream: AudioStream) -> Iterator[AudioFrame]:
    """Decode the sound; a damaged packet is left out, and is later heard as silence."""
    for packet in container.demux(stream):
        try:
            yield from packet.decode()
        except FFmpegError:
            continue


def _resampled(parts: Iterable[Samples], own: int, rate: int, channels: int) -> Iterator[Samples]:
    """Convert to another rate, band-limited; as long as what comes, to the nearest sample."""
    resampler = av.AudioResampler("flt", layout_of(channels), rate)
    taken = given = 0
    for part in parts:
        taken += len(part)
        for made in resampler.resample(as_frame(part, own)):
            given += made.samples
            yield _samples(made)
    # The filter lags behind; silence after the end pushes the rest out.
    pushed = resampler.resample(as_frame(np.zeros((sample_at(_FILTER_REACH, own), channels), np.float32), own))
    rest = Flow(map(_samples, chain(pushed, resampler.resample(None))), channels)
    yield rest.read(sample_at(Fraction(taken, own), rate) - given)


def _silent(count: int, channels: int) -> Iterator[Samples]:
    """Yield silence in blocks, so that a long gap takes no memory."""
    for done in range(0, count, BLOCK):
        yield np.zeros((min(BLOCK, count - done), channels), np.float32)


def no_samples(channels: int) -> Samples:
    """Return an array of no samples, to begin with."""
    return np.zeros((0, channels), np.float32)


def layout_of(channels: int) -> str:
    """Return FFmpeg's name for the usual order of so many channels."""
    return f"{channels}c"


def as_frame(samples: Samples, rate: int) -> AudioFrame:
    """Return samples (n, C) as a frame for FFmpeg."""
    # Packed, not planar: PyAV reads past the end of planes beyond the seventh.
    packed = np.ascontiguousarray(samples).reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(packed, "flt", layout_of(samples.shape[1]))
    frame.sample_rate = rate
    return frame


def _samples(frame: AudioFrame) -> Samples:
    """Return a packed float frame as samples; what is not a number is silent."""
    packed = frame.to_ndarray().astype(np.float32, copy=False)
    return np.nan_to_num(packed.reshape(-1, frame.layout.nb_channels), nan=0, posinf=1, neginf=-1)
