"""`keyweave models` in process."""

import json
import re
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from keyweave.cli.main import main
from keyweave.models import finding, hub, people
from keyweave.models.card import ModelCard, write_card

CARD = ModelCard(
    name="toy-judge",
    kind="features",
    says="Tells a fish from a boat.",
    toy=True,
    data="the drawn world",
    recipe="keyweave train toy-judge",
    seed=0,
    steps=10,
    hours=0.5,
    hardware="2 cores",
    trained=date(2026, 1, 2),
    scores={"right_kinds": 0.97},
    limits="Photographs.",
    license="Apache-2.0",
)


@pytest.fixture
def judge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(finding, "EMBEDDED", tmp_path / "weights")
    folder = tmp_path / "weights" / "toy-judge"
    folder.mkdir(parents=True)
    save_file({"a": np.zeros(300, np.float32)}, folder / "weights.safetensors")
    write_card(folder, CARD)
    return folder


def rows(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def test_list(judge: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["models", "list"]) == 0
    first, last = capsys.readouterr().out.splitlines()
    assert first.split(maxsplit=4) == ["toy-judge", "features", "1.3", "kB", "Tells a fish from a boat."]
    assert last == "Others: ./FOLDER or hub:OWNER/NAME@REVISION."
    assert main(["models", "list", "--json"]) == 0
    (row,) = rows(capsys.readouterr().out)
    assert row["models"][0]["card"]["scores"] == {"right_kinds": 0.97}


def test_list_goes_on_after_a_damaged_model(judge: Path, capsys: pytest.CaptureFixture[str]):
    (judge.parent / "broken").mkdir()
    assert main(["models", "list"]) == 0
    shown = capsys.readouterr().out
    assert "damaged" in shown
    assert "is not a model: it has neither" in shown
    assert "toy-judge" in shown
    shutil.rmtree(judge.parent)
    assert main(["models", "list"]) == 0
    assert (
        capsys.readouterr().out == "No model comes with this keyweave. Others: ./FOLDER or hub:OWNER/NAME@REVISION.\n"
    )


def test_show(judge: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["models", "show", "toy-judge"]) == 0
    shown = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert shown["says"] == "Tells a fish from a boat."
    assert (shown["toy"], shown["bytes"], shown["right"], shown["limits"]) == (
        "yes",
        "1.3 kB",
        "kinds           0.97",
        "Photographs.",
    )
    assert "base" not in shown
    assert main(["models", "show", "toy-judge", "--json"]) == 0
    assert rows(capsys.readouterr().out)[0]["card"]["name"] == "toy-judge"


def test_what_is_shown_stands_in_two_columns(capsys: pytest.CaptureFixture[str]):
    """Names of scores are long; one of them was longer than the first column."""
    assert main(["models", "show", "toy-video"]) == 0
    lines = capsys.readouterr().out.splitlines()
    names = [line.split("  ")[0] for line in lines]
    assert "frames with a clear actor" in names
    width = max(map(len, names)) + 2
    for name, line in zip(names, lines, strict=True):
        assert line.startswith(name + " " * (width - len(name)))
        assert not line[width].isspace()


def test_show_a_folder_without_a_card(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    folder = tmp_path / "unet"
    folder.mkdir()
    (folder / "config.json").write_text('{"_class_name": "UNetSpatioTemporalConditionModel"}')
    save_file({"a": np.zeros(3, np.float32)}, folder / "diffusion_pytorch_model.safetensors")
    (folder / "README.md").write_text("---\nlicense: mit\n---\n")
    assert main(["models", "show", str(folder), "--json"]) == 0
    (row,) = rows(capsys.readouterr().out)
    assert (row["name"], row["kind"], row["license"]) == ("unet", "part", "mit")
    assert main(["models", "verify", str(folder)]) == 0
    assert "whole, by their lengths; it has no card with checksums." in capsys.readouterr().out


def test_verify(judge: Path, capsys: pytest.CaptureFixture[str]):
    for argv in (["verify"], ["verify", "toy-judge"]):
        assert main(["models", *argv]) == 0
        assert capsys.readouterr().out == "toy-judge: all files are as its card says.\n"
    (judge / "new.txt").write_text("x")
    assert main(["models", "verify"]) == 2
    assert capsys.readouterr().out == f"{judge}/new.txt is not on the card.\n"
    assert main(["models", "verify", "--json"]) == 2
    (row,) = rows(capsys.readouterr().out)
    assert (row["whole"], row["checksums"], len(row["differences"])) == (False, True, 1)


def test_pull(judge: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def pulled(text: str, kind: object, *, progress) -> tuple[Path, str]:
        progress.say("downloading")
        return judge, f"hub:{text}@c0ffee"

    monkeypatch.setattr(hub, "pull", pulled)
    assert main(["models", "pull", "hub:a/b"]) == 0
    shown = capsys.readouterr()
    assert shown.out == f"hub:a/b@c0ffee: features, 1.3 kB, in {judge}\n"
    assert "downloading" in shown.err
    assert main(["models", "pull", "hub:a/b", "--json"]) == 0
    assert [row["event"] for row in rows(capsys.readouterr().out)] == ["say", "pulled"]
    assert main(["models", "verify", "hub:a/b"]) == 0
    assert capsys.readouterr().out == "hub:a/b: all files are as its card says.\n"


def test_pull_people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    asked = []

    def pulled(given: Path | None, *, progress) -> Path:
        asked.append(given)
        progress.say("downloading")
        return tmp_path

    monkeypatch.setattr(people, "pull_people", pulled)
    assert main(["models", "pull", "people"]) == 0
    shown = capsys.readouterr()
    assert shown.out == f"people: people, 11.1 MB, in {tmp_path}\n"
    assert "downloading" in shown.err
    assert main(["models", "pull", "people", "--from", "a.whl", "--json"]) == 0
    row = rows(capsys.readouterr().out)[-1]
    assert (row["event"], row["folder"], row["license"]) == ("pulled", str(tmp_path), "Apache-2.0")
    assert "pose_detection.tflite" in row["files"]
    assert asked == [None, Path("a.whl")]


@pytest.fixture
def written(tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a base lies, and a checkpoint that was tuned from it."""
    import torch
    from safetensors.torch import load_file
    from safetensors.torch import save_file as save_tensors

    monkeypatch.chdir(tmp_path)
    weights = Path("unet/diffusion_pytorch_model.safetensors")
    for name, part in vars(tiny).items():
        part.save_pretrained(Path("base") / ("feature_extractor" if name == "image_processor" else name))
    index = {name: [0, type(part).__name__] for name, part in vars(tiny).items()}
    index["feature_extractor"] = index.pop("image_processor")
    Path("base/model_index.json").write_text(json.dumps({"_class_name": "StableVideoDiffusionPipeline", **index}))
    shutil.copytree("base/unet", "official/unet")
    rows = load_file("base" / weights)
    for name in rows:
        if re.search(r"temporal_transformer_blocks.*attn1\.(to_v|to_out\.0)\.weight", name):
            rows[name] += torch.ones(())
    save_tensors(rows, "official" / weights)
    return tmp_path


@pytest.mark.usefixtures("one_thread")
def test_convert_adapter_and_show_it(written: Path, capsys: pytest.CaptureFixture[str]):
    argv = ["models", "convert-adapter", "official", "--base", "./base", "-o", "my back.safetensors"]
    assert main(argv) == 0
    made, use, whom = capsys.readouterr().out.splitlines()
    size = Path("my back.safetensors").stat().st_size
    assert made == f"my back.safetensors: 8 tensors of 4 layers, {size / 1000:.1f} kB"
    assert use == (
        "Use it with: keyweave inbetween A B --engine generative --model ./base --adapter 'my back.safetensors'"
    )
    assert whom == "Besides base, it says that it is for stable-video-diffusion-img2vid-xt."
    assert main(["models", "show", "./my back.safetensors"]) == 0
    shown = {line[:22].rstrip(): line[22:] for line in capsys.readouterr().out.splitlines()}
    assert (shown["name"], shown["kind"], shown["base"]) == ("svd-inbetween", "adapter", "./base")
    assert (shown["tensors"], shown["layers"]) == ("8", "4")
    assert re.fullmatch("[0-9a-f]{64}, stable-video-diffusion-img2vid-xt", shown["fits"])
    assert "files" not in shown
    assert main(argv) == 2
    assert "my back.safetensors already exists. Pass --overwrite" in capsys.readouterr().err
    assert main([*argv, "--overwrite", "--json"]) == 0
    row = rows(capsys.readouterr().out)[-1]
    assert (row["event"], row["tensors"], row["bytes"]) == ("converted", 8, size)
    assert row["card"]["name"] == "svd-inbetween"


@pytest.mark.usefixtures("one_thread")
def test_convert_adapter_says_what_it_fits(written: Path, capsys: pytest.CaptureFixture[str]):
    from keyweave.models.adapters import is_for, read_adapter
    from keyweave.models.finding import find

    argv = ["models", "convert-adapter", "official", "--base", "./base", "-o", "x.safetensors"]
    assert main([*argv, "--fits", "svd-xt-1-1", "me/long", "--json"]) == 0
    row = rows(capsys.readouterr().out)[-1]
    assert row["fits"][1:] == ["svd-xt-1-1", "me/long"]
    assert row["card"]["recipe"].endswith("--base ./base -o x.safetensors --fits svd-xt-1-1 me/long")
    adapter = read_adapter(Path("x.safetensors"))
    assert is_for(adapter, find("./base"))
    shutil.copytree("base", "svd-xt-1-1")
    shutil.copytree("official/unet", "svd-xt-1-1/unet", dirs_exist_ok=True)  # other weights in the very layers
    assert is_for(adapter, find("./svd-xt-1-1"))
    assert not is_for(adapter, find(str(Path("svd-xt-1-1").rename("stable-video-diffusion-img2vid-xt").absolute())))


def test_convert_adapter_leaves_nothing_half_made(written: Path, capsys: pytest.CaptureFixture[str]):
    there = sorted(written.iterdir())
    assert main(["models", "convert-adapter", "base", "--base", "./base", "-o", "x.safetensors"]) == 2
    assert "is ./base itself: nothing in it was tuned." in capsys.readouterr().err
    assert sorted(written.iterdir()) == there


@pytest.mark.parametrize(
    ("argv", "code", "words"),
    [
        (["show"], 2, "keyweave models show needs the NAME of a model. See keyweave models list."),
        (["pull"], 2, "keyweave models pull needs the NAME of a model."),
        (["pull", "toy-judge"], 2, "'toy-judge' is not a model of the hub. Write hub:OWNER/NAME"),
        (["pull", "toy-judge"], 2, "or people for the networks that see people."),
        (["pull", "hub:a/b", "--from", "x"], 2, "Only keyweave models pull people takes --from."),
        (["list", "--from", "x"], 2, "Only keyweave models pull people takes --from."),
        (["pull", "people", "--from", "no such"], 2, "There is no file or folder no such. Check the spelling"),
        (["list", "toy-judge"], 2, "keyweave models list takes no name; got 'toy-judge'."),
        (["show", "toy-jugde"], 3, "There is no embedded model 'toy-jugde'. Did you mean toy-judge?"),
        (["convert-adapter"], 2, "needs the folder of the authors' checkpoint, --base REF and -o FILE. The base is"),
        (
            ["convert-adapter", "a", "--base", "b"],
            2,
            "keyweave models convert-adapter needs the folder of the authors'",
        ),
        (
            ["convert-adapter", "a", "--base", "b", "-o", "c.pt"],
            2,
            "c.pt is no name for an adapter. Let it end in .safe",
        ),
        (["convert-adapter", "a", "--base", "b", "-o", "c.safetensors"], 3, "There is no embedded model 'b'."),
        (
            ["convert-adapter", "a", "--base", "toy-judge", "-o", "c.safetensors"],
            2,
            "of kind features; here one of kind",
        ),
        (["show", "toy-judge", "--base", "b"], 2, "models show takes no --base. keyweave models convert-adapter does."),
        (["show", "toy-judge", "--fits", "b"], 2, "models show takes no --fits. keyweave models convert-adapter does."),
        (
            ["convert-adapter", "a", "--base", "b", "-o", "c.safetensors", "--fits", "good", "./svd"],
            2,
            "'./svd' is no name of a model: neither a path nor a revision belongs to it. Write NAME, which is met on",
        ),
        (
            ["convert-adapter", "a", "--base", "b", "-o", "c.safetensors", "--fits", "hub:a/b@main"],
            2,
            "'hub:a/b@main' is no name of a model",
        ),
        (["verify", "-o", "b"], 2, "keyweave models verify takes no -o."),
        (["list", "--overwrite"], 2, "keyweave models list takes no --overwrite."),
        (["show", "none.safetensors"], 3, "There is no adapter none.safetensors. Check the spelling of the path."),
        (["eat"], 2, "Argument verb: invalid choice: 'eat'"),
    ],
)
def test_doors(argv: list[str], code: int, words: str, judge: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["models", *argv]) == code
    assert words in capsys.readouterr().err


def test_models_are_listed_found_and_checked_without_torch(judge: Path):
    code = f"""
import sys
from pathlib import Path
from keyweave.cli.main import main
from keyweave.models import finding
finding.EMBEDDED = Path({str(judge.parent)!r})
for argv in ([], ["--help"], ["list"], ["show", "toy-judge"], ["verify"]):
    main(["models", *argv])
print("LOADED", *{{name.split(".")[0] for name in sys.modules}})
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = ran.stdout.split("LOADED ")[1].split()
    assert not {"torch", "diffusers", "transformers", "huggingface_hub", "numpy", "safetensors"} & {*loaded}
