"""What each film container is filled with: the encoders, their settings and their limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

Container = Literal["mp4", "webm", "mov"]


class Quality(NamedTuple):
    """The quality numbers ("crf") of an encoder: lower is better."""

    default: int
    best: int
    worst: int


@dataclass(frozen=True)
class Filling:
    """What a container is filled with.

    Args:
        name: what people call the container.
        encoder: FFmpeg's name of the picture encoder.
        pixels: the pixel format of frames without alpha.
        pixels_with_alpha: the one of frames with alpha; None where the encoder knows none.
        options: what the picture encoder is told.
        crf: its quality numbers; None where it has none.
        even: whether both sides must be even.
        sound_encoder: FFmpeg's name of the sound encoder.
        sound_rates: sample rates that it takes; empty where it takes any.
        sound_bits: bits per second and channel; 0 where nothing is lost.
        muxer: what the container's writer is told.
    """

    name: str
    encoder: str
    pixels: str
    pixels_with_alpha: str | None
    options: dict[str, str]
    crf: Quality | None
    even: bool
    sound_encoder: str
    sound_rates: tuple[int, ...]
    sound_bits: int
    muxer: dict[str, str]

    @property
    def encoders(self) -> tuple[str, str]:
        """Those that FFmpeg must have been built with."""
        return self.encoder, self.sound_encoder


FILLINGS: dict[Container, Filling] = {
    "mp4": Filling(
        name="MP4",
        encoder="libx264",
        pixels="yuv420p",
        pixels_with_alpha=None,
        # By default x264 saves bits where few would look: in chroma, in what is soon over, in what stands beside edges.
        # Flat colours then come back up to six levels off. So set, it is three, and real scenes take no more bytes.
        options={"preset": "medium", "x264-params": "chroma-qp-offset=-12:no-mbtree=1:aq-strength=0.5:subme=8"},
        crf=Quality(default=18, best=1, worst=51),  # 0 is a profile that browsers do not play
        even=True,
        sound_encoder="aac",
        sound_rates=(96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000),
        sound_bits=96_000,
        muxer={"movflags": "+faststart"},
    ),
    "webm": Filling(
        name="WebM",
        encoder="libvpx-vp9",
        pixels="yuv420p",
        pixels_with_alpha="yuva420p",
        options={"b": "0", "deadline": "good", "cpu-used": "4", "row-mt": "1"},
        crf=Quality(default=16, best=0, worst=63),
        even=False,
        sound_encoder="libopus",
        sound_rates=(48_000, 24_000, 16_000, 12_000, 8_000),
        sound_bits=80_000,
        muxer={},
    ),
    "mov": Filling(
        name="MOV",
        encoder="prores_ks",
        pixels="yuv444p10le",
        pixels_with_alpha="yuva444p10le",
        options={"profile": "4444"},
        crf=None,
        even=False,
        sound_encoder="pcm_s24le",
        sound_rates=(),
        sound_bits=0,
        # QuickTime's own comment atom ends at 64 kB; the newer key-value one does not.
        muxer={"movflags": "+faststart+use_metadata_tags"},
    ),
}
