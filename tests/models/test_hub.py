"""The hub, without a network: its real exceptions, a cache made by hand, and a shelf that stands for its server."""

import importlib
import re
import shutil
import sys
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from keyweave.base.errors import InputError, KeyweaveError, MediaError, MissingExtra, ModelError, ModelNotFound
from keyweave.base.progress import Event, Progress
from keyweave.models import hub
from keyweave.models.card import ModelCard, write_card
from keyweave.models.finding import find
from keyweave.models.licences import LicenceNotAcceptedError, accept

huggingface_hub: Any = importlib.import_module("huggingface_hub")
errors: Any = importlib.import_module("huggingface_hub.errors")

COMMIT, OTHER = "c0ffee" * 6 + "c0ff", "d" * 40
REF = "hub:someone/svd"
ANSWER = SimpleNamespace(headers={}, request=None, status_code=503)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub, and no way to the network."""
    place = tmp_path / "hub"
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(place))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    return place


def keep(cache: Path, model: Path, *, commit: str = COMMIT, branch: str = "main") -> Path:
    """Put a model into the cache by hand."""
    base = cache / "models--someone--svd"
    (base / "refs").mkdir(parents=True, exist_ok=True)
    (base / "refs" / branch).write_text(commit)
    return Path(shutil.copytree(model, base / "snapshots" / commit))


class Shelf:
    """Stands for the hub's server: a folder, of which files are copied into the cache as patterns ask for them."""

    def __init__(self, cache: Path, shelf: Path) -> None:
        self.cache, self.shelf, self.taken, self.asked = cache, shelf, list[str](), 0
        self.stored = huggingface_hub.snapshot_download

    def names(self) -> list[str]:
        return sorted(path.relative_to(self.shelf).as_posix() for path in self.shelf.rglob("*") if path.is_file())

    def model_info(self, repo: str, *, revision: str, files_metadata: bool) -> Any:
        assert files_metadata
        self.asked += 1
        rows = [SimpleNamespace(rfilename=name, size=(self.shelf / name).stat().st_size) for name in self.names()]
        return SimpleNamespace(siblings=rows)

    def snapshot_download(
        self, repo: str, *, revision: str, allow_patterns: list[str], local_files_only: bool = False
    ) -> str:
        if local_files_only:
            return self.stored(repo, revision=revision, allow_patterns=allow_patterns, local_files_only=True)
        base = self.cache / "models--someone--svd"
        (base / "refs").mkdir(parents=True, exist_ok=True)
        if revision != COMMIT:
            (base / "refs" / revision).write_text(COMMIT)
        for name in self.names():
            goal = base / "snapshots" / COMMIT / name
            if any(fnmatchcase(name, pattern) for pattern in allow_patterns) and not goal.exists():
                goal.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(self.shelf / name, goal)
                self.taken.append(name)
        return str(base / "snapshots" / COMMIT)


@pytest.fixture
def shelf(cache: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    made = Shelf(cache, tiny)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub, "model_info", made.model_info)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", made.snapshot_download)
    return made


@pytest.fixture
def heard() -> list[Event]:
    return []


def said(heard: list[Event]) -> list[str]:
    return [f"{one.kind}: {one.text}" for one in heard]


def refused(ref: str, error: type[KeyweaveError], words: str, kind: Any = None) -> None:
    with pytest.raises(error, match=f"^{re.escape(words)}") as caught:
        find(ref, kind)
    assert type(caught.value) is error


# What is downloaded


