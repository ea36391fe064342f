"""Packets become decoded pictures on the clock of the file; damage is told apart from a proper end."""

from __future__ import annotations

import os
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from math import floor
from typing import TYPE_CHECKING, NamedTuple, cast

import av
from av.error import FFmpegError

from keyweave.media.containers import clock_zero, packets_of, picture_stream, stated_end
from keyweave.media.films.pace import MILLISECOND

if TYPE_CHECKING:
    from collections.abc import Iterator

    from av.container import InputContainer
    from av.packet import Packet
    from av.stream import Stream
    from av.video.codeccontext import VideoCodecContext
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

    from keyweave.media.limits import Limits

# They state their length in a header, which a cut-off file still has.
_STATES_LENGTH = frozenset({"mov", "matroska", "avi", "flv"})
# Header and data may disagree by so much, and by two frames, without anything being lost.
SLACK = Fraction(1, 4)
# Only these decoders know the second picture that carries alpha in WebM.
_ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
# These give no frame until they are sure of it, be it without any key frame, from pictures that are renewed by parts.
_RECOVER = frozenset({"h264", "hevc"})
_MOST_THREADS = 8
_MICROSECOND = Fraction(1, 1_000_000)


class Damaged(Exception):
    """The film cannot be decoded further, or ends before it should."""


class Picture(NamedTuple):
    """A decoded frame, when it begins, and how long it lasts as the file states (0 where it does not)."""

    at: Fraction
    length: Fraction
    frame: VideoFrame


class Span(NamedTuple):
    """When a packet begins and ends, and whether decoding can begin there."""

    start: Fraction
    stop: Fraction
    is_key: bool


@dataclass(frozen=True)
class Facts:
    """What the headers of a film say about its picture and its clock.

    Args:
        demuxer: the first of FFmpeg's names for the container.
        tick: seconds in one unit of the picture's time stamps.
        zero: the container time at which the clock of the file begins.
        whole: how long the longest stream is, if stated or guessed by FFmpeg.
        end: when the picture ends, if a header says so.
        aspect: width of a pixel divided by its height.
        rates: FFmpeg's average and base rate.
    """

    demuxer: str
    tick: Fraction
    zero: Fraction
    whole: Fraction | None
    end: Fraction | None
    aspect: Fraction
    rates: tuple[Fraction | None, Fraction | None]

    @classmethod
    def of(cls, container: InputContainer) -> Facts:
        """Gather them without decoding anything."""
        stream = picture_stream(container)
        demuxer = container.format.name.split(",")[0]
        tick = stream.time_base or MILLISECOND
        zero = clock_zero(container)
        whole = None if container.duration is None else container.duration * _MICROSECOND
        end = stated_end(stream) if demuxer in _STATES_LENGTH else None
        if demuxer == "avi" and stream.frames:
            end = stream.frames * tick  # FFmpeg scales the duration down to the size of the file, cut off or not
        return cls(
            demuxer,
            tick,
            zero,
            whole,
            None if end is None else end - zero,
            stream.sample_aspect_ratio or Fraction(1),
            (stream.average_rate, stream.base_rate),
        )

    @property
    def can_seek(self) -> bool:
        """Whether an index leads to a key frame for certain; in the others a seek guesses."""
        return self.demuxer in ("mov", "matroska")

    @property
    def begins_anywhere(self) -> bool:
        """Whether it is the way of broadcasts, where what comes before the first key frame is not damage."""
        return self.demuxer in ("mpegts", "mpeg")

    def stamp_of(self, packet: Packet[Stream]) -> int | None:
        """Return the presentation time of a packet in ticks; AVI has none, its packets take turns."""
        return packet.dts if self.demuxer == "avi" or packet.pts is None else packet.pts

    def on_clock(self, ticks: int) -> Fraction:
        """Convert ticks to seconds on the clock of the file."""
        return ticks * self.tick - self.zero


def packet_spans(
    container: InputContainer, facts: Facts, most: int | None = None, since: Fraction | None = None
) -> Iterator[Span]:
    """Yield when each picture packet begins and ends, without decoding, in the order stored; at most so many."""
    if since is not None:
        _seek(container, facts, since)
    for packet in islice(packets_of(container, [picture_stream(container)]), most):
        stamp = facts.stamp_of(packet)
        if packet.size and stamp is not None and not packet.is_discard:
            stop = stamp + (packet.duration or 0)
            yield Span(facts.on_clock(stamp), facts.on_clock(stop), packet.is_keyframe)


def has_hidden_alpha(stream: VideoStream) -> bool:
    """Tell whether alpha comes beside the picture, as VP8 and VP9 have it in WebM."""
    able = _ALPHA_DECODERS.get(stream.codec_context.name) in av.codecs_available
    return able and stream.metadata.get("alpha_mode") == "1"


