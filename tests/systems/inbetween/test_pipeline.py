"""Where keyframes fall, and what they look like when they get there."""

from fractions import Fraction as F

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from keyweave.base.errors import InputError
from keyweave.media.types import Image
from keyweave.systems.inbetween.options import InbetweenOptions
from keyweave.systems.inbetween.pipeline import inbetween
from keyweave.systems.inbetween.presets import PRESETS, sampling_words
from keyweave.timeline.types import Timeline


def image(width: int = 8, height: int = 6, channels: int = 3) -> Image:
    return Image(np.random.default_rng(width).integers(0, 256, (height, width, channels), np.uint8))


def options(**given) -> InbetweenOptions:
    return InbetweenOptions.model_validate(given)


@given(st.integers(2, 6), st.integers(0, 30), st.fractions(1, 120, max_denominator=1001))
def test_frames_counts_the_in_betweens_of_each_gap(count: int, frames: int, fps: F):
    timeline = inbetween([image()] * count, options(frames=frames, fps=fps))
    assert timeline.frame_count(fps) == count + frames * (count - 1)
    assert all(span.stop - span.start == (frames + 1) / fps for span in timeline.spans)


@given(st.integers(2, 6), st.fractions(F(1, 2), 20, max_denominator=40), st.fractions(12, 60, max_denominator=10))
def test_duration_is_the_length_of_the_film_to_the_nearest_frame(count: int, duration: F, fps: F):
    timeline = inbetween([image()] * count, options(duration=duration, fps=fps))
    assert timeline.frame_count(fps) == round(duration * fps)
    for span in timeline.spans:
        assert ((span.start * fps).denominator, (span.stop * fps).denominator) == (1, 1)  # on the grid


@pytest.mark.parametrize("fps", ["24", "24000/1001", "0.3"])
def test_without_a_length_a_second_from_keyframe_to_keyframe(fps: str):
    timeline = inbetween([image()] * 4, options(fps=fps))
    rate = options(fps=fps).fps
    assert [round(span.stop * rate) for span in timeline.spans] == [max(k, round(k * rate)) for k in (1, 2, 3)]


def test_sizes_follow_the_first_picture_or_the_wish():
    assert inbetween([image(8, 6), image(20, 20)], options()).size == (8, 6)
    assert inbetween([image(8, 6), image(20, 20)], options(size="16x4", fit="pad")).size == (16, 4)


def test_one_picture_with_alpha_gives_all_of_them_alpha():
    timeline = inbetween([image(), image(channels=4)], options())
    assert timeline.spans[0].source.first.has_alpha
    assert (timeline.spans[0].source.first.pixels[..., 3] == 255).all()


def test_what_cannot_be_laid_out_is_said():
    with pytest.raises(InputError, match="at least two keyframes; got 1"):
        inbetween([image()], options())
    with pytest.raises(InputError, match=r"0\.1 s at 10 frames per second is too short: .* at least 3 frames"):
        inbetween([image()] * 3, options(duration="0.1", fps=10))
    with pytest.raises(InputError, match="at most 1,000,000 frames"):
        inbetween([image()] * 2, options(duration="100:00:00", fps=1000))
    with pytest.raises(ValidationError, match="--frames and --duration both set the length"):
        options(frames=3, duration=2)


def test_options_write_and_read_their_own_json():
    wish = options(fps="24000/1001", size="640x360", duration="1:02.5", crf=20, sampling="draft")
    row = wish.model_dump(mode="json")
    assert row == {
        "fps": "24000/1001", "size": "640x360", "fit": "crop", "crf": 20, "frames": None, "duration": "125/2",
        "at": None, "easing": ["linear"], "loop": False, "ping_pong": False, "linear_light": False, "raft": None,
        "model": None, "adapter": None, "sampling": sampling_words(PRESETS["draft"]), "windows": 1, "memory": "auto",
        "compile": False, "no_detail": False, "device": None, "dtype": None,
    }  # fmt: skip
    assert InbetweenOptions.model_validate(row) == wish


def times(timeline: Timeline) -> list[F]:
    return [timeline.start, *(span.stop for span in timeline.spans)]


