"""Finding clips, and cutting windows out of them."""

import shutil
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyweave.base.errors import InputError
from keyweave.base.progress import Event, Progress
from keyweave.media.pictures.images import write_image
from keyweave.media.types import Image
from keyweave.media.writers import write_clip
from keyweave.systems.inbetween.footage import (
    Cutting,
    find_footage,
    is_inside,
    reels_of_clips,
    reels_of_scenes,
    spread,
    windows_of,
)
from keyweave.toyworld.scenes import scene_of
from keyweave.toyworld.shots import shoot

CUTTING = Cutting(frames=3, stride=2, size=(16, 16))


def numbered(count: int, *, light: int = 0, size: tuple[int, int] = (32, 16)) -> list[np.ndarray]:
    """Frames that tell their number by their level, five for each."""
    return [np.full((size[1], size[0], 3), light + 5 * k, np.uint8) for k in range(count)]


def as_folder(folder: Path, frames: list[np.ndarray]) -> Path:
    folder.mkdir(parents=True)
    for number, frame in enumerate(frames):
        write_image(folder / f"{number:03d}.png", Image(frame))
    return folder


def levels(windows: list[np.ndarray]) -> list[list[int]]:
    return [[int(frame.mean()) // 5 for frame in window] for window in windows]


def told(events: list[Event]) -> Progress:
    return Progress("test", events.append)


def test_clips_of_all_kinds_are_found_one_folder_deep(tmp_path: Path):
    rate = Fraction(10)
    as_folder(tmp_path / "frames", numbered(4))
    as_folder(tmp_path / "deep" / "deeper", numbered(4))
    write_clip(tmp_path / "a.mp4", numbered(4), rate)
    (tmp_path / "more").mkdir()
    write_clip(tmp_path / "more" / "b.gif", numbered(4), rate)
    write_image(tmp_path / "still.png", Image(numbered(1)[0]))
    (tmp_path / "notes.txt").write_text("words")
    (tmp_path / ".hidden.mp4").write_text("x")
    events: list[Event] = []
    found = find_footage(tmp_path, told(events))
    assert [str(path.relative_to(tmp_path)) for path in found] == ["a.mp4", "frames", "more/b.gif"]
    assert [event.text for event in events] == ["No clips, so left out: notes.txt, still.png."]
    with pytest.raises(InputError, match=r"There is no folder .*/nowhere\. Name a folder of clips with --videos"):
        find_footage(tmp_path / "nowhere")


@pytest.mark.parametrize("kind", ["folder", "gif", "mp4"])
def test_windows_lie_side_by_side(tmp_path: Path, kind: str):
    frames = numbered(17)
    path = tmp_path / f"clip.{kind}"
    if kind == "folder":
        as_folder(path, frames)
    else:
        write_clip(path, frames, Fraction(10))
    windows = list(windows_of(path, CUTTING, 99))
    assert CUTTING.span == 5
    assert all(window.shape == (3, 16, 16, 3) and window.dtype == np.uint8 for window in windows)
    if kind != "mp4":
        assert levels(windows) == [[0, 2, 4], [5, 7, 9], [10, 12, 14]]
    else:
        for window, wanted in zip(windows, (2, 7, 12), strict=True):
            assert abs(window.mean() / 5 - wanted) < 1


def test_a_share_is_spread_over_the_clip(tmp_path: Path):
    path = as_folder(tmp_path / "clip", numbered(40))
    assert levels(list(windows_of(path, CUTTING, 2))) == [[0, 2, 4], [20, 22, 24]]
    assert levels(list(windows_of(path, CUTTING, 1))) == [[0, 2, 4]]


def test_no_window_reaches_over_a_cut(tmp_path: Path):
    """Two shots of 7 and 9 frames: an oracle that slides over each by itself finds the same."""
    shots = [shoot(scene_of("train", number), frames=9).frames for number in (0, 3)]
    path = as_folder(tmp_path / "clip", [*shots[0][:7], *shots[1]])
    cutting = Cutting(frames=4, stride=1, size=(64, 64))
    wanted = [shots[0][0:4], shots[1][0:4], shots[1][4:8]]
    found = list(windows_of(path, cutting, 99))
    assert len(found) == len(wanted)
    assert all((mine == theirs).all() for mine, theirs in zip(found, wanted, strict=True))


@given(shots=st.lists(st.integers(0, 40), min_size=1, max_size=8), span=st.integers(1, 12), most=st.integers(1, 20))
def test_windows_are_spread_over_all_shots(shots: list[int], span: int, most: int):
    """Of the places of all shots, written out, every n-th has a window; none overlap, none reach over a cut."""
    places = [shot for shot, length in enumerate(shots) for _ in range(length // span)]
    wanted = min(most, len(places))
    firsts = np.cumsum([0, *shots])
    starts = spread(shots, span, most)
    found = [int(np.searchsorted(firsts, start, side="right")) - 1 for start in starts]
    assert found == [places[k * len(places) // wanted] for k in range(wanted)]
    assert all(start + span <= firsts[shot + 1] for start, shot in zip(starts, found, strict=True))
    assert all(later - start >= span for start, later in pairwise(starts))


def test_a_film_of_many_shots_is_used_to_its_end(tmp_path: Path):
    assert spread([30] * 20, 27, 10) == list(range(0, 600, 60))
    shots = [shoot(scene_of("train", number), frames=4).frames for number in (0, 3)] * 3
    path = as_folder(tmp_path / "clip", [frame for shot in shots for frame in shot])
    found = list(windows_of(path, Cutting(frames=3, stride=1, size=(64, 64)), 3))
    assert len(found) == 3
    assert all((mine == shots[0][:3]).all() for mine in found)  # that of the first, third and fifth shot


def test_what_comes_before_damage_is_kept(tmp_path: Path):
    path = as_folder(tmp_path / "clip", numbered(20))
    head, data = (path / "013.png").read_bytes().split(b"IDAT")
    (path / "013.png").write_bytes(head + b"IDAT" + bytes(8) + data[8:])
    coming = windows_of(path, CUTTING, 99)
    found = [next(coming), next(coming)]
    with pytest.raises(InputError, match=r"013\.png"):
        next(coming)
    assert levels(found) == [[0, 2, 4], [5, 7, 9]]


def test_the_middle_is_kept_and_alpha_laid_over_black(tmp_path: Path):
    frame = np.zeros((16, 48, 4), np.uint8)
    frame[:, 16:32] = (200, 100, 50, 255)
    frame[:, :16] = (255, 255, 255, 0)
    (window,) = windows_of(as_folder(tmp_path / "clip", [frame] * 3), Cutting(3, 1, (16, 16)), 9)
    assert (window == (200, 100, 50)).all()
    (wide,) = windows_of(tmp_path / "clip", Cutting(3, 1, (48, 16)), 9)
    assert (wide[:, :, :16] == 0).all()


def test_a_clip_that_is_short_or_damaged_says_so(tmp_path: Path):
    short = as_folder(tmp_path / "short", numbered(4))
    with pytest.raises(InputError, match=r"short has no shot of 5 frames, .*; its longest has 4\."):
        list(windows_of(short, CUTTING, 9))
    write_clip(tmp_path / "a.mp4", numbered(50), Fraction(10))
    whole = (tmp_path / "a.mp4").read_bytes()
    (tmp_path / "a.mp4").write_bytes(whole[: len(whole) // 3])
    with pytest.raises(InputError):
        list(windows_of(tmp_path / "a.mp4", CUTTING, 9))


def test_reels_know_what_decides_them(tmp_path: Path):
    folders = [as_folder(tmp_path / name, numbered(6)) for name in "ab"]
    first = [reel.facts for reel in reels_of_clips(folders, CUTTING, 10)]
    assert first == [reel.facts for reel in reels_of_clips(folders, CUTTING, 10)]
    shutil.copy(folders[0] / "000.png", folders[1] / "001.png")
    second = [reel.facts for reel in reels_of_clips(folders, CUTTING, 10)]
    assert first[0] == second[0]
    assert first[1] != second[1]
    assert first[0] != reels_of_clips(folders, Cutting(3, 1, (16, 16)), 10)[0].facts
    assert reels_of_clips([], CUTTING, 10) == []


def test_drawn_clips_show_their_actors_at_both_ends():
    """Held against the truth of what was drawn, not against courses."""
    kept = []
    for number in range(60):
        scene = scene_of("train", number)
        truth = shoot(scene, truth=True, frames=2).truth
        assert truth is not None
        middles = truth.poses[:, :, :2]
        inside = bool(((middles >= 0) & (middles <= 64)).all())
        assert inside == is_inside(scene, 1.0)
        if inside:
            assert truth.masks()[0].any(axis=(1, 2)).all()
            kept.append(number)
    assert 30 < len(kept) < 60
    (reel,) = reels_of_scenes("train", Cutting(4, 1, (64, 64)), 5)
    assert reel.facts["scenes"] == kept[:5]
    windows = list(reel.windows())
    assert len(windows) == 5
    assert (windows[1] == shoot(scene_of("train", kept[1]), frames=4).frames).all()
