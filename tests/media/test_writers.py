"""The door for clips on their way out: whole or not at all, the same bytes each time, nothing lost in silence."""

import os
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction as F
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from keyweave.base.errors import InputError, MediaError
from keyweave.media import writers
from keyweave.media.films import film_writer
from keyweave.media.films.fillings import FILLINGS
from keyweave.media.types import Audio, Sound
from keyweave.media.writers import FORMATS, format_of, missing_encoders, write_clip

SILENT = [ending for ending, form in FORMATS.items() if not form.holds_sound]


def greys(count: int, channels: int = 3) -> list[np.ndarray]:
    return [np.full((24, 32, channels), 40 + k, np.uint8) for k in range(count)]


def place_for(folder: Path, ending: str) -> Path:
    return folder / ("out/%05d" + ending if FORMATS[ending].numbered else "out" + ending)


def files_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def run(script: str, *arguments: object, **settings: Any) -> str:
    command = [sys.executable, "-c", script, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, **settings)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("ending", FORMATS)
def test_what_was_written_is_told(tmp_path: Path, ending: str):
    path = place_for(tmp_path / "new", ending)
    written = write_clip(path, iter(greys(3)), F(30_000, 1001))
    assert (written.path, written.frames, written.width, written.height) == (path, 3, 32, 24)
    assert written.duration == F(3003, 30_000)
    assert written.notes == ()
    assert len(files_in(tmp_path)) == (3 if FORMATS[ending].numbered else 1)


@pytest.mark.parametrize("ending", [*FORMATS, ".MP4", ".Gif"])
def test_an_ending_chooses_the_format(tmp_path: Path, ending: str):
    form = format_of(tmp_path / ("%d" + ending))
    assert form is FORMATS[ending.lower()]


@pytest.mark.parametrize("name", ["film", "film.avi", "film.mp4.txt", "mp4", "%05d.tif"])
def test_other_endings_are_refused_with_those_that_are_known(tmp_path: Path, name: str):
    with pytest.raises(InputError) as caught:
        format_of(tmp_path / name)
    assert str(caught.value) == (
        f"{tmp_path / name} cannot be written: a clip's name must end in "
        ".mp4, .webm, .mov, .gif, .apng, .webp, .png, .jpg, .jpeg. Choose one of these."
    )


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("ending", FORMATS)
def test_whatever_is_lost_is_told(tmp_path: Path, ending: str, channels: int):
    sound = Audio(np.zeros((4800, 1), np.float32), 48_000)
    written = write_clip(place_for(tmp_path, ending), greys(2, channels), F(20), sound=sound)
    form = FORMATS[ending]
    assert any("holds no sound: it was left out" in note for note in written.notes) == (not form.holds_sound)
    assert any("holds no alpha: " in note for note in written.notes) == (channels == 4 and not form.holds_alpha)


def test_sound_comes_with_the_film_and_ends_with_it(tmp_path: Path):
    noise = np.random.default_rng(2).normal(0, 0.1, (48_000 * 3, 2)).astype(np.float32)
    path = tmp_path / "a.mov"
    written = write_clip(path, greys(10), F(10), sound=Sound([noise[:7], noise[7:60_000], noise[60_000:]], 48_000, 2))
    assert written.notes == ("The sound is longer than the pictures: it was cut at 1.00 s.",)
    with av.open(str(path)) as film:
        back = np.concatenate([frame.to_ndarray().reshape(-1, 2) for frame in film.decode(audio=0)])
    assert np.abs(back / 2**31 - noise[:48_000]).max() < 1e-4
    assert write_clip(tmp_path / "b.mov", greys(30), F(10), sound=Audio(noise, 48_000)).notes == ()
    assert write_clip(tmp_path / "c.mov", greys(60), F(10), sound=Audio(noise, 48_000)).notes == ()


def test_sound_and_pictures_are_interleaved(tmp_path: Path):
    path = tmp_path / "a.mp4"
    write_clip(path, greys(200), F(20), sound=Audio(np.zeros((480_000, 2), np.float32), 48_000))
    times: dict[str, float] = {}
    with av.open(str(path)) as film:
        for packet in sorted((one for one in film.demux() if one.size), key=lambda one: one.pos or 0):
            times[packet.stream.type] = float((packet.dts or 0) * packet.time_base)
            assert len(times) < 2 or abs(times["video"] - times["audio"]) < 1.5


