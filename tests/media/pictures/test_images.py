"""Stills: upright, within limits, refused in one sentence when broken; written whole, with their comment."""

import os
import struct
import threading
import warnings
import zlib

import numpy as np
import PIL.Image
import pytest
from PIL import PngImagePlugin

from keyweave.base.errors import InputError, MediaError
from keyweave.media.limits import Limits
from keyweave.media.pictures import picture_file, png, whole
from keyweave.media.pictures.images import encode_png, image_size, read_header, read_image, write_image
from keyweave.media.types import Image

# Three rows of four blocks of 8 x 8 pixels, all different, so that JPEG keeps them apart and every turn shows.
BLOCKS = np.arange(12).reshape(3, 4)
UPRIGHT = (
    np.stack([BLOCKS * 20, 255 - BLOCKS * 20, (BLOCKS * 67) % 256], axis=2).repeat(8, 0).repeat(8, 1).astype(np.uint8)
)
# EXIF: which row and column of the upright picture the stored rows and columns are.
STORED = {
    1: UPRIGHT,
    2: UPRIGHT[:, ::-1],
    3: UPRIGHT[::-1, ::-1],
    4: UPRIGHT[::-1],
    5: UPRIGHT.transpose(1, 0, 2),
    6: UPRIGHT.transpose(1, 0, 2)[::-1],
    7: UPRIGHT.transpose(1, 0, 2)[::-1, ::-1],
    8: UPRIGHT.transpose(1, 0, 2)[:, ::-1],
}
RNG = np.random.default_rng(3)
NOISE = RNG.integers(0, 256, (20, 30, 3), np.uint8)
ALPHA = RNG.integers(0, 256, (20, 30, 4), np.uint8)
FORMATS = ("png", "jpeg", "webp", "tiff", "bmp", "gif", "avif")


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def save(path, pixels: np.ndarray, form: str, **how):
    PIL.Image.fromarray(pixels).save(path, form, **how)
    return path


def refusal(path, error: type[InputError] = MediaError, **how) -> str:
    """Read what must be refused; return the message, which is one sentence that names the file."""
    with pytest.raises(error) as caught:
        read_image(path, **how)
    message = caught.value.message
    assert str(path) in message
    assert message.endswith(".")
    assert "\n" not in str(caught.value)
    return str(caught.value)


class TestOrientation:
    @pytest.mark.parametrize("turn", STORED)
    @pytest.mark.parametrize("form", ["png", "jpeg", "webp", "tiff", "avif"])
    def test_every_picture_comes_upright(self, form, turn, tmp_path):
        exif = PIL.Image.Exif()
        exif[0x0112] = turn
        how = {"jpeg": {"quality": 98, "subsampling": "4:4:4"}, "avif": {"quality": 98, "subsampling": "4:4:4"}}
        stored = np.ascontiguousarray(STORED[turn])
        path = save(tmp_path / "a", stored, form, exif=exif, **how.get(form, {"lossless": True}))
        got = read_image(path).pixels.astype(int)
        assert got.shape == UPRIGHT.shape
        assert np.abs(got - UPRIGHT).max() <= (12 if form in how else 0)
        assert image_size(path) == (32, 24)

    def test_the_block_may_follow_the_pixels_of_a_png(self, tmp_path):
        path = save(tmp_path / "a.png", np.ascontiguousarray(STORED[6]), "png")
        data = path.read_bytes()
        block = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
        path.write_bytes(data[:-12] + chunk(b"eXIf", block) + data[-12:])
        assert np.array_equal(read_image(path).pixels, UPRIGHT)
        assert image_size(path) == (32, 24)

    @pytest.mark.parametrize(
        "block",
        [
            b"",
            b"MM",
            b"what?",
            b"II*\0\xff\xff\xff\xff",
            b"II*\0\x08\0\0\0\xff\xff",
            b"II*\0\x08\0\0\0\1\0" + bytes(12),
        ],
    )
    def test_a_damaged_block_is_passed_over(self, block, tmp_path):
        path = save(tmp_path / "a.png", UPRIGHT, "png", exif=b"Exif\0\0" + block)
        assert np.array_equal(read_image(path).pixels, UPRIGHT)

    def test_a_turn_that_does_not_exist_is_passed_over(self, tmp_path):
        exif = PIL.Image.Exif()
        exif[0x0112] = 9
        assert np.array_equal(read_image(save(tmp_path / "a.png", UPRIGHT, "png", exif=exif)).pixels, UPRIGHT)


