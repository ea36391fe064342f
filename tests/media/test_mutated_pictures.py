"""Law: whatever a picture file holds, it is read or refused in one sentence, soon, and without eating the memory."""

import io
import random
import struct
import time
import zlib
from functools import partial

import numpy as np
import PIL.Image
import pytest

from keyweave.base.errors import InputError
from keyweave.base.peak import peak_bytes
from keyweave.media.limits import Limits
from keyweave.media.pictures.animations import AnimationReader
from keyweave.media.pictures.images import read_header, read_image

MUTATIONS = 300
SECONDS_EACH = 5
MOST_GROWTH = 700 << 20
LIMITS = Limits(pixels=16_000_000)


def _saved(picture: PIL.Image.Image, form: str, **how) -> bytes:
    out = io.BytesIO()
    picture.save(out, form, **how)
    return out.getvalue()


def _interlaced() -> bytes:
    """Eight by eight grey pixels in seven passes, each row behind its filter byte; Pillow writes none."""
    passes = [(1, 1), (1, 1), (2, 1), (2, 2), (4, 2), (4, 4), (8, 4)]
    rows = b"".join((b"\0" + bytes(range(width))) * height for width, height in passes)

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 1)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def _originals() -> dict[str, bytes]:
    rng = np.random.default_rng(5)
    smooth = np.linspace(0, 255, 40 * 48 * 3).reshape(40, 48, 3).astype(np.uint8)
    rgb = PIL.Image.fromarray(smooth)
    noise = [PIL.Image.fromarray(rng.integers(0, 256, (40, 48, 3), np.uint8)) for _ in range(4)]
    alpha = PIL.Image.fromarray(rng.integers(0, 256, (40, 48, 4), np.uint8))
    deep = PIL.Image.fromarray(rng.integers(0, 65536, (40, 48)).astype(np.uint16))
    several = {"save_all": True, "append_images": noise[1:]}
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    return {
        "rgb.png": _saved(rgb, "png", exif=exif),
        "alpha.png": _saved(alpha, "png"),
        "deep.png": _saved(deep, "png"),
        "palette.png": _saved(rgb.quantize(16), "png", transparency=3),
        "interlaced.png": _interlaced(),
        "baseline.jpg": _saved(rgb, "jpeg", exif=exif, comment=b"made"),
        "progressive.jpg": _saved(noise[0], "jpeg", progressive=True),
        "ink.jpg": _saved(rgb.convert("CMYK"), "jpeg"),
        "lossy.webp": _saved(rgb, "webp", exif=exif),
        "lossless.webp": _saved(alpha, "webp", lossless=True),
        "lzw.tif": _saved(rgb, "tiff", compression="tiff_lzw"),
        "raw.tif": _saved(alpha, "tiff"),
        "deep.tif": _saved(deep, "tiff"),
        "tiled.tif": _saved(rgb, "tiff", tiffinfo={322: 16, 323: 16}, compression="tiff_adobe_deflate"),
        "plain.bmp": _saved(rgb, "bmp"),
        "palette.bmp": _saved(rgb.quantize(16), "bmp"),
        "still.gif": _saved(rgb.quantize(16), "gif"),
        "moving.gif": _saved(noise[0], "gif", duration=80, loop=0, disposal=2, **several),
        "moving.png": _saved(noise[0], "png", duration=40, **several),
        "moving.webp": _saved(noise[0], "webp", duration=33, **several),
        "still.avif": _saved(alpha, "avif"),
        "moving.avif": _saved(noise[0], "avif", duration=40, **several),
    }


def _flip(data: bytearray, rng: random.Random) -> None:
    for _ in range(rng.randint(1, 24)):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _flip_head(data: bytearray, rng: random.Random) -> None:
    for _ in range(rng.randint(1, 4)):
        data[rng.randrange(min(len(data), 64))] ^= 1 << rng.randrange(8)


def _cut(data: bytearray, rng: random.Random) -> None:
    del data[rng.randrange(len(data)) :]


def _zero(data: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(data))
    data[at : at + rng.randint(1, 64)] = bytes(len(data[at : at + 64]))


def _huge(data: bytearray, rng: random.Random) -> None:
    at = rng.randrange(min(len(data), 200))
    data[at : at + 4] = rng.choice([b"\xff" * 4, b"\x00\x00\xff\xff", b"\xff\xff\x00\x00", b"\x7f\xff\xff\xff"])


def _tail(data: bytearray, rng: random.Random) -> None:
    data += rng.randbytes(rng.randint(1, 2000))


def _lengths(data: bytearray, rng: random.Random) -> None:
    marks = [b"IHDR", b"IDAT", b"fdAT", b"fcTL", b"VP8", b"ANMF", b"\xff\xdb", b"\xff\xc4", b"!\xf9", b"moov", b"iloc"]
    places = [data.find(mark) for mark in marks if data.find(mark) >= 4] or [rng.randrange(4, len(data) - 4)]
    at = rng.choice(places) + rng.choice([-4, 2, 4])
    data[at : at + 4] = struct.pack(">I", rng.choice([0, 1, 7, 12, 100, 65_535, 1 << 20, (1 << 31) - 1]))


def _splice(data: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(data))
    if rng.random() < 0.5:
        del data[at : at + rng.randint(1, 40)]
    else:
        data[at:at] = data[: rng.randint(1, 40)]


WAYS = (_flip, _flip_head, _cut, _zero, _huge, _tail, _lengths, _splice)


@pytest.mark.parametrize("seed", range(3))
def test_a_broken_picture_is_read_or_refused_in_one_sentence(seed, tmp_path):
    rng = random.Random(seed)
    originals = _originals()
    names = list(originals)
    before = peak_bytes() or 0
    refused = 0
    for _ in range(MUTATIONS // 3):
        original, way = rng.choice(names), rng.choice(WAYS)
        data = bytearray(originals[original])
        way(data, rng)
        path = tmp_path / rng.choice([original, "other.png", "other.mp4", "other"])
        path.write_bytes(data)
        began = time.monotonic()
        refused += _refused(partial(read_image, path, limits=LIMITS), path)
        _refused(partial(read_header, path, limits=LIMITS), path)
        _refused(partial(_play, path, salvage=False), path)
        _refused(partial(_play, path, salvage=True), path)
        assert time.monotonic() - began < SECONDS_EACH, (original, way.__name__)
    assert 10 < refused < MUTATIONS // 3
    assert (peak_bytes() or 0) - before < MOST_GROWTH


def _play(path, *, salvage: bool) -> None:
    with AnimationReader(path, limits=LIMITS, salvage=salvage) as reader:
        for shown in reader.shown():
            assert shown.frame.shape == (reader.height, reader.width, 4 if reader.has_alpha else 3)
            assert shown.stop > shown.start


def _refused(read, path) -> bool:
    """Read; tell whether it was refused, which must be in one sentence."""
    fault = None
    try:
        read()
    except InputError as caught:
        fault = caught
    if fault:
        assert str(path) in fault.message
        assert "\n" not in str(fault)
        assert fault.message.endswith(".")
    return fault is not None


def test_the_originals_are_read(tmp_path):
    for name, data in _originals().items():
        path = tmp_path / name
        path.write_bytes(data)
        assert read_image(path).pixels.size
        assert read_header(path)[:2] == read_image(path).size
        _play(path, salvage=False)