DOORS = [
    ({"rate": F(0)}, "The rate is 0 frames per second; 1/600 to 1000 can be written. Give another rate."),
    ({"rate": F(-5)}, "The rate is -5 frames per second; 1/600 to 1000 can be written."),
    ({"rate": F(2**40 * 24 + 1, 2**40)}, "The rate 26388279066625/1099511627776 is finer than files hold: numerator"),
    ({"crf": 52}, "The crf of MP4 is 1 (best) to 51 (smallest); got 52. Leave it out for 18."),
    ({"crf": 0}, "The crf of MP4 is 1 (best) to 51"),
    ({"ending": ".webm", "crf": 64}, "The crf of WebM is 0 (best) to 63 (smallest); got 64. Leave it out for 16."),
    ({"ending": ".mov", "crf": 20}, "out.mov cannot be written with crf 20: only .mp4 or .webm have one."),
    ({"frames": []}, "There is no frame to write. Give at least one."),
    ({"frames": greys(1) + greys(1, 4)}, "Frame 2 is 32 x 24 with alpha; the clip began with 32 x 24 without alpha."),
    (
        {"frames": [*greys(1), np.zeros((4, 4))], "ending": ".gif"},
        "Frame 2 is float64 (4, 4); the clip began with 32 x",
    ),
    ({"frames": [np.zeros((4, 4))]}, "A frame must be uint8 of shape (height, width, 3 or 4); got float64 (4, 4)."),
    (
        {"frames": [np.zeros((0, 4, 3), np.uint8)]},
        "A frame must be uint8 of shape (height, width, 3 or 4); got uint8 (0,",
    ),
    (
        {"frames": [np.zeros((1, 16_384, 3), np.uint8)], "ending": ".webp"},
        "WebP holds at most 16,383 pixels a side; the frames are 16,384 x 1. Scale them down, or choose another",
    ),
    ({"comment": "a\0b"}, "A comment cannot hold the zero character"),
    ({"comment": "\ud800"}, "The comment cannot be written as UTF-8: surrogates not allowed at 0."),
    (
        {"comment": "x" * 65_534, "ending": ".jpg"},
        "A comment in JPEG holds at most 65,533 bytes; got 65,534. Shorten it.",
    ),
]


@pytest.mark.parametrize(("given", "words"), DOORS, ids=str)
def test_what_cannot_be_written_is_one_sentence_and_leaves_nothing(tmp_path: Path, given: dict, words: str):
    settings = {"ending": ".mp4", "frames": greys(2), "rate": F(10)} | given
    path = place_for(tmp_path, settings.pop("ending"))
    with pytest.raises(InputError) as caught:
        write_clip(path, settings.pop("frames"), settings.pop("rate"), **settings)
    assert str(caught.value).removeprefix(f"{tmp_path}{os.sep}").startswith(words)
    assert files_in(tmp_path) == []


@pytest.mark.parametrize("crf", [1, 51])
def test_crf_is_the_quality(tmp_path: Path, crf: int):
    noise = np.random.default_rng(1).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)
    write_clip(tmp_path / "a.mp4", noise, F(10), crf=crf)
    write_clip(tmp_path / "b.mp4", noise, F(10))
    assert ((tmp_path / "a.mp4").stat().st_size > (tmp_path / "b.mp4").stat().st_size) == (crf == 1)


@pytest.mark.parametrize("ending", [ending for ending, form in FORMATS.items() if not form.numbered])
def test_what_exists_stays_unless_it_may_go(tmp_path: Path, ending: str):
    path = tmp_path / f"out{ending}"
    path.write_text("dear")
    with pytest.raises(InputError, match=r"already exists\. Pass --overwrite"):
        write_clip(path, greys(2), F(10))
    assert path.read_text() == "dear"
    write_clip(path, greys(2), F(10), overwrite=True)
    assert path.read_bytes()[:4] != b"dear"
    assert len(files_in(tmp_path)) == 1


