"""Whatever a file holds, a command ends in 0 or 2 and says one line; never a traceback, never a hang."""

import io
import random
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from keyweave.cli.main import main
from keyweave.media.writers import write_clip

PICTURES, FILMS = 300, 100
MOST_SECONDS = 20


def flipped(data: bytes, rng: random.Random) -> bytes:
    broken = bytearray(data)
    for _ in range(rng.choice((1, 4, 40))):
        broken[rng.randrange(len(broken))] ^= 1 << rng.randrange(8)
    return bytes(broken)


def cut_off(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data))]


def zeroed(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + bytes(min(64, len(data) - at)) + data[at + 64 :]


def huge_header(data: bytes, rng: random.Random) -> bytes:
    """Lengths and sizes of the first bytes become as large as they can be."""
    at = 4 * rng.randrange(1, 16)
    return data[:at] + b"\x7f\xff\xff\xff" + data[at + 4 :]


def nothing(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.choice((0, 1))]


def whole(data: bytes, _: random.Random) -> bytes:
    return data  # only its name will be wrong


WAYS: list[Callable[[bytes, random.Random], bytes]] = [flipped, cut_off, zeroed, huge_header, nothing, whole]
GRADIENT = np.add.outer(np.arange(40), 3 * np.arange(56))[..., None] * np.array([1, 2, 3]) % 256


def pictures() -> dict[str, bytes]:
    made: dict[str, bytes] = {}
    for ending in ("png", "jpeg", "webp", "tiff", "bmp", "gif"):
        file = io.BytesIO()
        PillowImage.fromarray(GRADIENT.astype(np.uint8)).save(file, ending)
        made[ending] = file.getvalue()
    return made


def films(folder: Path) -> dict[str, bytes]:
    made: dict[str, bytes] = {}
    for ending in ("mp4", "webm", "mov", "gif", "webp"):
        path = folder / f"whole.{ending}"
        write_clip(path, (np.roll(GRADIENT, 3 * k, 1).astype(np.uint8) for k in range(12)), Fraction(12))
        made[ending] = path.read_bytes()
    return made


def broken_files(originals: dict[str, bytes], count: int, folder: Path):
    for number in range(count):
        rng = random.Random(number)
        ending = rng.choice(list(originals))
        way = WAYS[number % len(WAYS)]
        name = rng.choice((ending, ending, "png", "mp4", "txt"))
        path = folder / f"{number}-{way.__name__}.{name}"
        path.write_bytes(way(originals[ending], rng))
        yield path
        path.unlink()


def outcome(argv: list[str], capsys: pytest.CaptureFixture[str]) -> int:
    begun = time.monotonic()
    code = main(argv)
    said = capsys.readouterr()
    assert time.monotonic() - begun < MOST_SECONDS, argv
    assert code in (0, 2), (argv, said.err)
    assert "Traceback" not in said.err
    if code == 2:
        lines = [line for line in said.err.splitlines() if line.startswith("keyweave")]
        assert len(lines) == 1, (argv, said.err)
        assert lines[0].endswith("."), lines
    return code


def test_broken_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    good = tmp_path / "good.png"
    good.write_bytes(pictures()["png"])
    codes = []
    for path in broken_files(pictures(), PICTURES, tmp_path):
        film = tmp_path / "film.gif"
        line = ["inbetween", str(path), str(good), "-o", str(film), "--frames", "1", "--engine", "crossfade"]
        codes.append(outcome(line, capsys))
        assert film.exists() == (codes[-1] == 0)
        for made in (film, film.with_name("film.gif.json")):
            made.unlink(missing_ok=True)
        assert [left.name for left in tmp_path.iterdir() if left != path] == ["good.png"]
    assert PICTURES / 4 < sum(code == 2 for code in codes) < PICTURES * 3 / 4


def test_broken_films(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    codes = []
    for path in broken_files(films(tmp_path), FILMS, tmp_path):
        codes.append(outcome(["info", str(path)], capsys))
        sheet = tmp_path / "sheet.png"
        outcome(["sheet", str(path), "-o", str(sheet), "--columns", "3"], capsys)
        sheet.unlink(missing_ok=True)
    assert 0 < sum(code == 2 for code in codes) < FILMS
