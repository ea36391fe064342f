"""The demo makes a film, a sheet and keyframes that can be used again."""

from pathlib import Path

import pytest

from keyweave.app.demo import make_demo
from keyweave.app.rerun import rerun
from keyweave.base.errors import InputError
from keyweave.media.images import read_image


def test_the_demo(tmp_path: Path):
    made = make_demo(tmp_path)
    assert made.film.frames == 144
    assert made.film.path == tmp_path / "day.mp4"
    assert read_image(made.sheet).width > 600
    assert [read_image(path).size for path in made.keyframes] == [(640, 360)] * 4
    assert rerun(tmp_path / "day.mp4").same is True
    with pytest.raises(InputError, match="already exists"):
        make_demo(tmp_path)
