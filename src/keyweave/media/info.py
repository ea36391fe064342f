"""What a file is: its kind, its streams, their size, rate, length and colours."""

from __future__ import annotations

import io
from contextlib import suppress
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import PIL.Image
from PIL import ExifTags, ImageCms

from keyweave.base.errors import MediaError
from keyweave.media.clips import is_sequence
from keyweave.media.comments import read_comment
from keyweave.media.containers import av_faults, clock_zero, film_streams, open_container, start_of, stated_end
from keyweave.media.films.decoding import Facts, packet_spans
from keyweave.media.films.video import VideoReader
from keyweave.media.limits import Limits
from keyweave.media.pictures.picture_file import PictureFile
from keyweave.media.pictures.png import Png
from keyweave.media.pictures.reels import reel_in
from keyweave.media.pictures.sequences import SequenceReader
from keyweave.media.sniff import sniff

if TYPE_CHECKING:
    from pathlib import Path

    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.stream import Stream
    from av.video.stream import VideoStream

# Codes of ISO/IEC 23091-2; 2 stands for "unspecified".
_MATRICES = {0: "RGB", 1: "BT.709", 5: "BT.601", 6: "BT.601", 7: "SMPTE 240M", 8: "YCgCo", 9: "BT.2020", 10: "BT.2020"}
_PRIMARIES = {1: "BT.709", 5: "BT.601", 6: "BT.601", 9: "BT.2020", 11: "DCI P3", 12: "Display P3"}
_TRANSFERS = {1: "BT.709", 6: "BT.601", 8: "linear", 13: "sRGB", 14: "BT.2020", 15: "BT.2020", 16: "PQ", 18: "HLG"}
_RANGES = {1: "limited", 2: "full"}
_PNG_MODES = {0: "L", 2: "RGB", 3: "P", 4: "LA", 6: "RGBA"}
_BITS_PER_SAMPLE = 258  # a tag of TIFF
_RATIOS = ("rate", "pixel_aspect")


@dataclass(frozen=True)
class VideoInfo:
    """The video stream that is read.

    Args:
        codec: as FFmpeg names it.
        width: columns as displayed: turned upright and of square pixels.
        height: rows as displayed.
        coded_width: columns as stored.
        coded_height: rows as stored.
        rotation: degrees, clockwise, by which it is turned to be shown.
        mirrored: whether left and right are exchanged before.
        pixel_aspect: width of a stored pixel divided by its height.
        pixel_format: as FFmpeg names it.
        bits: of a sample.
        alpha: whether frames say how opaque each pixel is.
        matrix: between YUV and RGB; None if the file does not say.
        range: "limited" or "full".
        primaries: what red, green and blue are.
        transfer: the curve; PQ and HLG are HDR.
        rate: frames per second; where they vary, those at which keyweave reads.
        variable_rate: whether frames last unequally long.
        frames: how many.
        frames_counted: whether packets were counted, since no header says.
        start: when the first frame begins, in seconds on the clock that picture and sound share.
        duration: seconds from then to the end of the last frame.
    """

    codec: str
    width: int
    height: int
    coded_width: int
    coded_height: int
    rotation: int
    mirrored: bool
    pixel_aspect: Fraction
    pixel_format: str | None
    bits: int | None
    alpha: bool
    matrix: str | None
    range: str | None
    primaries: str | None
    transfer: str | None
    rate: Fraction
    variable_rate: bool
    frames: int
    frames_counted: bool
    start: Fraction
    duration: Fraction


@dataclass(frozen=True)
class SoundInfo:
    """A sound stream; start and duration are seconds on the clock that picture and sound share."""

    codec: str
    rate: int
    channels: int
    layout: str
    start: Fraction | None
    duration: Fraction | None


@dataclass(frozen=True)
class OtherInfo:
    """A stream that is not read: further video, subtitles, data, cover art, attachments."""

    type: str
    codec: str | None


@dataclass(frozen=True)
class PictureInfo:
    """A picture, an animation, or a sequence of pictures.

    Args:
        width: columns as displayed.
        height: rows as displayed.
        alpha: whether pixels may be transparent.
        frames: 1 for a still.
        mode: how colours are stored, as Pillow names it.
        bits: of a sample.
        orientation: as EXIF counts; 1 is upright.
        profile: the name of the ICC profile.
        plays: how often an animation asks to be played; 0 is for ever.
        duration: seconds of one play.
    """

    width: int
    height: int
    alpha: bool
    frames: int
    mode: str | None = None
    bits: int | None = None
    orientation: int | None = None
    profile: str | None = None
    plays: int | None = None
    duration: Fraction | None = None