def test_keyframes_at_given_times_whatever_the_rate():
    for fps in (24, 25, 60):
        wish = options(at="0, 1.2s, 1:00", fps=fps)
        assert times(inbetween([image()] * 3, wish)) == [0, F(6, 5), 60]
    assert options(at="0,48f", fps=24).at == (0, 2)
    again = InbetweenOptions.model_validate(options(at="0,48f", fps=24).model_dump(mode="json") | {"fps": "60"})
    assert again.at == (0, 2)  # frames became seconds: another rate does not move them


def test_pictures_are_held_before_the_first_and_after_the_last_time():
    timeline = inbetween([image(8), image(9)], options(at="1,2", duration=4))
    assert times(timeline) == [0, 1, 2, 4]
    first, _, last = (span.source for span in timeline.spans)
    assert first.first is first.last
    assert last.first is last.last


def test_a_loop_comes_back_to_the_first_picture():
    images = [image(8), image(9, height=6), image(10)]
    timeline = inbetween(images, options(loop=True, frames=4, fps=10))
    assert times(timeline) == [0, F(1, 2), 1, F(3, 2)]
    assert timeline.frame_count(F(10)) == 15
    assert timeline.spans[-1].source.last is timeline.spans[0].source.first
    assert times(inbetween(images, options(loop=True, at="0,1,3"))) == [0, 1, 3, F(9, 2)]
    assert times(inbetween(images, options(loop=True, at="0,1,3", duration=4))) == [0, 1, 3, 4]
    assert inbetween(images, options(loop=True, duration=3, fps=10)).frame_count(F(10)) == 30


def test_ping_pong_goes_back_the_way_it_came():
    images = [image(8), image(9), image(10)]
    timeline = inbetween(images, options(ping_pong=True, at="0,1,3", easing="ease-in,hold", fps=10))
    assert times(timeline) == [0, 1, 3, 5, 6]
    assert [str(span.warp) for span in timeline.spans] == ["ease-in", "hold", "hold", "ease-out"]
    assert timeline.spans[3].source.last is timeline.spans[0].source.first
    assert [span.back_over for span in timeline.spans] == [None, None, 1, 0]
    assert inbetween(images, options(ping_pong=True, duration=4, fps=10)).frame_count(F(10)) == 40


def test_easings_are_for_all_gaps_or_one_for_each():
    three = [image()] * 3
    curve = "cubic-bezier(0.3, 0, 0.1, 1)"
    assert [str(span.warp) for span in inbetween(three, options(easing=f"hold, {curve}")).spans] == ["hold", curve]
    assert [str(span.warp) for span in inbetween(three, options(easing="back(2)", loop=True)).spans] == ["back(2)"] * 3
    with pytest.raises(InputError, match="--easing has 3 easings for 2 gaps"):
        inbetween(three, options(easing="hold,hold,hold"))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"at": "0,1", "frames": 3}, "--at and --frames both place the keyframes"),
        ({"at": "0,2,1"}, "--at must rise from keyframe to keyframe; got 0, 2, 1"),
        ({"at": "0,2", "duration": 2}, "--duration ends at 2 s, before the last keyframe at 2 s"),
        ({"loop": True, "ping_pong": True}, "--loop and --ping-pong are two ways to begin again"),
        ({"easing": "wobble"}, "'wobble' is not an easing; choose from linear, ease"),
        ({"at": "0,x"}, "'x' is not a time"),
    ],
)
def test_wishes_that_do_not_fit_together(given: dict, words: str):
    with pytest.raises(ValidationError, match=words):
        options(**given)


def test_a_time_for_each_keyframe():
    with pytest.raises(InputError, match="--at has 2 times for 3 keyframes"):
        inbetween([image()] * 3, options(at="0,1"))
    with pytest.raises(InputError, match="--at has 2 times for 3 keyframes"):
        inbetween([image()] * 3, options(at="0,1", loop=True))
    with pytest.raises(InputError, match="--at has 2 times for 3 keyframes"):
        inbetween([image()] * 3, options(at="0,1", ping_pong=True))
