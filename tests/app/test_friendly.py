"""The plain functions take what people have."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from keyweave.app.friendly import inbetween
from keyweave.base.errors import InputError
from keyweave.media.types import Image


def test_paths_strings_arrays_and_images(keyframes):
    array = np.zeros((24, 32, 3), np.uint8)
    pictures = [keyframes[0], str(keyframes[1]), array, Image(array), PillowImage.fromarray(array).convert("L")]
    result = inbetween(pictures, frames=1, fps=10)
    assert result.clip.frames.shape == (9, 24, 32, 3)


def test_pillow_alpha_is_kept():
    clear = PillowImage.new("RGBA", (4, 4), (9, 8, 7, 0))
    assert inbetween([clear, clear], frames=0).clip.frames[0, 0, 0].tolist() == [9, 8, 7, 0]


def test_wrong_things_are_one_sentence(tmp_path: Path, keyframes):
    with pytest.raises(InputError, match="A picture must be a path, an image or an array; got int"):
        inbetween([1, 2])  # pyright: ignore[reportArgumentType]
    with pytest.raises(InputError, match="There is no option --colour"):
        inbetween(keyframes, colour="red")
    with pytest.raises(InputError, match="--frames is -3; it should be greater than or equal to 0"):
        inbetween(keyframes, frames=-3)
    with pytest.raises(InputError, match="uint8 of shape"):
        inbetween([np.zeros((4, 4)), np.zeros((4, 4))])
