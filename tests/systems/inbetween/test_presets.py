"""Sampling as people type it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyweave.diffusion.told import Told
from keyweave.systems.inbetween.options import InbetweenOptions
from keyweave.systems.inbetween.presets import DEFAULT, PRESETS, parse_sampling, sampling_words
from keyweave.systems.inbetween.sampling import Sampling


def test_a_name_is_its_preset_and_changes_change_it():
    assert parse_sampling("faithful") == PRESETS["faithful"]
    assert parse_sampling("draft, steps=7 ,solver=heun") == replace(PRESETS["draft"], steps=7, solver="heun")
    assert parse_sampling("steps=7") == replace(PRESETS[DEFAULT], steps=7)
    assert parse_sampling("steps=7", PRESETS["faithful"]) == replace(PRESETS["faithful"], steps=7)
    assert parse_sampling("draft,steps=7", PRESETS["faithful"]) == replace(PRESETS["draft"], steps=7)
    assert parse_sampling("fast,guidance=2").guidance == (2, 2)
    assert parse_sampling("fast,guidance=1.5..4").guidance == (1.5, 4)
    assert parse_sampling("fast,motion=40,fps=12").told == Told(fps=12, bucket=40)


@given(
    st.builds(
        Sampling,
        steps=st.integers(2, 1000),
        repeats=st.integers(0, 50),
        share=st.floats(0, 1),
        tries=st.integers(1, 100),
        sketch=st.sampled_from(["none", "flow"]),
        solver=st.sampled_from(("euler", "heun", "multistep")),
        fusion=st.sampled_from(("average", "linear")),
        guidance=st.tuples(st.floats(1, 30), st.floats(1, 30)),
        told=st.builds(Told, st.integers(1, 60), st.integers(0, 255), st.floats(0, 1)),
    )
)
def test_what_is_written_is_read_again(sampling: Sampling):
    assert parse_sampling(sampling_words(sampling)) == sampling


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("quick", "'quick' is no preset; choose from draft, fast, faithful, or write NAME=VALUE"),
        ("", "'' is no preset"),
        ("fast,speed=3", "'speed=3' is none of steps=, repeats="),
        ("fast,faithful", "'faithful' is none of steps="),
        ("fast,steps=0", "steps is a whole number from 1 to 1000; got '0'"),
        ("fast,tries=3,steps=1", "tries=3 needs 2 steps or more"),
        ("fast,sketch=mine", "sketch is one of none, flow; got 'mine'"),
        ("fast,tries=0", "tries is a whole number from 1 to 100; got '0'"),
        ("fast,steps=2.5", "steps is a whole number"),
        ("fast,share=nan", "share is a number from 0 to 1; got 'nan'"),
        ("fast,solver=rk4", "solver is one of euler, heun, multistep; got 'rk4'"),
        ("fast,guidance=0.5..2", "guidance is a number from 1 to 30; got '0.5'"),
        ("fast,guidance=1..", "guidance is a number from 1 to 30; got ''"),
        ("fast,motion=256", "motion is a whole number from 0 to 255"),
    ],
)
def test_what_is_none_is_said(text: str, says: str):
    with pytest.raises(ValueError, match=r".") as caught:
        parse_sampling(text)
    assert str(caught.value).startswith(says)


def test_in_one_step_no_sketch_takes_part():
    """As nothing is left to choose: a preset with a sketch can be asked for a single step."""
    assert [parse_sampling(f"steps={steps},sketch=flow").sketched for steps in (1, 2)] == [False, True]
    assert parse_sampling("steps=1,sketch=flow").looks == 1
    assert not parse_sampling("steps=2,tries=2,sketch=none").sketched


def test_a_recipe_keeps_every_number():
    for number in ("0.1234567", "1e-07"):
        given = {"sampling": f"fast,share={number},augmentation={number}"}
        written = InbetweenOptions.model_validate(given).model_dump(mode="json")["sampling"]
        assert f"share={number}," in written
        assert written.endswith(f"augmentation={number}")
    kept = InbetweenOptions.model_validate({"sampling": "draft"}).model_dump(mode="json")["sampling"]
    assert kept == (
        "steps=12,repeats=0,share=0.5,tries=1,sketch=flow,solver=euler,fusion=linear,guidance=1..3,"
        "fps=7,motion=127,augmentation=0.02"
    )
    assert InbetweenOptions.model_validate({"sampling": kept}).sampling == PRESETS["draft"]
