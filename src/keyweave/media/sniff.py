"""What a file is, told by its first bytes. Names and endings are not believed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from keyweave.base.errors import MediaError
from keyweave.base.files import existing_file, explain

if TYPE_CHECKING:
    from pathlib import Path

HEAD_BYTES = 4096
_TS_PACKET = 188

Family = Literal["picture", "film", "sound"]


@dataclass(frozen=True)
class Kind:
    """One of the formats that are read.

    Args:
        name: what people call it.
        family: "picture" is opened by Pillow (still or animated), the others by FFmpeg.
        demuxer: the one FFmpeg demuxer that may open it; playlists and other indirections are thus never reached.
    """

    name: str
    family: Family
    demuxer: str | None = None


# (offset, bytes, kind): the first row that matches wins.
_SIGNATURES: tuple[tuple[int, bytes, Kind], ...] = (
    (0, b"\x89PNG\r\n\x1a\n", Kind("png", "picture")),
    (0, b"\xff\xd8\xff", Kind("jpeg", "picture")),
    (0, b"GIF87a", Kind("gif", "picture")),
    (0, b"GIF89a", Kind("gif", "picture")),
    (0, b"II*\x00", Kind("tiff", "picture")),
    (0, b"MM\x00*", Kind("tiff", "picture")),
    (0, b"II+\x00", Kind("tiff", "picture")),
    (0, b"MM\x00+", Kind("tiff", "picture")),
    (0, b"BM", Kind("bmp", "picture")),
    (4, b"moov", Kind("mov", "film", "mov")),
    (4, b"mdat", Kind("mov", "film", "mov")),
    (4, b"wide", Kind("mov", "film", "mov")),
    (4, b"free", Kind("mov", "film", "mov")),
    (4, b"skip", Kind("mov", "film", "mov")),
    (0, b"\x1aE\xdf\xa3", Kind("webm", "film", "matroska")),
    (0, b"fLaC", Kind("flac", "sound", "flac")),
    (0, b"OggS", Kind("ogg", "film", "ogg")),
    (0, b"FLV\x01", Kind("flv", "film", "flv")),
    (0, b"\x00\x00\x01\xba", Kind("mpeg", "film", "mpeg")),
    (0, b"ID3", Kind("mp3", "sound", "mp3")),
)

# What a RIFF or IFF file says it is, at byte 8.
_FORMS = {
    (b"RIFF", b"WEBP"): Kind("webp", "picture"),
    (b"RIFF", b"AVI "): Kind("avi", "film", "avi"),
    (b"RIFF", b"WAVE"): Kind("wav", "sound", "wav"),
    (b"FORM", b"AIFF"): Kind("aiff", "sound", "aiff"),
    (b"FORM", b"AIFC"): Kind("aiff", "sound", "aiff"),
}
_HEIC = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"}

PICTURES = "PNG, JPEG, WebP, TIFF, BMP, GIF and AVIF"
FILMS = "MP4, MOV, WebM, MKV, AVI, MPEG, Ogg and FLV"
SOUNDS = "WAV, FLAC, MP3, M4A, AAC, Ogg and AIFF"


def sniff(path: Path) -> Kind:
    """Tell what the file is, or refuse it in one sentence."""
    try:
        with existing_file(path).open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as fault:
        raise explain(fault, path, "read") from fault
    kind = _match(head)
    if kind is not None and kind.name == "heic":
        raise MediaError(f"{path} is a HEIC picture, which keyweave does not read.", "Convert it to JPEG or PNG first.")
    if kind is None:
        raise MediaError(
            f"{path} is not a picture, video or sound file that keyweave reads (it starts with {head[:8].hex(' ')}).",
            f"Pictures: {PICTURES}. Videos: {FILMS}. Sound: {SOUNDS}.",
        )
    return kind


def _match(head: bytes) -> Kind | None:
    for offset, mark, kind in _SIGNATURES:
        if head[offset : offset + len(mark)] == mark:
            return kind
    if (head[:4], head[8:12]) in _FORMS:
        return _FORMS[head[:4], head[8:12]]
    if head[4:8] == b"ftyp":
        return _of_brands(head)
    if len(head) > 2 * _TS_PACKET and all(head[k * _TS_PACKET] == ord("G") for k in range(3)):
        return Kind("mpegts", "film", "mpegts")
    # Bare MPEG audio has no signature, only a frame-sync pattern of eleven bits; its layer bits tell AAC from MP3.
    if len(head) > 2 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0:
        return Kind("aac", "sound", "aac") if head[1] & 0x06 == 0 else Kind("mp3", "sound", "mp3")
    return None


def _of_brands(head: bytes) -> Kind:
    """Tell films, sounds and the two picture formats apart that all begin with a list of brands."""
    size = min(int.from_bytes(head[:4]), len(head))
    brands = [head[at : at + 4] for at in range(8, max(size, 12), 4) if at != 12]  # at 12 stands a version
    if b"avif" in brands or b"avis" in brands:
        return Kind("avif", "picture")
    if _HEIC & set(brands) and brands[0] in _HEIC | {b"mif1", b"msf1"}:
        return Kind("heic", "picture")
    return Kind("m4a", "sound", "mov") if brands[0] == b"M4A " else Kind("mp4", "film", "mov")
