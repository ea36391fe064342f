"""Which pairs are filled, and what happens where there are too few."""

import threading
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from keyweave.base.errors import Cancelled, InputError
from keyweave.base.progress import Event, Progress
from keyweave.bench.pairs import folder_pairs, toyworld_pairs
from keyweave.media.pictures.images import write_image
from keyweave.media.types import Image
from keyweave.media.writers import write_clip
from keyweave.recipes.scores import truth_of


def _write(folder: Path, count: int) -> None:
    """Write a folder of 16x8 pictures whose level is their number."""
    folder.mkdir(parents=True)
    for k in range(count):
        write_image(folder / f"{k:03d}.png", Image(np.full((8, 16, 3), k, np.uint8)))


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    """Two folders of 16x8 pictures, 11 and 6 of them, whose level is their number; and a note."""
    for name, count in (("a", 11), ("b", 6)):
        _write(tmp_path / "videos" / name, count)
    (tmp_path / "videos" / "note.txt").write_text("hello")
    return tmp_path / "videos"


def test_actors_are_whole_and_inside_at_both_ends():
    material = toyworld_pairs(5, others=3, frames=4, size=(32, 32))
    assert (len(material.pairs), len(material.others)) == (5, 3)
    assert not {pair.name for pair in material.pairs} & {pair.name for pair in material.others}
    for pair in material.pairs + material.others:
        footage = pair.read()
        assert footage.frames.shape == (4, 32, 32, 3)
        assert footage.shot is not None
        masks = truth_of(footage.shot).masks()[[0, -1]]
        assert masks.any(axis=(2, 3)).all()
        assert not masks[:, :, [0, -1]].any()
        assert not masks[:, :, :, [0, -1]].any()


def test_more_pairs_begin_with_the_same():
    names = [[pair.name for pair in toyworld_pairs(count, frames=3, size=(16, 16)).pairs] for count in (2, 4)]
    assert names[1][:2] == names[0]


def test_splits_have_pairs_of_their_own():
    test, validation = (toyworld_pairs(2, frames=3, size=(16, 16), split=split) for split in ("test", "validation"))
    assert (test.name, validation.name) == ("toyworld", "toyworld, validation")
    assert all(pair.name.startswith("validation clip ") for pair in validation.pairs)
    films = [[pair.read().frames.tobytes() for pair in material.pairs] for material in (test, validation)]
    assert not set(films[0]) & set(films[1])


def test_videos_are_cut_from_keyframe_to_keyframe(videos: Path):
    events: list[Event] = []
    material = folder_pairs(videos, gap=5, frames=6, size=(8, 8), progress=Progress("x", events.append))
    assert [pair.name for pair in material.pairs] == ["a from frame 0", "a from frame 5", "b from frame 0"]
    levels = [pair.read().frames[:, 0, 0, 0].tolist() for pair in material.pairs]
    assert levels == [[0, 1, 2, 3, 4, 5], [5, 6, 7, 8, 9, 10], [0, 1, 2, 3, 4, 5]]
    assert material.pairs[0].read().frames.shape == (6, 8, 8, 3)
    assert material.rate == Fraction(25)
    (said,) = [event.text for event in events if event.kind == "warn"]
    assert said.startswith("note.txt is left out: ")
    exact = folder_pairs(videos, gap=6, frames=3)
    assert [pair.name for pair in exact.pairs] == ["a from frame 0"]  # six frames hold no two that are 6 apart


def test_other_times_take_the_nearest_frame(videos: Path):
    (pair,) = folder_pairs(videos, gap=10, frames=5).pairs
    assert pair.read().frames[:, 0, 0, 0].tolist() == [0, 2, 5, 8, 10]
    assert pair.read().frames.shape == (5, 8, 16, 3)


