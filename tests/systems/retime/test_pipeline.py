"""Retiming: every frame is due at an exact time, and what the clip holds is shown as it is."""

from collections.abc import Iterator, Sequence
from fractions import Fraction as F
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest

from keyweave.app.fields import read_options
from keyweave.app.friendly import retime as retime_clip
from keyweave.app.rerun import rerun
from keyweave.base.errors import InputError
from keyweave.cli.main import main
from keyweave.media.clips import open_frames, read_clip
from keyweave.media.source import Shown
from keyweave.media.types import Audio, Frame, Image
from keyweave.media.writers import write_clip
from keyweave.systems.retime import pipeline
from keyweave.systems.retime.options import RetimeOptions
from keyweave.systems.retime.pipeline import retime

RATE, COUNT = 12, 10
GRADIENT = np.add.outer(np.arange(24), np.arange(32))[..., None].astype(np.uint8)


def numbered(number: float) -> Frame:
    """A frame whose mean tells its number; neighbours differ by 4 levels."""
    return np.repeat(GRADIENT + np.uint8(round(4 * number)), 3, axis=2)


def number_of(frame: Frame) -> float:
    return float((frame[..., 0].astype(int) - GRADIENT[..., 0]).mean() / 4)


def ladder(first: Image, last: Image, times: Sequence[F], **_: Any) -> Iterator[Frame]:
    """An engine that draws the number in between."""
    a, b = number_of(first.pixels), number_of(last.pixels)
    for at in times:
        assert 0 < at < 1
        yield numbered(a + float(at) * (b - a))


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Ten numbered frames, a twelfth of a second each; as pictures they are kept to the bit."""
    path = tmp_path / "clip.apng"
    write_clip(path, map(numbered, range(COUNT)), F(RATE))
    return path


def numbers(clip: Path, **wish: Any) -> list[float]:
    film = retime(clip, read_options(RetimeOptions, wish))
    frames = [number_of(frame) for frame in film.frames(ladder, seed=0)]
    assert len(frames) == film.frame_count
    return frames


def test_slower_and_faster(clip: Path):
    assert numbers(clip) == pytest.approx(range(10))
    last = [9] * 3  # the last frame has nothing to go to
    assert numbers(clip, speed=0.25) == pytest.approx([k / 4 for k in range(36)] + [9, *last])
    assert numbers(clip, speed=2) == pytest.approx([0, 2, 4, 6, 8])
    assert numbers(clip, speed="4/3") == pytest.approx([4 * k / 3 for k in range(7)] + [9], abs=0.13)


def test_another_rate(clip: Path):
    made = numbers(clip, fps="24000/1001")
    assert len(made) == round(F(10, 12) * F(24000, 1001))
    assert made[:18] == pytest.approx([k * 1001 / 24000 * 12 for k in range(18)], abs=0.13)
    assert numbers(clip, fps=6) == pytest.approx([0, 2, 4, 6, 8])


def test_frames_of_the_clip_are_shown_as_they_are(clip: Path):
    film = retime(clip, read_options(RetimeOptions, {"speed": "1/3"}))
    made = list(film.frames(ladder, seed=0))
    for number in range(COUNT):
        np.testing.assert_array_equal(made[3 * number], numbered(number))


def test_a_duration_and_an_easing(clip: Path):
    assert len(numbers(clip, duration="0:02.5")) == 30
    eased = numbers(clip, duration=5, easing="ease-in-out")
    steps = np.diff(eased)
    assert (steps >= -1e-9).all()
    assert steps[25:30].mean() > 3 * steps[:5].mean()
    with pytest.raises(InputError, match="back runs backwards or beyond the clip"):
        read_options(RetimeOptions, {"easing": "back"})


def test_nothing_is_drawn_across_a_cut(tmp_path: Path):
    path = tmp_path / "cut.apng"
    other = np.zeros((24, 32, 3), np.uint8) + np.array([250, 20, 20], np.uint8)
    write_clip(path, [*map(numbered, range(5)), *(other for _ in range(5))], F(RATE))
    film = retime(path, read_options(RetimeOptions, {"speed": 0.25}))
    made = list(film.frames(ladder, seed=0))
    for frame in made[16:20]:
        np.testing.assert_array_equal(frame, numbered(4))
    for frame in made[20:]:
        np.testing.assert_array_equal(frame, other)


class Slides:
    """Frames that are on screen for unequal times."""

    width, height, has_alpha, rate, duration = 32, 24, False, F(25), F(28, 25)

    def shown(self, start: F = F(0), stop: F | None = None) -> Iterator[Shown]:
        edges = [F(0), F(1, 25), F(26, 25), F(27, 25), F(28, 25)]
        for number, (begin, end) in enumerate(pairwise(edges)):
            yield Shown(begin, end, numbered(number))

    def close(self) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def test_times_are_exact_and_what_stands_is_not_moved(monkeypatch: pytest.MonkeyPatch):
    """A slide that is shown for a second is not blended into the next one."""
    monkeypatch.setattr(pipeline, "open_frames", lambda _: Slides())
    made = numbers(Path("slides"), fps=100)
    assert made[:4] == pytest.approx([0, 0.25, 0.5, 0.75])
    assert made[4:104] == pytest.approx([1] * 100)
    assert made[104:] == pytest.approx([2, 2.25, 2.5, 2.75, 3, 3, 3, 3])


@pytest.mark.parametrize("speed", ["1/2", "1", "3/2"])
def test_the_sound_is_as_long_as_the_frames(tmp_path: Path, speed: str):
    path, made = tmp_path / "clip.mp4", tmp_path / "made.mp4"
    wave = 0.3 * np.sin(np.arange(48_000) * 2 * np.pi * 440 / 48_000).astype(np.float32)
    write_clip(path, (numbered(k) for k in range(12)), F(12), sound=Audio(wave[:, None], 48_000))
    retime_clip(path, made, speed=speed, engine="crossfade")
    clip = read_clip(made)
    assert clip.audio is not None
    assert len(clip) == round(12 / F(speed))
    heard = clip.audio.samples[6000:-6000, 0]
    assert np.abs(np.fft.rfft(heard, 48_000)).argmax() == pytest.approx(440, abs=3)
    retime_clip(path, made, speed=speed, engine="crossfade", sound="drop", overwrite=True)
    assert read_clip(made).audio is None


def test_again_it_has_the_same_bytes(tmp_path: Path, clip: Path):
    made = tmp_path / "made.mp4"
    retime_clip(clip, made, speed=0.5, seed=1)
    assert rerun(made).same is True


def test_the_command(tmp_path: Path, clip: Path, capsys: pytest.CaptureFixture[str]):
    made = tmp_path / "made.mp4"
    line = ["retime", str(clip), "-o", str(made), "--speed", "0.5", "--engine", "crossfade"]
    assert main([*line, "--dry-run"]) == 0
    assert "frames    20" in capsys.readouterr().out
    assert not made.exists()
    assert main(line) == 0
    assert f"{made}: 20 frames, 32x24, 1.67 s at 12 fps" in capsys.readouterr().out
    with open_frames(made) as source:
        assert len(list(source.frames())) == 20
    assert main(["report", str(made)]) == 2
    assert "from no keyframes" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--speed", "0"], "a speed is from 1/100 to 100; got 0"),
        (["--speed", "fast"], "'fast' is no speed"),
        (["--speed", "2", "--duration", "3"], "--speed and --duration both set the length"),
        (["--easing", "elastic"], "runs backwards or beyond the clip"),
    ],
)
def test_doors(tmp_path: Path, clip: Path, capsys: pytest.CaptureFixture[str], words: list[str], says: str):
    assert main(["retime", str(clip), "-o", str(tmp_path / "made.mp4"), *words]) == 2
    assert says in capsys.readouterr().err


def test_one_clip_and_not_itself(tmp_path: Path, clip: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["retime", str(clip), str(clip), "-o", str(tmp_path / "made.mp4")]) == 2
    assert "retime takes one file (CLIP); got 2" in capsys.readouterr().err
    assert main(["retime", str(clip), "-o", str(clip), "--overwrite"]) == 2
    assert "both an input and the output" in capsys.readouterr().err


def test_nothing_to_do_is_said(clip: Path):
    assert list(retime(clip, read_options(RetimeOptions, {})).doubts()) == [
        "Neither speed nor rate change; only the compression is new. Give --speed or --fps."
    ]
    assert not list(retime(clip, read_options(RetimeOptions, {"speed": 2})).doubts())
