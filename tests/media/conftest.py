"""Small films, made when they are needed."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Protocol

import av
import numpy as np
import pytest
from av.stream import Disposition

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

_BITS = 8
_SOUND_RATE = 48_000


def numbered(number: int, width: int, height: int) -> NDArray[np.uint8]:
    """Draw a number from 0 to 255 as black and white bars that survive any codec, over a colour of its own."""
    picture = np.empty((height, width, 3), np.uint8)
    picture[:] = (37 * number % 256, 91 * number % 256, 53 * number % 256)
    for bit in range(_BITS):
        bar = slice(bit * width // _BITS, (bit + 1) * width // _BITS)
        picture[: height // 2, bar] = 235 if number >> bit & 1 else 20
    return picture


@pytest.fixture
def number_of():
    """Read the number that a frame shows."""

    def read(frame: NDArray[np.uint8]) -> int:
        height, width = frame.shape[:2]
        bars = [frame[height // 8 : height // 3, (2 * bit + 1) * width // (2 * _BITS)] for bit in range(_BITS)]
        return sum(1 << bit for bit, bar in enumerate(bars) if bar[:, :3].mean() > 128)

    return read


class FilmMaker(Protocol):
    def __call__(
        self,
        name: str,
        codec: str = "libx264",
        *,
        count: int = 25,
        rate: Fraction | int = 25,
        size: tuple[int, int] = (64, 48),
        pixels: str = "yuv420p",
        starts: Sequence[Fraction] | None = None,
        tick: Fraction | None = None,
        pictures: Sequence[NDArray[np.uint8]] | None = None,
        planes: Sequence[NDArray[Any]] | None = None,
        sound: str | None = None,
        seconds: Fraction | int | None = None,
        options: dict[str, str] | None = None,
        mux: dict[str, str] | None = None,
        **stream: Any,
    ) -> Path: ...


@dataclass
class _Maker:
    folder: Path

    def __call__(
        self,
        name: str,
        codec: str = "libx264",
        *,
        count: int = 25,
        rate: Fraction | int = 25,
        size: tuple[int, int] = (64, 48),
        pixels: str = "yuv420p",
        starts: Sequence[Fraction] | None = None,
        tick: Fraction | None = None,
        pictures: Sequence[NDArray[np.uint8]] | None = None,
        planes: Sequence[NDArray[Any]] | None = None,
        sound: str | None = None,
        seconds: Fraction | int | None = None,
        options: dict[str, str] | None = None,
        mux: dict[str, str] | None = None,
        **stream: Any,
    ) -> Path:
        """Make a film of numbered frames, or of given pictures, or of one picture given by its raw planes.

        Args:
            name: of the file; its ending chooses the container.
            codec: of the picture.
            count: how many frames.
            rate: frames per second.
            size: width and height.
            pixels: pixel format.
            starts: when each frame begins, in seconds; else by the rate.
            tick: unit of time that the encoder counts in.
            pictures: (H, W, 3 or 4) each.
            planes: raw planes of every frame.
            sound: codec of the sound, a tone.
            seconds: how long the sound is; else as long as the picture.
            options: of the picture's encoder.
            mux: of the container.
            stream: further attributes of the picture stream; "rotation" is its display rotation.
        """
        path = self.folder / name
        pictures = pictures if pictures is not None else [numbered(k % 256, *size) for k in range(count)]
        starts = starts or [Fraction(k) / rate for k in range(len(pictures) if planes is None else count)]
        tick = tick or 1 / Fraction(rate)
        container = "ogg" if path.suffix == ".ogv" else None
        with av.open(str(path), "w", format=container, options=mux or {}) as out:
            film: Any = out.add_stream(codec, rate=rate, options=options or {})
            film.width, film.height = size
            film.pix_fmt = pixels
            film.codec_context.time_base = tick
            if (rotation := stream.pop("rotation", None)) is not None:
                film.set_display_rotation(*rotation)
            for key, value in stream.items():
                setattr(film, key, value)
            tone: Any = out.add_stream(sound, rate=_SOUND_RATE, layout="mono") if sound else None
            for index, at in enumerate(starts):
                frame = raw(planes, *size, pixels) if planes is not None else _packed(pictures[index])
                for key in ("color_range", "colorspace", "color_trc", "color_primaries"):
                    if key in stream:
                        setattr(frame, key, stream[key])
                frame.pts, frame.time_base = round(at / tick), tick
                out.mux(film.encode(frame))
            out.mux(film.encode())
            if tone:
                for frame in _tone(Fraction(seconds or starts[-1] + 1 / Fraction(rate))):
                    out.mux(tone.encode(frame))
                out.mux(tone.encode())
        return path


def _packed(picture: NDArray[np.uint8]) -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(picture, "rgba" if picture.shape[2] == 4 else "rgb24")


def raw(planes: Sequence[NDArray[Any]], width: int, height: int, pixels: str) -> av.VideoFrame:
    """Make a frame of raw planes."""
    frame = av.VideoFrame(width, height, pixels)
    for plane, values in zip(frame.planes, planes, strict=True):
        rows = np.zeros((plane.height, plane.line_size), np.uint8)
        data = np.ascontiguousarray(values).view(np.uint8).reshape(plane.height, -1)
        rows[:, : data.shape[1]] = data
        plane.update(rows.tobytes())
    return frame


def _tone(seconds: Fraction):
    samples = np.sin(np.arange(round(seconds * _SOUND_RATE)) * 0.05) * 8000
    for at in range(0, len(samples), 1024):
        frame = av.AudioFrame.from_ndarray(samples[None, at : at + 1024].astype(np.int16), "s16", "mono")
        frame.sample_rate, frame.pts = _SOUND_RATE, at
        yield frame


@pytest.fixture
def film(tmp_path: Path) -> FilmMaker:
    """Make small films in the folder of the test."""
    return _Maker(tmp_path)


@pytest.fixture
def joined(tmp_path: Path):
    """Put the first stream of several files into one, each marked with a disposition."""

    def join(name: str, parts: Sequence[tuple[Path, str | None]]) -> Path:
        sources = [av.open(str(path)) for path, _ in parts]
        with av.open(str(tmp_path / name), "w") as out:
            streams: list[Any] = [out.add_stream_from_template(source.streams[0]) for source in sources]
            for stream, (_, mark) in zip(streams, parts, strict=True):
                stream.disposition = Disposition[mark] if mark else Disposition(0)
            for source, stream in zip(sources, streams, strict=True):
                for packet in source.demux(source.streams[0]):
                    if packet.dts is not None:
                        packet.stream = stream
                        out.mux(packet)
                source.close()
        return tmp_path / name

    return join
