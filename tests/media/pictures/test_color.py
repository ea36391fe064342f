"""Whatever a picture's colours are stored in, they come as sRGB; checked against formulas and hand-made files."""

import io
import logging
import struct
import tracemalloc
import zlib

import cv2
import numpy as np
import PIL.Image
import pytest
from PIL import ImageCms

from keyweave.base.errors import MediaError
from keyweave.media.pictures.images import read_header, read_image

RNG = np.random.default_rng(11)


def read(path) -> np.ndarray:
    pixels = read_image(path).pixels
    assert read_header(path) == (pixels.shape[1], pixels.shape[0], pixels.shape[2] == 4)
    return pixels


def png(path, samples: np.ndarray, color: int, depth: int = 8, extra: bytes = b""):
    """Write a PNG by hand: samples are (H, W, channels) of up to 16 bits."""
    height, width = samples.shape[:2]
    flat = samples.reshape(height, -1)
    if depth == 16:
        rows = [row.astype(">u2").tobytes() for row in flat]
    else:
        bits = (flat[..., None] >> np.arange(depth - 1, -1, -1)) & 1
        rows = [np.packbits(row.astype(np.uint8).ravel()).tobytes() for row in bits]
    head = chunk(b"IHDR", struct.pack(">II5B", width, height, depth, color, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows)))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + head + extra + data + chunk(b"IEND", b""))
    return path


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def tiff(path, pixels: np.ndarray, photometric: int, extra_sample: int | None = None):
    """Write an uncompressed little-endian TIFF by hand: (H, W, channels)."""
    height, width, channels = pixels.shape
    tags = [
        (256, 4, [width]), (257, 4, [height]), (258, 3, [8 * pixels.itemsize] * channels), (259, 3, [1]),
        (262, 3, [photometric]), (273, 4, [8]), (277, 3, [channels]), (278, 4, [height]), (279, 4, [pixels.nbytes]),
    ]  # fmt: skip
    tags += [] if extra_sample is None else [(338, 3, [extra_sample])]
    out = pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()
    entries, beside = b"", b""
    start = 8 + len(out) + 2 + 12 * len(tags) + 4
    for tag, kind, values in tags:
        packed = struct.pack(f"<{len(values)}{'H' if kind == 3 else 'I'}", *values)
        if len(packed) > 4:
            packed, beside = struct.pack("<I", start + len(beside)), beside + packed
        entries += struct.pack("<HHI", tag, kind, len(values)) + packed.ljust(4, b"\0")
    directory = struct.pack("<H", len(tags)) + entries + bytes(4)
    path.write_bytes(struct.pack("<2sHI", b"II", 42, 8 + len(out)) + out + directory + beside)
    return path


def profile(space: bytes, tags: dict[bytes, bytes], pcs: bytes = b"XYZ ") -> bytes:
    """Assemble an ICC profile."""
    table, body = struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        table += struct.pack(">4sII", name, 132 + 12 * len(tags) + len(body), len(data))
        body += data.ljust((len(data) + 3) // 4 * 4, b"\0")
    white = struct.pack(">3i", *(round(v * 65536) for v in (0.9642, 1.0, 0.8249)))
    size = 128 + len(table) + len(body)
    head = struct.pack(
        ">I4xI4s4s4s12x4s", size, 0x02400000, b"prtr" if pcs == b"Lab " else b"mntr", space, pcs, b"acsp"
    )
    return (head.ljust(68, b"\0") + white).ljust(128, b"\0") + table + body


def xyz(*values: float) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(v * 65536) for v in values))


LINEAR = b"curv\0\0\0\0\0\0\0\0"
LINEAR_RGB = profile(
    b"RGB ",
    {
        b"wtpt": xyz(0.9642, 1.0, 0.8249),
        b"rXYZ": xyz(0.4360, 0.2225, 0.0139), b"gXYZ": xyz(0.3851, 0.7169, 0.0971),
        b"bXYZ": xyz(0.1431, 0.0606, 0.7139),
        b"rTRC": LINEAR, b"gTRC": LINEAR, b"bTRC": LINEAR,
    },
)  # fmt: skip
LINEAR_GREY = profile(b"GRAY", {b"wtpt": xyz(0.9642, 1.0, 0.8249), b"kTRC": LINEAR})