class TestReading:
    @pytest.mark.parametrize("pixels", [NOISE, ALPHA], ids=["rgb", "rgba"])
    @pytest.mark.parametrize("form", ["png", "webp", "tiff"])
    def test_lossless_formats_keep_every_pixel(self, form, pixels, tmp_path):
        path = save(tmp_path / "a", pixels, form, lossless=True, exact=True)
        image = read_image(path)
        assert np.array_equal(image.pixels, pixels)
        assert image.pixels.flags.writeable
        assert read_header(path) == (30, 20, pixels.shape[2] == 4)

    @pytest.mark.parametrize("form", FORMATS)
    def test_the_content_decides_not_the_name(self, form, tmp_path):
        path = save(tmp_path / "a.mp4", UPRIGHT, form)
        assert read_image(path).size == (32, 24)

    @pytest.mark.parametrize("form", FORMATS)
    def test_only_the_plugin_of_the_format_is_asked(self, form, tmp_path, monkeypatch):
        path = save(tmp_path / "a", NOISE, form)
        asked = []
        original = PIL.Image.open
        monkeypatch.setattr(
            PIL.Image, "open", lambda *args, **how: asked.append(how["formats"]) or original(*args, **how)
        )
        read_image(path)
        assert asked == [[form]]

    def test_workflows_beyond_the_limits_of_pillow_do_not_matter(self, tmp_path):
        before = PngImagePlugin.MAX_TEXT_CHUNK, PngImagePlugin.MAX_TEXT_MEMORY
        notes = PngImagePlugin.PngInfo()
        bomb = b"workflow\0\0" + zlib.compress(bytes(32 << 20), 9)
        notes.add(b"zTXt", bomb)
        notes.add(b"iTXt", b"workflow\0\1\0\0\0" + bomb[10:])
        notes.add_text("prompt", "a" * (3 << 20))
        path = save(tmp_path / "a.png", NOISE, "png", pnginfo=notes)
        with pytest.raises(ValueError, match="too large"), PIL.Image.open(path) as direct:
            direct.load()
        assert np.array_equal(read_image(path).pixels, NOISE)
        assert before == (PngImagePlugin.MAX_TEXT_CHUNK, PngImagePlugin.MAX_TEXT_MEMORY)

    def test_interlaced(self, tmp_path):
        passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
        grey = RNG.integers(0, 256, (8, 8), np.uint8)
        rows = b"".join(b"\0" + row.tobytes() for x, y, dx, dy in passes for row in grey[y::dy, x::dx])
        data = chunk(b"IHDR", struct.pack(">II5B", 8, 8, 8, 0, 0, 0, 1)) + chunk(b"IDAT", zlib.compress(rows))
        (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + data + chunk(b"IEND", b""))
        assert np.array_equal(read_image(tmp_path / "a.png").pixels, grey[..., None].repeat(3, 2))

    def test_of_several_pages_the_first(self, tmp_path):
        path = save(tmp_path / "a", UPRIGHT, "tiff", save_all=True, append_images=[PIL.Image.fromarray(NOISE)])
        assert np.array_equal(read_image(path).pixels, UPRIGHT)

    def test_of_an_animated_png_the_default_picture(self, tmp_path):
        other = PIL.Image.fromarray(UPRIGHT[::-1])
        path = save(tmp_path / "a", UPRIGHT, "png", save_all=True, append_images=[other, other], default_image=True)
        assert np.array_equal(read_image(path).pixels, UPRIGHT)

    def test_run_length_bmp(self, tmp_path, monkeypatch):
        rows = b"".join(bytes([4, color, 0, 0]) for color in (0, 1)) + b"\0\1"
        head = struct.pack("<IiiHHIIiiII", 40, 4, 2, 1, 8, 1, len(rows), 0, 0, 2, 0) + b"\0\0\xff\0\xff\0\0\0"
        path = tmp_path / "a.bmp"
        path.write_bytes(struct.pack("<2sIHHI", b"BM", 14 + len(head) + len(rows), 0, 0, 14 + len(head)) + head + rows)
        assert read_image(path).pixels[:, 0].tolist() == [[0, 0, 255], [255, 0, 0]]
        monkeypatch.setattr(whole, "_MOST_RUN_LENGTH_PIXELS", 7)
        assert "run-length packed BMP of 4 x 2 pixels" in refusal(path)

    def test_many_threads_at_once_leave_no_trace(self, tmp_path, monkeypatch):
        # Every one of these would make Pillow warn, and warnings are errors here.
        monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 400)
        paths = [save(tmp_path / form, NOISE, form) for form in FORMATS]
        expected = [read_image(path).pixels for path in paths]
        filters = list(warnings.filters)
        wrong = []

        def work(turn: int) -> None:
            for k in range(40):
                index = (k + turn) % len(paths)
                if not np.array_equal(read_image(paths[index]).pixels, expected[index]):
                    wrong.append(paths[index])

        threads = [threading.Thread(target=work, args=(turn,)) for turn in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not wrong
        assert list(warnings.filters) == filters


class TestRefusals:
    @pytest.mark.parametrize("form", FORMATS)
    def test_too_many_pixels(self, form, tmp_path):
        path = save(tmp_path / "a", UPRIGHT, form)
        for read in (read_image, image_size):
            with pytest.raises(MediaError, match=r"has 768 pixels; at most 767 are read\. Set KEYWEAVE_MAX_PIXELS"):
                read(path, limits=Limits(pixels=767))
        assert read_image(path, limits=Limits(pixels=768)).size == (32, 24)

    def test_a_header_that_boasts_is_believed_and_refused(self, tmp_path):
        data = chunk(b"IHDR", struct.pack(">II5B", 1 << 30, 1 << 30, 8, 2, 0, 0, 0)) + chunk(b"IDAT", b"")
        (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + data + chunk(b"IEND", b""))
        assert "has 1,152,921,504,606,846,976 pixels" in refusal(tmp_path / "a.png")

    def test_more_pixels_than_pillow_reads(self, tmp_path, monkeypatch):
        path = save(tmp_path / "a.jpg", NOISE, "jpeg")
        monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 200)
        assert "too many pixels for Pillow, which decodes at most 400" in refusal(path)

    @pytest.mark.parametrize("form", ["webp", "avif"])
    def test_more_bytes_than_pillow_may_hold(self, form, tmp_path, monkeypatch):
        path = save(tmp_path / "a", NOISE, form)
        monkeypatch.setattr(picture_file, "_MOST_READ_WHOLE", 99)
        assert "at most 99 are read" in refusal(path)

    def test_too_large_a_file(self, tmp_path):
        path = save(tmp_path / "a.png", NOISE, "png")
        assert "file bytes; at most 100" in refusal(path, limits=Limits(file_bytes=100))

    @pytest.mark.parametrize("form", ["png", "webp", "tiff", "bmp", "avif"])
    def test_cut_off_where_the_format_tells_its_size(self, form, tmp_path):
        data = save(tmp_path / "a", NOISE, form).read_bytes()
        path = tmp_path / "b"
        for keep in (len(data) - 1, len(data) * 2 // 3):
            path.write_bytes(data[:keep])
            assert f"{path} is cut off: {keep:,} of at least " in (message := refusal(path))
            assert int(message.split(" of at least ")[1].split()[0].replace(",", "")) <= len(data)

    def test_a_directory_beyond_the_end(self, tmp_path):
        (tmp_path / "a.tif").write_bytes(struct.pack("<2sHI", b"II", 42, 5000) + bytes(100))
        assert "is cut off: 108 of at least 5,002 bytes" in refusal(tmp_path / "a.tif")
        (tmp_path / "a.tif").write_bytes(struct.pack(">2sHHHQ", b"MM", 43, 8, 0, 5000) + bytes(100))
        assert "is cut off: 116 of at least 5,002 bytes" in refusal(tmp_path / "a.tif")

    def test_a_header_alone_is_not_enough(self, tmp_path):
        exif = PIL.Image.Exif()
        exif[0x0112] = 6
        path = save(tmp_path / "a", NOISE, "png", exif=exif)
        os.truncate(path, path.stat().st_size - 20)
        with pytest.raises(MediaError, match="is cut off"):
            read_header(path)

    def test_boxes_of_an_avif(self, tmp_path):
        data = save(tmp_path / "a", NOISE, "avif").read_bytes()
        path = tmp_path / "b"
        at = data.index(b"mdat") - 4
        path.write_bytes(data[:at] + bytes(4) + data[at + 4 :])  # to the end of the file
        assert read_image(path).size == (30, 20)
        path.write_bytes(data + struct.pack(">I4sQ", 1, b"free", 24) + bytes(8))
        assert read_image(path).size == (30, 20)
        path.write_bytes(data + struct.pack(">I4sQ", 1, b"free", 99) + bytes(8))
        assert f"{len(data) + 24:,} of at least {len(data) + 99:,} bytes" in refusal(path)
        path.write_bytes(data + struct.pack(">I4s", 5, b"free"))
        assert f"cannot be read past byte {len(data):,}" in refusal(path)

    def test_riffs_and_pngs_that_hold_nothing(self, tmp_path):
        (tmp_path / "a").write_bytes(b"RIFF\4\0\0\0WEBP")
        assert "is damaged" in refusal(tmp_path / "a")
        data = save(tmp_path / "b", NOISE, "png").read_bytes()
        (tmp_path / "c").write_bytes(data[:33] + data[-12:])
        assert "is damaged" in refusal(tmp_path / "c")
        (tmp_path / "d").write_bytes(data[:8] + data[33:])
        assert "is damaged" in refusal(tmp_path / "d")
        (tmp_path / "e").write_bytes(data[:25] + b"\5" + data[26:])
        assert "is damaged" in refusal(tmp_path / "e")

    def test_a_png_of_countless_chunks(self, tmp_path, monkeypatch):
        data = save(tmp_path / "a", NOISE, "png").read_bytes()
        (tmp_path / "b").write_bytes(data[:33] + chunk(b"teSt", b"") * 50 + data[33:])
        assert np.array_equal(read_image(tmp_path / "b").pixels, NOISE)
        monkeypatch.setattr(png, "_MOST_CHUNKS", 50)
        assert "past its first 50 chunks" in refusal(tmp_path / "b")

    @pytest.mark.parametrize("form", ["jpeg", "gif"])
    def test_cut_off_where_it_does_not(self, form, tmp_path):
        data = save(tmp_path / "a", NOISE, form).read_bytes()
        (tmp_path / "b").write_bytes(data[: len(data) // 2])
        assert (
            f"is cut off: {len(data) // 2:,} of" in (message := refusal(tmp_path / "b"))
            or "is cut off after" in message
        )

    @pytest.mark.parametrize("form", FORMATS)
    def test_damaged(self, form, tmp_path):
        data = bytearray(save(tmp_path / "a", NOISE, form).read_bytes())
        place = {"jpeg": data.find(b"\xff\xc0"), "gif": 13 + 768 + 40}.get(form, 16)
        data[place : place + 40] = b"\xfe" * 40
        (tmp_path / "b").write_bytes(data)
        refusal(tmp_path / "b")

    @pytest.mark.parametrize(
        ("content", "says"),
        [
            (b"\0\0\0 ftypisom", "is a video; a picture is needed. Take a frame out of it first: `ffmpeg"),
            (b"fLaC", "is a sound file; a picture is needed."),
            (b"", "is empty (0 bytes)."),
            (b"hello", "is not a picture, video or sound file"),
        ],
    )
    def test_what_is_no_picture(self, content, says, tmp_path):
        (tmp_path / "a.png").write_bytes(content)
        assert says in refusal(tmp_path / "a.png", InputError)

    def test_no_file(self, tmp_path):
        assert "is a folder; a file is needed." in refusal(tmp_path, InputError)
        assert "does not exist." in refusal(tmp_path / "a.png", InputError)

    @pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
    def test_no_permission(self, tmp_path):
        path = save(tmp_path / "a.png", NOISE, "png")
        path.chmod(0)
        assert "permission was denied" in refusal(path)

    @pytest.mark.parametrize(
        ("fault", "says"),
        [
            (MemoryError(), "does not fit into memory"),
            (OSError(5, "Input/output error"), "the disk reported a fault"),
            (RuntimeError("whatever"), "is damaged, or of a kind of JPEG that is not supported"),
        ],
    )
    def test_what_goes_wrong_inside_pillow(self, fault, says, tmp_path, monkeypatch):
        path = save(tmp_path / "a.jpg", NOISE, "jpeg")

        def load(_: object) -> None:
            raise fault

        monkeypatch.setattr("PIL.JpegImagePlugin.JpegImageFile.load", load)
        assert says in refusal(path)

    def test_a_pillow_without_avif(self, tmp_path, monkeypatch):
        path = save(tmp_path / "a.avif", NOISE, "avif")
        monkeypatch.setattr("PIL.AvifImagePlugin.SUPPORTED", False)
        monkeypatch.setattr("PIL.features.check", lambda name: False)
        assert "is AVIF, which this build of Pillow lacks" in refusal(path)

    def test_a_file_that_shrinks(self, tmp_path):
        path = save(tmp_path / "a.png", NOISE, "png")
        with picture_file.PictureFile(path, Limits()) as file:
            os.truncate(path, 40)
            with pytest.raises(MediaError, match="is cut off after"):
                file.read(30, 100)


class TestWriting:
    @pytest.mark.parametrize("pixels", [NOISE, ALPHA], ids=["rgb", "rgba"])
    @pytest.mark.parametrize("ending", [".png", ".PNG", ".webp"])
    def test_what_is_written_losslessly_is_read_again(self, ending, pixels, tmp_path):
        path = tmp_path / f"deep/er/a{ending}"
        write_image(path, Image(pixels))
        assert np.array_equal(read_image(path).pixels, pixels)

    @pytest.mark.parametrize("ending", [".jpg", ".jpeg"])
    def test_jpeg_is_close(self, ending, tmp_path):
        write_image(tmp_path / f"a{ending}", Image(UPRIGHT))
        got = read_image(tmp_path / f"a{ending}").pixels.astype(int)
        assert np.abs(got - UPRIGHT).mean() < 2

    def test_comments_are_where_readers_look(self, tmp_path):
        text = "seed 7 · Überblendung · 夜"
        for ending in ("png", "jpg", "webp"):
            write_image(tmp_path / f"a.{ending}", Image(NOISE), comment=text)
        with PIL.Image.open(tmp_path / "a.png") as png:
            assert png.info["Comment"] == text
        with PIL.Image.open(tmp_path / "a.jpg") as jpeg:
            assert jpeg.info["comment"].decode() == text
        with PIL.Image.open(tmp_path / "a.webp") as webp:
            assert webp.info["exif"].startswith(b"MM")  # the order of the bytes below
            assert webp.getexif().get_ifd(0x8769)[0x9286] == b"UNICODE\0" + text.encode("utf-16-be")

    def test_encode_png(self):
        assert b"iTXt" not in encode_png(NOISE)
        assert b"iTXtComment\0\0\0\0\0made by hand" in encode_png(NOISE, "made by hand")
        assert encode_png(ALPHA[::2, ::2]) == encode_png(ALPHA[::2, ::2].copy())

    def test_jpeg_takes_transparency_only_over_a_background(self, tmp_path):
        path = tmp_path / "a.jpg"
        with pytest.raises(InputError, match=r"JPEG has no transparency.* Write a \.png instead"):
            write_image(path, Image(ALPHA))
        assert not path.exists()
        half = np.full((16, 16, 4), (200, 100, 0, 128), np.uint8)
        write_image(path, Image(half), background=(255, 255, 255))
        expected = np.array([200, 100, 0]) * 128 / 255 + 255 * 127 / 255
        assert np.abs(read_image(path).pixels - expected).max() < 3
        half[..., 3] = 255
        write_image(path, Image(half), overwrite=True)
        write_image(path, Image(NOISE), background=(0, 0, 0), overwrite=True)
        assert read_image(path).size == (30, 20)

    def test_refusals(self, tmp_path):
        with pytest.raises(InputError, match=r"a\.tif cannot be written: .* end in \.png, \.jpg, \.jpeg, \.webp\."):
            write_image(tmp_path / "a.tif", Image(NOISE))
        long = Image(np.zeros((1, 65_501, 3), np.uint8))
        with pytest.raises(InputError, match=r"JPEG holds at most 65,500 pixels a side, this picture is 65,501 x 1\."):
            write_image(tmp_path / "a.jpg", long)
        with pytest.raises(InputError, match="WEBP holds at most 16,383 pixels"):
            write_image(tmp_path / "a.webp", long)
        with pytest.raises(InputError, match="comment has at most 65,533 bytes, this one 65,534"):
            write_image(tmp_path / "a.jpg", Image(NOISE), comment="a" * 65_534)
        assert list(tmp_path.iterdir()) == []

    def test_nothing_is_replaced_unless_asked(self, tmp_path):
        path = tmp_path / "a.png"
        write_image(path, Image(NOISE))
        with pytest.raises(InputError, match="already exists"):
            write_image(path, Image(ALPHA))
        assert np.array_equal(read_image(path).pixels, NOISE)
        write_image(path, Image(ALPHA), overwrite=True)
        assert np.array_equal(read_image(path).pixels, ALPHA)
        assert list(tmp_path.iterdir()) == [path]
