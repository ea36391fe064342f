"""A dance as a film: keyframes on their beats, every way drawn once, the song beneath."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from keyweave.base.errors import InputError
from keyweave.base.progress import Progress
from keyweave.media.pictures.images import write_image
from keyweave.media.sound.audio import write_audio
from keyweave.media.types import Audio, Frame, Image
from keyweave.systems.dance.options import DanceOptions
from keyweave.systems.dance.pipeline import dance, length_of, preview_size

COLORS = ((200, 30, 30), (30, 200, 30), (90, 30, 200))


@pytest.fixture
def song(tmp_path: Path) -> Path:
    path = tmp_path / "song.wav"
    chance = np.random.default_rng(0)
    write_audio(path, Audio(chance.normal(0, 0.1, (30_000, 1)).astype(np.float32), 10_000))
    return path


@pytest.fixture
def inputs(tmp_path: Path, song: Path) -> tuple[Path, ...]:
    paths = tuple(tmp_path / f"{number}.png" for number in (1, 2, 3))
    for path, color in zip(paths, COLORS, strict=True):
        write_image(path, Image(np.full((6, 8, 3), color, np.uint8)))
    return (song, *paths)


class Counting:
    """An engine that mixes, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int, list[Fraction], int]] = []

    def __call__(
        self, first: Image, last: Image, times: Sequence[Fraction], *, seed: int, progress: Progress
    ) -> Iterator[Frame]:
        self.asked.append((int(first.pixels[0, 0, 0]), int(last.pixels[0, 0, 0]), list(times), seed))
        for time in times:
            share = float(time)
            yield ((1 - share) * first.pixels + share * last.pixels).round().astype(np.uint8)


def options(walk: str, beats: str, **more: object) -> DanceOptions:
    return DanceOptions.model_validate({"walk": walk, "beats": beats, **more})


def test_every_keyframe_is_on_its_beat_and_the_ends_are_held(inputs: tuple[Path, ...]):
    film = dance(inputs, options("1,2,3,1", "0.4,0.8,1.6,2.4", fps=10))
    frames = list(film.frames(Counting(), seed=1))
    assert len(frames) == film.frame_count == 30
    for number, beat in zip((1, 2, 3, 1), (4, 8, 16, 24), strict=True):
        assert (frames[beat] == COLORS[number - 1]).all()
    assert all((frame == COLORS[0]).all() for frame in (*frames[:4], *frames[25:]))
    assert film.size == (8, 6)


def test_a_way_that_is_danced_again_is_drawn_once_and_comes_to_the_same(inputs: tuple[Path, ...]):
    film = dance(inputs, options("1,2,1,2,3,3,1,2", "0.2,0.6,1,1.33,1.7,2,2.3,2.7", fps=20))
    engine, plain = Counting(), Counting()
    frames = np.stack(list(film.frames(engine, seed=1)))
    ways = [row[:2] for row in engine.asked]
    assert ways == [(200, 30), (30, 200), (30, 90), (90, 200)]  # a hold is not drawn at all
    assert np.array_equal(frames, np.stack(list(_drawn_plainly(film, plain))))
    assert len(plain.asked) > len(engine.asked)
    assert len({row[3] for row in engine.asked}) == len(engine.asked)  # each way has its own chance


def test_a_way_has_the_same_chance_wherever_it_is_danced(inputs: tuple[Path, ...]):
    one, other = Counting(), Counting()
    list(dance(inputs, options("1,2,3", "0.2,0.6,1", fps=20)).frames(one, seed=1))
    list(dance(inputs, options("2,3,1,2", "0.2,0.6,1.2,1.6", fps=20)).frames(other, seed=1))
    chances = [{row[:2]: row[3] for row in engine.asked} for engine in (one, other)]
    assert all(chances[0][way] == chances[1][way] for way in ((200, 30), (30, 90)))


def test_a_preview_draws_few_frames_of_a_way_that_is_danced_often(inputs: tuple[Path, ...]):
    beats = ",".join(str(0.2 + 0.31 * number) for number in range(9))
    counts = {}
    for preview in (False, True):
        engine = Counting()
        film = dance(inputs, options("1,2,1,2,1,2,1,2,3", beats, fps=60, preview=preview))
        assert len(list(film.frames(engine, seed=1))) == film.frame_count
        counts[preview] = max(len(row[2]) for row in engine.asked)
        assert all(0 < time < 1 for row in engine.asked for time in row[2])
    assert counts[True] <= 15 < counts[False]


