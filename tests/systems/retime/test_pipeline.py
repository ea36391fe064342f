"""Retiming: every frame is due at an exact time, and what the clip holds is shown as it is."""

from collections.abc import Iterator, Sequence
from fractions import Fraction as F
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keyweave.app.fields import read_options
from keyweave.app.friendly import retime as retime_clip
from keyweave.app.rerun import rerun
from keyweave.base.errors import InputError
from keyweave.cli.main import main
from keyweave.media.clips import open_frames, read_clip
from keyweave.media.films.film_writer import FilmWriter
from keyweave.media.source import Shown
from keyweave.media.types import Audio, Frame, Image
from keyweave.media.writers import write_clip
from keyweave.systems.retime import pipeline
from keyweave.systems.retime.options import RetimeOptions
from keyweave.systems.retime.pipeline import retime

RATE, COUNT = 12, 10
HEARD = 48_000
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


@pytest.fixture
def film_of(tmp_path: Path):
    """Make a film of a second whose sound is of another length."""

    def make(seconds: float) -> Path:
        path, form = tmp_path / "clip.mov", {"width": 32, "height": 24, "has_alpha": False, "rate": F(12)}
        with FilmWriter(path, "mov", **form, sound=(HEARD, 1), crf=None, comment=None) as writer:
            for number in range(12):
                writer.add(numbered(number))
            writer.hear(np.full((round(seconds * HEARD), 1), 0.1, np.float32))
        return path

    return make


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


Asked = list[list[F]]


def walked(path: Path, **wish: Any) -> tuple[list[Frame], Asked]:
    """Return the frames, and the times that were asked for, pair by pair."""
    asked: Asked = []

    def engine(first: Image, last: Image, times: Sequence[F], **more: Any) -> Iterator[Frame]:
        asked.append(list(times))
        return ladder(first, last, times, **more)

    return list(retime(path, read_options(RetimeOptions, wish)).frames(engine, seed=0)), asked


@pytest.mark.parametrize("rate", [F(24), F(24000, 1001), F(30)])
@pytest.mark.parametrize("ending", ["webp", "gif", "webm"])
def test_a_coarse_clock_is_forgiven(tmp_path: Path, ending: str, rate: F):
    """These count milliseconds or hundredths: their frames begin a little off, and are shown as they are all the same.

    Whoever takes those times at their word draws nearly every frame anew, at 0.008 or 0.992 of the way.
    """
    path = tmp_path / f"clip.{ending}"
    write_clip(path, map(numbered, range(24)), rate)
    with open_frames(path) as source:
        frames = list(source.frames())
    for wish, step in (({}, 1), ({"speed": 2}, 2), ({"fps": rate / 3}, 3)):
        made, asked = walked(path, **wish)
        np.testing.assert_array_equal(made, frames[::step])
        assert not asked
    made, asked = walked(path, speed=0.5)
    np.testing.assert_array_equal(made[::2], frames)
    assert [len(times) for times in asked] == [1] * 23
    assert all(abs(at - F(1, 2)) < F(1, 8) for (at,) in asked)


def test_what_no_frame_needs_is_not_drawn(clip: Path):
    """At one and a half times its speed, every third moment lies on a frame, and every third pair is passed by."""
    made, asked = walked(clip, speed=1.5)
    assert len(made) == 7
    assert asked == [[F(1, 2)]] * 3