def test_only_what_is_needed_is_downloaded(shelf: Shelf, tiny: Path, heard: list[Event]):
    (tiny / "README.md").write_text("---\nlicense: apache-2.0\n---\n")
    junk = ("svd.safetensors", "LICENSE.md", "script.py", "unet/diffusion_pytorch_model.fp16.safetensors",
            "unet/diffusion_pytorch_model.bin", "image.png", "clip/model.safetensors", "a/b/c.json")  # fmt: skip
    for name in junk:
        (tiny / name).parent.mkdir(parents=True, exist_ok=True)
        (tiny / name).write_bytes(b"x" * 10)
    found = find(REF, "image-to-video", progress=Progress("job", heard.append))
    assert found.ref == f"hub:someone/svd@{COMMIT}"
    assert found.folder.name == COMMIT
    assert found.mark().ref == found.ref
    assert found.name == "someone/svd"
    assert set(shelf.names()) - set(shelf.taken) == {*junk} - {"LICENSE.md"}
    weights = sum(path.stat().st_size for path in found.folder.rglob("*.safetensors"))
    assert said(heard) == [
        f"say: hub:someone/svd@main: downloading {weights / 1e6:,.1f} MB.",
        (
            "say: someone/svd comes under the licence apache-2.0; read it at https://huggingface.co/someone/svd before"
            " you publish what it makes."
        ),
    ]
    shelf.taken.clear()
    heard.clear()
    find(REF, progress=Progress("job", heard.append))
    assert (shelf.taken, heard) == ([], [])


def test_weights_under_a_licence_that_is_not_free_come_once_it_is_agreed_to(shelf: Shelf, tiny: Path):
    (tiny / "README.md").write_text("---\nlicense: other\nlicense_name: research-only\n---\n")
    words = (
        "someone/svd comes under the licence research-only, which is not free for all uses; read it at https://hugging"
    )
    refused(REF, LicenceNotAcceptedError, words)
    assert not [name for name in shelf.taken if name.endswith(".safetensors")]
    accept("someone/svd", "research-only")
    assert find(REF).kind == "image-to-video"


def test_what_is_in_the_cache_is_asked_about_too(cache: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch):
    (tiny / "README.md").write_text("---\nlicense: openrail\n---\n")
    keep(cache, tiny)
    for ref in (REF, f"{REF}@{COMMIT}"):
        refused(ref, LicenceNotAcceptedError, "someone/svd comes under the licence openrail, which is not free")
    monkeypatch.setenv("KEYWEAVE_ACCEPT_LICENCE", "someone/svd")
    assert find(REF).kind == "image-to-video"


def test_nobody_else_reaches_the_hub():
    """Whoever asks for a licence must be the only door."""
    rooms = Path(hub.__file__).parents[1]
    naming = {path.name for path in rooms.rglob("*.py") if "snapshot_download" in path.read_text()}
    assert naming == {"hub.py"}


def test_each_family_has_parts_of_its_own(shelf: Shelf, tiny_qwen: tuple[Path, Path], tmp_path: Path):
    """Of one kind all the same."""
    shelf.shelf = Path(shutil.copytree(tiny_qwen[0], tmp_path / "qwen"))
    (shelf.shelf / "text_encoder_2").mkdir()
    (shelf.shelf / "text_encoder_2" / "model.safetensors").write_bytes(b"x" * 10)
    assert find(REF, "text-to-image").kind == "text-to-image"
    assert set(shelf.names()) - set(shelf.taken) == {"text_encoder_2/model.safetensors"}


def test_the_wrong_kind_is_known_before_its_weights_come(shelf: Shelf, tiny: Path):
    refused(REF, ModelError, "hub:someone/svd@main is a model of kind image-to-video; here one of kind part", "part")
    index = tiny / "model_index.json"
    index.write_text(index.read_text().replace("StableVideoDiffusionPipeline", "PixArtAlphaPipeline"))
    shutil.rmtree(shelf.cache)
    refused(REF, ModelError, "hub:someone/svd@main is a PixArtAlphaPipeline, which keyweave cannot use.")
    assert not [name for name in shelf.taken if name.endswith(".safetensors")]


def test_pickles_are_not_even_downloaded(shelf: Shelf, tiny: Path):
    weights = tiny / "unet" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))
    refused(
        REF,
        ModelError,
        "hub:someone/svd@main unet/ has its weights only as pickles (unet/diffusion_pytorch_model.bin). Pickles can",
    )
    weights.with_suffix(".bin").unlink()
    refused(
        REF, ModelError, "hub:someone/svd@main unet/ has no weights that keyweave reads (.safetensors, plain or fp16)."
    )
    assert not [name for name in shelf.taken if name.endswith((".bin", ".safetensors"))]