def paper_profile() -> bytes:
    """An ink profile in which cyan, magenta and yellow are invisible and black is all."""
    ramp = bytes(range(256))
    corners = b"".join(bytes([0 if k & 1 else 255, 128, 128]) for k in range(16))
    matrix = struct.pack(">9i", *(65536 * v for v in (1, 0, 0, 0, 1, 0, 0, 0, 1)))
    table = b"mft1\0\0\0\0\x04\x03\x02\0" + matrix + ramp * 4 + corners + ramp * 3
    return profile(b"CMYK", {b"wtpt": xyz(0.9642, 1.0, 0.8249), b"A2B0": table, b"A2B1": table}, b"Lab ")


def encoded(linear: np.ndarray) -> np.ndarray:
    """Apply the curve of sRGB (IEC 61966-2-1)."""
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


class TestProfiles:
    @pytest.mark.parametrize("form", ["png", "jpeg", "webp", "tiff", "avif"])
    def test_colours_are_taken_from_their_profile(self, form, tmp_path):
        flat = np.full((16, 16, 3), (40, 128, 220), np.uint8)
        PIL.Image.fromarray(flat).save(tmp_path / "a", form, icc_profile=LINEAR_RGB, quality=100)
        assert np.abs(read(tmp_path / "a") - encoded(flat / 255)).max() < 6

    def test_alpha_is_left_alone(self, tmp_path):
        pixels = RNG.integers(0, 256, (8, 9, 4), np.uint8)
        PIL.Image.fromarray(pixels).save(tmp_path / "a.png", icc_profile=LINEAR_RGB)
        got = read(tmp_path / "a.png")
        assert np.array_equal(got[..., 3], pixels[..., 3])
        assert np.abs(got[..., :3] - encoded(pixels[..., :3] / 255)).max() < 2

    def test_grey(self, tmp_path):
        ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
        for pixels in (ramp, np.stack([ramp, ramp], 2)):
            picture = PIL.Image.fromarray(pixels)
            picture.save(tmp_path / "a.png", icc_profile=LINEAR_GREY)
            assert np.abs(read(tmp_path / "a.png")[..., :3] - encoded(ramp / 255)[..., None]).max() < 2
            picture.save(tmp_path / "b.png", icc_profile=LINEAR_RGB)
            assert np.abs(read(tmp_path / "b.png")[..., :3] - encoded(ramp / 255)[..., None]).max() < 2

    def test_that_of_srgb_changes_nothing(self, tmp_path):
        pixels = RNG.integers(0, 256, (40, 40, 3), np.uint8)
        srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        PIL.Image.fromarray(pixels).save(tmp_path / "a.png", icc_profile=srgb)
        assert np.array_equal(read(tmp_path / "a.png"), pixels)

    @pytest.mark.parametrize("broken", [b"nonsense", LINEAR_RGB[:200], LINEAR_GREY, paper_profile()])
    def test_one_that_cannot_serve_is_passed_over_with_a_word(self, broken, tmp_path, caplog):
        pixels = RNG.integers(0, 256, (8, 9, 3), np.uint8)
        PIL.Image.fromarray(pixels).save(tmp_path / "a.png", icc_profile=broken)
        with caplog.at_level(logging.WARNING):
            assert np.array_equal(read(tmp_path / "a.png"), pixels)
        assert f"{tmp_path / 'a.png'}: its colour profile cannot be used" in caplog.text

    def test_one_that_is_badly_packed(self, tmp_path, caplog):
        pixels = RNG.integers(0, 256, (8, 9, 3), np.uint8)
        extra = chunk(b"iCCP", b"name\0\0" + b"not deflated")
        assert np.array_equal(read(png(tmp_path / "a.png", pixels, 2, extra=extra)), pixels)
        assert "cannot be used" in caplog.text

    def test_a_bomb_is_not_unpacked(self, tmp_path):
        bomb = chunk(b"iCCP", b"name\0\0" + zlib.compress(bytes(64 << 20), 9))
        path = png(tmp_path / "a.png", np.zeros((2, 2, 3), np.uint8), 2, extra=bomb)
        tracemalloc.start()
        assert read_image(path).pixels.max() == 0
        assert tracemalloc.get_traced_memory()[1] < 40 << 20
        tracemalloc.stop()