def _drawn_plainly(film, engine) -> Iterator[Frame]:
    from keyweave.timeline.renderer import render

    return render(film.timeline, film.rate, engine, seed=1)


def test_the_song_is_as_long_as_the_frames(inputs: tuple[Path, ...]):
    film = dance(inputs, options("1,2", "0.4,2", fps=7))
    sound = film.sound()
    assert sound is not None
    heard = np.concatenate(list(sound.blocks))
    assert len(heard) == round(film.frame_count / film.rate * 10_000)
    assert film.frame_count == 21
    assert length_of(inputs[0]) == 3


def test_a_dance_in_which_nobody_moves_is_doubted(inputs: tuple[Path, ...]):
    assert list(dance(inputs, options("1,2", "0.4,2")).doubts()) == []
    assert "stand still" in next(dance(inputs, options("2,2", "0.4,2")).doubts())


def test_pictures_of_several_sizes_are_fitted(inputs: tuple[Path, ...], tmp_path: Path):
    write_image(tmp_path / "4.png", Image(np.full((20, 20, 4), 90, np.uint8)))
    film = dance((*inputs, tmp_path / "4.png"), options("1,4", "0.4,2"))
    assert film.size == (8, 6)
    assert next(film.frames(Counting(), seed=0)).shape == (6, 8, 4)
    assert dance(inputs, options("1,2", "0.4,2", size="16x10")).size == (16, 10)


def test_a_preview_is_small_and_has_the_same_timing(inputs: tuple[Path, ...], tmp_path: Path):
    for number, color in enumerate(COLORS, start=1):
        write_image(tmp_path / f"{number}.png", Image(np.full((360, 801, 3), color, np.uint8)), overwrite=True)
    given = {"walk": "1,2,3", "beats": "0.4,0.8,1.6", "fps": 10}
    whole, small = dance(inputs, options(**given)), dance(inputs, options(**given, preview=True))
    assert (whole.size, small.size) == ((801, 360), (320, 144))
    assert list(whole.doubts()) == []
    assert list(small.doubts()) == ["This is a preview of 320x144; without --preview the film has its full size."]
    for number, (one, other) in enumerate(
        zip(whole.frames(Counting(), seed=1), small.frames(Counting(), seed=1), strict=True)
    ):
        off = np.abs(one[0, 0].astype(int) - other[0, 0]).max()
        assert off <= (0 if number in (4, 8, 16) else 170 / 32 + 1)  # half of one of 16 steps; none on a beat
    assert dance(inputs, options(**given, preview=True, size="100x3000")).size == (10, 320)


@pytest.mark.parametrize(
    ("size", "small"),
    [
        ((1920, 1080), (320, 180)),
        ((1080, 1920), (180, 320)),
        ((320, 200), (320, 200)),
        ((97, 64), (96, 64)),
        ((4000, 1), (320, 2)),
    ],
)
def test_previews_have_even_numbers_of_pixels(size: tuple[int, int], small: tuple[int, int]):
    assert preview_size(size) == small


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"walk": "1,2,3", "beats": "0,1"}, "--walk has 3 pictures for the 2 beats"),
        ({"walk": "1", "beats": "1"}, "a dance has 2 beats or more; got 1"),
        ({"walk": "1,2", "beats": "1,1"}, "--beats must rise; beat 2 is at 1 s, after 1 s"),
        ({"walk": "1,2", "beats": "1,soon"}, "soon"),
        ({"walk": "1,x", "beats": "1,2"}, "integer"),
        ({"walk": "1,2", "beats": "1,2", "strength": 5}, "less than or equal to 4"),
    ],
)
def test_what_does_not_fit_together_is_refused(given: dict[str, object], says: str):
    with pytest.raises(ValidationError, match=says):
        DanceOptions.model_validate(given)


def test_a_picture_that_is_not_there_and_a_song_without_sound_are_refused(inputs: tuple[Path, ...]):
    with pytest.raises(InputError, match=r"The walk names picture 4; there are 3\. Count them from 1\."):
        dance(inputs, options("1,4", "0,1"))
    with pytest.raises(InputError, match="beats go from 0 to 9 s, but the song from 0 to 3 s"):
        dance(inputs, options("1,2", "0,9"))