def test_equal_frames_are_not_searched(tmp_path: Path):
    path = tmp_path / "still.apng"
    write_clip(path, (numbered(k // 3) for k in range(9)), F(RATE))
    with open_frames(path) as source:
        begins = [item.start for item in source.shown()]
    made, asked = walked(path, speed=0.5)
    assert len(begins) == 9
    assert asked == [[F(1, 2)]] * 2
    assert [number_of(frame) for frame in made] == pytest.approx([0] * 5 + [0.5] + [1] * 5 + [1.5] + [2] * 6)


def test_a_slow_clip_is_filled(tmp_path: Path):
    """Two frames a second is its pace, so each of them stands for no longer than usual."""
    path = tmp_path / "slow.gif"
    write_clip(path, map(numbered, range(4)), F(2))
    made, asked = walked(path, fps=8)
    assert len(made) == 16
    assert asked == [[F(1, 4), F(1, 2), F(3, 4)]] * 3


@given(speed=st.fractions("1/8", 8, max_denominator=12), fps=st.fractions(4, 90, max_denominator=1001))
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_speed_at_any_rate(clip: Path, speed: F, fps: F):
    """There are as many frames as fit, and each shows its moment, as far as a frame can tell."""
    film = retime(clip, read_options(RetimeOptions, {"speed": speed, "fps": fps}))
    made = [number_of(frame) for frame in film.frames(ladder, seed=0)]
    assert len(made) == max(1, round(F(COUNT, RATE) / speed * fps)) == film.frame_count
    due = [float(min(k / fps * speed * RATE, F(COUNT - 1))) for k in range(len(made))]
    assert made == pytest.approx(due, abs=0.13)


@pytest.mark.parametrize(("drawn", "says"), [(0, "fewer frames"), (2, "more frames")])
def test_an_engine_is_held_to_its_promise(clip: Path, drawn: int, says: str):
    def careless(first: Image, *_: Any, **__: Any) -> list[Frame]:
        return [first.pixels] * drawn

    with pytest.raises(ValueError, match=says):
        list(retime(clip, read_options(RetimeOptions, {"speed": 0.5})).frames(careless, seed=0))


class Slides:
    """Frames that are on screen for unequal times."""

    width, height, has_alpha, rate, slack, duration = 32, 24, False, F(25), F(0), F(28, 25)

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


@pytest.mark.parametrize("seconds", [0.5, 1.5])
@pytest.mark.parametrize("speed", ["1", "1/2"])
def test_sound_that_ends_elsewhere_is_as_long_as_the_frames(tmp_path: Path, film_of, seconds: float, speed: str):
    made = retime_clip(film_of(seconds), speed=speed, engine="crossfade").clip
    assert made.audio is not None
    assert made.audio.duration == made.duration == 1 / F(speed)


@pytest.mark.parametrize("name", ["shots", "shots/%03d.png"])
def test_a_folder_of_pictures(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]):
    write_clip(tmp_path / "shots" / "%03d.png", map(numbered, range(5)), F(25))
    made = tmp_path / "made.mov"
    result = retime_clip(tmp_path / name, made, speed=0.5, engine="crossfade")
    assert (result.frames, result.rate) == (10, 25)
    assert rerun(made).same is True
    for output in ("shots/%03d.png", "shots/new%d.png"):
        assert main(["retime", str(tmp_path / name), "-o", str(tmp_path / output), "--overwrite"]) == 2
        assert "would be replaced by the pictures" in capsys.readouterr().err
    (tmp_path / "shots" / "003.png").write_bytes((tmp_path / "shots" / "004.png").read_bytes())
    with pytest.raises(InputError, match="is not the file that was used then: its checksum differs"):
        rerun(made)


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
        (["--duration", "0"], "--duration must be more than 0 s"),
        (["--duration", "99999999"], "A film has at most 10,000,000 frames"),
        (["--easing", "elastic"], "runs backwards or beyond the clip"),
    ],
)
def test_doors(tmp_path: Path, clip: Path, capsys: pytest.CaptureFixture[str], words: list[str], says: str):
    assert main(["retime", str(clip), "-o", str(tmp_path / "made.mp4"), *words]) == 2
    assert says in capsys.readouterr().err


def test_one_clip_and_not_itself(tmp_path: Path, clip: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["retime", str(clip), str(clip), "-o", str(tmp_path / "made.mp4")]) == 2
    assert "retime takes one film, animation or folder of pictures (CLIP); got 2" in capsys.readouterr().err
    assert main(["retime", str(clip), "-o", str(clip), "--overwrite"]) == 2
    assert "both an input and the output" in capsys.readouterr().err


def test_nothing_to_do_is_said(clip: Path):
    assert list(retime(clip, read_options(RetimeOptions, {})).doubts()) == [
        "Neither speed nor rate change; only the compression is new. Give --speed or --fps."
    ]
    assert not list(retime(clip, read_options(RetimeOptions, {"speed": 2})).doubts())
