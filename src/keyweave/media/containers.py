"""The one door through which films and sounds are opened, and the clock that the streams of a file share."""

from __future__ import annotations

import re
from contextlib import contextmanager
from fractions import Fraction
from typing import TYPE_CHECKING

import av
from av.error import DecoderNotFoundError, FFmpegError, PatchWelcomeError
from av.stream import Disposition

from keyweave.base.errors import MediaError
from keyweave.media.limits import Limits
from keyweave.media.sniff import sniff

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.packet import Packet
    from av.stream import Stream
    from av.video.stream import VideoStream

    from keyweave.media.sniff import Kind

# Pictures that go with a film but are not the film: cover art and chapter thumbnails.
_NOT_THE_FILM = Disposition.attached_pic | Disposition.timed_thumbnails
_MATROSKA_END = re.compile(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)")
_FILE = "file:"
_CONVERT = "Convert it first, for instance to MP4 with H.264."


def open_container(path: Path, *, limits: Limits | None = None) -> InputContainer:
    """Open a film or sound file by the one demuxer that its first bytes name; close it when done.

    Nothing beyond the file is reached: no network, no playlist, no media that the file refers to.
    """
    kind = sniff(path)
    if kind.demuxer is None:
        raise MediaError(f"{path} is a picture ({kind.name}); a video or sound file is needed.")
    limits = limits or Limits.from_environment()
    limits.check(str(path), "file_bytes", path.stat().st_size)
    # "max_pixels" reaches the decoders that FFmpeg opens while it looks at the streams.
    options = {"protocol_whitelist": "file", "max_pixels": str(limits.pixels)}
    try:
        # PyAV keeps FFmpeg's log silent unless asked; the prefix keeps any name from being taken for an address.
        found = av.open(f"{_FILE}{path}", "r", format=kind.demuxer, options=options, metadata_errors="replace")
    except (FFmpegError, ValueError) as fault:
        raise _cut_off(path, kind) or _in_words(fault, path) from fault
    if not len(found.streams):
        found.close()
        raise _cut_off(path, kind) or MediaError(f"{path} holds neither picture nor sound.")
    return found


@contextmanager
def av_faults(path: Path) -> Iterator[None]:
    """Turn what FFmpeg and PyAV raise inside the block into one sentence about `path`."""
    try:
        yield
    except (FFmpegError, ValueError) as fault:
        raise _in_words(fault, path) from fault


def film_streams(container: InputContainer) -> list[VideoStream]:
    """List the video streams that can be decoded, without cover art: the default one first, then the largest."""
    able = [
        stream
        for stream in container.streams.video
        if stream.codec_context is not None and not stream.disposition & _NOT_THE_FILM
    ]
    return sorted(able, key=lambda stream: (not _is_default(stream), -stream.width * stream.height))


def packets_of(container: InputContainer, streams: Sequence[Stream]) -> Iterator[Packet[Stream]]:
    """Yield the packets of some streams in the order of the file, and an empty one at the end of each stream."""
    try:
        yield from container.demux(*streams)
    except IndexError:
        # A stream that appears on the way, as in broadcasts, makes PyAV stumble when the file has ended.
        return


def picture_stream(container: InputContainer) -> VideoStream:
    """Choose the first of `film_streams`."""
    for best in film_streams(container):
        return best
    if any(not stream.disposition & _NOT_THE_FILM for stream in container.streams.video):
        raise MediaError(f"{name_of(container)} holds video in a codec that this FFmpeg cannot decode.", _CONVERT)
    raise MediaError(f"{name_of(container)} has no video stream.", "Name a video file.")


def sound_stream(container: InputContainer) -> AudioStream | None:
    """Choose the sound: the default stream first, then the one with most channels; None if there is none."""
    able = [stream for stream in container.streams.audio if stream.codec_context is not None]
    return max(able, key=lambda stream: (_is_default(stream), stream.channels), default=None)


def clock_zero(container: InputContainer) -> Fraction:
    """Tell the container time, in exact seconds, that is second 0 of the clock shared by picture and sound.

    Recordings of broadcasts begin at any time; both streams are shifted by the same amount, so that the earlier
    one begins at 0. A start below 0 is no start but a codec that warms up (AAC, Opus), and moves nothing.
    """
    chosen = (*film_streams(container)[:1], sound_stream(container))
    starts = [start for stream in chosen if stream is not None and (start := start_of(stream)) is not None]
    return max(Fraction(0), min(starts, default=Fraction(0)))


def start_of(stream: Stream) -> Fraction | None:
    """Tell when a stream begins, in container seconds."""
    if stream.start_time is None or stream.time_base is None:
        return None
    return stream.start_time * stream.time_base


def stated_end(stream: Stream) -> Fraction | None:
    """Tell when a stream ends, in container seconds, as a header says or FFmpeg reckons."""
    if stream.duration is not None and stream.time_base is not None:
        return (start_of(stream) or 0) + stream.duration * stream.time_base
    tag = _MATROSKA_END.fullmatch(stream.metadata.get("DURATION", ""))
    return int(tag[1]) * 3600 + int(tag[2]) * 60 + Fraction(tag[3]) if tag else None


def name_of(container: InputContainer) -> str:
    """Name the file as people know it."""
    return container.name.removeprefix(_FILE)


def _is_default(stream: Stream) -> bool:
    return bool(stream.disposition & Disposition.default)


def _in_words(fault: Exception, path: Path) -> MediaError:
    if isinstance(fault, DecoderNotFoundError | PatchWelcomeError):
        return MediaError(f"{path} is encoded in a way that this FFmpeg cannot decode.", _CONVERT)
    return MediaError(f"{path} is damaged: it cannot be read.", "Copy or download it again.")


def _cut_off(path: Path, kind: Kind) -> MediaError | None:
    """Explain an MP4 or MOV that ends before its index."""
    if kind.demuxer != "mov" or _holds_index(path):
        return None
    return MediaError(
        f"{path} was cut off before its index was written; nothing can be decoded.",
        "Record or download it again, or repair it with a tool such as untrunc.",
    )


def _holds_index(path: Path) -> bool:
    """Tell whether there is a whole `moov` box, by walking over the boxes at the top level."""
    end = path.stat().st_size
    at = 0
    with path.open("rb") as file:
        while at + 8 <= end:
            file.seek(at)
            head = file.read(16)
            size = int.from_bytes(head[:4])
            if size == 1:
                size = int.from_bytes(head[8:16])
            if head[4:8] == b"moov":
                return at + size <= end
            if size < 8:  # 0 means "to the end of the file"
                return False
            at += size
    return False