@pytest.mark.parametrize("ending", FORMATS)
@pytest.mark.parametrize("fault", [OSError(28, "mine"), KeyError("mine"), KeyboardInterrupt()], ids=repr)
def test_faults_of_whoever_makes_the_frames_pass_unchanged(tmp_path: Path, ending: str, fault: BaseException):
    def frames():
        yield from greys(2)
        raise fault

    with pytest.raises(type(fault)) as caught:
        write_clip(place_for(tmp_path, ending), frames(), F(10))
    assert caught.value is fault
    assert files_in(tmp_path) == []


def test_faults_of_whoever_makes_the_sound_pass_unchanged(tmp_path: Path):
    fault = FileNotFoundError(2, "mine")

    def blocks():
        yield np.zeros((100, 1), np.float32)
        raise fault

    with pytest.raises(FileNotFoundError) as caught:
        write_clip(tmp_path / "a.mp4", greys(5), F(10), sound=Sound(blocks(), 48_000, 1))
    assert caught.value is fault
    assert files_in(tmp_path) == []


@pytest.mark.parametrize("ending", FORMATS)
def test_a_place_that_cannot_be_is_named(tmp_path: Path, ending: str):
    (tmp_path / "file").write_text("x")
    with pytest.raises(MediaError, match="^Cannot write .*file"):
        write_clip(place_for(tmp_path / "file" / "below", ending), greys(2), F(10))
    assert files_in(tmp_path) == ["file"]


