"""Each row of the tables leads to something that is there."""

from functools import partial
from pathlib import Path

import pytest

import keyweave
from keyweave.app.engines import ENGINES
from keyweave.app.systems import SYSTEMS
from keyweave.timeline.options import OutputOptions


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_system_has_its_rooms(name: str):
    system = SYSTEMS[name]
    assert issubclass(system.options_model(), OutputOptions)
    assert system.options.startswith(f"keyweave.systems.{name}.")
    assert set(system.engines) <= set(ENGINES)
    assert (Path(keyweave.__file__).parent / "systems" / name / "pipeline.py").is_file()
    assert callable(getattr(keyweave, name))


@pytest.mark.parametrize("name", [name for name, engine in ENGINES.items() if engine.model is None])
def test_an_engine_can_be_loaded(name: str):
    engine = ENGINES[name]
    options = SYSTEMS["inbetween"].options_model().model_validate({"linear_light": True})
    made = engine.bind(options).load()
    assert isinstance(made, partial)
    assert made.keywords == {"linear_light": True}


def test_an_engine_is_told_what_its_system_knows():
    """Frames of a film lie near one another, keyframes need not."""
    keywords = {}
    for name, system in SYSTEMS.items():
        given = {"walk": (1, 2), "beats": (0, 1)} if name == "dance" else {}
        made = ENGINES["flow"].bind(system.options_model().model_validate(given)).load()
        assert isinstance(made, partial)
        keywords[name] = made.keywords
    plain = {"linear_light": False}
    assert keywords == {"inbetween": plain, "retime": plain | {"near": True}, "dance": plain}