def pictures(container: InputContainer, limits: Limits, since: Fraction | None = None) -> Iterator[Picture]:
    """Decode the film from its start, or from the last key frame that its index names for the time `since`.

    Raises:
        Damaged: when decoding cannot go on, or the file ended too early.
    """
    try:
        yield from _Decoding(container, limits, since).run()
    except (FFmpegError, ValueError) as fault:
        raise Damaged from fault


class _Decoding:
    """One pass over the packets of a file."""

    def __init__(self, container: InputContainer, limits: Limits, since: Fraction | None) -> None:
        self._since = since
        self._container = container
        self._stream = picture_stream(container)
        self._decoder = _decoder(self._stream, limits)
        self._facts = Facts.of(container)
        self._last: Picture | None = None
        self._ticks = 0  # when the last picture began
        self._first_stamp: int | None = None
        self._furthest = 0  # the latest stamp of all packets
        self._lag: int | None = None  # AVI: by how many packets the decoder is behind
        self._others_end = Fraction(0)

    def run(self) -> Iterator[Picture]:
        facts = self._facts
        if self._since is not None:
            _seek(self._container, facts, self._since)
        # The other streams only matter where they alone can tell that the file was cut off.
        watched = [self._stream] if facts.end is not None else list(self._container.streams)
        for packet in packets_of(self._container, watched):
            # An empty packet is AVI's way to hold a frame, and PyAV's way to say that a stream ended.
            if not packet.size:
                continue
            if packet.stream_index == self._stream.index:
                self._note(packet)
                yield from self._decode(packet)
            elif packet.pts is not None:
                end = (packet.pts + (packet.duration or 0)) * packet.time_base - facts.zero
                self._others_end = max(self._others_end, end)
        yield from self._decode(None)
        if self._ends_early():
            raise Damaged

    def _note(self, packet: Packet[Stream]) -> None:
        stamp = self._facts.stamp_of(packet)
        if stamp is None:
            return
        if self._first_stamp is None:
            self._first_stamp = self._furthest = stamp
        if not packet.is_discard:
            self._furthest = max(stamp, self._furthest)

    def _decode(self, packet: Packet[Stream] | None) -> Iterator[Picture]:
        try:
            frames = self._decoder.decode(packet)
        except (FFmpegError, ValueError):
            if self._last is None and self._facts.begins_anywhere:
                return
            raise
        for frame in frames:
            if self._is_whole(frame):
                self._ticks = self._stamp(frame)
                self._last = Picture(self._facts.on_clock(self._ticks), frame.duration * self._facts.tick, frame)
                yield self._last
            elif self._last is not None or not self._facts.begins_anywhere:
                raise Damaged

    def _is_whole(self, frame: VideoFrame) -> bool:
        begins_inside = self._last is None and (self._facts.begins_anywhere or self._since is not None)
        # Before the first key frame, other decoders make up frames and do not mark them as corrupt.
        can_begin = frame.key_frame or self._decoder.name in _RECOVER
        return not frame.is_corrupt and (can_begin or not begins_inside)

    def _stamp(self, frame: VideoFrame) -> int:
        """Return the presentation time of a frame in ticks."""
        next_one = self._ticks + max(1, self._last.frame.duration) if self._last else self._first_stamp or 0
        if self._facts.demuxer != "avi":
            stamp = frame.pts if frame.pts is not None else frame.dts
            return next_one if stamp is None else stamp
        # Frames leave the decoder in the order of display, marked with the packet that pushed them out.
        if frame.dts is None:
            return next_one
        if self._lag is None:
            self._lag = frame.dts - (self._first_stamp or 0)
        return frame.dts - self._lag

    def _ends_early(self) -> bool:
        """Tell whether packets went in that no picture came of, or the headers promise clearly more."""
        if self._last is None or self._furthest > self._ticks:
            return True
        facts = self._facts
        reached = self._last.at + self._last.length
        promised = facts.end
        if promised is None and facts.demuxer in _STATES_LENGTH:
            # Matroska and FLV count from 0, whenever the streams begin.
            promised, reached = facts.whole, facts.zero + max(reached, self._others_end)
        return promised is not None and promised - reached > max(SLACK, 2 * self._last.length)


def _seek(container: InputContainer, facts: Facts, time: Fraction) -> None:
    container.seek(floor((time + facts.zero) / facts.tick), stream=picture_stream(container))


def _decoder(stream: VideoStream, limits: Limits) -> VideoCodecContext:
    decoder = stream.codec_context
    if has_hidden_alpha(stream):
        decoder = cast("VideoCodecContext", av.CodecContext.create(_ALPHA_DECODERS[decoder.name], "r"))
    decoder.thread_type = "AUTO"
    decoder.thread_count = min(os.cpu_count() or 1, _MOST_THREADS)
    # Where the stream does not say between which pixels its chroma lies, it is to the left, as MPEG has it.
    decoder.options = {"max_pixels": str(limits.pixels), "chroma_sample_location": "left"}
    return decoder
