"""Damaged films, made by chance: each is read to its end, or refused in one sentence that names it."""

from __future__ import annotations

import random
import time
from fractions import Fraction
from itertools import islice
from typing import TYPE_CHECKING

import pytest

from keyweave.base.errors import MediaError
from keyweave.base.peak import peak_bytes
from keyweave.media.films.video import VideoReader

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KINDS = {
    "a.mp4": ("libx264", "yuv420p", "aac"),
    "b.mp4": ("mpeg4", "yuv420p", None),
    "c.mkv": ("libx264", "yuv420p", "flac"),
    "d.webm": ("libvpx", "yuv420p", "libopus"),
    "e.avi": ("mpeg4", "yuv420p", "pcm_s16le"),
    "f.avi": ("mjpeg", "yuvj420p", None),
    "g.ts": ("mpeg2video", "yuv420p", "mp2"),
    "h.ts": ("libx264", "yuv420p", None),
    "i.mov": ("qtrle", "argb", None),
    "j.mov": ("prores_ks", "yuv422p10le", None),
    "k.mkv": ("ffv1", "yuv420p", None),
    "l.flv": ("libx264", "yuv420p", "aac"),
    "m.mpg": ("mpeg2video", "yuv420p", "mp2"),
    "n.ogv": ("libvpx", "yuv420p", "libopus"),
}
ROUNDS = 100
MOST_SECONDS = 10
MOST_MEGABYTES = 500


def flip_bits(data: bytearray, rng: random.Random) -> bytes:
    for _ in range(rng.choice((1, 3, 20, 200))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def flip_bits_of_the_header(data: bytearray, rng: random.Random) -> bytes:
    ends = rng.choice((slice(0, 1500), slice(-1500, None)))
    data[ends] = flip_bits(bytearray(data[ends]), rng)
    return bytes(data)


def cut_off(data: bytearray, rng: random.Random) -> bytes:
    return bytes(data[: rng.randrange(len(data))])


def cut_out(data: bytearray, rng: random.Random) -> bytes:
    at = rng.randrange(len(data))
    return bytes(data[:at] + data[at + rng.randrange(2000) :])


def blank(data: bytearray, rng: random.Random) -> bytes:
    at, long = rng.randrange(len(data)), rng.randrange(3000)
    data[at : at + long] = bytes(len(data[at : at + long]))
    return bytes(data)


def huge_numbers(data: bytearray, rng: random.Random) -> bytes:
    """Put numbers near the limits of 32 bits where a header may have its sizes, counts and rates."""
    for _ in range(4):
        at = rng.randrange(min(len(data), 1500)) if rng.random() < 0.5 else len(data) - rng.randrange(4, 1500)
        data[at : at + 4] = rng.choice((2**31 - 1, 2**32 - 1, 2**31, 0, 65535)).to_bytes(4)
    return bytes(data)


def twice(data: bytearray, rng: random.Random) -> bytes:
    return bytes(data[: rng.randrange(len(data))] + data)


def noise_after_the_signature(data: bytearray, rng: random.Random) -> bytes:
    return bytes(data[:64]) + rng.randbytes(3000)


MUTATIONS: list[Callable[[bytearray, random.Random], bytes]] = [
    flip_bits,
    flip_bits_of_the_header,
    cut_off,
    cut_out,
    blank,
    huge_numbers,
    twice,
    noise_after_the_signature,
]


def read_to_the_end(path: Path, *, salvage: bool) -> int:
    """Read all frames, a span of them and the duration; return how many frames came."""
    frames = 0
    reader = VideoReader(path, salvage=salvage)
    # A broken clock may hold a frame for hours, which would only be slow here.
    for frame in islice(reader.frames(), 2000):
        assert frame.shape[:2] == (reader.height, reader.width)
        frames += 1
    for item in reader.shown(Fraction(1, 2), Fraction(3, 4)):
        assert item.start < item.stop
    assert reader.duration > 0
    return frames


@pytest.fixture
def originals(film):
    return {
        name: film(name, codec, count=30, size=(96, 64), pixels=pixels, sound=sound).read_bytes()
        for name, (codec, pixels, sound) in KINDS.items()
    }


def test_mutated_films_are_read_or_refused(originals, tmp_path):
    before = peak_bytes() or 0
    frames, refusals = 0, []
    for round_ in range(ROUNDS):
        rng = random.Random(round_)
        name = rng.choice(list(originals))
        mutate = MUTATIONS[round_ % len(MUTATIONS)]
        # Endings are not believed, so a wrong one must not matter.
        path = tmp_path / f"{round_}-{mutate.__name__}.{rng.choice(('mp4', 'webm', 'avi', 'png', 'txt'))}"
        path.write_bytes(mutate(bytearray(originals[name]), rng))
        for salvage in (False, True):
            begun = time.monotonic()
            try:
                frames += read_to_the_end(path, salvage=salvage)
            except MediaError as fault:
                refusals.append((path, fault))
            assert time.monotonic() - begun < MOST_SECONDS
        path.unlink()
    assert frames > 10 * ROUNDS  # most films still have much to show
    assert len(refusals) > ROUNDS / 10
    for path, fault in refusals:
        assert str(path) in fault.message
        assert fault.message.endswith(".")
        assert "\n" not in str(fault)
    assert (peak_bytes() or 0) - before < MOST_MEGABYTES << 20