@dataclass(frozen=True)
class FileInfo:
    """What is told of a file, a folder or a pattern; `bytes` is None of the last two."""

    path: str
    kind: str
    bytes: int | None
    duration: Fraction | None = None
    picture: PictureInfo | None = None
    video: VideoInfo | None = None
    sounds: tuple[SoundInfo, ...] = ()
    others: tuple[OtherInfo, ...] = ()
    comment: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON: seconds as numbers, rates and ratios as text such as 24000/1001."""
        return _plain(asdict(self))


def describe(path: Path, *, limits: Limits | None = None) -> FileInfo:
    """Tell what a film, picture, sound, folder or pattern is.

    Raises:
        InputError: there is no such file.
        MediaError: it is damaged, too large or of an unknown kind.
    """
    limits = limits or Limits.from_environment()
    comment = read_comment(path)
    if is_sequence(path):
        kind = "folder" if path.is_dir() else "pattern"
        return FileInfo(str(path), kind, None, picture=_sequence(path, limits), comment=comment)
    kind, size = sniff(path), path.stat().st_size
    if kind.family == "picture":
        picture = _picture(path, limits)
        return FileInfo(str(path), kind.name, size, picture.duration, picture, comment=comment)
    with open_container(path, limits=limits) as container, av_faults(path):
        films, zero = film_streams(container)[:1], clock_zero(container)
        video = _video(container, films[0], VideoReader(path, limits=limits)) if films else None
        sounds = [stream for stream in container.streams.audio if stream.codec_context is not None]
        others = [stream for stream in container.streams if stream not in (*films, *sounds)]
        return FileInfo(
            str(path),
            kind.name,
            size,
            None if container.duration is None else Fraction(container.duration, 1_000_000),
            video=video,
            sounds=tuple(_sound(stream, zero) for stream in sounds),
            others=tuple(OtherInfo(stream.type, _codec_of(stream)) for stream in others),
            comment=comment,
        )


def _video(container: InputContainer, stream: VideoStream, reader: VideoReader) -> VideoInfo:
    decoder = stream.codec_context
    counted = not stream.frames
    frames = sum(1 for _ in packet_spans(container, Facts.of(container))) if counted else stream.frames
    return VideoInfo(
        codec=decoder.name,
        width=reader.width,
        height=reader.height,
        coded_width=stream.width,
        coded_height=stream.height,
        rotation=reader.look.rotation,
        mirrored=reader.look.is_mirrored,
        pixel_aspect=stream.sample_aspect_ratio or Fraction(1),
        pixel_format=decoder.pix_fmt,
        bits=max((part.bits for part in decoder.format.components), default=None) if decoder.format else None,
        alpha=reader.has_alpha,
        matrix=_MATRICES.get(decoder.colorspace),
        range=_RANGES.get(decoder.color_range),
        primaries=_PRIMARIES.get(decoder.color_primaries),
        transfer=_TRANSFERS.get(decoder.color_trc),
        rate=reader.rate,
        variable_rate=reader.is_variable,
        frames=frames,
        frames_counted=counted,
        start=reader.first_at,
        duration=reader.duration - reader.first_at,
    )


def _sound(stream: AudioStream, zero: Fraction) -> SoundInfo:
    start, end = start_of(stream), stated_end(stream)
    return SoundInfo(
        codec=stream.codec_context.name,
        rate=stream.sample_rate,
        channels=stream.channels,
        layout=stream.layout.name,
        start=None if start is None else start - zero,
        duration=None if end is None else end - (start or 0),
    )


def _codec_of(stream: Stream) -> str | None:
    return stream.codec_context.name if stream.codec_context is not None else None


def _picture(path: Path, limits: Limits) -> PictureInfo:
    with PictureFile(path, limits) as file:
        reel = reel_in(file, salvage=False)
        if file.kind.name == "png":
            png = Png(file)
            mode, bits, profile = _PNG_MODES.get(png.header.color), png.header.depth, png.profile
            exif = PIL.Image.Exif()
            # What is wrong in EXIF does not make a picture unreadable.
            with suppress(MediaError), file.faults():
                exif.load(png.exif() or b"")
        else:
            with file.pillow() as picture:
                mode, bits, profile = picture.mode, _bits(picture), picture.info.get("icc_profile")
                exif = PIL.Image.Exif()
                with suppress(MediaError), file.faults():
                    exif = picture.getexif()
        moves = len(reel.delays) > 1
        return PictureInfo(
            *reel.size,
            alpha=reel.has_alpha,
            frames=len(reel.delays),
            mode=mode,
            bits=bits,
            orientation=exif.get(ExifTags.Base.Orientation, 1),
            profile=_profile_name(profile) if profile else None,
            plays=reel.plays if moves else None,
            duration=sum(reel.delays, Fraction(0)) if moves else None,
        )


def _bits(picture: PIL.Image.Image) -> int:
    stored = getattr(picture, "tag_v2", {}).get(_BITS_PER_SAMPLE)
    if stored:
        return max(stored)
    return {"1": 1, "I": 32, "F": 32}.get(picture.mode, 16 if picture.mode.startswith("I;16") else 8)


def _profile_name(profile: bytes) -> str:
    try:
        return ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile))).strip()
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        return "unreadable"


def _sequence(place: Path, limits: Limits) -> PictureInfo:
    with SequenceReader(place, limits=limits) as reader:
        return PictureInfo(reader.width, reader.height, reader.has_alpha, int(reader.duration * reader.rate))


def _plain(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner, key) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, Fraction):
        return str(value) if name in _RATIOS else round(float(value), 6)
    return value
