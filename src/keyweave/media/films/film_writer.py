"""Films with sound: H.264 in MP4, VP9 in WebM, ProRes 4444 in MOV; the same frames give the same bytes."""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction
from typing import TYPE_CHECKING, Literal, Self, cast

import av
import numpy as np
from av.codec.context import Flags as CodecFlags
from av.container.core import Flags as ContainerFlags
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, Interpolation, VideoReformatter

from keyweave.base.errors import InputError
from keyweave.media.encoders import FLATTENED, encoder_faults, has_encoder, no_encoder, over_black
from keyweave.media.films.fillings import FILLINGS, Container, Filling
from keyweave.media.uniform import refuse_unlike

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from av.audio.stream import AudioStream
    from av.video.stream import VideoStream

    from keyweave.media.types import Frame, Samples

EXACT_TICK = Fraction(1, 90_000)  # the clock of MPEG: fine enough that a variable-rate clip keeps its pattern

# Encoders share a picture among their threads, and how they do so shows in the bytes: their number is fixed.
_THREADS = 4
# 8-bit colours come back as near as 8-bit YUV allows; swscale's default rounding is a level worse.
_ACCURATE = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INP | Interpolation.BITEXACT
# The edit list of MP4 and MOV counts in this clock; milliseconds, the default, cut a frame short.
_MOVIE_CLOCK = 90_000
_LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1"}  # those that every one of our encoders keeps in order


