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
    with pytest.raises(InputError, match=r"0\.1 s at 10 frames per second is 1 frames; 3 keyframes need at least 3"):
        inbetween([image()] * 3, options(duration="0.1", fps=10))
    with pytest.raises(InputError, match="at most 1,000,000 frames"):
        inbetween([image()] * 2, options(duration="100:00:00", fps=1000))
    with pytest.raises(ValidationError, match="--frames and --duration both set the length"):
        options(frames=3, duration=2)


def test_options_write_and_read_their_own_json():
    wish = options(fps="24000/1001", size="640x360", duration="1:02.5", crf=20)
    row = wish.model_dump(mode="json")
    assert row == {
        "fps": "24000/1001", "size": "640x360", "fit": "crop", "crf": 20, "frames": None, "duration": "125/2",
    }  # fmt: skip
    assert InbetweenOptions.model_validate(row) == wish
