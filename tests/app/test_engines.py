"""What an engine is handed, what it refuses, and what the recipe keeps of the weights that it used."""

import json
from pathlib import Path

import pytest

from keyweave.app import rerun
from keyweave.app.jobs import Job, plan_job, run_job
from keyweave.base.errors import InputError
from keyweave.classical import crossfade
from keyweave.systems.inbetween.options import InbetweenOptions


def job(keyframes: tuple[Path, Path], engine: str, **options: object) -> Job:
    made = InbetweenOptions.model_validate({"duration": "0.5", **options})
    return Job("inbetween", keyframes, options=made, engine=engine)


def test_an_option_of_another_engine_is_refused(keyframes: tuple[Path, Path], tmp_path: Path):
    with pytest.raises(InputError, match="--raft is not for the engine crossfade. Use --engine flow."):
        plan_job(job(keyframes, "crossfade", raft=tmp_path / "w.safetensors"))


def test_a_recipe_knows_its_weights_and_other_weights_are_refused(
    keyframes: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    weights, film = tmp_path / "w.safetensors", tmp_path / "film.gif"
    weights.write_bytes(b"weights")

    def told(first, last, times, *, raft, seed, progress, linear_light=False):
        assert raft == weights
        return crossfade.crossfade(first, last, times, seed=seed, progress=progress, linear_light=linear_light)

    monkeypatch.setattr("keyweave.classical.flow.flow", told)
    made = job(keyframes, "flow", raft=weights)
    run_job(Job(made.system, made.inputs, options=made.options, engine="flow", output=film))
    mark = json.loads((tmp_path / "film.gif.json").read_text())["models"]["raft"]
    assert mark["ref"] == "w.safetensors"
    assert rerun.rerun(film).same
    weights.write_bytes(b"others")
    with pytest.raises(InputError, match="other weights than those that were used then"):
        rerun.rerun(film, overwrite=True)