def test_a_network_by_itself_and_a_model_with_a_card(shelf: Shelf, tiny: Path, card: ModelCard):
    shelf.shelf = tiny / "unet"
    assert find(f"{REF}@v1", "part").kind == "part"
    assert shelf.taken == ["config.json", "diffusion_pytorch_model.safetensors"]
    shutil.rmtree(shelf.cache)
    (tiny / "unet" / "config.json").unlink()
    write_card(tiny / "unet", card.model_copy(update={"kind": "features"}))
    found = find(REF, "features")
    assert found.card is not None
    assert found.card.kind == "features"


@pytest.mark.parametrize(("ref", "file"), [("./back", "back/adapter.safetensors"), ("b.safetensors", "b.safetensors")])
def test_an_adapter_that_a_model_has_beside_itself_comes_along(
    shelf: Shelf, tiny: Path, card: ModelCard, ref: str, file: str
):
    (tiny / file).parent.mkdir(exist_ok=True)
    shutil.copy(tiny / "image_encoder" / "model.safetensors", tiny / file)
    shutil.copy(tiny / file, tiny / "other.safetensors")
    write_card(tiny, card.model_copy(update={"adapter": ref}))
    found = find(REF)
    assert Path(found.adapter or "") == found.folder / ref
    assert file in shelf.taken
    assert "other.safetensors" not in shelf.taken
    (found.folder / file).unlink()  # as a download leaves it that was stopped before the last file
    assert (find(f"hub:someone/svd@{COMMIT}").folder / file).is_file()


def test_what_was_truncated_on_its_way_is_seen(shelf: Shelf, tiny: Path):
    weights = tiny / "vae" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-5])
    with pytest.raises(ModelError, match="vae/diffusion_pytorch_model.safetensors is truncated: it has"):
        find(REF)


# Offline


def test_half_precision_comes_where_there_is_nothing_else(shelf: Shelf):
    weights = shelf.shelf / "unet" / "diffusion_pytorch_model.safetensors"
    half = weights.rename(weights.with_name("diffusion_pytorch_model.fp16.safetensors"))
    assert find(REF).kind == "image-to-video"
    assert half.relative_to(shelf.shelf).as_posix() in shelf.taken


def test_offline_the_cache_is_enough(cache: Path, tiny_folder: Path, heard: list[Event]):
    keep(cache, tiny_folder)
    for ref in (REF, f"{REF}@main", f"{REF}@{COMMIT}"):
        found = find(ref, "image-to-video", progress=Progress("job", heard.append))
        assert found.ref == f"hub:someone/svd@{COMMIT}"
    assert said(heard) == [
        (
            "warn: someone/svd names no licence; ask its owner before you publish what it makes: "
            "https://huggingface.co/someone/svd"
        )
    ]


