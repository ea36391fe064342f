"""Memory stays flat in the length of a film: read and written again, frame by frame, with its sound."""

import subprocess
import sys
from pathlib import Path

import pytest

MAKE = """
import sys
from fractions import Fraction
import numpy as np
from keyweave.media.types import Sound
from keyweave.media.writers import write_clip
path, width, height, rate, seconds = sys.argv[1], *map(int, sys.argv[2:6])
down, right = np.ogrid[:height, :width + 3 * 256]
wide = np.stack(np.broadcast_arrays(right, down, (right + down) // 4), -1).astype(np.uint8)
def frames():
    for k in range(rate * seconds):
        yield np.ascontiguousarray(wide[:, 3 * (k % 256) : 3 * (k % 256) + width])
def beeps():
    for k in range(seconds):
        yield (0.2 * np.sin(np.arange(48000) * (k % 7 + 3) / 60)).astype(np.float32)[:, None].repeat(2, 1)
write_clip(__import__("pathlib").Path(path), frames(), Fraction(rate), sound=Sound(beeps(), 48000, 2))
"""

COPY = """
import sys
from pathlib import Path
from keyweave.base.peak import peak_bytes
from keyweave.media.clips import open_frames
from keyweave.media.sound.audio import stream_audio
from keyweave.media.writers import write_clip
source, copy = map(Path, sys.argv[1:])
with open_frames(source) as film:
    made = write_clip(copy, film.frames(), film.rate, sound=stream_audio(source))
print(made.frames, peak_bytes() / 2**20)
"""


RETIME = """
import sys
from pathlib import Path
import keyweave
from keyweave.base.peak import peak_bytes
made = keyweave.retime(sys.argv[1], sys.argv[2], fps=int(sys.argv[4]), engine=sys.argv[3])
print(made.frames, peak_bytes() / 2**20)
"""


def retime_and_measure(folder: Path, engine: str, seconds: int, rate: int = 24) -> tuple[int, float]:
    """Make a film of 1080p, retime it to twice the rate, and return its frames and the peak megabytes."""
    source, made = folder / f"{seconds}.mp4", folder / f"{engine}-{seconds}.mp4"
    subprocess.run([sys.executable, "-c", MAKE, str(source), "1920", "1080", str(rate), str(seconds)], check=True)
    command = [sys.executable, "-c", RETIME, source, made, engine, str(2 * rate)]
    run = subprocess.run(command, check=True, stdout=-1, text=True)
    frames, peak = run.stdout.split()
    return int(frames), float(peak)


def copy_and_measure(folder: Path, *shape: int) -> tuple[int, float]:
    """Make a film of (width, height, rate, seconds), copy it, and return its frames and the copy's peak megabytes."""
    source, copy = folder / f"{shape[-1]}.mp4", folder / f"{shape[-1]}-copy.mp4"
    subprocess.run([sys.executable, "-c", MAKE, str(source), *map(str, shape)], check=True)
    run = subprocess.run([sys.executable, "-c", COPY, source, copy], check=True, capture_output=True, text=True)
    frames, peak = run.stdout.split()
    return int(frames), float(peak)


@pytest.mark.slow
def test_a_film_five_times_as_long_needs_no_more_memory(tmp_path: Path):
    short, long = (copy_and_measure(tmp_path, 320, 180, 24, seconds) for seconds in (6, 30))
    assert (short[0], long[0]) == (144, 720)
    assert long[1] < short[1] + 25


@pytest.mark.slow
def test_three_minutes_of_720p_stay_under_400_megabytes(tmp_path: Path):
    frames, peak = copy_and_measure(tmp_path, 1280, 720, 30, 180)
    assert frames == 5400
    assert peak < 400, f"{peak:.0f} MB"


@pytest.mark.slow
@pytest.mark.parametrize(("engine", "short", "long"), [("crossfade", 2, 10), ("flow", 1, 3)])
def test_retiming_1080p_stays_under_800_megabytes_and_does_not_grow(tmp_path: Path, engine: str, short: int, long: int):
    (few, first), (many, last) = (retime_and_measure(tmp_path, engine, seconds) for seconds in (short, long))
    assert (few, many) == (48 * short, 48 * long)
    assert last < 800, f"{last:.0f} MB"
    assert last < first + 25


@pytest.mark.slow
@pytest.mark.parametrize(("engine", "rate"), [("crossfade", 12), ("flow", 2)])
def test_three_minutes_of_1080p_are_retimed_in_800_megabytes(tmp_path: Path, engine: str, rate: int):
    """Flow takes a second or two for every pair of frames, so there are fewer of them."""
    frames, peak = retime_and_measure(tmp_path, engine, 180, rate)
    assert frames == 2 * 180 * rate
    assert peak < 800, f"{peak:.0f} MB"
