"""The text inside: every character comes back from every format, and damage is never worse than an error."""

import struct
import zlib
from fractions import Fraction as F
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL.PngImagePlugin import PngInfo

from keyweave.base.errors import InputError, KeyweaveError, MediaError
from keyweave.media.comments import MOST_BYTES, read_comment
from keyweave.media.pictures.images import encode_png, write_image
from keyweave.media.types import Image
from keyweave.media.writers import FORMATS, write_clip

FRAMES = [np.full((8, 10, 3), level, np.uint8) for level in (10, 90)]
HARD = '{"größe": "😀 \\" \' <>&;%s \\\\", "zeile":\n"日本語\t\r\n", "رقم": [1, 2.5e-3, null]}  '


def place_for(folder: Path, ending: str) -> Path:
    return folder / ("out/%05d" + ending if FORMATS[ending].numbered else "out" + ending)


def written(folder: Path, ending: str, comment: str | None) -> Path:
    path = place_for(folder, ending)
    write_clip(path, FRAMES, F(10), comment=comment)
    return path


def png_with(folder: Path, *chunks: tuple[bytes, bytes]) -> Path:
    """Make a PNG with further chunks ahead of its pixels."""
    path = folder / "made.png"
    data = encode_png(FRAMES[0])
    parts = [(len(body), name + body, zlib.crc32(name + body)) for name, body in chunks]
    packed = b"".join(struct.pack(">I", length) + body + struct.pack(">I", sum_) for length, body, sum_ in parts)
    path.write_bytes(data[:33] + packed + data[33:])
    return path


@pytest.mark.parametrize("ending", FORMATS)
@pytest.mark.parametrize("text", [HARD, "", "x" * 255, "ä" * 32_000], ids=["hard", "empty", "one block", "long"])
def test_every_character_survives(tmp_path: Path, ending: str, text: str):
    found = read_comment(written(tmp_path, ending, text))
    assert found == text or (text == "" and found is None)  # films do not tell an empty text from none


@pytest.mark.parametrize("ending", [ending for ending, form in FORMATS.items() if form.longest_comment == MOST_BYTES])
def test_a_text_of_a_megabyte_survives(tmp_path: Path, ending: str):
    text = HARD * 9_000
    text = text.encode()[: MOST_BYTES - 100].decode(errors="ignore")
    assert read_comment(written(tmp_path, ending, text)) == text


@given(text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=300))
@settings(max_examples=30)
@pytest.mark.parametrize("ending", [".mp4", ".webm", ".mov", ".gif", ".apng", ".webp", ".jpg"])
def test_any_text_survives(tmp_path_factory: pytest.TempPathFactory, ending: str, text: str):
    path = written(tmp_path_factory.mktemp("x"), ending, text)
    assert read_comment(path) == text


@pytest.mark.parametrize("ending", FORMATS)
def test_no_text_is_none(tmp_path: Path, ending: str):
    assert read_comment(written(tmp_path, ending, None)) is None


@pytest.mark.parametrize("ending", [".png", ".jpg", ".webp"])
def test_texts_of_single_pictures_are_found(tmp_path: Path, ending: str):
    path = tmp_path / f"still{ending}"
    write_image(path, Image(FRAMES[0]), comment=HARD)
    assert read_comment(path) == HARD


def test_of_a_folder_or_pattern_the_first_picture_is_read(tmp_path: Path):
    for number in (9, 10, 100):
        write_image(tmp_path / f"shot {number}%.png", Image(FRAMES[0]), comment=f"number {number}")
    (tmp_path / "a.txt").write_text("no picture")
    assert read_comment(tmp_path) == "number 9"
    assert read_comment(tmp_path / "shot %d%%.png") == "number 9"
    assert read_comment(tmp_path / "shot 100%.png") == "number 100"
    with pytest.raises(InputError, match=r"^No file matches .*film%d\.png"):
        read_comment(tmp_path / "film%d.png")
    with pytest.raises(MediaError, match=r"^Cannot read .*: there is no such file or folder"):
        read_comment(tmp_path / "nowhere" / "%d.png")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError, match="empty holds no pictures"):
        read_comment(empty)