def test_offline_what_is_not_there_is_said(cache: Path, tiny_folder: Path, tiny: Path):
    words = "is not, or not whole, in the hub's cache, and the hub is in offline mode. Unset HF_HUB_OFFLINE"
    refused(REF, ModelNotFound, f"someone/svd@main {words}")
    keep(cache, tiny_folder)
    refused(f"{REF}@v2", ModelNotFound, f"someone/svd@v2 {words}")
    refused(f"{REF}@{OTHER}", ModelNotFound, f"someone/svd@{OTHER} {words}")
    (tiny / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    keep(cache, tiny, commit=OTHER, branch="half")
    refused(f"{REF}@half", ModelNotFound, f"someone/svd@half {words}")


def test_a_commit_that_is_there_asks_nobody(shelf: Shelf, tiny_folder: Path):
    keep(shelf.cache, tiny_folder)
    assert find(f"{REF}@{COMMIT}").ref == f"hub:someone/svd@{COMMIT}"
    assert shelf.asked == 0
    (shelf.cache / "models--someone--svd" / "snapshots" / COMMIT / "vae" / "config.json").unlink()
    assert find(f"{REF}@{COMMIT}").folder.joinpath("vae", "config.json").is_file()
    assert shelf.asked == 1


# Failures


def answered(kind: Any) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> Any:
        raise kind("The server's many lines of words.", response=ANSWER)

    return fail


def unreachable(fault: Exception) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> Any:
        raise fault

    return fail


FAILURES = [
    (
        answered(errors.GatedRepoError),
        ModelNotFound,
        (
            "someone/svd is gated: the hub gives it only to people who accepted its terms. Accept them at "
            "https://huggingface.co/someone/svd, log in with `hf auth login`, and try again."
        ),
    ),
    (
        answered(errors.RepositoryNotFoundError),
        ModelNotFound,
        "The hub has no model someone/svd, or it is private. Check the spelling; for a private one log in with",
    ),
    (
        answered(errors.RevisionNotFoundError),
        ModelNotFound,
        "someone/svd has no revision 'main'. Name a branch, a tag or a whole commit, or leave @REVISION out.",
    ),
    (answered(errors.HfHubHTTPError), ModelNotFound, "The hub did not give someone/svd: it answered 503. Try again"),
    (answered(errors.DisabledRepoError), ModelNotFound, "The hub did not give someone/svd: it answered 503."),
    (
        unreachable(errors.HTTPError("no route to host")),
        ModelNotFound,
        "The hub cannot be reached for someone/svd, which is not, or not whole, in its cache. Check the network and",
    ),
    (unreachable(ConnectionResetError("reset")), ModelNotFound, "The hub cannot be reached for someone/svd,"),
    (unreachable(TimeoutError("slow")), ModelNotFound, "The hub cannot be reached for someone/svd,"),
    (unreachable(errors.LocalEntryNotFoundError("lost")), ModelNotFound, "The hub cannot be reached for someone/svd,"),
    (unreachable(OSError(28, "No space left on device")), MediaError, "Cannot write "),
    (unreachable(errors.HFValidationError("no")), InputError, "hub:someone/svd is not a model of the hub. Write hub:"),
]


@pytest.mark.parametrize(("fail", "error", "words"), FAILURES)
@pytest.mark.parametrize("step", ["model_info", "snapshot_download"])
def test_each_failure_has_one_sentence(
    step: str, fail: Callable[..., Any], error: type[KeyweaveError], words: str, shelf: Shelf, monkeypatch
):
    stored = huggingface_hub.snapshot_download

    def failing(*args: Any, **options: Any) -> Any:
        return stored(*args, **options) if options.get("local_files_only") else fail()

    monkeypatch.setattr(huggingface_hub, step, failing)
    refused(REF, error, words)


@pytest.mark.parametrize(
    ("fail", "helps"),
    [(FAILURES[k][0], k != 2) for k in (0, 1, 2, 3, 5)],
    ids=["gated", "gone", "revision", "503", "off"],
)
def test_what_is_in_the_cache_helps_when_the_hub_does_not(
    fail: Callable[..., Any], helps: bool, shelf: Shelf, tiny_folder: Path, heard: list[Event], monkeypatch
):
    keep(shelf.cache, tiny_folder)
    monkeypatch.setattr(huggingface_hub, "model_info", fail)
    if not helps:  # a revision that was withdrawn is not quietly used
        refused(REF, ModelNotFound, "someone/svd has no revision")
        return
    assert find(REF, progress=Progress("job", heard.append)).ref == f"hub:someone/svd@{COMMIT}"
    assert said(heard)[0] == "warn: The hub did not answer as hoped; the copy in its cache is used (c0ffeec0)."


@pytest.mark.parametrize(
    "text", ["", "svd", "a/b/c", "a/b@", "a b/c", "a/b@x y", "../b/c", "https://huggingface.co/a/b"]
)
def test_what_is_no_reference(text: str, cache: Path):
    refused(f"hub:{text}", InputError, f"hub:{text} is not a model of the hub. Write hub:OWNER/NAME or hub:OWNER/NAME@")


def test_the_package_may_be_missing(monkeypatch: pytest.MonkeyPatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "huggingface_hub"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "path", [])
    refused(REF, MissingExtra, "Reaching the hub needs the package huggingface_hub, which is not installed. Install it")
