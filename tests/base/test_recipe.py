"""Recipes survive the round trip, and strangers' recipes are read with care."""

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyweave.base.errors import InputError
from keyweave.base.recipe import FORMAT, MARK, InputMark, ModelMark, Recipe, sha256_of_file

RECIPE = Recipe(
    system="inbetween",
    engine="crossfade",
    inputs=(InputMark("ä.png", "0" * 64), InputMark("b.png", "1" * 64)),
    options={"frames": 10, "fps": "24000/1001", "size": None},
    seed=7,
    version="0.1.0",
    models={"video": ModelMark("toy-video", "2" * 64)},
    libraries={"av": "18.1.0"},
)

VALUES = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=8)


def test_round_trip():
    assert Recipe.from_json(RECIPE.to_json(), "x") == RECIPE


@given(st.dictionaries(st.text(), VALUES), st.integers(0, 2**63), st.text())
def test_round_trip_of_anything(options: dict, seed: int, name: str):
    recipe = Recipe("s", "e", (InputMark(name, ""),), options, seed, "1")
    assert Recipe.from_json(recipe.to_json(), "x") == recipe


def test_one_canonical_form_without_any_path():
    row = json.loads(RECIPE.to_json())
    assert row[MARK] == FORMAT
    assert list(row) == sorted(row)
    assert "paths" not in row


def test_keys_that_a_sidecar_adds_do_no_harm():
    row = json.loads(RECIPE.to_json()) | {"paths": ["a.png", "b.png"]}
    assert Recipe.from_json(json.dumps(row), "x") == RECIPE


def test_equal_recipes_have_equal_digests():
    again = Recipe.from_json(RECIPE.to_json(), "x")
    other = Recipe.from_json(RECIPE.to_json().replace('"seed":7', '"seed":8'), "x")
    assert RECIPE.digest() == again.digest() != other.digest()


def test_differences_are_named():
    row = json.loads(RECIPE.to_json())
    row["seed"], row["libraries"] = 8, {"av": "19.0.0", "numpy": "3"}
    assert RECIPE.differences(RECIPE) == []
    assert RECIPE.differences(Recipe.from_json(json.dumps(row), "x")) == [
        "seed: 7 then, 8 now",
        "libraries.av: 18.1.0 then, 19.0.0 now",
        "libraries.numpy: None then, 3 now",
    ]


@pytest.mark.parametrize("text", ["", "hello", "[]", "7", "{}", '{"a": 1}', "[" * 100_000])
def test_what_is_no_recipe_is_said_to_be_none(text: str):
    with pytest.raises(InputError, match=r"film\.mp4 holds no keyweave recipe"):
        Recipe.from_json(text, "film.mp4")


def test_a_later_format_asks_for_a_later_keyweave():
    with pytest.raises(InputError, match=f"format {FORMAT + 1}; this keyweave reads format {FORMAT}"):
        Recipe.from_json(json.dumps({MARK: FORMAT + 1}), "film.mp4")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("system", 7), ("engine", None), ("seed", "7"), ("seed", True), ("inputs", {}), ("inputs", [7]),
        ("inputs", [{"name": "a"}]), ("options", []), ("models", {"video": 3}), ("libraries", []), ("version", 1),
    ],
)  # fmt: skip
def test_a_damaged_recipe_names_what_is_wrong(key: str, value: object):
    row = json.loads(RECIPE.to_json())
    row[key] = value
    with pytest.raises(InputError, match=r"film\.mp4 holds a damaged recipe: \w+ is missing or of the wrong kind"):
        Recipe.from_json(json.dumps(row), "film.mp4")


def test_checksums_of_large_files(tmp_path: Path):
    data = bytes(range(256)) * 10_000
    (tmp_path / "x").write_bytes(data)
    assert sha256_of_file(tmp_path / "x") == hashlib.sha256(data).hexdigest()