def test_all_kinds_of_png_text_are_read(tmp_path: Path):
    assert read_comment(png_with(tmp_path, (b"tEXt", b"Comment\0gr\xfc\xdfe"))) == "grüße"
    assert read_comment(png_with(tmp_path, (b"zTXt", b"Comment\0\0" + zlib.compress(b"packed")))) == "packed"
    latin = b"Comment\0\1\0de\0Kommentar\0" + zlib.compress(HARD.encode())
    assert read_comment(png_with(tmp_path, (b"tEXt", b"Commentary\0no"), (b"iTXt", latin))) == HARD
    plain = b"Comment\0\0\0\0\0a\0b"
    assert read_comment(png_with(tmp_path, (b"iTXt", plain))) == "a\0b"


def test_pictures_with_texts_of_others_hold_no_comment(tmp_path: Path):
    notes = PngInfo()
    notes.add_text("prompt", "a cat")
    PIL.Image.fromarray(FRAMES[0]).save(tmp_path / "a.png", pnginfo=notes)
    exif = PIL.Image.Exif()
    exif[0x010E] = "a description"
    PIL.Image.fromarray(FRAMES[0]).save(tmp_path / "a.webp", exif=exif)
    PIL.Image.fromarray(FRAMES[0]).save(tmp_path / "a.bmp")
    PIL.Image.fromarray(FRAMES[0]).save(tmp_path / "a.jpg", exif=exif)
    for name in ("a.png", "a.webp", "a.bmp", "a.jpg"):
        assert read_comment(tmp_path / name) is None


@pytest.mark.parametrize(("order", "coded"), [("<", "utf-16-le"), (">", "utf-16-be")])
def test_texts_of_cameras_are_read_in_their_byte_order(tmp_path: Path, order: str, coded: str):
    exif = PIL.Image.Exif()
    exif.endian = order
    exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + HARD.encode(coded)
    PIL.Image.fromarray(FRAMES[0]).save(tmp_path / "a.webp", exif=exif)
    assert read_comment(tmp_path / "a.webp") == HARD
    exif.get_ifd(0x8769)[0x9286] = b"ASCII\0\0\0plain\0\0"
    PIL.Image.fromarray(FRAMES[0]).save(tmp_path / "b.webp", exif=exif)
    assert read_comment(tmp_path / "b.webp") == "plain"


def test_bombs_do_not_go_off(tmp_path: Path):
    bomb = zlib.compress(bytes(20 * MOST_BYTES))
    with pytest.raises(MediaError, match=r"carries a text of 1,048,577 bytes; at most 1,048,576 are read"):
        read_comment(png_with(tmp_path, (b"zTXt", b"Comment\0\0" + bomb)))
    with pytest.raises(MediaError, match=r"carries a text of 2,097,160 bytes"):
        read_comment(png_with(tmp_path, (b"tEXt", b"Comment\0" + bytes(2 * MOST_BYTES))))
    gif = written(tmp_path, ".gif", "x")
    data = gif.read_bytes()
    at = data.index(b"!\xfe") + 2
    gif.write_bytes(data[:at] + (b"\xff" + b"y" * 255) * 5000 + b"\0" + data[at:])
    with pytest.raises(MediaError, match="carries a text of"):
        read_comment(gif)


@pytest.mark.parametrize("ending", FORMATS)
def test_damage_is_an_error_or_another_text_never_a_crash(tmp_path: Path, ending: str):
    path = written(tmp_path, ending, HARD * 3)
    path = path if path.is_file() else next(path.parent.iterdir())
    whole = path.read_bytes()
    chance = np.random.default_rng(4)
    hurt = tmp_path / f"hurt{ending}"
    for k in range(60):
        data = bytearray(whole[: chance.integers(1, len(whole))] if k % 3 == 0 else whole)
        for at in chance.integers(0, min(len(data), 2000), 6):
            data[at] = chance.integers(0, 256)
        hurt.write_bytes(data)
        try:
            found = read_comment(hurt)
        except KeyweaveError as fault:
            assert str(fault).endswith((".", "s)."))  # noqa: PT017
        else:
            assert found is None or len(found) <= MOST_BYTES
