"""Each row of the tables leads to something that is there."""

from functools import partial
from pathlib import Path

import pytest

import keyweave
from keyweave.app.systems import ENGINES, SYSTEMS
from keyweave.timeline.options import FilmOptions


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_system_has_its_rooms(name: str):
    system = SYSTEMS[name]
    assert issubclass(system.options_model(), FilmOptions)
    assert system.options.startswith(f"keyweave.systems.{name}.")
    assert set(system.engines) <= set(ENGINES)
    assert (Path(keyweave.__file__).parent / "systems" / name / "pipeline.py").is_file()
    assert callable(getattr(keyweave, name))


@pytest.mark.parametrize("name", ENGINES)
def test_an_engine_can_be_loaded(name: str):
    engine = ENGINES[name]
    options = SYSTEMS["inbetween"].options_model().model_validate({"linear_light": True})
    made = engine.load(options)
    assert isinstance(made, partial)
    assert made.keywords == dict.fromkeys(engine.takes, True)
