"""Files are known by their first bytes, whatever they are called."""

from pathlib import Path

import pytest

from keyweave.base.errors import InputError, MediaError
from keyweave.media.sniff import sniff

HEADS = {
    "png": b"\x89PNG\r\n\x1a\n", "jpeg": b"\xff\xd8\xff\xe0", "gif": b"GIF89a", "tiff": b"II*\0", "bmp": b"BM",
    "webp": b"RIFF\0\0\0\0WEBP", "avi": b"RIFF\0\0\0\0AVI ", "wav": b"RIFF\0\0\0\0WAVE", "aiff": b"FORM\0\0\0\0AIFC",
    "mp4": b"\0\0\0\x14ftypisom\0\0\0\0mp42", "m4a": b"\0\0\0\x10ftypM4A \0\0\0\0", "mov": b"\0\0\0\x08wide",
    "avif": b"\0\0\0\x14ftypmif1\0\0\0\0avif", "webm": b"\x1aE\xdf\xa3", "ogg": b"OggS", "flv": b"FLV\x01",
    "flac": b"fLaC", "mp3": b"\xff\xfb\x90", "aac": b"\xff\xf1\x50", "mpeg": b"\0\0\x01\xba",
    "mpegts": (b"G" + bytes(187)) * 3,
}  # fmt: skip


@pytest.mark.parametrize("name", HEADS)
def test_every_kind_by_its_head(name: str, tmp_path: Path):
    (tmp_path / "file.txt").write_bytes(HEADS[name])
    assert sniff(tmp_path / "file.txt").name == name


@pytest.mark.parametrize(
    "text",
    [
        b"#EXTM3U\nhttp://example.org/a.ts\n", b"ffconcat version 1.0\nfile a.mp4\n", b";FFMETADATA1\n",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\n", b"\0", b"hello", b"XXXX\0\0\0\0WEBP",
    ],
)  # fmt: skip
def test_playlists_texts_and_strangers_are_refused(text: bytes, tmp_path: Path):
    (tmp_path / "a.mp4").write_bytes(text)
    with pytest.raises(
        MediaError, match=r"a\.mp4 is not a picture, video or sound file that keyweave reads \(it starts"
    ):
        sniff(tmp_path / "a.mp4")


@pytest.mark.parametrize("head", [b"\0\0\0\x14ftypheic\0\0\0\0mif1", b"\0\0\0\x14ftypmif1\0\0\0\0heic"])
def test_pictures_of_telephones_get_a_sentence_of_their_own(head: bytes, tmp_path: Path):
    (tmp_path / "a.jpg").write_bytes(head)
    with pytest.raises(MediaError, match="is a HEIC picture, which keyweave does not read. Convert it to JPEG or PNG"):
        sniff(tmp_path / "a.jpg")


def test_what_is_no_file_is_said(tmp_path: Path):
    with pytest.raises(InputError, match="is a folder"):
        sniff(tmp_path)
    with pytest.raises(InputError, match="does not exist"):
        sniff(tmp_path / "http:" / "example.org")