@pytest.mark.parametrize(
    ("lengths", "count", "starts"),
    [
        # One window lies at 0, two at 0 and 5, and so on: each video gives one before any gives a second.
        ((26, 6, 6), 3, ["a 10", "b 0", "c 0"]),
        ((26, 6, 6), 4, ["a 5", "a 15", "b 0", "c 0"]),
        ((26, 16, 6), 5, ["a 5", "a 15", "b 0", "b 10", "c 0"]),
        ((26, 16, 6), 7, ["a 0", "a 10", "a 20", "b 0", "b 5", "b 10", "c 0"]),
        ((26, 16, 6), 9, ["a 0", "a 5", "a 10", "a 15", "a 20", "b 0", "b 5", "b 10", "c 0"]),
        # Fewer than there are videos are spread evenly over them; what is too short has no part in it.
        ((16, 16, 16, 16, 16), 1, ["c 5"]),
        ((16, 16, 16, 16, 16), 2, ["b 5", "d 5"]),
        ((5, 16, 5, 16), 2, ["b 5", "d 5"]),
        ((16, 16, 16), 5, ["a 0", "a 10", "b 5", "c 0", "c 10"]),
    ],
)
def test_fewer_are_from_all_videos(lengths: tuple[int, ...], count: int, starts: list[str], tmp_path: Path):
    for name, length in zip("abcde", lengths, strict=False):
        _write(tmp_path / name, length)
    for _ in range(2):
        names = [pair.name for pair in folder_pairs(tmp_path, count, gap=5, frames=3, size=(8, 8)).pairs]
        assert names == [one.replace(" ", " from frame ") for one in starts]


