"""The demo makes films, sheets and keyframes that can be used again."""

from pathlib import Path

import pytest

from keyweave.app import demo
from keyweave.app.demo import make_demo
from keyweave.app.rerun import rerun
from keyweave.base.errors import InputError
from keyweave.media.pictures.images import read_image


def test_the_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(demo, "SECONDS", 1)
    boat, day = make_demo(tmp_path)
    assert [made.film.path for made in (boat, day)] == [tmp_path / "boat.mp4", tmp_path / "day.mp4"]
    assert [made.film.recipe.engine for made in (boat, day)] == ["flow", "crossfade"]
    for made in (boat, day):
        assert made.film.frames == 24
        assert read_image(made.sheet).width > 600
        assert [read_image(path).size for path in made.keyframes] == [(640, 360)] * 4
    assert rerun(tmp_path / "boat.mp4").same is True
    with pytest.raises(InputError, match="already exists"):
        make_demo(tmp_path)