SMALL_DISK = """
import resource, sys
from fractions import Fraction
from pathlib import Path
import numpy as np
from keyweave.base.errors import MediaError
from keyweave.media.types import Audio
from keyweave.media.writers import FORMATS, write_clip
folder = Path(sys.argv[1])
noise = np.random.default_rng(0).integers(0, 256, (12, 64, 64, 3), dtype=np.uint8)
sound = Audio(noise[..., :2].reshape(-1, 2).astype(np.float32) / 256, 48000)
for ending, form in FORMATS.items():
    path = folder / ending[1:] / ("%d" + ending)
    for most in (10, 3_000, 9_000, 33_000):
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))
        try:
            write_clip(path, noise, Fraction(12), sound=sound, overwrite=True)
            print(ending, "written")
        except MediaError as fault:
            print(ending, fault)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there are no limits of this kind")
def test_a_disk_that_ends_is_told_and_nothing_is_left(tmp_path: Path):
    told = [line.split(" ", 1) for line in run(SMALL_DISK, tmp_path).splitlines()]
    assert len(told) == 4 * len(FORMATS)
    for ending, words in told:
        if words != "written":
            assert words.startswith(f"Cannot write {tmp_path / ending[1:]}")
            assert words.endswith("the file is too large for this disk. Choose another place with -o.")
    refused = [ending for ending, words in told if words != "written"]
    assert all(refused.count(ending) >= 2 for ending in FORMATS)
    kept = {Path(name).parts[0] for name in files_in(tmp_path)}
    assert kept == {ending[1:] for ending, words in told if words == "written"}
    assert not [name for name in files_in(tmp_path) if name.endswith(".part")]


def test_missing_encoders_are_told_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert missing_encoders() == {}
    monkeypatch.setattr(writers, "has_encoder", lambda name: name not in ("libvpx-vp9", "gif"))
    monkeypatch.setattr(writers.features, "check", lambda name: name != "webp")
    assert missing_encoders() == {".webm": "libvpx-vp9", ".gif": "gif", ".webp": "webp"}
    for ending, name in missing_encoders().items():
        with pytest.raises(MediaError) as caught:
            format_of(tmp_path / f"a{ending}")
        assert str(caught.value) == (
            f"{tmp_path / 'a'}{ending} cannot be written: this installation has no encoder {name}. "
            "Install av and pillow from PyPI, or choose another format."
        )


def test_an_encoder_that_fails_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    broken = replace(FILLINGS["mp4"], options={"preset": "impossible"})
    monkeypatch.setitem(film_writer.FILLINGS, "mp4", broken)
    with pytest.raises(MediaError, match=r"^FFmpeg's mp4 failed: "):
        write_clip(tmp_path / "a.mp4", greys(2), F(10))
    assert files_in(tmp_path) == []


DIGESTS = """
import hashlib, os, sys
from fractions import Fraction
from pathlib import Path
import numpy as np
if sys.argv[2] == "one core":
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
from keyweave.media.types import Audio
from keyweave.media.writers import FORMATS, write_clip
down, right = np.mgrid[:90, :120]
drawn = [np.stack([right + 5 * k, down * 2, right * down // 40 + k, 255 - right], -1) for k in range(14)]
frames = [frame.astype(np.uint8) for frame in drawn]
sound = Audio(np.sin(np.arange(48000, dtype=np.float32) / 9)[:, None].repeat(2, 1), 48000)
for ending in FORMATS:
    for channels in (3, 4):
        path = Path(sys.argv[1], f"{channels}{ending[1:]}", "%d" + ending)
        write_clip(path, [one[..., :channels] for one in frames], Fraction(24000, 1001), sound=sound, comment="x")
        data = b"".join(one.read_bytes() for one in sorted(path.parent.iterdir()))
        print(ending, channels, hashlib.sha256(data).hexdigest())
"""


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="cores cannot be chosen here")
def test_the_same_clip_gives_the_same_bytes_on_one_core_and_on_all(tmp_path: Path):
    one = run(DIGESTS, tmp_path / "a", "one core", env=os.environ | {"OMP_NUM_THREADS": "1"})
    other = run(DIGESTS, tmp_path / "b", "all cores")
    assert one == other
    assert len(set(one.split())) >= 2 * len(FORMATS)


KILL = """
import hashlib, os, random, signal, sys, time
from fractions import Fraction
from pathlib import Path
import numpy as np
from keyweave.media.writers import write_clip
path = Path(sys.argv[1])
down, right = np.mgrid[:120, :160]
drawn = [np.stack([right + 5 * k, down * 2, 0 * down + 90], -1).astype(np.uint8) for k in range(40)]
def digest():
    return hashlib.sha256(path.read_bytes()).hexdigest()
def write(frames):
    write_clip(path, frames, Fraction(10), overwrite=True)
write(drawn[:5])
old = digest()
began = time.monotonic()
write(drawn)
new, lasts = digest(), time.monotonic() - began
chance = random.Random(6)
for _ in range(int(sys.argv[2])):
    child = os.fork()
    if not child:
        write(drawn if digest() == old else drawn[:5])
        os._exit(0)
    time.sleep(chance.uniform(0, 1.2 * lasts))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    print(["old", "new"][(old, new).index(digest())])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork, and no SIGKILL")
@pytest.mark.parametrize(("ending", "times"), [(".mp4", 12), (".webp", 4), (".gif", 4)])
def test_killed_at_any_moment_the_file_is_the_old_or_the_new(tmp_path: Path, ending: str, times: int):
    assert len(run(KILL, tmp_path / f"out{ending}", times).split()) == times


MEMORY = """
import sys
from fractions import Fraction
from pathlib import Path
import numpy as np
import psutil
from keyweave.media.writers import write_clip
down, right = np.mgrid[:150, :200]
still = np.stack([right // 2, down, right // 2], -1).astype(np.uint8)
def frames(count, peaks):
    for k in range(count):
        peaks.append(psutil.Process().memory_info().rss / 1e6)
        frame = still.copy()
        frame[40:80, k % 160 : k % 160 + 40] = k % 256
        yield frame
for path in sys.argv[1:]:
    short, long = [], []
    for count, peaks in ((60, []), (60, short), (160, long)):
        write_clip(Path(path), frames(count, peaks), Fraction(25), overwrite=True)
    print(Path(path).suffix, max(long) - max(short))
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_clip(tmp_path: Path):
    """The longer clip has 9 MB more of pixels; a part of that is left to the allocator's whims."""
    # glibc keeps what is freed for later, which would hide what is held, unless arrays are too large for that.
    settings = os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536"}
    for line in run(
        MEMORY, *(place_for(tmp_path / ending[1:], ending) for ending in FORMATS), env=settings
    ).splitlines():
        ending, grown = line.split()
        assert float(grown) < 3, ending