@pytest.mark.parametrize(("frames", "gap"), [(3, 26), (4, 27), (6, 25), (14, 26), (25, 48), (26, 25), (49, 48)])
def test_left_alone_keyframes_are_as_far_apart_as_is_exact(frames: int, gap: int, tmp_path: Path):
    _write(tmp_path / "a", gap + 1)
    events: list[Event] = []
    material = folder_pairs(tmp_path, frames=frames, size=(8, 8), progress=Progress("x", events.append))
    assert material.gap == gap
    assert material.is_exact
    assert material.timing == f"Keyframes are {gap} frames apart."
    assert not any(event.kind == "warn" for event in events)
    (pair,) = material.pairs
    assert pair.read().frames[:, 0, 0, 0].tolist() == list(range(0, gap + 1, gap // (frames - 1)))


def test_a_gap_that_is_given_stays_and_is_told_where_it_is_not_exact(tmp_path: Path):
    _write(tmp_path / "a", 26)
    events: list[Event] = []
    material = folder_pairs(tmp_path, gap=25, frames=14, progress=Progress("x", events.append))
    assert material.gap == 25
    assert not material.is_exact
    assert material.timing == (
        "Keyframes are 25 frames apart, and clips have 14 frames: each is compared with the nearest real frame, up to "
        "half a frame off in time. 26 apart would be exact."
    )
    assert [event.text for event in events if event.kind == "warn"] == [material.timing]


def test_the_drawn_world_is_exact():
    material = toyworld_pairs(1, frames=5, size=(16, 16))
    assert material.gap is None
    assert material.is_exact
    assert material.timing == ""


def test_what_is_no_video_is_left_out(videos: Path):
    (videos / "empty").mkdir()
    (videos / "notes").mkdir()
    (videos / "notes" / "note.txt").write_text("hello")
    events: list[Event] = []
    material = folder_pairs(videos, gap=5, frames=6, progress=Progress("x", events.append))
    assert len(material.pairs) == 3
    said = [event.text.partition(": ")[0] for event in events if event.kind == "warn"]
    assert said == ["empty is left out", "note.txt is left out", "notes is left out"]


def _break(path: Path, part: float) -> None:
    """Overwrite the end of a film, from some part of it on; its index lies before, so that it can still be opened."""
    whole = path.read_bytes()
    begin = int(len(whole) * part)
    path.write_bytes(whole[:begin] + bytes(len(whole) - begin))


@pytest.fixture
def films(tmp_path: Path) -> Path:
    """Two films of 41 frames, `a` and `b`, and `c` of 31."""
    noise = np.random.default_rng(0).integers(0, 256, (41, 32, 32, 3), np.uint8)
    for name, count in (("a", 41), ("b", 41), ("c", 31)):
        write_clip(tmp_path / f"{name}.mp4", noise[:count], Fraction(25))
    return tmp_path


def test_of_a_damaged_film_only_what_is_before_the_damage_is_taken(films: Path):
    _break(films / "b.mp4", 0.6)
    _break(films / "c.mp4", 0.2)
    events: list[Event] = []
    material = folder_pairs(films, gap=10, frames=6, progress=Progress("x", events.append))
    starts = [pair.name for pair in material.pairs]
    assert starts[:4] == [f"a.mp4 from frame {start}" for start in (0, 10, 20, 30)]
    assert starts[4:] == [f"b.mp4 from frame {start}" for start in range(0, 10 * len(starts[4:]), 10)]
    assert 1 <= len(starts[4:]) <= 2
    for pair in material.pairs:
        assert len(pair.read().frames) == 6
    said = [event.text for event in events if event.kind == "warn"]
    assert said[0].startswith(f"b.mp4 is left out from frame {10 * len(starts[4:])} on: ")
    assert said[1].startswith("c.mp4 is left out: ")
    assert not any("--salvage" in text for text in said)


def test_where_a_chosen_film_is_damaged_others_take_its_place(films: Path):
    """Only what pairs take is read through."""
    _break(films / "a.mp4", 0.2)
    _break(films / "c.mp4", 0.95)
    events: list[Event] = []
    material = folder_pairs(films, 2, gap=10, frames=6, progress=Progress("x", events.append))
    assert [pair.name for pair in material.pairs] == ["b.mp4 from frame 20", "c.mp4 from frame 10"]
    (said,) = [event.text for event in events if event.kind == "warn"]
    assert said.startswith("a.mp4 is left out: ")


def test_videos_that_are_too_small_are_told_what_to_do(tmp_path: Path):
    write_clip(tmp_path / "dot.gif", np.zeros((30, 5, 5, 3), np.uint8), Fraction(10))
    with pytest.raises(InputError) as caught:
        folder_pairs(tmp_path, gap=10, frames=6)
    assert caught.value.message == "The first video, dot.gif, is 5x5; both sides of clips should be 8 or more."
    assert caught.value.hint == "Set --size, such as 64x64: each frame is brought to it."
    assert len(folder_pairs(tmp_path, gap=10, frames=6, size=(8, 8)).pairs) == 2


def test_looking_for_pairs_of_the_drawn_world_can_be_stopped():
    events: list[Event] = []
    stop = threading.Event()

    def listen(event: Event) -> None:
        events.append(event)
        if event.done == 3:
            stop.set()

    with pytest.raises(Cancelled):
        toyworld_pairs(9, frames=3, size=(16, 16), progress=Progress("bench", listen, stop=stop))
    assert [event.done for event in events if event.kind == "step"] == [1, 2, 3]
    assert events[-1].total == 9


def test_a_folder_of_pictures_is_one_video(videos: Path):
    assert [pair.name for pair in folder_pairs(videos / "a", gap=5, frames=3).pairs] == [
        "a from frame 0",
        "a from frame 5",
    ]


def test_too_few(videos: Path):
    with pytest.raises(InputError, match="gives 3 pairs of frames 5 apart; 4 should be there") as fault:
        folder_pairs(videos, 4, gap=5, frames=3)
    assert fault.value.hint == "Ask for fewer pairs, take a smaller gap, or add longer videos."
    with pytest.raises(InputError, match="gives 0 pairs of frames 26 apart; at least 1"):
        folder_pairs(videos, frames=3)
    (videos / "empty").mkdir()
    with pytest.raises(InputError, match="gives 0 pairs of frames 26 apart; at least 1"):
        folder_pairs(videos / "empty", frames=3)
    with pytest.raises(InputError, match="There is no folder"):
        folder_pairs(videos / "nothing", frames=3)


@pytest.mark.parametrize(
    ("count", "frames", "size", "says"),
    [
        (0, 14, (64, 64), "1 pair or more; got 0"),
        (1, 2, (64, 64), "3 frames or more"),
        (1, 14, (60, 64), "The size is 60x64; both sides should be multiples of 8"),
    ],
)
def test_bad_shapes(count: int, frames: int, size: tuple[int, int], says: str):
    with pytest.raises(InputError, match=says):
        toyworld_pairs(count, frames=frames, size=size)
