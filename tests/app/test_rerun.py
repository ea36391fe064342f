"""The same recipe, inputs and machine give the same bytes; anything else is said."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from keyweave.app import jobs
from keyweave.app.friendly import inbetween
from keyweave.app.rerun import beside, find_recipe, rerun
from keyweave.base.errors import InputError


def make(keyframes, output: Path, **given):
    options: dict[str, Any] = {"frames": 4, "fps": 12} | given
    return inbetween(keyframes, output, seed=5, **options)


@pytest.mark.parametrize(
    "name", ["out.mp4", "out.webm", "out.mov", "out.gif", "out.apng", "out.webp", "shots/%04d.png"]
)
def test_the_same_bytes_again(tmp_path: Path, keyframes, name: str):
    output = tmp_path / "films" / name
    make(keyframes, output)
    again = rerun(output)
    assert again.same is True
    assert again.differences == ()
    assert again.result.path == beside(output)
    if "%" not in name:
        assert beside(output).read_bytes() == output.read_bytes()


def test_any_face_of_a_sequence_finds_its_recipe(tmp_path: Path, keyframes):
    output = tmp_path / "shots" / "f%03d.png"
    recipe = make(keyframes, output).recipe
    first = min(output.parent.glob("*.png"))
    for face in (output, output.parent, first, output.parent / "recipe.json"):
        found = find_recipe(face)
        assert found.recipe == recipe
        assert found.output == output


def test_the_recipe_file_alone_is_enough(tmp_path: Path, keyframes):
    output = tmp_path / "out.mp4"
    make(keyframes, output)
    output.unlink()
    again = rerun(tmp_path / "out.mp4.json")
    assert again.same is None
    assert again.result.path == tmp_path / "out.rerun.mp4"


def test_the_film_alone_is_enough_where_its_inputs_lie_beside_it(tmp_path: Path, keyframes):
    make(keyframes, tmp_path / "out.mp4")
    place = tmp_path / "elsewhere"
    place.mkdir()
    for path in (tmp_path / "out.mp4", *keyframes):
        shutil.copy(path, place)
    assert rerun(place / "out.mp4").same is True


def test_inputs_that_moved_can_be_named(tmp_path: Path, keyframes):
    make(keyframes, tmp_path / "out.mp4")
    moved = [shutil.move(path, tmp_path / f"moved-{path.name}") for path in keyframes]
    with pytest.raises(InputError, match=r"The input a\.png was not found \(looked at .*Name the inputs with --inputs"):
        rerun(tmp_path / "out.mp4")
    with pytest.raises(InputError, match=r"has 2 inputs \(a\.png, b\.png\); 1 were given"):
        rerun(tmp_path / "out.mp4", inputs=[Path(moved[0])])
    assert rerun(tmp_path / "out.mp4", inputs=[Path(one) for one in moved]).same is True


def test_a_changed_input_is_noticed(tmp_path: Path, keyframes):
    make(keyframes, tmp_path / "out.mp4")
    keyframes[0].write_bytes(keyframes[1].read_bytes())
    with pytest.raises(InputError, match=r"a\.png is not the file that was used then: its checksum differs"):
        rerun(tmp_path / "out.mp4")


def test_other_versions_are_listed(tmp_path: Path, keyframes, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(jobs, "VERSION", "0.0.9")
    make(keyframes, tmp_path / "out.mp4")
    monkeypatch.undo()
    again = rerun(tmp_path / "out.mp4", output=tmp_path / "new.mp4")
    assert again.same is False  # the recipe is in the bytes
    assert again.differences == (f"version: 0.0.9 then, {jobs.VERSION} now",)


def test_a_recipe_of_another_film_beside_does_not_mislead(tmp_path: Path, keyframes):
    make(keyframes, tmp_path / "out.mp4")
    make(keyframes, tmp_path / "other.mp4", frames=2)
    shutil.copy(tmp_path / "other.mp4.json", tmp_path / "out.mp4.json")
    assert find_recipe(tmp_path / "out.mp4").recipe.options["frames"] == 4


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("hello", "holds no keyweave recipe"),
        ("\xff\xfe", "holds no keyweave recipe"),
        ("{}", "holds no keyweave recipe"),
    ],
)
def test_what_is_no_recipe_is_refused(tmp_path: Path, text: str, words: str):
    (tmp_path / "x.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=words):
        find_recipe(tmp_path / "x.json")


def test_films_of_others_hold_no_recipe(tmp_path: Path, keyframes):
    make(keyframes, tmp_path / "out.gif")
    bare = (tmp_path / "bare.png").resolve()
    shutil.copy(keyframes[0], bare)
    with pytest.raises(InputError, match=r"bare\.png holds no keyweave recipe"):
        find_recipe(bare)


def test_a_huge_recipe_file_is_not_read(tmp_path: Path):
    (tmp_path / "x.json").write_bytes(b" " * (5 << 20))
    with pytest.raises(InputError, match="too large to be a recipe"):
        find_recipe(tmp_path / "x.json")


def test_an_option_of_another_version_is_named(tmp_path: Path, keyframes):
    make(keyframes, tmp_path / "out.mp4")
    (tmp_path / "out.mp4").unlink()
    sidecar = tmp_path / "out.mp4.json"
    row = json.loads(sidecar.read_text())
    row["options"]["sparkle"] = 3
    sidecar.write_text(json.dumps(row))
    with pytest.raises(InputError, match=r"an option that this version does not take \(sparkle"):
        rerun(sidecar)


def test_a_stranger_s_input_name_cannot_reach_out_of_its_folder(tmp_path: Path, keyframes):
    make(keyframes, tmp_path / "films" / "out.mp4")
    (tmp_path / "films" / "out.mp4").unlink()
    sidecar = tmp_path / "films" / "out.mp4.json"
    row = json.loads(sidecar.read_text())
    row["inputs"][0]["name"] = "../in/a.png"
    del row["paths"]
    sidecar.write_text(json.dumps(row))
    with pytest.raises(InputError, match="was not found"):
        rerun(sidecar)


def test_a_folder_with_a_recipe_but_no_pictures(tmp_path: Path, keyframes):
    make(keyframes, tmp_path / "shots" / "%03d.png")
    for picture in (tmp_path / "shots").glob("*.png"):
        picture.unlink()
    with pytest.raises(InputError, match="holds a recipe but no numbered pictures"):
        find_recipe(tmp_path / "shots")