class TestInk:
    CYAN_AND_BLACK = np.array([[[255, 0, 0, 0], [0, 0, 0, 255]]], np.uint8).repeat(16, 0).repeat(16, 1)

    @pytest.mark.parametrize("form", ["tiff", "jpeg"])  # a JPEG's ink is stored inverted, by Adobe's custom
    def test_without_a_profile(self, form, tmp_path):
        PIL.Image.fromarray(self.CYAN_AND_BLACK, "CMYK").save(tmp_path / "a", form)
        got = read(tmp_path / "a").astype(int)
        assert np.abs(got[:, 2:14] - (0, 255, 255)).max() < 4
        assert np.abs(got[:, 18:30]).max() < 4

    @pytest.mark.parametrize("form", ["tiff", "jpeg"])
    def test_with_one(self, form, tmp_path):
        PIL.Image.fromarray(self.CYAN_AND_BLACK, "CMYK").save(tmp_path / "a", form, icc_profile=paper_profile())
        got = read(tmp_path / "a").astype(int)
        assert np.abs(got[:, 2:14] - 255).max() < 4  # cyan that this press does not print
        assert np.abs(got[:, 18:30]).max() < 4

    def test_cielab(self, tmp_path):
        lab = np.array([[[255, 128, 128], [128, 128, 128], [0, 128, 128]]], np.uint8)
        lab[..., 1:] = 0  # Pillow keeps a* and b* as signed bytes
        PIL.Image.frombytes("LAB", (3, 1), lab.tobytes()).save(tmp_path / "a.tif")
        got = read(tmp_path / "a.tif")[0].astype(int)
        assert np.abs(got - [[255] * 3, [119] * 3, [0] * 3]).max() <= 2