class FilmWriter:
    """Write frames and sound to the exact path given; whoever opens it sees to it that the file appears whole.

    Faults of the disk are raised as OSError, for `base.files.replacing` to put into words with the right name.
    Sound and pictures may come in any order, but memory stays flat only if they come about side by side.

    Args:
        path: the file; its ending is not looked at.
        container: what to write.
        width: columns of every frame.
        height: rows of every frame.
        has_alpha: whether frames have a fourth channel; it is flattened over black where it cannot be held.
        rate: frames per second.
        sound: sample rate and channels of what `hear` gets; None for a silent film.
        crf: the encoder's quality number, lower is better; None for the default.
        comment: a text kept in the file.
        times: "constant" puts every frame on the grid k / rate, "exact" on a grid of 1/90000 seconds.
    """

    def __init__(
        self,
        path: Path,
        container: Container,
        *,
        width: int,
        height: int,
        has_alpha: bool,
        rate: Fraction,
        sound: tuple[int, int] | None = None,
        crf: int | None = None,
        comment: str | None = None,
        times: Literal["constant", "exact"] = "constant",
    ) -> None:
        self._filling = filling = FILLINGS[container]
        for encoder in filling.encoders:
            if not has_encoder(encoder):
                raise no_encoder(filling.name, encoder)
        self._shape = (height, width, 4 if has_alpha else 3)
        self._flatten = has_alpha and filling.pixels_with_alpha is None
        self.width = width + width % 2 * filling.even
        self.height = height + height % 2 * filling.even
        self._rate = rate
        self._uneven = times == "exact"
        self._tick = EXACT_TICK if self._uneven else 1 / rate
        self._at = Fraction(0)
        self._last = -1
        self._frames = 0
        self._heard = 0
        self._convert = VideoReformatter()
        clock = {} if container == "webm" else {"movie_timescale": str(_MOVIE_CLOCK)}
        # Named as a file, a path such as "take:2.mp4" is not taken for a protocol.
        self._container = av.open(f"file:{path}", "w", format=container, container_options=filling.muxer | clock)
        self._container.flags |= ContainerFlags.bitexact.value
        if comment is not None:
            self._container.metadata["comment"] = comment
        self._picture = self._picture_stream(filling, crf)
        self._sound = self._sound_stream(filling, *sound) if sound else None
        self._sound_rate, self._channels = sound or (0, 0)
        with encoder_faults(self._container.format.name):
            self._container.start_encoding()

    @property
    def notes(self) -> tuple[str, ...]:
        """What could not be kept as it was, in sentences."""
        return tuple(self._notes())

    def _notes(self) -> Iterator[str]:
        height, width, _ = self._shape
        if (self.width, self.height) != (width, height):
            yield (
                f"{self._filling.name} holds even sizes only: {width} x {height} became {self.width} x {self.height}, "
                "the last column or row repeated."
            )
        if self._flatten:
            yield f"{self._filling.name} holds no alpha: {FLATTENED}"
        if self._sound and self._sound.rate != self._sound_rate:
            yield f"{self._filling.name} holds no sound of {self._sound_rate} Hz: it became {self._sound.rate} Hz."

    def add(self, frame: Frame, at: Fraction | None = None) -> None:
        """Append a frame (H, W, 3 or 4) that is shown from `at`; by default one tick of the rate after the last."""
        refuse_unlike(frame, self._shape, self._frames)
        at = self._at if at is None else at
        ticks = round(at / self._tick)
        if ticks <= self._last:
            raise InputError(
                f"Frame {self._frames + 1} is to be shown at {float(at):.6f} s, not after the one before it.",
                "Give frames in the order of their times.",
            )
        self._frames, self._last, self._at = self._frames + 1, ticks, at + 1 / self._rate
        picture = self._to_yuv(frame)
        picture.pts, picture.time_base = ticks, self._tick
        picture.duration = max(1, round(1 / self._rate / self._tick))
        with encoder_faults(self._filling.encoder):
            self._container.mux(self._picture.encode(picture))

    def hear(self, samples: Samples) -> None:
        """Append sound (n, channels); the first sample of all is heard at time 0."""
        if self._sound is None or samples.ndim != 2 or samples.shape[1] != self._channels:
            raise InputError(f"Sound of shape {samples.shape} does not fit a film of {self._channels} channels.")
        if not np.isfinite(samples).all():
            raise InputError("The sound holds values that are not numbers.", "Repair or leave out the sound.")
        packed = np.ascontiguousarray(samples, np.float32).reshape(1, -1)
        heard = av.AudioFrame.from_ndarray(packed, format="flt", layout=_LAYOUTS[self._channels])
        heard.sample_rate, heard.pts, heard.time_base = self._sound_rate, self._heard, Fraction(1, self._sound_rate)
        self._heard += len(samples)
        with encoder_faults(self._filling.sound_encoder):
            self._container.mux(self._sound.encode(heard))

    def close(self) -> None:
        """Write what the encoders still hold, and the end of the file."""
        try:
            with encoder_faults(self._filling.encoder):
                self._container.mux(self._picture.encode(None))
            if self._sound:
                with encoder_faults(self._filling.sound_encoder):
                    self._container.mux(self._sound.encode(None))
        finally:
            with encoder_faults(self._container.format.name):
                self._container.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, fault: type[BaseException] | None, *_: object) -> None:
        if fault is None:
            self.close()
            return
        # The file will be thrown away: what goes wrong now would only hide the first fault.
        with suppress(Exception):
            self._container.close()

    def _picture_stream(self, filling: Filling, crf: int | None) -> VideoStream:
        alpha = self._shape[2] == 4 and not self._flatten
        options = dict(filling.options)
        if filling.crf:
            options["crf"] = str(filling.crf.default if crf is None else crf)
        if self._uneven and filling.encoder == "libx264":
            options["bf"] = "0"  # with frames out of order at uneven times, the length that MP4 states is wrong
        stream = cast("VideoStream", self._container.add_stream(filling.encoder, self._rate, options))
        codec = stream.codec_context
        codec.width, codec.height = self.width, self.height
        codec.pix_fmt = filling.pixels_with_alpha if alpha else filling.pixels
        codec.color_range, codec.colorspace = ColorRange.MPEG, Colorspace.ITU709
        codec.color_primaries, codec.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
        codec.time_base, codec.thread_count = self._tick, _THREADS
        codec.flags |= CodecFlags.bitexact
        return stream

    def _sound_stream(self, filling: Filling, rate: int, channels: int) -> AudioStream:
        if channels not in _LAYOUTS:
            raise InputError(
                f"The sound has {channels} channels; 1, 2 or 6 can be written.", "Mix it down to two channels first."
            )
        name = filling.sound_encoder
        taken = rate if rate in filling.sound_rates or not filling.sound_rates else 48_000
        bits = filling.sound_bits * channels
        stream = cast("AudioStream", self._container.add_stream(name, taken, bit_rate=bits, layout=_LAYOUTS[channels]))
        stream.codec_context.flags |= CodecFlags.bitexact
        return stream

    def _to_yuv(self, frame: Frame) -> av.VideoFrame:
        height, width, _ = self._shape
        if self._flatten:
            frame = over_black(frame)
        if (self.width, self.height) != (width, height):
            frame = np.pad(frame, ((0, self.height - height), (0, self.width - width), (0, 0)), mode="edge")
        rgb = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), "rgba" if frame.shape[2] == 4 else "rgb24")
        picture = self._convert.reformat(
            rgb,
            format=self._picture.codec_context.pix_fmt,
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=ColorRange.MPEG,
            interpolation=_ACCURATE,
            threads=1,
        )
        # ProRes tags each picture by itself.
        picture.color_primaries, picture.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
        return picture
