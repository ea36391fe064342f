"""`keyweave bench` from end to end, with a tiny random model."""

import hashlib
import importlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from keyweave.base.errors import Cancelled
from keyweave.bench import trained
from keyweave.bench.trained import Pupil, Schooling
from keyweave.cli.main import main
from keyweave.media.pictures.images import write_image
from keyweave.media.types import Image
from keyweave.models.adapters import read_adapter
from keyweave.models.finding import Found
from keyweave.perceive import i3d, inception
from keyweave.systems.inbetween.tuning import TuneOptions

pytestmark = pytest.mark.usefixtures("one_thread")
METHODS = "crossfade,flow,average,truth"


def test_from_end_to_end_and_once_more(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    folder = tmp_path / "report"
    argv = ["bench", "inbetween", "-o", str(folder), "--methods", METHODS, "--model", str(model), "--device", "cpu"]
    argv += [
        "--pairs",
        "4",
        "--size",
        "32x32",
        "--sampling",
        "fast,sketch=none,guidance=1",
        "--steps",
        "2",
        "--sheets",
        "1",
    ]
    assert main(argv) == 0
    shown = capsys.readouterr().out
    assert [line.split()[0] for line in shown.splitlines()[1:6]] == ["real", *METHODS.split(",")]
    assert str(folder / "report.md") in shown
    kept = {path: path.stat().st_mtime_ns for path in (folder / "cache").rglob("*.npz")}
    assert len(kept) == 5 * 4
    assert main([*argv, "--json"]) == 0
    *_, last = map(json.loads, capsys.readouterr().out.splitlines())
    assert {path: path.stat().st_mtime_ns for path in (folder / "cache").rglob("*.npz")} == kept
    assert last["event"] == "benchmarked"
    assert last["material"]["frames"] == 4  # the model's own
    average = last["methods"][3]
    assert average["options"]["sampling"].startswith("steps=2,")
    assert average["models"]["model"]["ref"] == f"./{model.name}"
    assert average["evaluations"] == 2 * 2  # both branches, no guidance
    assert average["means"]["frechet"] == last["groups"][3]["means"]["frechet"]["value"] > 0
    compared = [(row["of"], row["minus"]) for row in last["differences"]]
    assert compared == [("crossfade", other) for other in ("flow", "average", "truth")]
    assert (folder / "pairs" / "000.png").is_file()


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Files of FID's and FVD's networks, random."""
    save_file = importlib.import_module("safetensors.torch").save_file
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(0)
    for name, network in (("fid", inception.Inception()), ("fvd", i3d.I3D())):
        for part in network.modules():
            if isinstance(part, (torch.nn.Conv2d, torch.nn.Conv3d)):
                torch.nn.init.kaiming_normal_(part.weight)  # so that something is left at the end
        save_file(network.state_dict(), folder / f"{name}.safetensors")
    return {name: folder / f"{name}.safetensors" for name in ("fid", "fvd")}


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """A folder of pictures for four pairs that are 8 frames apart."""
    folder = tmp_path / "film"
    folder.mkdir()
    chance = np.random.default_rng(0)
    grey = chance.integers(0, 256, 5)
    for number in range(33):
        begin, end = (chance.normal(grey[(number + step) // 8 % 5], 20, (16, 16, 3)) for step in (0, 8))
        share = number % 8 / 8
        levels = (begin * (1 - share) + end * share).clip(0, 255).astype(np.uint8)
        write_image(folder / f"{number:02d}.png", Image(levels))
    return folder


def test_fid_and_fvd_by_weights_from_files(
    weights: dict[str, Path],
    film: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(inception, "SIDE", 75)  # the networks look at any size from these on; these are quick
    monkeypatch.setattr(i3d, "SIDE", 32)
    folder = tmp_path / "report"
    argv = ["bench", "inbetween", "-o", str(folder), "--methods", "crossfade", "--data", str(film), "--frames", "9"]
    argv += ["--gap", "8", "--device", "cpu", "--sheets", "1"]
    assert main(argv) == 0
    assert "FID" not in capsys.readouterr().out
    clips = {path: path.stat().st_mtime_ns for path in (folder / "cache").rglob("*.npz")}
    both = [*argv, "--fid", str(weights["fid"]), "--fvd", str(weights["fvd"])]
    assert main(both) == 0
    shown = capsys.readouterr().out
    head, _, crossfade = (line.split() for line in shown.splitlines()[:3])
    assert head[1:3] == ["FID", "FVD"]
    assert min(map(float, crossfade[1:3])) > 0
    for name, width, samples in (("fid", 2048, 28), ("fvd", 400, 4)):
        digest = hashlib.sha256(weights[name].read_bytes()).hexdigest()
        assert f"weights {name}.safetensors (sha256 {digest})" in shown
        assert f"{name.upper()} rests on {samples} samples, fewer than the {width} numbers of a vector" in shown
    assert main([*both, "--json"]) == 0
    *_, last = map(json.loads, capsys.readouterr().out.splitlines())
    assert (last["standard"]["fid"]["made"], last["standard"]["fvd"]["made"]) == (28, 4)
    means = {row["name"]: row["means"] for row in last["groups"]}
    assert means["crossfade"]["fid"]["value"] == pytest.approx(float(crossfade[1]), rel=1e-3)
    assert means["real"]["fid"] is means["real"]["fvd"] is None
    assert {path: path.stat().st_mtime_ns for path in (folder / "cache").rglob("*.npz")} == clips


def test_weights_that_cannot_be_read_are_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    argv = ["bench", "inbetween", "-o", str(tmp_path / "r"), "--methods", "flow"]
    pickle = tmp_path / "pt_inception.pth"
    torch.save({"fc.bias": torch.zeros(1)}, pickle)
    for flag, path, code, says in (
        ("--fid", pickle, 2, "pt_inception.pth is not a safetensors file, or is damaged"),
        ("--fvd", pickle, 2, "Pickles (.pth, .pt) can run code and are not read; to convert one: python -c"),
        ("--fvd", tmp_path / "no.safetensors", 3, "no.safetensors with weights for FVD's I3D. To make one: python -c"),
    ):
        assert main([*argv, flag, str(path)]) == code
        said = capsys.readouterr().err
        assert says in said
        assert len(said.splitlines()) == 1
    assert not (tmp_path / "r").exists()


def test_too_few_frames_for_fvd_are_told_before_anything_is_filled(
    weights: dict[str, Path], film: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    argv = ["bench", "inbetween", "-o", str(tmp_path / "r"), "--methods", "crossfade", "--data", str(film)]
    argv += ["--gap", "8", "--frames", "5", "--keyframes", "--fvd", str(weights["fvd"])]
    assert main(argv) == 2
    assert "FVD takes clips of 9 frames or more; these have 5. Set --frames" in capsys.readouterr().err
    assert not (tmp_path / "r").exists()


def test_keyframes_are_as_far_apart_as_is_exact_for_the_clips(
    film: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    for number in range(33, 53):
        write_image(film / f"{number}.png", Image(np.full((16, 16, 3), number, np.uint8)))
    argv = ["bench", "inbetween", "-o", str(tmp_path / "r"), "--methods", "crossfade", "--data", str(film), "--json"]
    for given, gap, exact in (([], 26, True), (["--gap", "25"], 25, False)):
        assert main([*argv, *given]) == 0
        *events, last = map(json.loads, capsys.readouterr().out.splitlines())
        assert (last["material"]["gap"], last["material"]["exact"]) == (gap, exact)
        assert any("the nearest real frame" in event.get("text", "") for event in events) is not exact


def test_how_adapters_are_learnt_is_handed_on(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    asked: list[Schooling] = []

    def leave(names: list[str], found: Found, schooling: Schooling, folder: Path, **rest: object) -> list[Pupil]:
        asked.append(schooling)
        raise Cancelled("Enough.")

    monkeypatch.setattr(trained, "school", leave)
    argv = ["bench", "inbetween", "-o", str(tmp_path / "r"), "--methods", "full", "--model", str(model)]
    argv += ["--pairs", "2", "--size", "16x16"]
    main([*argv, "--train-sizes", "50"])
    argv += ["--train-sizes", "50,100", "--train-videos", "mine", "--train-steps", "700", "--train-seeds", "3"]
    main([*argv, "--train-rate", "4e-3", "--train-batch", "12", "--train-untold", "0.1"])
    like_train = TuneOptions.model_validate({"videos": "toyworld"})
    assert asked == [
        Schooling((50,), "toyworld", 500, like_train.learning_rate, like_train.batch, 1),
        Schooling((50, 100), "mine", 700, 4e-3, 12, 3, 0.1),
    ]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (["--data", "nofolder"], "There is no folder nofolder."),
        (["--size", "banana"], "--size: 'banana' is not a size"),
        (["--size", "60x64"], "The size is 60x64; both sides should be multiples of 8."),
        (["--methods", "full,folder:X={}", "--pairs", "3"], "has no folder 000, nor a film 000.mp4, for pair 0."),
        (["--methods", "full,trf@best"], "The method 'trf@best': 'best' is no preset"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_learnt(
    wrong: list[str],
    says: str,
    model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(trained, "school", lambda *_, **__: pytest.fail("it is learnt"))
    argv = ["bench", "inbetween", "-o", str(tmp_path / "r"), "--methods", "full", "--model", str(model)]
    argv += ["--pairs", "2", "--size", "16x16", "--train-sizes", "2"]
    assert main([*argv, *(word.format(tmp_path) for word in wrong)]) == 2
    assert says in capsys.readouterr().err


def test_differences_of_few_pairs_are_not_called_sure(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Of four pairs some intervals lie beside zero too."""
    argv = [
        "bench",
        "inbetween",
        "-o",
        str(tmp_path),
        "--methods",
        "flow,crossfade",
        "--size",
        "32x32",
        "--sheets",
        "1",
    ]
    for pairs, sure in ((4, False), (12, True)):
        assert main([*argv, "--pairs", str(pairs)]) == 0
        assert ("exclude zero" in capsys.readouterr().out) is sure
        assert ("| excluded" in (tmp_path / "report.md").read_text()) is sure


@pytest.mark.slow
def test_adapters_learnt_from_more_clips_and_fewer(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    folder = tmp_path / "report"
    argv = ["bench", "inbetween", "-o", str(folder), "--methods", "average,full,no-rotation", "--model", str(model)]
    argv += ["--pairs", "2", "--size", "32x32", "--sampling", "fast,guidance=1,steps=1", "--sheets", "1"]
    argv += ["--device", "cpu", "--train-sizes", "2,3", "--train-steps", "1", "--json"]
    assert main(argv) == 0
    *_, last = map(json.loads, capsys.readouterr().out.splitlines())
    names = ["full, 2 clips", "full, 3 clips", "no-rotation, 2 clips", "no-rotation, 3 clips"]
    assert [row["name"] for row in last["methods"]] == ["real", "average", *names]
    compared = [(row["of"], row["minus"]) for row in last["differences"]]
    assert compared == [
        (f"full, {size} clips", other) for size in (2, 3) for other in ("average", f"no-rotation, {size} clips")
    ]
    assert (folder / "clips.png").is_file()
    adapters = {path.parent.parent.name: path for path in folder.glob("adapters/*/adapter/adapter.safetensors")}
    places = {name.rpartition("-")[0]: path for name, path in adapters.items()}  # without the checksum
    assert sorted(places) == sorted(f"{kind}-{size}-0" for kind in ("full", "no-rotation") for size in (2, 3))
    full, other = (read_adapter(places[f"{kind}-2-0"]) for kind in ("full", "no-rotation"))
    assert full.rotated
    assert not other.rotated
    assert {part for row in full.differences.values() for part in row} == {"to_v", "to_out.0"}
    assert {part for row in other.differences.values() for part in row} == {"to_q", "to_k", "to_v", "to_out.0"}
    assert full.card.data.startswith("2 clips of 4 frames of 32x32")
    before = {path: path.stat().st_mtime_ns for path in adapters.values()}
    assert main(argv) == 0
    assert {path: path.stat().st_mtime_ns for path in adapters.values()} == before


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (
            ["--methods", "film"],
            "FILM is a network of its own, and keyweave has neither its code nor its weights. Run it on the keyframes",
        ),
        (["--methods", "DynamiCrafter"], "and name what it made with --methods folder:DynamiCrafter=DIR."),
        (
            ["--methods", "folder:FILM"],
            "'folder:FILM' is no method; it should be folder:NAME=DIR. Such as folder:FILM=",
        ),
        (["--methods", "folder:FILM=nowhere"], "There is no folder nowhere, which folder:FILM=nowhere names."),
        (["--methods", "folder:full=."], "full is a method of keyweave; folder:full=. would be another."),
        (["--methods", "folder:a=.,folder:a=.."], "The method a is named twice."),
        (["--methods", "flow", "--pairs", "1"], "--pairs is 1; it should be 2 or more"),
        (["--methods", "flow", "--pairs", "9" * 20], f"--pairs is {'9' * 20}; it should be 100,000 or less."),
        (["--methods", "flow", "--sampling", "nonsense"], "--sampling: 'nonsense' is no preset"),
        (["--methods", "flow", "--model", "toy-video"], "no method that is named works with a model. Leave it out."),
        (
            ["--methods", "trf,flow", "--adapter", "toy-inbetween"],
            "--adapter is for full and full-linear, which --methods does not name. Leave it out.",
        ),
        (["--methods", "full", "--unrotated", "x"], "--unrotated is for no-rotation, which --methods does not name."),
        (
            ["--methods", "full", "--adapter", "x", "--train-sizes", "50"],
            "--adapter and --train-sizes: adapters are learnt, or given. Leave one of them out.",
        ),
        (["--methods", "flow", "--gap", "9"], "--gap is for folders of videos"),
        (["--methods", "flow", "--size", "big"], "--size: 'big' is not a size"),
        (["--methods", "flow", "--data", "nowhere"], "There is no folder nowhere"),
        (["--methods", "average", "--sampling", "best"], "--sampling: 'best' is no preset"),
        (["--methods", "average", "--sampling", "fast,tries=3", "--steps", "1"], "--sampling: tries=3 needs 2 steps"),
        (["--methods", "flow@steps=3"], "flow does not sample, so 'flow@steps=3' says nothing. Leave out the @."),
        (["--methods", "full@best", "--train-sizes", "50"], "The method 'full@best': 'best' is no preset"),
        (["--methods", "full@steps=3,guidance=2"], "no method 'guidance=2'. Join what is changed by +, such as full@"),
        (["--methods", "best@steps=3"], "There is no method 'best@steps=3'."),
        (["--methods", "full@steps=3,full@steps=3"], "The method full@steps=3 is named twice."),
        (["--methods", "flow", "--train-sizes", "50"], "--train-sizes is for methods that learn. Add full"),
        (["--methods", "flow", "--train-sizes", "50,1"], "--train-sizes is '50,1'; it should be such as 50,100,150"),
        (["--methods", "flow", "--train-sizes", "many"], "--train-sizes is 'many'"),
        (["--methods", "flow", "--train-sizes", "50", "--train-steps", "0"], "--train-steps is 0; it should be 1"),
        (["--methods", "flow", "--train-sizes", "50", "--train-rate", "nan"], "--train-rate is nan"),
        (
            ["--methods", "flow", "--train-sizes", "50", "--train-untold", "1"],
            "--train-untold is 1; it should be from 0",
        ),
        (["--methods", "flow", "--train-sizes", "50", "--train-batch", "0"], "--train-batch is 0; it should be 1"),
    ],
)
def test_bad_input_is_one_sentence(argv: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["bench", "inbetween", "-o", str(tmp_path / "r"), *argv]) == 2
    said = capsys.readouterr().err
    assert says in said
    assert len(said.splitlines()) == 1
    assert not (tmp_path / "r").exists()


def test_of_the_toy_full_runs_with_the_adapter_that_ships(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    argv = ["bench", "inbetween", "-o", str(tmp_path / "r"), "--methods", "full", "--pairs", "2", "--device", "cpu"]
    assert main([*argv, "--sampling", "draft,guidance=1", "--steps", "1", "--sheets", "1"]) == 0
    capsys.readouterr()
    assert "; adapter toy-inbetween (" in (tmp_path / "r" / "report.md").read_text()


def test_a_method_without_its_adapter(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    argv = ["bench", "inbetween", "-o", str(tmp_path / "r"), "--model", str(model), "--methods"]
    assert main([*argv, "full"]) == 2
    assert "--adapter names none, and neither does a card of the model." in capsys.readouterr().err
    assert main([*argv, "no-rotation"]) == 2
    assert "--unrotated names none" in capsys.readouterr().err