class TestDepths:
    def test_grey_of_16_bits_is_rounded_exactly(self, tmp_path):
        every = np.arange(65536).reshape(256, 256, 1)
        expected = np.round(every / 257).repeat(3, 2)
        assert np.array_equal(read(png(tmp_path / "a.png", every, 0, 16)), expected)
        assert np.array_equal(read(tiff(tmp_path / "a.tif", every.astype(np.uint16), 1)), expected)
        assert np.array_equal(read(tiff(tmp_path / "b.tif", every.astype(np.uint16), 0)), 255 - expected)

    def test_big_endian_grey(self, tmp_path):
        PIL.Image.fromarray(np.array([[0, 257 * 9, 65535]], ">u2")).save(tmp_path / "a.tif")
        assert (tmp_path / "a.tif").read_bytes()[:2] == b"MM"
        assert read(tmp_path / "a.tif")[0, :, 0].tolist() == [0, 9, 255]

    @pytest.mark.parametrize("channels", [3, 4])
    def test_colours_of_16_bits(self, channels, tmp_path):
        eight = RNG.integers(0, 256, (9, 8, channels)).astype(np.uint16)
        noise = RNG.integers(0, 65536, (9, 8, channels)).astype(np.uint16)
        kind = 2 if channels == 3 else 6
        order = [2, 1, 0, 3][:channels]
        for path, write in (
            (tmp_path / "a.png", lambda path, deep: png(path, deep, kind, 16)),
            (tmp_path / "a.tif", lambda path, deep: cv2.imwrite(str(path), deep[..., order])),
        ):
            write(path, eight * 257)
            assert np.array_equal(read(path), eight)
            write(path, noise)
            assert np.abs(read(path) - noise / 257).max() < 1

    def test_grey_with_alpha_of_16_bits(self, tmp_path):
        eight = RNG.integers(0, 256, (9, 8, 2)).astype(np.uint16)
        assert np.array_equal(read(png(tmp_path / "a.png", eight * 257, 4, 16)), eight[..., [0, 0, 0, 1]])

    @pytest.mark.parametrize("depth", [1, 2, 4, 8])
    def test_grey_of_few_bits(self, depth, tmp_path):
        grey = RNG.integers(0, 1 << depth, (9, 13, 1))
        expected = (grey * 255 // ((1 << depth) - 1)).repeat(3, 2)
        assert np.array_equal(read(png(tmp_path / "a.png", grey, 0, depth)), expected)

    @pytest.mark.parametrize("mode", ["I", "F"])
    def test_32_bits_are_refused(self, mode, tmp_path):
        PIL.Image.new(mode, (4, 4)).save(tmp_path / "a.tif")
        with pytest.raises(MediaError, match=r"a\.tif has samples of 32 bits, .* Save it with 8 or 16 bits"):
            read_image(tmp_path / "a.tif")


class TestTransparency:
    @pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
    def test_one_grey(self, depth, tmp_path):
        grey = np.arange(min(1 << depth, 64)).reshape(1, -1, 1) * (1000 if depth == 16 else 1)
        seen = grey[0, 1, 0]
        got = read(png(tmp_path / "a.png", grey, 0, depth, chunk(b"tRNS", struct.pack(">H", seen))))
        assert np.array_equal(got[..., 3], np.where(grey[..., 0] == seen, 0, 255))
        assert np.array_equal(got[..., 0], np.round(grey[..., 0] * 255 / ((1 << depth) - 1)))

    @pytest.mark.parametrize("depth", [8, 16])
    def test_one_colour(self, depth, tmp_path):
        colors = np.array([[[1, 2, 3], [1, 2, 4]]]) * (256 if depth == 16 else 1) + (77 if depth == 16 else 0)
        got = read(png(tmp_path / "a.png", colors, 2, depth, chunk(b"tRNS", struct.pack(">3H", *colors[0, 0]))))
        assert got.tolist() == [[[1, 2, 3, 0], [1, 2, 4, 255]]]

    @pytest.mark.parametrize("alphas", [b"\0", b"\xff\0", b"\x40\x80\xff"])
    def test_palette(self, alphas, tmp_path):
        colors = bytes([9, 8, 7, 6, 5, 4, 3, 2, 1])
        index = np.array([[[0], [1], [2]]])
        got = read(png(tmp_path / "a.png", index, 3, 8, chunk(b"PLTE", colors) + chunk(b"tRNS", alphas)))
        assert got[0, :, :3].ravel().tolist() == list(colors)
        assert got[0, :, 3].tolist() == list(alphas.ljust(3, b"\xff"))

    def test_palette_without(self, tmp_path):
        index = np.array([[[0], [1]]])
        got = read(png(tmp_path / "a.png", index, 3, 8, chunk(b"PLTE", bytes([9, 8, 7, 6, 5, 4]))))
        assert got.tolist() == [[[9, 8, 7], [6, 5, 4]]]

    def test_grey_with_alpha(self, tmp_path):
        pixels = RNG.integers(0, 256, (5, 6, 2), np.uint8)
        PIL.Image.fromarray(pixels).save(tmp_path / "a.png")
        assert np.array_equal(read(tmp_path / "a.png"), pixels[..., [0, 0, 0, 1]])

    def test_premultiplied(self, tmp_path):
        straight = np.array([[[200, 100, 50, 255], [200, 100, 50, 128], [0, 0, 0, 0]]], np.uint8)
        multiplied = np.round(straight * [1, 1, 1, 0] * straight[..., 3:] / 255 + straight * [0, 0, 0, 1])
        got = read(tiff(tmp_path / "a.tif", multiplied.astype(np.uint8), 2, extra_sample=1))
        assert np.abs(got.astype(int) - straight).max() <= 2
        grey = multiplied[..., [0, 3]].astype(np.uint8)
        got = read(tiff(tmp_path / "b.tif", grey, 1, extra_sample=1))
        assert np.abs(got.astype(int) - straight[..., [0, 0, 0, 3]]).max() <= 2

    def test_of_a_gif(self, tmp_path):
        picture = PIL.Image.fromarray(np.array([[0, 1]], np.uint8), "P")
        picture.putpalette([9, 8, 7, 6, 5, 4])
        picture.save(tmp_path / "a.gif", transparency=0)
        got = read_image(tmp_path / "a.gif").pixels
        assert got[0, 0, 3] == 0
        assert got[0, 1].tolist() == [6, 5, 4, 255]


def test_black_and_white(tmp_path):
    bits = RNG.integers(0, 2, (9, 13)).astype(bool)
    PIL.Image.fromarray(bits).save(tmp_path / "a.tif", compression="group4")
    assert np.array_equal(read(tmp_path / "a.tif"), bits[..., None].repeat(3, 2) * 255)


def test_ycbcr_in_a_tiff(tmp_path):
    flat = PIL.Image.new("RGB", (16, 16), (200, 60, 20))
    out = io.BytesIO()
    flat.save(out, "tiff", compression="jpeg", quality=100)
    (tmp_path / "a.tif").write_bytes(out.getvalue())
    assert np.abs(read(tmp_path / "a.tif").astype(int) - (200, 60, 20)).max() < 4
